"""What the tests share: the tiny model of the repository's tests, and a last line that test/check.sh counts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import sora

TOP = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights, 32x32, 5 frames, 4 steps."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    subprocess.run(["sh", "test/tiny/make.sh", str(folder)], cwd=TOP, check=True)
    return folder


@pytest.fixture(scope="session")
def model(tiny: Path) -> sora.Model:
    return sora.Model(tiny)


@pytest.fixture
def pipeline(model: sora.Model) -> sora.Pipeline:
    return sora.Pipeline(model, prompt="a cat", steps=2)


def pytest_terminal_summary(terminalreporter) -> None:
    count = {what: len(terminalreporter.stats.get(what, [])) for what in ("passed", "failed", "error", "skipped")}
    terminalreporter.write_line(f"{count['passed']} passed, {count['failed'] + count['error']} failed, {count['skipped']} skipped")
