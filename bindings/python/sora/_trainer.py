"""The trainer: makes the autoencoder, the transformer with its text encoder, and the attribute probe.

Since 0.1.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from . import _capi
from ._context import Context, Path, default_context
from ._errors import check, make
from ._handle import Calls, Handle, new_handle
from ._progress import counter
from ._tensor import DTYPES, Tensor


@dataclass(frozen=True)
class Batch:
    """Samples of one size.

    ``video``: uint8 [count, F, H, W, 3]; for the transformer float32 [count, C, T, h, w], normalised latents. ``captions``:
    ``count`` texts (transformer). ``labels``: int32 [count, attributes], -1 leaves one out (probe). ``weights``:
    float32 [count, T, h, w], how much each place counts in the loss, 0 and up (transformer); without them all count 1. ``later``:
    ``count`` texts of the latent frames from ``later_from`` on, ``captions`` then being those of the frames before (transformer).
    Since 0.1.
    """

    video: npt.ArrayLike | Tensor
    captions: Sequence[str] | None = None
    labels: npt.ArrayLike | None = None
    weights: npt.ArrayLike | None = None
    later: Sequence[str] | None = None
    later_from: int = 0


#: Gives the batch for (step, part of the step): a function of the two alone, so that a continued training sees the same data.
DataFunction = Callable[[int, int], Batch]


@dataclass(frozen=True)
class TrainStats:
    """Where a training is. ``step`` of ``steps`` are done; ``samples`` seen; ``loss`` of the last step, ``parts`` its terms
    (autoencoder: l1, gradient, temporal, kl; probe: accuracy); ``grad_norm`` before clipping; ``rate`` of learning; ``seconds`` of
    the last step; ``memory`` in bytes. Since 0.1."""

    step: int
    steps: int
    samples: int
    loss: float
    parts: tuple[float, ...]
    grad_norm: float
    rate: float
    seconds: float
    memory: int


class _Held:
    """A batch as the library takes it, with all that its pointers point to."""

    def __init__(self, batch: Batch, context: Context, attributes: int | None) -> None:
        video: Any = batch.video
        if not isinstance(video, Tensor):
            array = np.asarray(video)
            video = Tensor.wrap(array, "u8" if array.dtype == np.uint8 else "f32", context=context)
        if video.ndim < 1:
            raise make(_capi.E_INVALID, "batch: video must have an axis of samples")
        self.video: Tensor = video
        self.count = video.shape[0]
        self.c = _capi.Batch(count=self.count, video=video._ptr)
        if batch.captions is not None:
            self.c.captions = self._captions = self._texts(batch.captions)
        if batch.later is not None:
            self.c.later = self._later = self._texts(batch.later)
            self.c.later_from = batch.later_from
        if batch.labels is not None:
            self._labels = np.ascontiguousarray(batch.labels, dtype=np.int32)
            columns = attributes or self._labels.shape[-1]  # the library gets a bare pointer: a short row would be read past its end
            if self._labels.shape != (self.count, columns):
                raise make(
                    _capi.E_INVALID, f"batch: labels must be [{self.count}, {attributes or 'attributes'}], not {list(self._labels.shape)}"
                )
            self.c.labels = self._labels.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        if batch.weights is not None:
            self._weights = np.ascontiguousarray(batch.weights, dtype=np.float32)
            places = (self.count, *video.shape[2:])
            if self._weights.shape != places:
                raise make(_capi.E_INVALID, f"batch: weights must be {list(places)}, not {list(self._weights.shape)}")
            self.c.weights = self._weights.ctypes.data_as(ctypes.POINTER(ctypes.c_float))

    def _texts(self, given: Sequence[str]) -> Any:
        texts = [t.encode("utf-8", "surrogatepass") for t in given]
        if len(texts) != self.count or any(b"\0" in t for t in texts):
            raise make(_capi.E_INVALID, f"batch: {self.count} captions without zero characters are needed, not {len(texts)}")
        return (ctypes.c_char_p * max(len(texts), 1))(*texts)


class _Source:
    """The data callback. It knows no trainer, hence is part of no cycle of its own making."""

    def __init__(self, data: DataFunction | None, context: Context, calls: Calls, attributes: int | None) -> None:
        self.data, self.context, self.calls, self.attributes = data, context, calls, attributes
        self.held: _Held | None = None  # the library looks at a batch until it asks for the next one
        self.callback = _capi.BatchFn(self._fill)

    def _fill(self, _user: Any, step: int, part: int, out: Any) -> int:
        def work() -> int:
            if self.data is None:
                raise make(_capi.E_STATE, "the trainer has no data")
            self.held = _Held(self.data(step, part), self.context, self.attributes)
            c = self.held.c
            for field in ("count", "video", "captions", "labels", "weights", "later", "later_from"):
                setattr(out[0], field, getattr(c, field))
            return 0

        return self.calls.in_caller(work)


def _attributes(recipe: bytes) -> int | None:
    """How many attributes the recipe's probe reads; None when the recipe does not say."""
    probe = json.loads(recipe).get("probe", {})  # the library has read it: an object
    values = probe.get("values") if isinstance(probe, dict) else None
    return len(values) if isinstance(values, list) else None


