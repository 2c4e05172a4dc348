"""libsora from Python: a prompt, an image or a video becomes a video, on the CPU.

    import sora

    pipeline = sora.Pipeline("models/nano.sora")
    video = pipeline.generate("a red robot dances on the beach at sunset", frames=17, seed=1, progress=True)
    # uint8 [17, height, width, 3]

The package is made of ctypes and NumPy and uses the library's public functions only. The library is the one that was built
into the package; else the system's; the environment variable SORA_LIBRARY names another one.

Objects may be released in any order. Failures are exceptions: SoraError and its kinds, which carry the status and one line that
says what and where. Docstrings say "Since" for every piece.
"""

from __future__ import annotations

from . import _capi
from ._condition import Condition
from ._context import Context, LogFunction, Memory, default_context
from ._errors import (
    BackendError,
    CancelledError,
    FormatError,
    InternalError,
    InvalidError,
    IoError,
    LimitError,
    NotFoundError,
    OutOfMemoryError,
    SoraError,
    StateError,
    UnsupportedError,
)
from ._files import (
    describe_tensors,
    frames_from_video,
    load_tensor,
    load_tensors,
    read_image,
    save_tensors,
    video_from_frames,
    write_image,
)
from ._model import Lora, Model, ModelInfo, convert, train_tokenizer
from ._params import Parameter, parameters
from ._pipeline import Pipeline, VideoInfo
from ._progress import Progress
from ._tensor import Tensor
from ._trainer import Batch, DataFunction, Trainer, TrainStats

__version__ = ".".join(map(str, _capi.VERSION))


def library_version() -> str:
    """The version of the library in use, e.g. ``"0.1.0"``. Since 0.1."""
    return str(_capi.lib.sora_version_string().decode())


def build_info() -> str:
    """One line: version, compiler, instruction sets of the library in use. Since 0.1."""
    return str(_capi.lib.sora_build_info().decode())


__all__ = [
    "BackendError",
    "Batch",
    "CancelledError",
    "Condition",
    "Context",
    "DataFunction",
    "FormatError",
    "InternalError",
    "InvalidError",
    "IoError",
    "LimitError",
    "LogFunction",
    "Lora",
    "Memory",
    "Model",
    "ModelInfo",
    "NotFoundError",
    "OutOfMemoryError",
    "Parameter",
    "Pipeline",
    "Progress",
    "SoraError",
    "StateError",
    "Tensor",
    "TrainStats",
    "Trainer",
    "UnsupportedError",
    "VideoInfo",
    "build_info",
    "convert",
    "default_context",
    "describe_tensors",
    "frames_from_video",
    "library_version",
    "load_tensor",
    "load_tensors",
    "parameters",
    "read_image",
    "save_tensors",
    "train_tokenizer",
    "video_from_frames",
    "write_image",
]
