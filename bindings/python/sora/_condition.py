"""Conditions: what is known of a video, and where: this clip, at this frame, with this mask and this strength.

Since 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from . import _capi
from ._context import Context
from ._tensor import Tensor, take

_FITS = _capi.named("FIT_")
Array = Union[npt.ArrayLike, Tensor]


@dataclass(frozen=True, eq=False)
class Condition:
    """A clip or an image on the timeline of a video, for ``Pipeline.generate(conditions=[...])``.

    An image at frame 0 is animated; a clip at its place is extended before or behind it; two clips are connected; a clip with a mask
    is inpainted; a clip of strength below 1 is edited. Later ones lie over earlier ones.

    Args:
        frames: uint8 [n, H, W, 3] or [H, W, 3].
        at_frame: where its first frame lies; may be negative. What lies outside of the video is cut off.
        mask: uint8 [1 or n, H, W] or [H, W]: 255 is given, 0 is to be made; None: all of it is given.
        strength: 0..1; 1: as given, 0.3: its outline stays.
        fit: ``"fill"`` (scaled to cover the picture, the middle is used), ``"inside"`` (scaled to lie inside), ``"stretch"`` or
            ``"exact"`` (another size than the video's is an error).
        latent: f32 [C, T, h, w] in place of frames.

    InvalidError, when a run begins, for what does not fit. Since 0.1.
    """

    frames: Array | None = None
    at_frame: int = 0
    mask: Array | None = None
    strength: float = 1.0
    fit: str = "fill"
    latent: Array | None = None

    def __post_init__(self) -> None:
        if self.fit not in _FITS:
            raise ValueError(f"fit is one of {', '.join(_FITS)}, not {self.fit!r}")


def to_c(condition: Condition, context: Context) -> tuple[_capi.Condition, list[Tensor]]:
    """As the library takes it, and the tensors that it points to."""
    held = {
        "frames": _bytes(condition.frames, 4, context),
        "mask": _bytes(condition.mask, 3, context),
        "latent": take(condition.latent, "f32", context) if condition.latent is not None else None,
    }
    pointers = {name: tensor._ptr for name, tensor in held.items() if tensor is not None}
    c = _capi.Condition(fit=_FITS[condition.fit], at_frame=condition.at_frame, strength=condition.strength, **pointers)
    return c, [tensor for tensor in held.values() if tensor is not None]


def _bytes(value: Any, axes: int, context: Context) -> Tensor | None:
    """An array of so many axes; the first may be left away, where it is one."""
    if value is None or isinstance(value, Tensor):
        return value
    array = np.asarray(value)
    return take(array[None] if array.ndim == axes - 1 else array, "u8", context)
