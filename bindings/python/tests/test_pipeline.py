"""Runs: parameters, frames, progress, stages; what is stopped leaves a pipeline that works."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import sora

LONG = {"width": 256, "height": 256, "frames": 81, "steps": 500}  # minutes, were it not stopped


def soon(do, seconds: float = 0.4) -> threading.Timer:
    timer = threading.Timer(seconds, do)
    timer.start()
    return timer


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


# --- runs ---


def test_generate(pipeline: sora.Pipeline) -> None:
    video = pipeline.generate("a cat", frames=6, width=40, height=24, seed=3)
    assert video.shape == (6, 24, 40, 3) and video.dtype == np.uint8 and video.flags.owndata and video.std() > 1
    assert pipeline.video_info == sora.VideoInfo(40, 24, 6, 8.0)
    assert np.array_equal(pipeline.generate("a cat", frames=6, width=40, height=24, seed=3), video)
    assert not np.array_equal(pipeline.generate("a cat", frames=6, width=40, height=24, seed=4), video)
    assert not np.array_equal(pipeline.generate("a dog", frames=6, width=40, height=24, seed=3), video)


def test_a_path_is_enough(tiny: Path, pipeline: sora.Pipeline) -> None:
    assert np.array_equal(sora.Pipeline(tiny, steps=2).generate("a cat"), pipeline.generate())


def test_frames_come_one_by_one(pipeline: sora.Pipeline) -> None:
    whole = pipeline.generate(frames=9)
    seen: list[sora.Progress] = []
    counts = []
    for i, frame in enumerate(pipeline.frames(frames=9, progress=seen.append)):
        assert frame.shape == (32, 32, 3) and np.array_equal(frame, whole[i])
        counts.append(seen[-1].step)
    assert len(counts) == 9 and counts == sorted(counts) and counts[0] < counts[-1] == 3  # not all at the end
    assert np.array_equal(pipeline.read_frames(2, 3), whole[2:5])
    assert pipeline.read_frames(9).shape == (0, 32, 32, 3)
    for first, count in ((0, 10), (-1, 1), (10, None), (3, -1)):
        with pytest.raises(sora.InvalidError):
            pipeline.read_frames(first, count)


def test_an_iterator_given_up_ends_its_run(pipeline: sora.Pipeline) -> None:
    whole = pipeline.generate()
    for frame in pipeline.frames(frames=81):  # noqa: B007
        break
    assert frame.shape == (32, 32, 3)
    assert np.array_equal(pipeline.generate(), whole)
    frames = pipeline.frames(frames=81)
    next(frames)
    with pytest.raises(sora.StateError, match="under way"):
        pipeline.generate()
    frames.close()
    assert np.array_equal(pipeline.generate(), whole)
    unused = pipeline.frames()
    del unused
    assert np.array_equal(pipeline.generate(), whole)


def test_save_and_resume(pipeline: sora.Pipeline, tmp_path: Path) -> None:
    whole = pipeline.generate()
    with pytest.raises(sora.StateError):
        pipeline.save(tmp_path / "run.safetensors")
    pipeline.begin()
    pipeline.step()
    pipeline.step()
    pipeline.save(tmp_path / "run.safetensors")
    pipeline.stop()
    pipeline.resume(tmp_path / "run.safetensors")
    steps = 1
    while pipeline.step():
        steps += 1
    assert steps == 1 + 2  # a denoising step, latent frames
    assert np.array_equal(pipeline.read_frames(), whole)
    with pytest.raises(sora.SoraError):
        pipeline.resume(tmp_path / "run.safetensors", seed=77)
    with pytest.raises(sora.SoraError):
        pipeline.resume(tmp_path / "none.safetensors")


def test_steps(pipeline: sora.Pipeline) -> None:
    whole = pipeline.generate()
    pipeline.begin()
    steps, seen = 1, []
    while pipeline.step():
        assert pipeline.progress is not None
        seen.append(pipeline.progress.fraction)
        steps += 1
    assert steps == 1 + 2 + 2  # text, denoising steps, latent frames
    assert seen == sorted(seen)
    assert np.array_equal(pipeline.read_frames(), whole)
    with pytest.raises(sora.StateError):
        pipeline.step()
    pipeline.begin()
    pipeline.step()
    with pytest.raises(sora.StateError):
        pipeline.begin()
    pipeline.stop()
    pipeline.stop()
    assert np.array_equal(pipeline.generate(), whole)


def test_progress(pipeline: sora.Pipeline) -> None:
    seen: list[sora.Progress] = []
    here = []
    pipeline.run(progress=lambda p: (seen.append(p), here.append(threading.current_thread())))
    assert [p.phase for p in seen] == ["text", "denoise", "denoise", "decode", "decode"]
    assert [(p.step, p.steps) for p in seen] == [(1, 1), (1, 2), (2, 2), (1, 2), (2, 2)]
    assert seen[-1].fraction == pytest.approx(1) and all(p.seconds >= 0 for p in seen)
    assert set(here) == {threading.current_thread()}


def test_bar(pipeline: sora.Pipeline, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    pipeline.generate(progress=True)
    assert "100%" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)  # as if it were not installed
    pipeline.generate(progress=True)
    assert capsys.readouterr().err == ""


# --- parameters ---


def test_parameters_come_from_the_library() -> None:
    known = sora.parameters()
    assert {"prompt", "negative", "steps", "guidance", "seed", "sampler"} <= set(known)
    assert known["steps"].kind == "i64" and known["steps"].lowest == 0 and known["width"].unit == "pixels"
    assert known["sampler"].values[0] == known["sampler"].initial == "default" and known["prompt"].initial == ""
    signature = inspect.signature(sora.Pipeline.generate)
    assert set(known) <= set(signature.parameters) and "params" not in signature.parameters
    for p in known.values():
        assert p.help and p.help in " ".join((sora.Pipeline.generate.__doc__ or "").split())


def test_keywords_of_a_call_hold_for_that_call(pipeline: sora.Pipeline) -> None:
    whole = pipeline.generate()
    assert pipeline.generate(frames=1, steps=1).shape[0] == 1
    assert np.array_equal(pipeline.generate(), whole)
    assert pipeline.params["steps"] == 2 and pipeline.params["seed"] == 0
    pipeline.set(steps=1, seed=5)
    assert pipeline.params["steps"] == 1
    other = pipeline.generate()
    assert not np.array_equal(other, whole)
    pipeline.set(steps=2, seed=None)
    assert np.array_equal(pipeline.generate(), whole)


def test_samplers_by_name_and_number(pipeline: sora.Pipeline) -> None:
    names = sora.parameters()["sampler"].values
    by_name = [pipeline.generate(sampler=n, steps=3).tobytes() for n in names]
    assert by_name == [pipeline.generate(sampler=i, steps=3).tobytes() for i in range(len(names))]
    assert len(set(by_name)) == len(names) - 1  # "default" is one of the others


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"stepss": 2}, TypeError, "did you mean 'steps'"),
        ({"xyzzy": 2}, TypeError, "there are prompt"),
        ({"steps": 1001}, sora.InvalidError, "steps: 1001 is not in 0..1000"),
        ({"steps": -1}, ValueError, "steps"),
        ({"steps": 2.5}, TypeError, "whole number"),
        ({"steps": "two"}, TypeError, "whole number"),
        ({"guidance": "much"}, TypeError, "number"),
        ({"guidance": float("nan")}, sora.InvalidError, "guidance"),
        ({"seed": 1 << 70}, sora.InvalidError, "seed"),
        ({"sampler": "euclid"}, sora.InvalidError, "euler"),
        ({"sampler": 99}, sora.InvalidError, "sampler"),
        ({"noise": np.zeros((4, 2, 9, 4), np.float32)}, sora.InvalidError, "noise"),
        ({"prompt": np.zeros((3, 5), np.float32)}, sora.InvalidError, "text"),
        ({"noise": np.zeros((4, 2, 4, 4), np.complex64)}, TypeError, "complex64"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_wrong_keywords(pipeline: sora.Pipeline, wrong: dict, kind: type[Exception], message: str) -> None:
    whole = pipeline.generate()
    with pytest.raises(kind, match=message):
        pipeline.generate(**wrong)
    assert np.array_equal(pipeline.generate(), whole)


def test_numpy_numbers_are_numbers(pipeline: sora.Pipeline) -> None:
    assert np.array_equal(pipeline.generate(steps=np.int16(2), guidance=np.float32(3)), pipeline.generate(guidance=3))


def test_texts_keep_every_character(pipeline: sora.Pipeline) -> None:
    plain = pipeline.generate("a")
    assert not np.array_equal(pipeline.generate("a cat"), plain)
    pipeline.generate("größer 🐈 \0 \udcff")


def test_estimate(tiny: Path) -> None:
    context = sora.Context(threads=1)
    pipeline = sora.Pipeline(sora.Model(tiny, context=context), prompt="a cat", steps=1)
    pipeline.generate(frames=1)  # weights are read
    before = context.memory.used
    estimate = pipeline.estimate(width=128, height=128, frames=9)
    small = pipeline.estimate(frames=1)
    pipeline.generate(width=128, height=128, frames=9)
    assert small.peak < estimate.peak
    assert 0.9 < (context.memory.peak - before) / estimate.peak < 1.01


# --- tensors in and out ---


def test_slots(pipeline: sora.Pipeline) -> None:
    whole = pipeline.generate(guidance=3)
    text, negative, latent = (pipeline.tensor(n).numpy().copy() for n in ("text", "negative", "latent"))
    assert np.array_equal(text, pipeline.encode_text("a cat").numpy())
    assert np.array_equal(pipeline.generate(text, negative=negative, guidance=3), whole)
    assert np.array_equal(pipeline.generate("a cat", guidance=3), whole)  # the embedding held for one call
    decoded = sora.frames_from_video(pipeline.decode_video(latent))
    assert np.abs(decoded.astype(int) - whole).max() <= 1
    noise = np.random.default_rng(1).standard_normal(latent.shape).astype(np.float32)
    given = pipeline.generate(noise=noise, guidance=3)
    assert not np.array_equal(given, whole) and np.array_equal(pipeline.generate(noise=noise.astype(np.float64), guidance=3), given)
    sampled = pipeline.sample(noise, text, negative, guidance=3).numpy()
    pipeline.run(noise=noise, guidance=3)
    assert np.array_equal(pipeline.tensor("latent").numpy(), sampled)
    pipeline.run(guidance=1)
    with pytest.raises(sora.NotFoundError, match="negative"):
        pipeline.tensor("negative")
    with pytest.raises(ValueError, match="latent"):
        pipeline.tensor("frames")


def test_a_slot_keeps_its_array(pipeline: sora.Pipeline) -> None:
    noise = np.random.default_rng(2).standard_normal((4, 2, 4, 4)).astype(np.float32)
    whole = pipeline.generate(noise=noise)
    pipeline.begin(noise=noise.copy())
    junk = [np.full((4, 2, 4, 4), 9, np.float32) for _ in range(50)]
    while pipeline.step():
        pass
    assert np.array_equal(pipeline.read_frames(), whole) and len(junk) == 50


def test_stages(pipeline: sora.Pipeline) -> None:
    hidden, ids = pipeline.encode_text_with_ids("A cat")
    assert hidden.shape == (16, 24) and ids.shape == (2, 16) and ids.dtype == "i32"
    assert ids.numpy()[0, :7].tolist() == [3, 2, 3, 6, 4, 23, 1] and ids.numpy()[1].sum() == 7
    assert not hidden.numpy()[7:].any()
    x = np.random.default_rng(0).standard_normal((4, 2, 4, 6)).astype(np.float32)
    v = pipeline.denoise(x, 500, hidden)
    assert v.shape == x.shape
    assert np.array_equal(pipeline.denoise(x, 500.0, hidden).numpy(), v.numpy())
    each = pipeline.denoise(x, np.full((2, 2, 3), 500, np.float32), hidden).numpy()
    assert ((each - v.numpy()) ** 2).sum() <= 1e-9 * (v.numpy() ** 2).sum()
    frames = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), np.uint8)
    latent = pipeline.encode_video(sora.video_from_frames(frames))
    assert latent.shape == (4, 2, 2, 3)
    assert pipeline.decode_video(latent).shape == (3, 5, 16, 24)
    with pytest.raises(sora.InvalidError, match="timestep"):
        pipeline.denoise(x, 1001, hidden)
    with pytest.raises(sora.InvalidError, match="video must be"):
        pipeline.encode_video(np.zeros((3, 4, 16, 24)))
    with pytest.raises(sora.NotFoundError):
        pipeline.classify(frames)
    pipeline.begin()
    with pytest.raises(sora.StateError, match="under way"):
        pipeline.decode_video(latent)
    pipeline.stop()


def test_shots(pipeline: sora.Pipeline) -> None:
    """Texts with a place on the timeline; nothing of a call stays."""
    common = {"frames": 9, "steps": 2, "seed": 3}
    a, b = pipeline.generate("a cat", **common), pipeline.generate("two red dogs", **common)
    both = pipeline.generate("a cat", shots=[(5, "two red dogs")], **common)
    assert not np.array_equal(both, a)
    assert not np.array_equal(both, b)
    assert np.array_equal(pipeline.generate("a cat", **common), a)
    assert np.array_equal(pipeline.generate(shots=[(0, "a cat"), (5, "two red dogs")], **common), both)
    with pytest.raises(sora.InvalidError):
        pipeline.generate("a cat", shots=[(5, "x"), (5, "y")], **common)
    with pytest.raises(sora.InvalidError, match="shot 1"):
        pipeline.generate("a cat", shots=[(9, "x")], **common)
    with pytest.raises(TypeError):
        pipeline.generate("a cat", shots=[("x", 9)], **common)
    assert np.array_equal(pipeline.generate("a cat", **common), a)


def test_conditions(pipeline: sora.Pipeline) -> None:
    whole = pipeline.generate(frames=9)
    clip = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    first = sora.Condition(clip[0])
    seen: list[sora.Progress] = []
    animated = pipeline.generate(frames=9, conditions=first, progress=seen.append)
    assert np.array_equal(animated[0], clip[0]) and not np.array_equal(animated[1:], whole[1:])
    assert [p.phase for p in seen[:2]] == ["text", "condition"]
    assert np.array_equal(pipeline.generate(frames=9), whole)  # of one call
    both = pipeline.generate(frames=9, conditions=[first, sora.Condition(clip, at_frame=7)])
    assert np.array_equal(both[0], clip[0]) and np.array_equal(both[7:], clip)
    pipeline.set(conditions=[first])
    assert np.array_equal(pipeline.generate(frames=9), animated) and np.array_equal(pipeline.generate(frames=9), animated)
    assert np.array_equal(pipeline.generate(frames=9, conditions=[]), whole)
    pipeline.set(conditions=None)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 255
    filled = pipeline.generate(frames=1, conditions=sora.Condition(clip[0], mask=mask))
    assert np.array_equal(filled[0, 8:24, 8:24], clip[0, 8:24, 8:24]) and not np.array_equal(filled[0], clip[0])
    latent = np.zeros((4, 1, 4, 4), np.float32)
    assert pipeline.generate(frames=9, conditions=sora.Condition(latent=latent, strength=0.5)).shape[0] == 9
    for wrong, kind in (
        (sora.Condition(), sora.InvalidError),
        (sora.Condition(clip, at_frame=99), sora.InvalidError),
        (sora.Condition(clip, strength=2), sora.InvalidError),
        (sora.Condition(clip[:, :16], fit="exact"), sora.InvalidError),
        (sora.Condition(clip.astype(np.float32)), TypeError),
        ([clip], TypeError),
    ):
        with pytest.raises(kind):
            pipeline.generate(frames=9, conditions=wrong)
        assert np.array_equal(pipeline.generate(frames=9), whole)
    with pytest.raises(ValueError, match="crop"):
        sora.Condition(clip, fit="crop")


# --- stopping ---


def test_cancel_from_another_thread(pipeline: sora.Pipeline) -> None:
    whole = pipeline.generate()
    for thread in (None, "other"):
        timer, begin = soon(pipeline.cancel), time.monotonic()
        caught: list[BaseException] = []

        def work(caught=caught) -> None:
            try:
                pipeline.generate(**LONG)
            except sora.SoraError as error:
                caught.append(error)

        if thread:
            worker = threading.Thread(target=work)
            worker.start()
            worker.join()
        else:
            work()
        timer.join()
        assert isinstance(caught[0], sora.CancelledError) and time.monotonic() - begin < 30
        assert np.array_equal(pipeline.generate(), whole)


def test_a_cancel_is_not_lost(pipeline: sora.Pipeline) -> None:
    pipeline.cancel()
    with pytest.raises(sora.CancelledError):
        pipeline.generate()
    pipeline.generate()
    pipeline.cancel()
    with pytest.raises(sora.CancelledError):
        pipeline.encode_text("a cat")
    pipeline.encode_text("a cat")


def test_interrupt(pipeline: sora.Pipeline) -> None:
    whole = pipeline.generate()
    text = pipeline.encode_text("a cat")
    x = np.zeros((4, 21, 32, 32), np.float32)
    works = [
        lambda: pipeline.generate(**LONG),
        lambda: list(pipeline.frames(**LONG)),
        lambda: pipeline.sample(x, text, text, steps=500),
    ]
    for work in works:
        timer, begin = soon(interrupt), time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            work()
        timer.join()
        assert time.monotonic() - begin < 30
        assert np.array_equal(pipeline.generate(), whole)  # neither busy nor cancelled
        assert pipeline.encode_text("a cat").shape == text.shape


def test_an_interrupt_that_comes_too_late(pipeline: sora.Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library had done its step before it saw the cancel: it must not stop the next run, and none may be left under way."""
    whole, text = pipeline.generate(), pipeline.encode_text("a cat")
    call = pipeline._calls.call
    for at in range(5):
        count = iter(range(100))

        def late(function, count=count, at=at) -> int:
            status = call(function)
            if next(count) == at:
                pipeline.cancel()
                raise KeyboardInterrupt
            return status

        with monkeypatch.context() as patch:
            patch.setattr(pipeline._calls, "call", late)
            with pytest.raises(KeyboardInterrupt):
                pipeline.generate()
        assert np.array_equal(pipeline.generate(), whole)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline._calls, "call", functools.partial(late, count=iter(range(9)), at=0))
        with pytest.raises(KeyboardInterrupt):
            pipeline.encode_text("a cat")
    assert np.array_equal(pipeline.encode_text("a cat").numpy(), text.numpy())
    pipeline.begin()
    with monkeypatch.context() as patch:
        patch.setattr(pipeline._calls, "call", functools.partial(late, count=iter(range(9)), at=0))
        with pytest.raises(KeyboardInterrupt):
            pipeline.step()
    pipeline.begin()
    assert pipeline.step()
    pipeline.stop()


