"""A bar on a terminal while something is measured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Union

if TYPE_CHECKING:
    from beam_client.results import Progress

Shown = Union[Callable[["Progress"], None], Literal[False], None]
"""Who is to hear of progress: a function, nobody (False), or whoever sits at the terminal (None)."""

_WIDTH = 30


@contextmanager
def reported(wanted: Shown, label: str) -> Iterator[Callable[[Progress], None]]:
    """Yield the function that takes progress. A bar is drawn on stderr, if that is a terminal, and wiped at the end."""
    if callable(wanted):
        yield wanted
    elif wanted is None and sys.stderr is not None and sys.stderr.isatty():
        try:
            yield lambda progress: _draw(line(label, progress))
        finally:
            _draw("")
    else:
        yield lambda _progress: None


def line(label: str, progress: Progress) -> str:
    """Return the bar as text."""
    share = min(1.0, max(0.0, progress.share))
    filled = round(_WIDTH * share)
    parts = [label, f"[{'#' * filled}{'.' * (_WIDTH - filled)}]", f"{share:4.0%}"]
    if progress.heart_rate is not None:
        parts.append(f"{progress.heart_rate:.0f} bpm")
    parts += progress.guidance
    return " ".join(parts)


def _draw(text: str) -> None:
    sys.stderr.write(f"\r\x1b[K{text[:100]}")
    sys.stderr.flush()
