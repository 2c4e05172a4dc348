"""Models: weights and configs of a transformer, a video autoencoder, a text encoder and a tokenizer.

Since 0.1.
"""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from . import _capi
from ._context import Context, Path, default_context
from ._errors import SoraError, check, make
from ._handle import Handle, new_handle
from ._tensor import DTYPES

_PARTS = _capi.named("PART_")


@dataclass(frozen=True)
class ModelInfo:
    """What a model is. Numbers of parts that it does not have are 0.

    ``parts``: of transformer, vae, text_encoder, tokenizer, probe. ``patch``: of the transformer in time, height, width.
    ``temporal_factor``, ``spatial_factor``: frames and pixels per latent. ``text_length``: rows of text that the transformer sees.
    ``default_*``: what a pipeline uses where nothing else is asked for. Since 0.1.
    """

    format: str
    family: str
    name: str
    parts: tuple[str, ...]
    parameters: int
    latent_channels: int
    temporal_factor: int
    spatial_factor: int
    patch: tuple[int, int, int]
    text_length: int
    default_width: int
    default_height: int
    default_frames: int
    default_steps: int
    default_fps: float
    default_guidance: float
    default_shift: float
    default_guidance_given: float
    default_guidance_until: float


@dataclass(frozen=True)
class Lora:
    """A LoRA file for ``Model(loras=...)``. A tensor in it that fits no weight is an error.

    ``target``: ``"all"`` transformers, or of two experts the one for ``"high"`` or for ``"low"`` noise. Since 0.1.
    """

    path: Path
    strength: float = 1.0
    target: str = "all"

    @property
    def _number(self) -> int:
        targets = _capi.named("LORA_")
        if self.target not in targets:
            raise ValueError(f"target is one of {', '.join(targets)}, not {self.target!r}")
        return targets[self.target]


class Model(Handle):
    """A model, opened from a ``.sora`` file, a folder in the diffusers layout, or single files of weights.

    Args:
        source: path; or a binary file object with ``read`` and ``seek``, held while the model lives; or None with single files.
        context: where memory, threads and log come from; None: ``default_context()``.
        device: name of a backend of the context; None: ``"cpu"``.
        dtype: of the matrix products: None (what the processor multiplies fastest), ``"f32"`` (exact), ``"bf16"``, or
            ``"i8"`` (linear layers of the transformer's blocks in int8).
        transformer, transformer_2, vae, text_encoder, image_encoder: paths of single files, in place of a model or of parts of
            one: safetensors, GGUF or .pth, under the names of diffusers, of Wan's authors or of ComfyUI. transformer_2 is the
            expert for low noise, image_encoder the CLIP of image-to-video models.
        tokenizer: tokenizer.json, spiece.model, or a folder with one.
        loras: paths, or ``Lora`` with strength and target: added to the transformer's weights as they are read.

    Raises:
        NotFoundError, FormatError (the message names file and field), UnsupportedError, OutOfMemoryError, IoError.

    Read-only: any number of threads and pipelines may share one. Parts are read when a pipeline first needs them. Since 0.1.
    """

    _what = "model"

    def __init__(
        self,
        source: Path | BinaryIO | None = None,
        *,
        context: Context | None = None,
        device: str | None = None,
        dtype: str | None = None,
        transformer: Path | None = None,
        transformer_2: Path | None = None,
        vae: Path | None = None,
        text_encoder: Path | None = None,
        image_encoder: Path | None = None,
        tokenizer: Path | None = None,
        loras: Sequence[Path | Lora] = (),
    ) -> None:
        if dtype not in (None, "f32", "bf16", "i8"):
            raise ValueError(f"dtype is None, 'f32', 'bf16' or 'i8', not {dtype!r}")
        self._context = context or default_context()
        opts = _capi.ModelOpts(dtype=DTYPES[dtype] if dtype else 0, device=device.encode() if device else None)
        files = {
            "transformer": transformer,
            "transformer_2": transformer_2,
            "vae": vae,
            "text_encoder": text_encoder,
            "image_encoder": image_encoder,
            "tokenizer": tokenizer,
        }
        for name, file in files.items():
            setattr(opts, name, os.fsencode(file) if file is not None else None)
        wanted = [lora if isinstance(lora, Lora) else Lora(lora) for lora in loras]
        n = len(wanted)
        if n:
            opts.loras = (ctypes.c_char_p * n)(*[os.fsencode(lora.path) for lora in wanted])
            opts.lora_strengths = (ctypes.c_double * n)(*[lora.strength for lora in wanted])
            opts.lora_targets = (ctypes.c_int32 * n)(*[lora._number for lora in wanted])
            opts.lora_count = n
        lib = _capi.lib
        if source is None or isinstance(source, (str, os.PathLike)):
            path = os.fsencode(source) if source is not None else None
            address = new_handle("model", lib.sora_model_open, self._context._ptr, path, ctypes.byref(opts))
        else:
            self._reader = _Reader(source)
            io = ctypes.byref(self._reader.io)
            try:
                address = new_handle("model", lib.sora_model_open_io, self._context._ptr, io, ctypes.byref(opts))
            except SoraError as error:
                raise error from self._reader.failure
        super().__init__(address, lib.sora_model_unref)

    @property
    def context(self) -> Context:
        """The context that the model was opened with. Since 0.1."""
        return self._context

    @property
    def info(self) -> ModelInfo:
        """What the model is. Since 0.1."""
        d = _capi.ModelDesc()
        check(_capi.lib.sora_model_info(self._ptr, ctypes.byref(d)))
        apart = ("format", "family", "name", "parts", "patch")
        same: dict[str, Any] = {k: getattr(d, k) for k in ModelInfo.__dataclass_fields__ if k not in apart}
        texts: dict[str, Any] = {k: (getattr(d, k) or b"").decode("utf-8", "replace") for k in ("format", "family", "name")}
        parts = tuple(name for name, bit in _PARTS.items() if d.parts & bit)
        return ModelInfo(parts=parts, patch=(d.patch_t, d.patch_h, d.patch_w), **texts, **same)

    def describe(self) -> dict[str, Any]:
        """Everything known: format, parts with configs, tensors with types and shapes. All files are checked first, checksums
        included, which reads them. FormatError for a damaged one. Since 0.1."""
        error = _capi.Error()
        text = _capi.lib.sora_model_json(self._ptr, ctypes.byref(error))
        if text is None:
            check(error.code or _capi.E_INTERNAL, error)
        described: dict[str, Any] = json.loads(text)
        return described

    def tokenize(self, text: str) -> npt.NDArray[np.int32]:
        """Ids of a text after clean-up and truncation, end token included, no padding: int32 [n].

        NotFoundError without a tokenizer. Since 0.1.
        """
        utf8, count, capacity = text.encode("utf-8", "surrogatepass"), ctypes.c_size_t(), 512
        while True:
            ids, error = np.empty(capacity, np.int32), _capi.Error()
            to = ids.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
            tokenize = _capi.lib.sora_model_tokenize
            check(tokenize(self._ptr, utf8, len(utf8), to, capacity, ctypes.byref(count), ctypes.byref(error)), error)
            if count.value <= capacity:
                return ids[: count.value].copy()
            capacity = count.value

    def save(self, target: Path, *, weights: str | None = None) -> None:
        """Writes the model, single files and LoRAs included; see ``convert`` for the arguments. Since 0.1."""
        error, number = _capi.Error(), _weights(weights)
        check(_capi.lib.sora_model_save(self._ptr, os.fsencode(target), number, ctypes.byref(error)), error)

    def __repr__(self) -> str:
        if self.closed:
            return "<sora.Model closed>"
        i = self.info
        return f"<sora.Model {i.name or i.family}: {i.parameters} parameters, {', '.join(i.parts)}>"


