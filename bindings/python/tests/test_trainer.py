"""Training: batches from Python, state that is saved and continued, steps that are stopped."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sora

RECIPE = {
    "train": "vae", "seed": 1, "steps": 30, "products": "f32",
    "optimizer": {"name": "adamw", "rate": 0.004, "warmup": 5, "ema": 0.5},
    "vae": {
        "_class_name": "AutoencoderKLWan", "base_dim": 8, "z_dim": 4, "dim_mult": [1, 2, 2], "num_res_blocks": 1, "attn_scales": [],
        "temperal_downsample": [True, True], "is_residual": True, "in_channels": 12, "out_channels": 12, "patch_size": 2,
    },
}  # fmt: skip
PROBE = {"train": "probe", "seed": 1, "steps": 5, "optimizer": {"name": "adamw", "rate": 0.001}, "probe": {"width": 8, "values": [2, 3]}}


def clips(step: int, part: int) -> sora.Batch:
    """Moving squares: a function of the step alone."""
    video = np.full((4, 5, 16, 16, 3), 40, np.uint8)
    for i in range(4):
        for f in range(5):
            left = (step * 3 + i * 5 + f) % 10
            video[i, f, 2 + 3 * i : 6 + 3 * i, left : left + 6, i % 3] = 230
    return sora.Batch(video)


def test_training_lowers_the_loss() -> None:
    trainer = sora.Trainer(RECIPE, clips)
    losses = [stats.loss for stats in trainer]
    assert len(losses) == 30 and losses[-1] < 0.8 * losses[0]
    s = trainer.stats
    assert (s.step, s.steps, s.samples) == (30, 30, 120) and len(s.parts) == 6 and s.memory > 0 and s.rate > 0
    assert trainer.step() is False
    assert "30 of 30" in repr(trainer)


def test_data_runs_in_the_thread_that_trains() -> None:
    seen: list[object] = []

    def data(step: int, part: int) -> sora.Batch:
        seen.append((step, part, threading.current_thread()))
        return clips(step, part)

    trainer = sora.Trainer({**RECIPE, "parts": 2}, data)
    assert trainer.step()
    here = threading.current_thread()
    assert seen == [(0, 0, here), (0, 1, here)]
    worker = threading.Thread(target=trainer.step)
    worker.start()
    worker.join()
    assert seen[2:] == [(1, 0, worker), (1, 1, worker)]


def test_continued_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    whole = sora.Trainer(RECIPE, clips)
    whole.train(3)
    whole.save(path)
    a = whole.train(2)
    again = sora.Trainer(RECIPE, clips)
    again.load(path)
    assert again.stats.step == 3
    b = again.train(2)
    assert (a.step, a.loss, a.grad_norm) == (b.step, b.loss, b.grad_norm)
    with pytest.raises(sora.NotFoundError):
        again.load(tmp_path / "none")


def test_what_comes_out(tmp_path: Path) -> None:
    trainer = sora.Trainer(RECIPE, clips)
    trainer.train(5)
    batch = clips(99, 0)
    losses = trainer.evaluate(batch, average=False)
    assert losses.shape == (4,) and losses.dtype == np.float32 and (losses > 0).all()
    out = trainer.apply(batch.video)
    assert out.shape == (4, 5, 16, 16, 3) and out.dtype == "u8"
    trainer.export(tmp_path / "model.sora", weights="f32")
    model = sora.Model(tmp_path / "model.sora")
    assert model.info.parts == ("vae",)
    video = sora.video_from_frames(np.asarray(batch.video)[0])
    pipeline = sora.Pipeline(model)
    back = sora.frames_from_video(pipeline.decode_video(pipeline.encode_video(video)))
    assert back.shape == (5, 16, 16, 3) and np.abs(back.astype(int) - out.numpy()[0]).mean() < 60


@pytest.mark.parametrize("where", ["main", "other"])
def test_exceptions_in_data(where: str) -> None:
    class NoMore(Exception):
        pass

    def data(step: int, part: int) -> sora.Batch:
        if step == 1:
            raise NoMore
        return clips(step, part)

    trainer, caught = sora.Trainer(RECIPE, data), []

    def work() -> None:
        trainer.step()
        try:
            trainer.step()
        except NoMore as error:
            caught.append(error)

    if where == "main":
        work()
    else:
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
    assert len(caught) == 1 and trainer.stats.step == 1
    trainer.set_data(clips)
    trainer.step()
    assert trainer.stats.step == 2


@pytest.mark.parametrize(
    ("batch", "kind"),
    [
        (None, AttributeError),
        (sora.Batch(np.zeros((4, 5, 16, 16), np.uint8)), sora.InvalidError),
        (sora.Batch(np.zeros((4, 5, 16, 16, 4), np.uint8)), sora.InvalidError),
        (sora.Batch(np.zeros((4, 5, 16, 16, 3), np.float32)), sora.InvalidError),
        (sora.Batch(np.zeros((), np.uint8)), sora.InvalidError),
        (sora.Batch(np.zeros((4, 5, 16, 16, 3), np.uint8), captions=["a"]), sora.InvalidError),
        (sora.Batch(np.zeros((4, 5, 17, 16, 3), np.uint8)), sora.InvalidError),
    ],
)
def test_wrong_batches(batch: sora.Batch, kind: type[Exception]) -> None:
    trainer = sora.Trainer(RECIPE, lambda step, part: batch)
    with pytest.raises(kind):
        trainer.step()
    trainer.set_data(clips)
    assert trainer.step()


def test_labels() -> None:
    video = np.zeros((2, 1, 16, 16, 3), np.uint8)
    for labels in (np.zeros((2, 1)), np.zeros((1, 2)), np.zeros(4), np.zeros((2, 3))):
        with pytest.raises(sora.InvalidError, match="labels"):
            sora.Trainer(PROBE, lambda step, part, labels=labels: sora.Batch(video, labels=labels)).step()
    trainer = sora.Trainer(PROBE, lambda step, part: sora.Batch(video, labels=[[0, 2], [1, -1]]))
    assert trainer.step() and trainer.apply(video).shape == (2, 2, 3)
    with pytest.raises(sora.InvalidError, match="labels"):
        trainer.evaluate(sora.Batch(video, labels=[[0], [1]]))


def test_captions(tiny: Path) -> None:
    configs = {part: json.loads((tiny / part / "config.json").read_text()) for part in ("transformer", "text_encoder")}
    recipe = {
        "train": "transformer", "seed": 1, "steps": 3, "products": "f32", "init": str(tiny), "text_length": 16,
        "optimizer": {"name": "adamw", "rate": 0.001}, **configs,
    }  # fmt: skip
    latents = np.random.default_rng(0).standard_normal((2, 4, 2, 4, 4))
    trainer = sora.Trainer(recipe, lambda step, part: sora.Batch(latents, captions=["a cat", "größer"]))
    assert trainer.train().step == 3
    losses = trainer.evaluate(sora.Batch(latents, ["a cat", "a dog"]), noise=0.5)
    assert np.isfinite(losses).all()
    with pytest.raises(sora.InvalidError, match="captions"):
        trainer.evaluate(sora.Batch(latents))
    with pytest.raises(sora.InvalidError, match="zero"):
        trainer.evaluate(sora.Batch(latents, ["a", "b\0"]))


def test_weights_of_places(tiny: Path) -> None:
    configs = {part: json.loads((tiny / part / "config.json").read_text()) for part in ("transformer", "text_encoder")}
    recipe = {"train": "transformer", "seed": 1, "steps": 3, "products": "f32", "init": str(tiny), "text_length": 16, **configs}
    latents = np.random.default_rng(0).standard_normal((2, 4, 2, 4, 4))

    def loss(weights: object) -> float:
        trainer = sora.Trainer(recipe, lambda step, part: sora.Batch(latents, ["a cat", "a dog"], weights=weights))
        return trainer.train(1).loss

    plain = loss(None)
    assert loss(np.ones((2, 2, 4, 4))) == plain
    assert loss(np.full((2, 2, 4, 4), 2.0)) == pytest.approx(2 * plain, rel=1e-6)
    assert loss(np.zeros((2, 2, 4, 4))) == 0.0
    with pytest.raises(sora.InvalidError, match="weights"):
        loss(np.ones((2, 4, 2, 4)))


def test_texts_of_shots(tiny: Path) -> None:
    configs = {part: json.loads((tiny / part / "config.json").read_text()) for part in ("transformer", "text_encoder")}
    recipe = {"train": "transformer", "seed": 1, "steps": 3, "init": str(tiny), "text_length": 16, **configs}
    latents = np.random.default_rng(0).standard_normal((2, 4, 2, 4, 4))
    trainer = sora.Trainer(recipe, None)

    def losses(*, begins: int = 1, **texts: Any) -> list[float]:
        return [float(x) for x in trainer.evaluate(sora.Batch(latents, later_from=begins, **texts))]

    cats, dogs = ["a cat", "a cat"], ["a dog", "a dog"]
    assert losses(captions=cats, later=cats) == pytest.approx(losses(captions=cats), rel=1e-5)
    assert losses(captions=cats, later=dogs) != losses(captions=cats)
    for wrong in ({"later": cats, "begins": 0}, {"later": cats, "begins": 2}, {"later": ["a cat"]}):
        with pytest.raises(sora.InvalidError):
            losses(captions=cats, **wrong)


def test_stopping() -> None:
    def large(step: int, part: int) -> sora.Batch:
        return sora.Batch(np.zeros((2, 41, 192, 192, 3), np.uint8))

    trainer = sora.Trainer(RECIPE, clips)
    trainer.step()
    trainer.set_data(large)
    for stop, kind in ((lambda: os.kill(os.getpid(), signal.SIGINT), KeyboardInterrupt), (trainer.cancel, sora.CancelledError)):
        timer = threading.Timer(0.5, stop)
        timer.start()
        with pytest.raises(kind):
            trainer.step()
        timer.join()
        assert trainer.stats.step == 1
    trainer.set_data(clips)
    trainer.step()
    assert trainer.stats.step == 2


def test_an_interrupt_that_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = sora.Trainer(RECIPE, clips)
    call = trainer._calls.call

    def late(function) -> int:
        call(function)
        trainer.cancel()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer._calls, "call", late)
        with pytest.raises(KeyboardInterrupt):
            trainer.step()
    assert trainer.stats.step == 1  # it was done
    trainer.step()
    assert trainer.stats.step == 2


def test_interrupted_data() -> None:
    def data(step: int, part: int) -> sora.Batch:
        os.kill(os.getpid(), signal.SIGINT)
        return clips(step, part)

    trainer = sora.Trainer(RECIPE, data)
    with pytest.raises(KeyboardInterrupt):
        trainer.step()
    trainer.set_data(clips)
    assert trainer.step() and trainer.stats.step == 1


def test_wrong_recipes() -> None:
    with pytest.raises(sora.InvalidError, match="nonsense"):
        sora.Trainer({**RECIPE, "nonsense": 1})
    with pytest.raises(sora.SoraError):
        sora.Trainer("{")
    with pytest.raises(sora.StateError, match="no data"):
        sora.Trainer(RECIPE).step()
    trainer = sora.Trainer(RECIPE)
    trainer.close()
    with pytest.raises(sora.StateError, match="closed"):
        trainer.step()
