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
