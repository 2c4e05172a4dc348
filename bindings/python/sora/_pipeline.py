"""Pipelines: a request becomes a video; and the stages of one, each by itself.

Since 0.1.
"""

from __future__ import annotations

import ctypes
import inspect
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

import numpy as np
import numpy.typing as npt

from . import _capi, _params
from ._condition import Condition, to_c
from ._context import Memory, Path, make_memory
from ._errors import check, make
from ._handle import Calls, Handle, new_handle
from ._model import Model
from ._params import ParamValue
from ._progress import Progress, ProgressFunction, ProgressOption, make_progress, reporter
from ._tensor import Tensor, take

Frame = npt.NDArray[np.uint8]
#: A parameter's value; texts may be embeddings instead: f32 [L, D].
Value = Union[ParamValue, npt.ArrayLike, Tensor, Condition, Sequence[Condition], Sequence["tuple[int, str]"], None]

_SLOTS = _capi.named("SLOT_")
_RESULTS = ("latent",)  # slots that are not given, only taken


@dataclass(frozen=True)
class VideoInfo:
    """Size, number and rate of the frames of the last run. Since 0.1."""

    width: int
    height: int
    frames: int
    fps: float


class _Seen:
    """What the library reported during one step. The C callbacks fill it, the thread that runs the pipeline reads it: so users'
    code never runs inside a call of the library. It knows no pipeline, hence is part of no cycle."""

    def __init__(self) -> None:
        self.progress: list[Progress] = []
        self.frames: list[Frame] = []
        self.error: BaseException | None = None
        self.progress_callback = _capi.ProgressFn(self._on_progress)
        self.frame_callback = _capi.FrameFn(self._on_frame)

    def _on_progress(self, _user: Any, progress: Any) -> int:
        return self._keep(lambda: self.progress.append(make_progress(progress[0])))

    def _on_frame(self, _user: Any, _index: int, rgb: Any, width: int, height: int) -> int:
        return self._keep(lambda: self.frames.append(np.ctypeslib.as_array(rgb, (height, width, 3)).copy()))

    def _keep(self, work: Callable[[], None]) -> int:
        try:
            work()
            return 0
        except BaseException as error:
            self.error = error
            return 1

    def clear(self) -> None:
        self.progress, self.frames, self.error = [], [], None