class _Reader:
    """A file object as the library's I/O: any thread, one call at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.failure: BaseException | None = None
        self._lock = threading.Lock()
        size = file.seek(0, os.SEEK_END)
        self._callback = _capi.ReadAtFn(self._read_at)
        name = getattr(file, "name", None)
        self._name = name.encode("utf-8", "replace") if isinstance(name, str) else b"model"
        self.io = _capi.Io(user=None, read_at=self._callback, size=size, name=self._name)

    def _read_at(self, _user: Any, offset: int, to: int, n: int) -> int:
        try:
            with self._lock:
                self.file.seek(offset)
                done = 0
                while done < n:
                    piece = self.file.read(min(n - done, 1 << 26))
                    if not piece:
                        break
                    ctypes.memmove(to + done, piece, len(piece))
                    done += len(piece)
                return done
        except BaseException as error:  # the library fails with SORA_E_IO; the reason is shown as its cause where it can be
            self.failure = error
            return -1


def _weights(name: str | None) -> int:
    if name not in (None, "f32", "bf16", "i8"):
        raise ValueError(f"weights is None, 'f32', 'bf16' or 'i8', not {name!r}")
    return DTYPES[name] if name else 0


def convert(source: Path, target: Path, *, weights: str | None = None, context: Context | None = None) -> None:
    """Converts a model folder or ``.sora`` file.

    Args:
        target: a name that ends in ``.sora`` gives one file, anything else a folder. Whole or not at all.
        weights: None keeps the types; ``"f32"``, ``"bf16"`` or ``"i8"`` (rows scaled, matrices only).

    Raises:
        NotFoundError, FormatError, UnsupportedError, IoError, OutOfMemoryError.

    Since 0.1.
    """
    error, number = _capi.Error(), _weights(weights)
    own = (context or default_context())._ptr
    check(_capi.lib.sora_model_convert(own, os.fsencode(source), os.fsencode(target), number, ctypes.byref(error)), error)


def train_tokenizer(path: Path, texts: list[str], pieces: int, *, context: Context | None = None) -> None:
    """Makes a unigram tokenizer (sentencepiece's ``spiece.model``, with byte fallback) and writes it, whole or not at all.

    Args:
        texts: what it is made from; cleaned as prompts are. The same texts give the same bytes.
        pieces: at most so many, 400 to 1000000.

    Raises:
        InvalidError, OutOfMemoryError, IoError.

    Since 0.1.
    """
    encoded = [t.encode("utf-8", "surrogatepass") for t in texts]
    if any(b"\0" in t for t in encoded):
        raise make(_capi.E_INVALID, "a text holds a zero character")
    array, error = (ctypes.c_char_p * max(len(encoded), 1))(*encoded), _capi.Error()
    own = (context or default_context())._ptr
    train = _capi.lib.sora_tokenizer_train
    check(train(own, os.fsencode(path), array, len(encoded), pieces, ctypes.byref(error)), error)
