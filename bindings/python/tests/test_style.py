"""mypy --strict and ruff, where they are installed; and that every public piece is documented and says since when."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import sora

HERE = Path(__file__).resolve().parents[1]


def run(module: str, *arguments: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types() -> None:
    run("mypy", "--cache-dir=/dev/null")


def test_lint() -> None:
    run("ruff", "check", "--no-cache", "--config", "pyproject.toml", ".", "../../examples/python")


def test_layout() -> None:
    run("ruff", "format", "--no-cache", "--config", "pyproject.toml", "--check", ".", "../../examples/python")


@pytest.mark.parametrize("name", [n for n in sora.__all__ if inspect.isclass(getattr(sora, n)) or inspect.isfunction(getattr(sora, n))])
def test_documented(name: str) -> None:
    thing = getattr(sora, name)
    assert thing.__doc__ and len(thing.__doc__) > 20
    if not (inspect.isclass(thing) and issubclass(thing, Exception)):
        assert "Since 0." in thing.__doc__, name
    if inspect.isclass(thing) and not issubclass(thing, Exception):
        for member, value in vars(thing).items():
            if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, (property, classmethod))):
                text = inspect.getdoc(getattr(thing, member)) or ""
                assert "Since 0." in text, f"{name}.{member}"


def test_all_is_all() -> None:
    public = {n for n in vars(sora) if not n.startswith("_") and not inspect.ismodule(getattr(sora, n)) and n != "annotations"}
    assert public == set(sora.__all__)