class Pipeline(Handle):
    """Makes videos with a model.

    Args:
        model: a Model, or the path of one.
        **params: parameters that hold for all runs of this pipeline; ``sora.parameters()`` lists them.

    Keywords of a single call hold for that call only. Beside parameters they are tensors or arrays; which of them a model takes, and
    their shapes, say its family and ``sora/pipeline.h``:

    * ``prompt``, ``negative``: a text, or its embedding f32 [L, D], as ``encode_text`` gives it
    * ``noise``: f32 [C, T, h, w] that the run begins with, instead of noise from the seed
    * ``conditions``: Condition or several: clips and images that are known, and where
    * ``shots``: pairs (frame, text): from that frame on, up to the next, the video shows that text in place of the prompt
    * ``image``, ``last_image``: uint8 [H, W, 3], the first and the last frame; ``image_embeds``: what ``encode_image`` makes of them
    * ``condition``: f32 [Cc, T, h, w], the channels joined behind the noise
    * ``video``: uint8 [F, H, W, 3] or f32 [3, F, H, W], ``mask``: f32 [F, H, W] (1 is made anew), ``reference``: up to 8 pictures uint8
      [H, W, 3]: what a control latent is made of; ``control``: such a latent, f32 [Cv, T, h, w]; ``control_scale``: a number, or f32
      [blocks], one for each control block

    A pipeline is for one thread at a time (a second one gets StateError), except for ``cancel``. Functions given to it run in the
    thread that called it, and what they raise ends the run and is raised. Ctrl-C ends a run within one block of the network.
    Since 0.1.
    """

    _what = "pipeline"

    def __init__(self, model: Model | Path, **params: Value) -> None:
        self._model = model if isinstance(model, Model) else Model(model)
        self._sticky: dict[str, Any] = {}
        self._applied: dict[str, ParamValue] = {}
        self._slots: dict[int, Tensor] = {}
        self._conditions: list[Condition] = []
        self._shots: list[tuple[int, bytes]] = []
        self._running = False
        lib = _capi.lib
        address = new_handle("pipeline", lib.sora_pipeline_create, self._model._ptr)
        super().__init__(address, lib.sora_pipeline_destroy, lib.sora_pipeline_cancel)
        self._calls = Calls(cancel=lambda: lib.sora_pipeline_cancel(address))
        self._seen = _Seen()
        check(lib.sora_pipeline_set_progress(address, self._seen.progress_callback, None))
        self.set(**params)

    # --- parameters ---

    @property
    def model(self) -> Model:
        """The model. Since 0.1."""
        return self._model

    @property
    def params(self) -> Mapping[str, Any]:
        """What was set for all runs, by name; parameters that were not set have their initial value. Since 0.1."""
        return {**{name: p.initial for name, p in _params.parameters().items()}, **self._sticky}

    def set(self, **params: Value) -> None:
        """Sets parameters for all following runs; None takes a setting back. All or, on an error, none.

        Raises:
            TypeError: no parameter has that name, or it takes another kind. InvalidError: out of range.

        Since 0.1.
        """
        self._wanted(params)
        self._wanted_conditions(params)
        self._wanted_shots(params)
        self._sticky = {k: v for k, v in {**self._sticky, **params}.items() if v is not None}

    def _wanted(self, call: Mapping[str, Any]) -> tuple[dict[str, ParamValue], dict[int, Tensor]]:
        """Every parameter, and the slots that are filled, for a run with these keywords."""
        slots: dict[int, Tensor] = {}
        values = {p.name: p.check(p.initial) for p in _params.parameters().values()}
        for name, value in {**self._sticky, **{k: v for k, v in call.items() if v is not None}}.items():
            slot = "text" if name == "prompt" else name
            if name in ("conditions", "shots"):
                continue
            if name == "reference":
                slots.update(self._references(value))
            elif slot not in _SLOTS or slot in _RESULTS or isinstance(value, (str, int, float, np.generic)):
                values[name] = _params.find(name).check(value)
            else:
                slots[_SLOTS[slot]] = self._input(value)
        return values, slots

    def _wanted_conditions(self, call: Mapping[str, Any]) -> list[Condition]:
        given = call.get("conditions")
        given = self._sticky.get("conditions", ()) if given is None else given
        conditions = [given] if isinstance(given, Condition) else list(given)
        if not all(isinstance(c, Condition) for c in conditions):
            raise TypeError("conditions are of sora.Condition")
        return conditions

    def _wanted_shots(self, call: Mapping[str, Any]) -> list[tuple[int, bytes]]:
        given = call.get("shots")
        given = self._sticky.get("shots", ()) if given is None else given
        return [(operator.index(frame), text.encode()) for frame, text in given]

    def _input(self, value: Any) -> Tensor:
        """Pictures stay uint8, everything else becomes f32; the library checks what fits where."""
        if not isinstance(value, Tensor):
            value = np.asarray(value)
            return take(value, "u8" if value.dtype == np.uint8 else "f32", self._model.context)
        return value

    def _references(self, value: Any) -> dict[int, Tensor]:
        several = isinstance(value, (list, tuple)) or (not isinstance(value, Tensor) and np.ndim(value) == 4)
        pictures = list(value) if several else [value]
        most = _capi.CONSTANTS["MAX_REFERENCES"]
        if len(pictures) > most:
            raise make(_capi.E_INVALID, f"reference: {len(pictures)} pictures, at most {most} are taken")
        return {_SLOTS["reference"] + i: self._input(p) for i, p in enumerate(pictures)}

    def _apply(self, call: Mapping[str, Any]) -> None:
        values, slots = self._wanted(call)
        conditions, shots = self._wanted_conditions(call), self._wanted_shots(call)
        with self._one_call():
            self._apply_conditions(conditions)
            self._apply_shots(shots)
            for name, value in values.items():
                parameter = _params.find(name)
                if self._applied.get(name, parameter.check(parameter.initial)) != value:
                    parameter._send(self._ptr, value)
                    self._applied[name] = value
            for slot in [*self._slots, *slots]:
                tensor = slots.get(slot)
                if self._slots.get(slot) is tensor:
                    continue
                status = _capi.lib.sora_pipeline_set_tensor(self._ptr, slot, tensor._ptr if tensor else None)
                what = next((n for n, number in _SLOTS.items() if number == slot), "reference")
                check(status, what="a run is under way" if status == _capi.E_STATE else f"{what} was refused")
                if tensor is None:
                    del self._slots[slot]
                else:
                    self._slots[slot] = tensor

    def _apply_conditions(self, conditions: list[Condition]) -> None:
        if conditions == self._conditions:
            return
        lib, error = _capi.lib, _capi.Error()
        check(lib.sora_pipeline_clear_conditions(self._ptr), what="a run is under way")
        self._conditions = []
        for condition in conditions:
            c, _held = to_c(condition, self._model.context)
            check(lib.sora_pipeline_add_condition(self._ptr, ctypes.byref(c), ctypes.byref(error)), error)
            self._conditions.append(condition)

    def _apply_shots(self, shots: list[tuple[int, bytes]]) -> None:
        if shots == self._shots:
            return
        lib, error = _capi.lib, _capi.Error()
        check(lib.sora_pipeline_clear_shots(self._ptr), what="a run is under way")
        self._shots = []
        for frame, text in shots:
            check(lib.sora_pipeline_add_shot(self._ptr, frame, text, len(text), ctypes.byref(error)), error)
            self._shots.append((frame, text))

    # --- runs ---

    def generate(self, prompt: str | npt.ArrayLike | Tensor | None = None, *, progress: ProgressOption = None, **params: Value) -> Frame:
        """Makes a video.

        Args:
            prompt: what it shows.
            progress: a function that gets a Progress after every step, or True for a bar (where tqdm is installed).
            **params: parameters and tensors, for this call only; see ``Pipeline``.

        Returns:
            The frames: uint8 [F, H, W, 3], RGB, the caller's own. ``video_info`` tells the rate.

        Raises:
            InvalidError, NotFoundError (a part of the model is missing), LimitError, OutOfMemoryError, FormatError (weights that are
            damaged), CancelledError; TypeError for keywords; and what ``progress`` raises. The pipeline is usable afterwards.

        Since 0.1.
        """
        self.run(prompt, progress=progress, **params)
        return self.read_frames()

    def frames(
        self, prompt: str | npt.ArrayLike | Tensor | None = None, *, progress: ProgressOption = None, **params: Value
    ) -> Iterator[Frame]:
        """The same, frame by frame: uint8 [H, W, 3] each, as they are decoded.

        The run begins with the first ``next``. An iterator that is given up (``break``, ``close()``) ends its run; while it is
        suspended, the pipeline has a run under way. Since 0.1.
        """
        lib = _capi.lib
        self._begin({"prompt": prompt, **params})
        try:
            check(lib.sora_pipeline_set_frame_callback(self._ptr, self._seen.frame_callback, None))
            with reporter(progress) as report:
                more = True
                while more:
                    more = self._step()
                    frames = self._seen.frames
                    self._report(report)
                    yield from frames
        finally:
            if not self.closed:
                lib.sora_pipeline_set_frame_callback(self._ptr, _capi.FrameFn(), None)
                self.stop()

    def run(self, prompt: str | npt.ArrayLike | Tensor | None = None, *, progress: ProgressOption = None, **params: Value) -> VideoInfo:
        """As ``generate``, without reading the frames: see ``read_frames`` and ``tensor``. Since 0.1."""
        self._begin({"prompt": prompt, **params})
        try:
            with reporter(progress) as report:
                more = True
                while more:
                    more = self._step()
                    self._report(report)
        except BaseException:
            self.stop()
            raise
        return self.video_info

    def _report(self, report: ProgressFunction | None) -> None:
        if report is not None:
            for p in self._seen.progress:
                report(p)

    @property
    def progress(self) -> Progress | None:
        """What the last step reported; None before it. Since 0.1."""
        return self._seen.progress[-1] if self._seen.progress else None

    def begin(self, prompt: str | npt.ArrayLike | Tensor | None = None, **params: Value) -> None:
        """Begins a run that is carried out by ``step``: checks everything and takes the memory. Raises as ``generate`` does, and
        StateError when a run is under way. Since 0.1."""
        self._begin({"prompt": prompt, **params})

    def step(self) -> bool:
        """One bounded slice of the run that ``begin`` began: a text, one denoising step, one decoded latent frame.

        Returns:
            True while there is more to do.

        After a failure the pipeline is as before ``begin``. StateError when no run is under way. Since 0.1.
        """
        return self._step()

    def save(self, path: Path) -> None:
        """Writes a run that is under way to a file, between two steps and while it is being denoised, else StateError. The run goes
        on as if nothing had been; the file appears whole or not at all. Since 0.1."""
        error = _capi.Error()
        with self._one_call():
            check(_capi.lib.sora_pipeline_save(self._ptr, os.fsencode(path), ctypes.byref(error)), error)

    def resume(self, path: Path, prompt: str | npt.ArrayLike | Tensor | None = None, **params: Value) -> None:
        """In place of ``begin``: takes up the run that ``save`` wrote, for ``step`` to go on with; what follows has the same bits.

        The request must be the one that was saved: the same parameters, tensors, conditions and shots; SoraError when it differs. Texts and
        conditions are made again, which may take a while. Since 0.1.
        """
        self._apply({"prompt": prompt, **params})
        error = _capi.Error()
        with self._one_call():
            address, name = self._ptr, os.fsencode(path)
            check(self._calls.call(lambda: int(_capi.lib.sora_pipeline_resume(address, name, ctypes.byref(error)))), error)
            self._running = True

    def stop(self) -> None:
        """Ends a run that is under way, if there is one; the pipeline is as before ``begin``. From the pipeline's thread; see
        ``cancel`` for others. Since 0.1."""
        if self._running and not self.closed:
            with self._one_call():
                self._end()

    def cancel(self) -> None:
        """Stops the run: it raises CancelledError within one block of the network. Any thread, any time; never lost: a cancel
        between runs stops the next one when it begins. Since 0.1."""
        with self._life:
            _capi.lib.sora_pipeline_cancel(self._ptr)

    def estimate(self, prompt: str | npt.ArrayLike | Tensor | None = None, **params: Value) -> Memory:
        """Bytes that a run with these parameters needs, at most 10% more than it takes. Runs nothing. Since 0.1."""
        self._apply({"prompt": prompt, **params})
        out, error = _capi.Memory(), _capi.Error()
        with self._one_call():
            check(_capi.lib.sora_pipeline_estimate(self._ptr, ctypes.byref(out), ctypes.byref(error)), error)
        return make_memory(out)

    @property
    def video_info(self) -> VideoInfo:
        """Size, number and rate of the frames of the last run. Since 0.1."""
        width, height, frames, fps = ctypes.c_int32(), ctypes.c_int32(), ctypes.c_int64(), ctypes.c_double()
        to = (ctypes.byref(x) for x in (width, height, frames, fps))
        with self._one_call():
            check(_capi.lib.sora_pipeline_video_info(self._ptr, *to))
        return VideoInfo(width.value, height.value, frames.value, fps.value)

    def read_frames(self, first: int = 0, count: int | None = None) -> Frame:
        """Frames of the last run: uint8 [count, H, W, 3], the caller's own. count None: all from ``first`` on.

        InvalidError for frames that are not there. Since 0.1.
        """
        info = self.video_info
        n = max(info.frames - first, 0) if count is None else count
        if first < 0 or n < 0 or first + n > info.frames:
            raise make(_capi.E_INVALID, f"frames {first}..{first + n - 1} of {info.frames} were asked for")
        rgb = np.empty((n, info.height, info.width, 3), np.uint8)
        to = rgb.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        with self._one_call():
            check(_capi.lib.sora_pipeline_read_frames(self._ptr, first, n, to, rgb.nbytes), what="the frames could not be read")
        return rgb

    def tensor(self, name: str) -> Tensor:
        """What the last run left.

        Args:
            name: ``"latent"`` (f32 [C, T, h, w], after the last step), ``"text"``, ``"negative"`` (f32 [L, D]), or of models that take
                them ``"image_embeds"``, ``"condition"``, ``"control"``.

        NotFoundError when there is none. Since 0.1.
        """
        if name not in _SLOTS:
            raise ValueError(f"name is one of {', '.join(_SLOTS)}, not {name!r}")
        out = ctypes.c_void_p()
        with self._one_call():
            status = _capi.lib.sora_pipeline_get_tensor(self._ptr, _SLOTS[name], ctypes.byref(out))
        check(status, what=f"the last run left no {name}")
        return Tensor(out.value or 0, self._model.context)

    def _begin(self, call: Mapping[str, Any]) -> None:
        self._apply(call)
        error = _capi.Error()
        with self._one_call():
            # Begins are short but for reading weights, which cannot be cancelled: no thread of its own.
            check(_capi.lib.sora_pipeline_begin(self._ptr, ctypes.byref(error)), error)
            self._running = True

    def _step(self) -> bool:
        error = _capi.Error()
        with self._one_call():
            address = self._ptr
            self._seen.clear()
            try:
                status = self._calls.call(lambda: int(_capi.lib.sora_pipeline_step(address, ctypes.byref(error))))
            except BaseException:
                self._end()
                raise
            self._running = status == _capi.MORE
            if self._seen.error is not None:
                raise self._seen.error
            check(status, error)
            return self._running

    def _end(self) -> None:
        """Ends what runs and takes back a cancel that came too late for it, which would stop the next run otherwise."""
        lib, address = _capi.lib, self._ptr
        self._running = False
        lib.sora_pipeline_cancel(address)
        if lib.sora_pipeline_step(address, None) != _capi.E_CANCELLED:  # nothing was running
            lib.sora_pipeline_begin(address, None)

    # --- stages ---

    def _stage(self, function: Callable[..., int], arguments: tuple[Any, ...], results: int) -> list[Tensor]:
        out = [ctypes.c_void_p() for _ in range(results)]
        error = _capi.Error()
        with self._one_call():
            address = self._ptr
            to = [ctypes.byref(o) for o in out]
            try:
                status = self._calls.call(lambda: int(function(address, *arguments, *to, ctypes.byref(error))))
            except BaseException:
                self._end()
                raise
            if status == _capi.E_CANCELLED:
                self._end()
        check(status, error)
        return [Tensor(o.value, self._model.context) for o in out if o.value]

    def _take(self, value: npt.ArrayLike | Tensor, dtype: str = "f32") -> Tensor:
        return take(value, dtype, self._model.context)

    def encode_text(self, text: str) -> Tensor:
        """A text's embedding: f32 [L, D], rows past its last token zero. NotFoundError without text encoder. Since 0.1."""
        return self._encode_text(text)[0]

    def encode_text_with_ids(self, text: str) -> tuple[Tensor, Tensor]:
        """The embedding, and i32 [2, L]: input ids and attention mask. Since 0.1."""
        hidden, ids = self._encode_text(text)
        return hidden, ids

    def _encode_text(self, text: str) -> list[Tensor]:
        utf8 = text.encode("utf-8", "surrogatepass")
        return self._stage(_capi.lib.sora_encode_text, (utf8, len(utf8)), 2)

    def encode_image(self, image: npt.ArrayLike | Tensor, last: npt.ArrayLike | Tensor | None = None) -> Tensor:
        """A picture uint8 [H, W, 3] -> f32 [N, Di] by the model's image encoder; last: a second picture, whose rows follow.

        NotFoundError without image encoder. Since 0.1.
        """
        x = self._take(image, "u8")
        second = self._take(last, "u8") if last is not None else None
        return self._stage(_capi.lib.sora_encode_image, (x._ptr, second._ptr if second else None), 1)[0]

    def denoise(
        self, latent: npt.ArrayLike | Tensor, timestep: float | npt.ArrayLike | Tensor, text: npt.ArrayLike | Tensor, **inputs: Value
    ) -> Tensor:
        """One pass of the transformer.

        Args:
            latent: f32 [C, T, H, W], multiples of the patch; the channels of a condition joined already.
            timestep: 0..1000: a number, or f32 [T/pt, H/ph, W/pw], one per token. Of two experts the highest picks one.
            text: f32 [L, D]; as many rows as there are, without a mask.
            **inputs: ``image_embeds``, ``control``, ``control_scale``, for models that take them.

        Returns:
            The velocity: f32 [Cout, T, H, W]. InvalidError for wrong shapes. Since 0.1.
        """
        one = isinstance(timestep, (int, float)) or (not isinstance(timestep, Tensor) and np.ndim(timestep) == 0)
        time = self._take(np.asarray([timestep], np.float32) if one else timestep)
        x, t = self._take(latent), self._take(text)
        self._apply(inputs)
        return self._stage(_capi.lib.sora_denoise, (x._ptr, time._ptr, t._ptr), 1)[0]

    def encode_video(self, video: npt.ArrayLike | Tensor) -> Tensor:
        """f32 [3, 4k + 1, H, W] in -1..1 -> latent f32 [C, T, h, w]; see ``video_from_frames``. Since 0.1."""
        x = self._take(video)
        return self._stage(_capi.lib.sora_encode_video, (x._ptr,), 1)[0]

    def decode_video(self, latent: npt.ArrayLike | Tensor) -> Tensor:
        """Latent f32 [C, T, h, w] -> f32 [3, F, H, W], clamped to -1..1; see ``frames_from_video``. Since 0.1."""
        x = self._take(latent)
        return self._stage(_capi.lib.sora_decode_video, (x._ptr,), 1)[0]

    def sample(
        self, noise: npt.ArrayLike | Tensor, text: npt.ArrayLike | Tensor, negative: npt.ArrayLike | Tensor | None = None, **params: Value
    ) -> Tensor:
        """The sampling loop alone.

        Args:
            noise: f32 [C, T, h, w]. text, negative: f32 [L, D]; negative may be None when guidance is at most 1.
            **params: steps, guidance, shift, sampler, and tensors that the model takes beside text, for this call only.

        Returns:
            The latent: f32 [C, T, h, w]. Since 0.1.
        """
        self._apply(params)
        x, t = self._take(noise), self._take(text)
        n = self._take(negative) if negative is not None else None
        return self._stage(_capi.lib.sora_sample, (x._ptr, t._ptr, n._ptr if n else None), 1)[0]

    def classify(self, frames: npt.ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
        """The model's classifier: uint8 [F, H, W, 3] -> log-probabilities f32 [attributes, most values], padded with -infinity,
        and features. NotFoundError when the model has none. Since 0.1."""
        x = self._take(frames, "u8")
        logits, features = self._stage(_capi.lib.sora_classify, (x._ptr,), 2)
        return logits, features

    def __repr__(self) -> str:
        return "<sora.Pipeline closed>" if self.closed else f"<sora.Pipeline of {self._model!r}>"


def _document() -> None:
    """Gives help() and tab completion the parameters that this library has."""
    types = {"i64": "int", "f64": "float", "text": "str", "enum": "str"}
    keywords = [
        inspect.Parameter(p.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=f"{types[p.kind]} | None")
        for p in _params.parameters().values()
    ]
    keywords += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation="ArrayLike | Tensor | None")
        for name in _SLOTS
        if name not in _RESULTS and name not in _params.parameters() and name != "text"
    ]
    keywords.append(inspect.Parameter("conditions", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Sequence[Condition] | None"))
    keywords.append(inspect.Parameter("shots", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Sequence[tuple[int, str]] | None"))
    for method in (Pipeline.generate, Pipeline.frames, Pipeline.run, Pipeline.begin, Pipeline.estimate, Pipeline.set, Pipeline.sample):
        signature = inspect.signature(method)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        names = {p.name for p in own}
        extra = [p for p in keywords if p.name not in names]
        setattr(method, "__signature__", signature.replace(parameters=own + extra))  # noqa: B010
        method.__doc__ = f"{inspect.getdoc(method)}\n\nParameters of this library:\n{_params.manual('    ')}\n"


_document()