class Trainer(Handle):
    """Trains what a recipe says, step by step.

    Args:
        recipe: docs/training.md has its fields; a mapping, or JSON text. Weights are new, or those that its ``init`` names.
        data: gives the batches; it runs in the thread that trains, and what it raises stops the step and is raised.
        context: where memory and threads come from; None: ``default_context()``.

    Raises:
        InvalidError (it names the field), NotFoundError, FormatError, OutOfMemoryError.

    For one thread at a time, except for ``cancel``. Ctrl-C undoes the step under way. A training that is saved, loaded and
    continued gives the same bits as one that was never interrupted, for any number of threads. Since 0.1.
    """

    _what = "trainer"

    def __init__(self, recipe: Mapping[str, Any] | str, data: DataFunction | None = None, *, context: Context | None = None) -> None:
        self._context = context or default_context()
        lib, text = _capi.lib, (recipe if isinstance(recipe, str) else json.dumps(recipe)).encode()
        address = new_handle("trainer", lib.sora_trainer_create, self._context._ptr, text, len(text))
        super().__init__(address, lib.sora_trainer_destroy, lib.sora_trainer_cancel)
        self._calls = Calls(cancel=lambda: lib.sora_trainer_cancel(address))
        self._source = _Source(data, self._context, self._calls, _attributes(text))
        check(lib.sora_trainer_set_data(address, self._source.callback, None))

    @property
    def stats(self) -> TrainStats:
        """Where the training is. Since 0.1."""
        out = _capi.TrainStats()
        check(_capi.lib.sora_trainer_stats(self._ptr, ctypes.byref(out)))
        return TrainStats(out.step, out.steps, out.samples, out.loss, tuple(out.parts), out.grad_norm, out.rate, out.seconds, out.memory)

    def set_data(self, data: DataFunction | None) -> None:
        """Another source of batches, from the next step on. Since 0.1."""
        with self._one_call():
            self._source.data = data

    def step(self) -> bool:
        """One optimiser step.

        Returns:
            True while the recipe has steps left.

        Raises:
            StateError (no data, or a loss that is not finite), InvalidError (a batch of the wrong shape), CancelledError,
            OutOfMemoryError, and what ``data`` raises. The weights are as before the step then.

        Since 0.1.
        """
        error = _capi.Error()
        function = _capi.lib.sora_trainer_step
        return self._call(lambda p: int(function(p, ctypes.byref(error))), error) == _capi.MORE

    def __iter__(self) -> Iterator[TrainStats]:
        """Trains to the end; gives the stats after every step. Since 0.1."""
        while self.stats.step < self.stats.steps:
            self.step()
            yield self.stats

    def train(self, steps: int | None = None, *, progress: bool = False) -> TrainStats:
        """Trains to the end of the recipe, or for so many more steps. progress: a bar, where tqdm is installed. Since 0.1."""
        begin = self.stats
        last = begin.steps if steps is None else min(begin.steps, begin.step + steps)
        with counter(progress, last - begin.step, "step") as update:
            for now in range(begin.step, last):
                self.step()
                update(now + 1 - begin.step, f"loss {self.stats.loss:.4g}")
        return self.stats

    def cancel(self) -> None:
        """Makes a step that is running raise CancelledError; the weights are as before it. Any thread. Since 0.1."""
        with self._life:
            _capi.lib.sora_trainer_cancel(self._ptr)

    def save(self, path: Path) -> None:
        """Everything that the next step depends on, to a file: whole or not at all. IoError. Since 0.1."""
        error = _capi.Error()
        with self._one_call():
            check(_capi.lib.sora_trainer_save(self._ptr, os.fsencode(path), ctypes.byref(error)), error)

    def load(self, path: Path) -> None:
        """The reverse of ``save``; the file must come from the same recipe's networks. NotFoundError, FormatError. Since 0.1."""
        error = _capi.Error()
        with self._one_call():
            check(_capi.lib.sora_trainer_load(self._ptr, os.fsencode(path), ctypes.byref(error)), error)

    def evaluate(self, batch: Batch, *, noise: float = 0.5, seed: int = 0, average: bool = True) -> npt.NDArray[np.float32]:
        """Loss of each sample, without training: float32 [count].

        Args:
            noise: level, 0..1 (transformer). seed: of the noise. average: use the averaged weights.

        Since 0.1.
        """
        held, error = _Held(batch, self._context, self._source.attributes), _capi.Error()
        losses = np.zeros(held.count, np.float32)
        to = losses.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        evaluate, given = _capi.lib.sora_trainer_evaluate, ctypes.byref(held.c)
        self._call(lambda p: int(evaluate(p, given, noise, seed, int(average), to, ctypes.byref(error))), error)
        return losses

    def apply(self, video: npt.ArrayLike | Tensor) -> Tensor:
        """The network with its averaged weights. Autoencoder: uint8 [n, F, H, W, 3] -> the same after a round trip; probe: f32
        [n, attributes, most values], log-probabilities. Since 0.1."""
        x = video if isinstance(video, Tensor) else Tensor.wrap(video, context=self._context)
        out, error = ctypes.c_void_p(), _capi.Error()
        function = _capi.lib.sora_trainer_apply
        self._call(lambda p: int(function(p, x._ptr, ctypes.byref(out), ctypes.byref(error))), error)
        return Tensor(out.value or 0, self._context)

    def export(self, path: Path, *, base: Path | None = None, weights: str | None = None) -> None:
        """Writes a model (a name that ends in ``.sora``, or a folder), whole or not at all.

        Args:
            base: a model whose parts that were not trained here are taken along.
            weights: type of the matrices; None: bf16.

        Since 0.1.
        """
        if weights is not None and weights not in DTYPES:
            raise ValueError(f"weights is None or one of {', '.join(DTYPES)}, not {weights!r}")
        error, number = _capi.Error(), DTYPES[weights] if weights else 0
        taken = os.fsencode(base) if base is not None else None
        with self._one_call():
            export = _capi.lib.sora_trainer_export
            check(export(self._ptr, os.fsencode(path), taken, number, ctypes.byref(error)), error)

    def _call(self, function: Callable[[int], int], error: _capi.Error) -> int:
        with self._one_call():
            address = self._ptr
            try:
                status = self._calls.call(lambda: function(address))
            except BaseException as reason:
                if not isinstance(reason, Exception):
                    self._take_back_cancel()
                raise
            if status == _capi.E_CANCELLED:
                self._take_back_cancel()
            return check(status, error)

    def _take_back_cancel(self) -> None:
        """A cancel that came too late would stop the next step: one that gets no batch takes it and changes nothing."""
        data, self._source.data = self._source.data, None
        try:
            _capi.lib.sora_trainer_step(self._ptr, None)
        finally:
            self._source.data = data

    def __repr__(self) -> str:
        if self.closed:
            return "<sora.Trainer closed>"
        s = self.stats
        return f"<sora.Trainer {s.step} of {s.steps} steps>"
