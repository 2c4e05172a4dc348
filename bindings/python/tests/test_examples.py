"""examples/python, each in a folder of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TOP

EXAMPLES = sorted((TOP / "examples/python").glob("*.py"))


def test_there_are_some() -> None:
    assert [e.name for e in EXAMPLES][:3] == ["01_generate.py", "02_frames.py", "03_conditions.py"]


@pytest.mark.parametrize("example", EXAMPLES, ids=[e.stem for e in EXAMPLES])
def test_example(example: Path, tiny: Path, tmp_path: Path) -> None:
    arguments = [str(tiny)]
    if example.stem == "compare_diffusers":
        for module in ("torch", "diffusers", "transformers", "tokenizers", "ftfy"):
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"{module} is not installed")
        arguments = []  # it makes a model of its own
    done = subprocess.run([sys.executable, str(example), *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() or any(tmp_path.iterdir())
    if example.stem == "01_generate":
        assert len(list(tmp_path.glob("frame-*.png"))) == 5
    if example.stem == "compare_diffusers":
        assert done.stdout.splitlines()[-1] == "11 of 11 stages agree"
