"""The wheel: built by the Makefile, carries the library, works from any folder without SORA_LIBRARY."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not os.environ.get("SORA_BUILD"):
        pytest.skip("run by make check-python: SORA_BUILD names the folder that the library is built in")
    if not all(map(importlib.util.find_spec, ("pip", "setuptools", "wheel"))):
        pytest.skip("pip, setuptools or wheel is not installed")
    to = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(to), str(HERE)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (made,) = to.glob("*.whl")
    return made


def test_what_is_in_it(wheel: Path) -> None:
    assert wheel.name.startswith("sora-0.1.0-py3-none-linux_")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"sora/{f.name}" for f in (HERE / "sora").glob("*.py")} | {"sora/py.typed", "sora/libsora.so.0"} <= names
    assert not any("test" in n or "__pycache__" in n for n in names)


def test_it_works_by_itself(wheel: Path, tmp_path: Path, tiny: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    env = {k: v for k, v in os.environ.items() if k not in ("SORA_LIBRARY", "PYTHONPATH")}
    code = f"import sora; print(sora.__file__, sora._capi.lib._name, sora.Pipeline({str(tiny)!r}).generate('x', steps=1).shape)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "site", env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == [str(tmp_path / "site/sora/__init__.py"), str(tmp_path / "site/sora/libsora.so.0")]
    assert done.stdout.endswith("(5, 32, 32, 3)\n")
