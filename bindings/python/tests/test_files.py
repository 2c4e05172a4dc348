"""Images and tensors in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sora


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 11, 3), np.uint8)


def test_images(tmp_path: Path) -> None:
    path = tmp_path / "ein Bild.png"
    sora.write_image(path, picture())
    assert np.array_equal(sora.read_image(path), picture())
    sora.write_image(str(path), picture()[::-1, ::2])  # not contiguous
    assert np.array_equal(sora.read_image(path), picture()[::-1, ::2])
    for wrong, kind in (
        (picture().astype(np.float32), TypeError),
        (picture()[0], sora.InvalidError),
        (np.zeros((0, 5, 3), np.uint8), sora.SoraError),
    ):
        with pytest.raises(kind):
            sora.write_image(path, wrong)
    with pytest.raises(sora.SoraError, match="folder"):
        sora.write_image(tmp_path / "no" / "folder.png", picture())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(sora.FormatError, match="png"):
        sora.read_image(path)
    with pytest.raises(sora.NotFoundError):
        sora.read_image(tmp_path / "none.png")


def test_images_agree_with_others(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    sora.write_image(tmp_path / "a.png", picture())
    assert np.array_equal(np.asarray(image.open(tmp_path / "a.png")), picture())
    image.fromarray(picture()).save(tmp_path / "b.png")
    assert np.array_equal(sora.read_image(tmp_path / "b.png"), picture())


def test_tensors(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    given = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "größer": np.array([1, 2], np.int64),
        "half": sora.Tensor.wrap([1.5, 2.5], "bf16"),
        "empty": np.zeros((0, 3), np.uint8),
    }
    sora.save_tensors(path, given)
    back = sora.load_tensors(path)
    assert set(back) == set(given)
    for name, t in back.items():
        assert np.array_equal(t.numpy(), np.asarray(given[name])) and t.shape == np.asarray(given[name]).shape
    assert back["half"].dtype == "bf16" and sora.load_tensor(path, "a").numpy().sum() == 15
    described = sora.describe_tensors(path)
    assert described["format"] == "safetensors" and len(described["tensors"]) == 4
    with pytest.raises(sora.NotFoundError, match="nothing"):
        sora.load_tensor(path, "nothing")
    with pytest.raises(TypeError):
        sora.save_tensors(path, {"a": np.zeros(2, np.complex64)})
    assert set(sora.load_tensors(path)) == set(given)  # as it was before
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(sora.FormatError):
        sora.load_tensors(path)


def test_tensors_agree_with_others(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "t.safetensors"
    a = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float16)
    sora.save_tensors(path, {"a": a})
    assert np.array_equal(safetensors.load_file(path)["a"], a)
    safetensors.save_file({"b": a}, path)
    assert np.array_equal(sora.load_tensor(path, "b").numpy(), a)


def test_both_forms_of_frames() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    video = sora.video_from_frames(frames)
    assert video.shape == (3, 3, 4, 5) and video.dtype == np.float32 and video.min() >= -1 and video.max() <= 1
    assert np.array_equal(sora.frames_from_video(video), frames)
    assert sora.frames_from_video(np.full((3, 1, 1, 1), 9.0)).tolist() == [[[[255, 255, 255]]]]
    for wrong in (frames[0], frames[..., :2]):
        with pytest.raises(sora.InvalidError):
            sora.video_from_frames(wrong)
    with pytest.raises(sora.InvalidError):
        sora.frames_from_video(video[0])
    with pytest.raises(TypeError):
        sora.video_from_frames(video)
