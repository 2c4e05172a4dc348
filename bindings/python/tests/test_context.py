"""Contexts: limits, logs, backends; errors as exceptions."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import threading
from pathlib import Path

import pytest

import sora
from sora import _capi, _errors


def test_memory_is_counted_and_given_back(tiny: Path) -> None:
    context = sora.Context(threads=1)
    idle = context.memory.used
    pipeline = sora.Pipeline(sora.Model(tiny, context=context), prompt="a cat", steps=1)
    pipeline.generate()
    assert context.memory.used > idle and context.memory.peak >= context.memory.used and context.memory.limit == 0
    del pipeline
    gc.collect()
    assert context.memory.used == idle


def test_limit(tiny: Path) -> None:
    context = sora.Context(threads=1, mem_limit=64 << 20)
    pipeline = sora.Pipeline(sora.Model(tiny, context=context), prompt="a cat", steps=1)
    assert context.memory.limit == 64 << 20
    with pytest.raises(sora.LimitError, match="MiB") as caught:
        pipeline.generate(width=2048, height=2048, frames=81)
    assert caught.value.status == _capi.E_LIMIT and caught.value.name == "SORA_E_LIMIT" and isinstance(caught.value, MemoryError)
    assert pipeline.generate().shape == (5, 32, 32, 3)
    with pytest.raises(MemoryError):
        sora.Tensor.zeros((1 << 30,), "u8", context=context)


def test_threads_change_nothing(tiny: Path) -> None:
    videos = []
    for threads in (1, 3):
        context = sora.Context(threads=threads)
        videos.append(sora.Pipeline(sora.Model(tiny, context=context)).generate("a dog", steps=2).tobytes())
    assert videos[0] == videos[1]


def test_backends() -> None:
    context = sora.Context(threads=1)
    assert "cpu" in context.backends
    with pytest.raises(sora.BackendError):
        context.load_backend("/nonexistent/backend.so")
    beside = Path(os.environ.get("SORA_LIBRARY", "")).parent / "libsora-reference.so"
    if beside.exists():
        context.load_backend(beside)
        assert "reference" in context.backends


def test_reference_backend_agrees(tiny: Path) -> None:
    beside = Path(os.environ.get("SORA_LIBRARY", "")).parent / "libsora-reference.so"
    if not beside.exists():
        pytest.skip("the reference backend is not built")
    context = sora.Context(threads=1)
    context.load_backend(beside)
    a = sora.Pipeline(sora.Model(tiny, context=context, device="reference", dtype="f32")).encode_text("a cat").numpy()
    b = sora.Pipeline(sora.Model(tiny, context=context, dtype="f32")).encode_text("a cat").numpy()
    assert ((a - b) ** 2).sum() <= 1e-9 * (b**2).sum()


class Fakes:
    """The library logs little; this makes it say something, from a thread of its own."""

    def __init__(self, context: sora.Context) -> None:
        self.context = context

    def log(self, level: int, text: str) -> None:
        thread = threading.Thread(target=lambda: self.context._log(None, level, text.encode()))
        thread.start()
        thread.join()


def test_log_function() -> None:
    said: list[tuple[str, str]] = []
    context = sora.Context(threads=1, log=lambda level, text: said.append((level, text)), log_level="debug")
    Fakes(context).log(2, "ein Wort: größer")
    assert said[-1] == ("warn", "ein Wort: größer")


def test_log_to_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    context = sora.Context(threads=1, log=logging.getLogger("sora.test"))
    with caplog.at_level(logging.INFO, "sora.test"):
        Fakes(context).log(3, "100 % done")
    assert caplog.records[-1].getMessage() == "100 % done" and caplog.records[-1].levelname == "INFO"


def test_a_log_function_that_fails_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda what: shown.append(what.exc_value))
    context = sora.Context(threads=1, log=lambda level, text: 1 / 0)
    Fakes(context).log(1, "x")
    assert isinstance(shown[0], ZeroDivisionError)


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="log_level"):
        sora.Context(log_level="loud")
    with pytest.raises(sora.InvalidError):
        sora.Context(threads=-5)


def test_every_status_is_its_own_exception() -> None:
    kinds = set()
    for name, status in _capi.CONSTANTS.items():
        if name.startswith("E_"):
            error = _errors.make(status, "why")
            assert isinstance(error, sora.SoraError) and error.name == f"SORA_{name}" and str(error) == "why"
            copied = pickle.loads(pickle.dumps(error))
            assert type(copied) is type(error) and (copied.status, copied.message) == (status, "why")
            kinds.add(type(error))
    assert len(kinds) == sum(name.startswith("E_") for name in _capi.CONSTANTS)
    assert type(_errors.make(-77, "new")) is sora.SoraError


def test_default_context_is_one() -> None:
    assert sora.default_context() is sora.default_context()