def test_any_signal_handler_that_raises(pipeline: sora.Pipeline) -> None:
    class Alarm(Exception):
        pass

    def handler(*_: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        with pytest.raises(Alarm):
            pipeline.generate(**LONG)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert pipeline.generate().shape == (5, 32, 32, 3)


def test_a_signal_that_does_not_raise_stops_nothing(pipeline: sora.Pipeline) -> None:
    whole, rang = pipeline.generate(), []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        for _ in range(500):  # one run may be over before the first signal
            again = pipeline.generate(steps=20, frames=17)
            if rang:
                break
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rang and again.shape[0] == 17 and np.array_equal(pipeline.generate(), whole)


def test_an_exception_in_a_callback(pipeline: sora.Pipeline) -> None:
    whole = pipeline.generate()

    class Enough(Exception):
        pass

    for at in range(5):
        seen: list[sora.Progress] = []

        def stop(p: sora.Progress, seen=seen, at=at) -> None:
            seen.append(p)
            if len(seen) == at + 1:
                raise Enough(p.phase)

        with pytest.raises(Enough):
            pipeline.generate(progress=stop)
        assert len(seen) == at + 1
        assert np.array_equal(pipeline.generate(), whole)


def test_cancel_in_a_callback(pipeline: sora.Pipeline) -> None:
    with pytest.raises(sora.CancelledError):
        pipeline.generate(progress=lambda p: pipeline.cancel())
    assert pipeline.generate().shape[0] == 5


# --- threads ---


def test_one_thread_at_a_time(pipeline: sora.Pipeline) -> None:
    caught: list[BaseException] = []

    def other() -> None:
        try:
            pipeline.generate()
        except sora.SoraError as error:
            caught.append(error)
        pipeline.cancel()

    soon(other)
    with pytest.raises(sora.CancelledError):
        pipeline.generate(**LONG)
    assert isinstance(caught[0], sora.StateError)


def test_closing_what_is_in_use(pipeline: sora.Pipeline) -> None:
    caught: list[BaseException] = []

    def other() -> None:
        try:
            for _ in range(2000):
                pipeline.close()
        except sora.SoraError as error:
            caught.append(error)
        pipeline.cancel()

    text = pipeline.encode_text("a cat")
    soon(other)
    with pytest.raises(sora.CancelledError):
        pipeline.sample(np.zeros((4, 21, 32, 32), np.float32), text, text, steps=500)
    assert isinstance(caught[0], sora.StateError)
    pipeline.close()
    for use in (pipeline.generate, pipeline.cancel, pipeline.step, lambda: pipeline.video_info, lambda: pipeline.encode_text("x")):
        with pytest.raises(sora.StateError, match="closed"):
            use()
    assert "closed" in repr(pipeline)


def test_pipelines_in_threads(model: sora.Model) -> None:
    videos: list[bytes | None] = [None] * 4

    def work(i: int) -> None:
        videos[i] = sora.Pipeline(model, steps=3).generate(f"cat {i % 2}").tobytes()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert videos[0] == videos[2] and videos[1] == videos[3] and videos[0] != videos[1] and None not in videos
