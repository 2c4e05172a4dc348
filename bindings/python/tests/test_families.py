"""Every family's fixtures through the keywords: two experts, given timesteps, first and last pictures, control videos."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from conftest import TOP

import sora

FIXTURES = TOP / "test/parity/fixtures"
FILES = sorted(FIXTURES.glob("loop_*.cases.safetensors"))
CASES = sorted({(f.name.split(".")[0], name.split("/")[0]) for f in FILES for name in sora.describe_tensors(f)["tensors"]})
PICTURES = ("image", "last_image", "video", "mask")


@functools.lru_cache(maxsize=1)
def opened(family: str) -> tuple[sora.Pipeline, dict[str, sora.Tensor]]:
    return sora.Pipeline(sora.Model(FIXTURES / family, dtype="f32")), sora.load_tensors(FIXTURES / f"{family}.cases.safetensors")


def error(mine: np.ndarray, reference: np.ndarray) -> float:
    assert mine.shape == reference.shape
    return float(((mine.astype(np.float64) - reference) ** 2).sum() / (reference.astype(np.float64) ** 2).sum())


def test_there_are_some() -> None:
    assert len(CASES) > 10


@pytest.mark.parametrize(("family", "case"), CASES)
def test_a_run_from_given_tensors(family: str, case: str) -> None:
    pipeline, tensors = opened(family)
    of_case = {name.split("/")[1]: t.numpy() for name, t in tensors.items() if name.split("/")[0] == case}
    width, height, frames, steps, guidance, guidance_2, control_scale = of_case["settings"].tolist()
    keywords = {name: of_case[name] for name in ("noise", "negative", *PICTURES) if name in of_case}
    references = [of_case[n] for n in sorted(of_case) if n.startswith("reference")]
    if references:
        keywords["reference"] = references
    clips = {int(n.removeprefix("condition")): of_case[n] for n in of_case if n.startswith("condition") and n != "condition"}
    if clips:  # what comes out is the autoencoder's, as in the reference
        keywords["conditions"] = [sora.Condition(frames, at_frame=at) for at, frames in sorted(clips.items())]
        keywords["keep"] = False
    if "given" in of_case:
        keywords["timesteps"] = ",".join(f"{t:.9g}" for t in of_case["given"])
    if guidance_2 >= 0:
        keywords["guidance_2"] = guidance_2
    if control_scale != 1:
        keywords["control_scale"] = control_scale
    seen = pipeline.generate(
        of_case["text"], width=int(width), height=int(height), frames=int(frames), steps=int(steps), guidance=guidance, **keywords
    )
    assert error(pipeline.tensor("latent").numpy(), of_case["latent"]) <= 1e-7
    assert np.abs(seen / 255 - of_case["frames"]).max() <= 1.01 / 255
    for name in ("image_embeds", "condition", "control"):
        if name in of_case:
            assert error(pipeline.tensor(name).numpy(), of_case[name]) <= 1e-7, name


def test_what_was_made_can_be_given() -> None:
    """Image embeddings and conditions, taken from one run, give the same in the next; nothing of a call stays."""
    pipeline, tensors = opened("loop_i2v")
    common = {"steps": 2, "width": 32, "height": 48, "frames": 5}
    noise, text, image = (tensors[f"plain/{n}"].numpy() for n in ("noise", "text", "image"))
    whole = pipeline.generate(text, noise=noise, image=image, guidance=1, **common)
    embeds, condition = (pipeline.tensor(n).numpy().copy() for n in ("image_embeds", "condition"))
    assert np.array_equal(pipeline.encode_image(image).numpy(), embeds)
    again = pipeline.generate(text, noise=noise, image_embeds=embeds, condition=condition, guidance=1, **common)
    assert np.array_equal(again, whole)
    with pytest.raises(sora.SoraError):
        pipeline.generate(text, noise=noise, guidance=1, **common)  # no image any more
    joined = np.concatenate([noise, condition])
    velocity = pipeline.denoise(joined, 500, text, image_embeds=embeds)
    assert velocity.shape == noise.shape
    assert not np.array_equal(pipeline.denoise(joined, 500, text).numpy(), velocity.numpy())  # without the picture


@pytest.mark.parametrize("family", ["loop_t2v", "loop_i2v", "loop_flf", "loop_i2v_a14b", "loop_vace", "loop_ti2v"])
def test_conditions_reach_every_kind(family: str) -> None:
    """Animate, extend, connect, inpaint and edit are conditions, whatever the model takes them by; given pixels stay."""
    pipeline, tensors = opened(family)
    name = next(n for n in tensors if n.endswith("/text")).split("/")[0]
    common = {"steps": 2, "width": 32, "height": 32, "frames": 9, "guidance": 1, "seed": 3}
    text = tensors[f"{name}/text"].numpy()
    clip = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), np.uint8)
    left = np.where(np.arange(32) < 16, 255, 0).astype(np.uint8)[None, None].repeat(32, 1)

    def run(*conditions: sora.Condition, **more: int) -> np.ndarray:
        return pipeline.generate(text, conditions=conditions, **common, **more)

    assert np.array_equal(run(sora.Condition(clip[0]))[0], clip[0])
    assert np.array_equal(run(sora.Condition(clip, at_frame=4))[4:], clip)
    both = run(sora.Condition(clip[:1]), sora.Condition(clip[4:], at_frame=8))
    assert np.array_equal(both[[0, 8]], clip[[0, 4]])
    assert not np.array_equal(run(sora.Condition(clip[:1]), sora.Condition(clip[4:], at_frame=8), resample=1), both)
    inpainted = run(sora.Condition(clip, mask=left))
    assert np.array_equal(inpainted[:5, :, :16], clip[:, :, :16])
    assert not np.array_equal(inpainted[:5, :, 16:], clip[:, :, 16:])
    assert not np.array_equal(run(sora.Condition(clip, strength=0.3))[:5], clip)


def test_many_references_are_refused() -> None:
    pipeline, _ = opened("loop_vace")
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(sora.InvalidError, match="at most 8"):
        pipeline.generate("x", reference=[picture] * 9)
