"""Models: opening, describing, tokenizing, converting; damage as exceptions."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import sora


def test_info(model: sora.Model) -> None:
    info = model.info
    assert info.parts == ("transformer", "vae", "text_encoder", "tokenizer")
    assert (info.format, info.family, info.name) == ("diffusers folder", "wan", "tiny")
    assert (info.latent_channels, info.temporal_factor, info.spatial_factor, info.patch) == (4, 4, 8, (1, 2, 2))
    assert info.parameters > 10000 and info.text_length == 16 and info.default_fps == 8
    assert "tiny" in repr(model)


def test_describe(model: sora.Model) -> None:
    described = model.describe()
    assert described["format"] == "diffusers folder" and "transformer" in str(described)


def test_tokenize(model: sora.Model) -> None:
    ids = model.tokenize("A cat")
    assert ids.dtype == np.int32 and ids.tolist() == [3, 2, 3, 6, 4, 23, 1]
    assert model.tokenize("").tolist()[-1] == 1
    assert model.tokenize("a\0b").ndim == 1
    assert model.tokenize("\udcff" + "ä" * 5000).ndim == 1


def test_convert_and_every_way_to_open(tiny: Path, tmp_path: Path) -> None:
    one = tmp_path / "tiny.sora"
    sora.convert(tiny, one)
    by_path, by_memory = sora.Model(one), sora.Model(io.BytesIO(one.read_bytes()))
    with one.open("rb") as file:
        by_file = sora.Model(file)
        videos = [sora.Pipeline(m).generate("a cat", steps=1).tobytes() for m in (tiny, by_path, by_memory, by_file)]
    assert len(set(videos)) == 1
    assert by_path.info.format == by_memory.info.format == "sora"
    sora.convert(one, tmp_path / "back", weights="f32")
    assert (tmp_path / "back" / "model_index.json").exists()
    with pytest.raises(ValueError, match="q4"):
        sora.convert(tiny, one, weights="q4")


def test_a_file_object_that_fails(tiny: Path, tmp_path: Path) -> None:
    one = tmp_path / "tiny.sora"
    sora.convert(tiny, one)

    class Failing(io.BytesIO):
        def read(self, n: int | None = -1) -> bytes:
            raise RuntimeError("the disk is gone")

    with pytest.raises(sora.SoraError) as caught:
        sora.Model(Failing(one.read_bytes()))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_products(tiny: Path) -> None:
    exact, fast = (sora.Pipeline(sora.Model(tiny, dtype=d)).encode_text("a cat").numpy() for d in ("f32", "bf16"))
    assert not np.array_equal(exact, fast) and ((exact - fast) ** 2).sum() < 1e-3 * (exact**2).sum()
    with pytest.raises(ValueError, match="f16"):
        sora.Model(tiny, dtype="f16")
    with pytest.raises(sora.NotFoundError, match="abacus"):
        sora.Model(tiny, device="abacus")


def test_failures_are_exceptions(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(sora.NotFoundError, match="nowhere"):
        sora.Model(tmp_path / "nowhere")
    with pytest.raises(LookupError):
        sora.Model(tmp_path / "nowhere")
    one = tmp_path / "tiny.sora"
    sora.convert(tiny, one)
    damaged = bytearray(one.read_bytes())
    damaged[60] ^= 1
    one.write_bytes(damaged)
    with pytest.raises(sora.FormatError, match=r"tiny\.sora"):
        sora.Model(one)
    with pytest.raises(ValueError):
        sora.Model(io.BytesIO(bytes(damaged)))
    with pytest.raises(sora.SoraError):
        sora.Model(io.BytesIO(b""))
    (tmp_path / "part").mkdir()
    with pytest.raises(sora.SoraError):
        sora.Pipeline(sora.Model(tmp_path / "part")).generate("x")


def test_tokenizer_training(tmp_path: Path) -> None:
    path = tmp_path / "spiece.model"
    sora.train_tokenizer(path, [f"a cat number {i} walks on the beach" for i in range(50)], 400)
    first = path.read_bytes()
    sora.train_tokenizer(path, [f"a cat number {i} walks on the beach" for i in range(50)], 400)
    assert len(first) > 500 and path.read_bytes() == first
    with pytest.raises(sora.InvalidError):
        sora.train_tokenizer(path, ["a"], 3)
    with pytest.raises(sora.InvalidError, match="zero"):
        sora.train_tokenizer(path, ["a\0b"], 400)


def test_single_files(tiny: Path, tmp_path: Path) -> None:
    weights = "diffusion_pytorch_model.safetensors"
    x, text = np.random.default_rng(0).standard_normal((4, 2, 4, 6)), np.random.default_rng(1).standard_normal((3, 24))
    whole = sora.Pipeline(sora.Model(tiny, dtype="f32"))
    only = sora.Pipeline(sora.Model(transformer=tiny / "transformer" / weights, tokenizer=tiny / "tokenizer", dtype="f32"))
    assert only.model.info.parts == ("transformer", "tokenizer")
    assert np.array_equal(only.denoise(x, 500, text).numpy(), whole.denoise(x, 500, text).numpy())
    assert only.model.tokenize("A cat").tolist() == whole.model.tokenize("A cat").tolist()
    both = sora.Pipeline(sora.Model(tiny, vae=tiny / "vae" / weights, dtype="f32"))
    assert np.array_equal(both.generate("a cat", steps=1), whole.generate("a cat", steps=1))
    with pytest.raises(sora.InvalidError):
        sora.Model()
    with pytest.raises(sora.NotFoundError, match="nothing"):
        sora.Model(tiny, vae=tmp_path / "nothing.safetensors")


def test_loras_and_saving(tiny: Path, tmp_path: Path) -> None:
    weights = tiny / "transformer/diffusion_pytorch_model.safetensors"
    name, rng = "blocks.0.attn1.to_q", np.random.default_rng(0)
    down, up = (rng.standard_normal(s).astype(np.float32) for s in ((2, 24), (24, 2)))
    lora = tmp_path / "lora.safetensors"
    sora.save_tensors(lora, {f"transformer.{name}.lora_A.weight": down, f"transformer.{name}.lora_B.weight": up})
    (tmp_path / "config.json").write_text((tiny / "transformer/config.json").read_text())  # stands beside merged.safetensors
    merged = {k: t.numpy().copy() for k, t in sora.load_tensors(weights).items()}
    merged[f"{name}.weight"] += 0.5 * up @ down
    sora.save_tensors(tmp_path / "merged.safetensors", merged)
    x, text = rng.standard_normal((4, 2, 4, 6)), rng.standard_normal((3, 24))

    def denoise(model: sora.Model) -> np.ndarray:
        return sora.Pipeline(model).denoise(x, 500, text).numpy()

    plain = denoise(sora.Model(tiny, dtype="f32"))
    by_hand = denoise(sora.Model(tiny, transformer=tmp_path / "merged.safetensors", dtype="f32"))
    model = sora.Model(tiny, dtype="f32", loras=[sora.Lora(lora, 0.5)])
    assert not np.allclose(by_hand, plain, rtol=1e-3) and np.allclose(denoise(model), by_hand, rtol=1e-4, atol=1e-5)
    assert np.allclose(denoise(sora.Model(tiny, dtype="f32", loras=[lora, sora.Lora(lora, -0.5)])), by_hand, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "saved.sora")
    assert np.allclose(denoise(sora.Model(tmp_path / "saved.sora", dtype="f32")), by_hand, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="middle"):
        sora.Model(tiny, loras=[sora.Lora(lora, target="middle")])
    with pytest.raises(ValueError, match="q4"):
        model.save(tmp_path / "x.sora", weights="q4")
