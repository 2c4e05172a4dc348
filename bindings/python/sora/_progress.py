"""Progress of a run: what a callback gets, and a bar for those who have tqdm.

Since 0.1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, Union

from . import _capi

_PHASES = {v: k for k, v in _capi.named("PHASE_").items()}


@dataclass(frozen=True)
class Progress:
    """Where a run is. ``phase``: ``"text"``, ``"condition"``, ``"denoise"`` or ``"decode"``; ``step`` of ``steps`` of this phase are done;
    ``fraction`` of the whole run, 0..1, by estimated work; ``seconds`` since it began. Since 0.1."""

    phase: str
    step: int
    steps: int
    fraction: float
    seconds: float


ProgressFunction = Callable[[Progress], Any]
#: A function, True for a bar (where tqdm is installed; else nothing is shown), or None.
ProgressOption = Union[ProgressFunction, bool, None]


def make_progress(c: _capi.Progress) -> Progress:
    return Progress(_PHASES.get(c.phase, str(c.phase)), c.step, c.steps, c.fraction, c.seconds)


def _bar(**options: Any) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(**options)


@contextlib.contextmanager
def reporter(progress: ProgressOption) -> Iterator[ProgressFunction | None]:
    """The function that reports go to, for a ``with`` block; a bar is closed at its end."""
    bar = _bar(total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}") if progress is True else None
    if bar is None:
        yield progress if callable(progress) else None
        return

    def show(p: Progress) -> None:
        bar.set_postfix_str(f"{p.phase} {p.step}/{p.steps}", refresh=False)
        bar.update(round(100 * p.fraction, 1) - bar.n)

    with bar:
        yield show


@contextlib.contextmanager
def counter(show: bool, total: int, unit: str) -> Iterator[Callable[[int, str], None]]:
    """A bar that counts; its function takes how many are done and a note."""
    bar = _bar(total=total, unit=unit) if show else None
    if bar is None:
        yield lambda _done, _note: None
        return

    def update(done: int, note: str) -> None:
        bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    with bar:
        yield update
