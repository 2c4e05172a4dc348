"""Objects go in any order, in cycles, at the interpreter's end and after a fork; memory comes back."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

import sora


def test_any_order(tiny: Path) -> None:
    for order in itertools.permutations(range(5)):
        context = sora.Context(threads=1)
        model = sora.Model(tiny, context=context)
        pipeline = sora.Pipeline(model, steps=1)
        text = pipeline.encode_text("a cat")
        things: list[object] = [context, model, pipeline, text, text.numpy()]
        del context, model, pipeline, text
        for i in order:
            things[i] = None
            gc.collect(0)


def test_any_order_of_close(tiny: Path) -> None:
    for order in itertools.permutations(range(4)):
        context = sora.Context(threads=1)
        model = sora.Model(tiny, context=context)
        pipeline = sora.Pipeline(model, steps=1)
        text = pipeline.encode_text("a cat")
        things = [context, model, pipeline, text]
        for i in order:
            with things[i]:
                pass
            assert things[i].closed


def test_a_closed_model_serves_its_pipeline(tiny: Path) -> None:
    model = sora.Model(tiny)
    pipeline = sora.Pipeline(model, steps=1)
    model.close()
    assert pipeline.video_info.frames == 0
    assert pipeline.generate("a cat").shape == (5, 32, 32, 3)


def test_cycles(tiny: Path) -> None:
    said: list[object] = []
    context = sora.Context(threads=1, log=lambda level, text: said.append(context))  # noqa: F821
    pipeline = sora.Pipeline(sora.Model(tiny, context=context), steps=1)
    pipeline.me = pipeline  # type: ignore[attr-defined]
    trainer = sora.Trainer({"train": "probe", "steps": 1, "probe": {"width": 8, "values": [2]}}, lambda s, p: trainer, context=context)  # noqa: F821
    gone = [weakref.ref(x) for x in (context, pipeline, trainer)]
    pipeline.generate("a cat")
    del context, pipeline, trainer
    gc.collect()
    assert [r() for r in gone] == [None] * 3


def test_no_cycles_of_our_own(tiny: Path) -> None:
    """Memory comes back when the last reference goes, without waiting for the collector."""
    gc.collect()
    gc.disable()
    try:
        pipeline = sora.Pipeline(sora.Model(tiny, context=sora.Context(threads=1)), steps=1)
        pipeline.generate("a cat")
        trainer = sora.Trainer({"train": "probe", "steps": 1, "probe": {"width": 8, "values": [2]}}, lambda s, p: sora.Batch(np.zeros(1)))
        gone = [weakref.ref(x) for x in (pipeline.model.context, pipeline.model, pipeline, trainer)]
        del pipeline, trainer
        assert [r() for r in gone] == [None] * 4
    finally:
        gc.enable()


def test_nothing_leaks(tiny: Path) -> None:
    context = sora.Context(threads=1)
    model = sora.Model(tiny, context=context)

    def work() -> None:
        pipeline = sora.Pipeline(model, steps=1)
        noise = np.zeros((4, 2, 4, 4), np.float32)
        pipeline.generate("a cat", noise=noise)
        frames = pipeline.frames()
        next(frames)
        frames.close()
        np.from_dlpack(pipeline.encode_text("a cat")).sum()
        with pytest.raises(sora.InvalidError):
            pipeline.generate(noise=np.zeros((1, 1, 1, 1)))

    work()
    gc.collect()
    before = context.memory.used
    for _ in range(3):
        work()
    gc.collect()
    assert context.memory.used == before
    from sora import _dlpack, _tensor

    assert not _dlpack._out and not _tensor._lent


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-X", "faulthandler", "-c", code], env=os.environ, capture_output=True, text=True, timeout=120)


def test_the_interpreter_ends_with_everything_alive(tiny: Path) -> None:
    done = run(f"""
import sora, numpy as np
context = sora.Context(threads=3, log=lambda level, text: None, log_level="debug")
model = sora.Model({str(tiny)!r}, context=context)
pipeline = sora.Pipeline(model, steps=1)
pipeline.generate("a cat", progress=lambda p: None)
kept = [pipeline.encode_text("a"), pipeline.encode_text("b").numpy(), pipeline.encode_text("c").__dlpack__()]
frames = pipeline.frames()
next(frames)
cycle = [context, model, pipeline, frames]
cycle.append(cycle)
print("end")
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_the_interpreter_ends_during_a_run(tiny: Path) -> None:
    done = run(f"""
import sora, sys, threading, time
pipeline = sora.Pipeline({str(tiny)!r}, steps=900, width=256, height=256, frames=81)
threading.Thread(target=lambda: pipeline.generate("a cat"), daemon=True).start()
time.sleep(0.5)
print("end")
""")
    assert done.returncode == 0 and done.stdout == "end\n"
    assert "CancelledError" in done.stderr  # the thread came back from the library before the interpreter went


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork(tiny: Path) -> None:
    done = run(f"""
import gc, os, sora
pipeline = sora.Pipeline({str(tiny)!r}, steps=1)
whole = pipeline.generate("a cat")
child = os.fork()
if child == 0:
    status = 1
    try:
        pipeline.generate("a cat")
    except sora.StateError as error:
        status = 2 if "fork" in str(error) else 3
    del pipeline
    gc.collect()
    again = sora.Pipeline({str(tiny)!r}, steps=1).generate("a cat")
    os._exit(0 if status == 2 and (again == whole).all() else status + 10)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), (pipeline.generate("a cat") == whole).all())
""")
    assert (done.returncode, done.stdout) == (0, "0 True\n"), done.stderr
