"""Images and named tensors in files, and frames in the two forms that they have.

Since 0.1.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _capi
from ._context import Context, Path, default_context
from ._errors import check, make
from ._handle import new_handle
from ._tensor import Tensor


def read_image(path: Path, *, context: Context | None = None) -> npt.NDArray[np.uint8]:
    """Reads a PNG of any kind: uint8 [H, W, 3]; transparency is laid over white.

    Raises:
        NotFoundError, FormatError (a damaged one), IoError, OutOfMemoryError.

    Since 0.1.
    """
    context = context or default_context()
    return Tensor(new_handle("image", _capi.lib.sora_image_read, context._ptr, os.fsencode(path)), context).numpy()


def write_image(path: Path, image: npt.ArrayLike, *, context: Context | None = None) -> None:
    """Writes a PNG, whole or not at all. image: uint8 [H, W, 3]. TypeError for other types, InvalidError for other shapes,
    IoError. Since 0.1."""
    rgb = _bytes(image)
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise make(_capi.E_INVALID, f"an image is [height, width, 3], not {list(rgb.shape)}")
    error, own = _capi.Error(), (context or default_context())._ptr
    at = rgb.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
    write = _capi.lib.sora_image_write
    check(write(own, os.fsencode(path), at, rgb.shape[1], rgb.shape[0], ctypes.byref(error)), error)


def save_tensors(path: Path, tensors: Mapping[str, npt.ArrayLike | Tensor], *, context: Context | None = None) -> None:
    """Writes named tensors or arrays to a safetensors file; afterwards it is whole, or as it was before. IoError. Since 0.1."""
    context = context or default_context()
    own = [Tensor.wrap(t, context=context) for t in tensors.values()]
    names = (ctypes.c_char_p * max(len(own), 1))(*[n.encode() for n in tensors])
    handles = (ctypes.c_void_p * max(len(own), 1))(*[t._ptr for t in own])
    error = _capi.Error()
    save = _capi.lib.sora_tensors_save
    check(save(context._ptr, os.fsencode(path), names, handles, len(own), ctypes.byref(error)), error)


def load_tensor(path: Path, name: str, *, context: Context | None = None) -> Tensor:
    """The tensor ``name`` of a safetensors file. NotFoundError, FormatError, IoError. Since 0.1."""
    context = context or default_context()
    load = _capi.lib.sora_tensor_load
    return Tensor(new_handle("tensor", load, context._ptr, os.fsencode(path), name.encode()), context)


def load_tensors(path: Path, *, context: Context | None = None) -> dict[str, Tensor]:
    """All tensors of a safetensors file, by name. Since 0.1."""
    described = describe_tensors(path, context=context)
    return {name: load_tensor(path, name, context=context) for name in described["tensors"]}


def describe_tensors(path: Path, *, context: Context | None = None) -> dict[str, Any]:
    """What a safetensors file, or an index of several, holds: format, parameters, types, metadata, tensors with types and shapes.
    FormatError for a damaged one. Since 0.1."""
    context = context or default_context()
    text = Tensor(new_handle("text", _capi.lib.sora_tensors_describe, context._ptr, os.fsencode(path)), context)
    described: dict[str, Any] = json.loads(text.numpy().tobytes().rstrip(b"\0"))
    return described


def video_from_frames(frames: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """uint8 [F, H, W, 3] -> float32 [3, F, H, W] in -1..1: what ``Pipeline.encode_video`` takes. Since 0.1."""
    rgb = _bytes(frames)
    if rgb.ndim != 4 or rgb.shape[3] != 3:
        raise make(_capi.E_INVALID, f"frames are [F, H, W, 3], not {list(rgb.shape)}")
    video: npt.NDArray[np.float32] = np.ascontiguousarray(rgb.transpose(3, 0, 1, 2), dtype=np.float32) / np.float32(127.5) - 1
    return video


def frames_from_video(video: npt.ArrayLike | Tensor) -> npt.NDArray[np.uint8]:
    """float32 [3, F, H, W] in -1..1 -> uint8 [F, H, W, 3]: of what ``Pipeline.decode_video`` gives. Since 0.1."""
    values = np.asarray(video, np.float32)
    if values.ndim != 4 or values.shape[0] != 3:
        raise make(_capi.E_INVALID, f"a video is [3, F, H, W], not {list(values.shape)}")
    scaled = np.rint((np.clip(values, -1, 1) + 1) * np.float32(127.5))
    return np.ascontiguousarray(scaled.transpose(1, 2, 3, 0).astype(np.uint8))


def _bytes(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    rgb = np.ascontiguousarray(image)
    if rgb.dtype != np.uint8:
        raise TypeError(f"colours are uint8, not {rgb.dtype}")
    return rgb
