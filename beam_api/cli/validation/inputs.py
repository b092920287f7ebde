"""Which files a batch measures: those named, those in folders, and those that patterns match."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rppg_core.trace.files import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", SUFFIX})
"""Files that are taken from a folder. A file that is named is measured whatever its name."""


def find_files(names: Iterable[str]) -> list[Path]:
    """Return the files in the order of their names, each once.

    Raises UsageError for a name that is no file, no folder and no pattern that matches, and if there is nothing at all.
    """
    found: dict[Path, Path] = {}
    for name in names:
        matched = sorted(_matched(name))
        if not matched:
            raise click.UsageError(_why_nothing(name))
        for path in matched:
            found.setdefault(path.resolve(), path)
    return sorted(found.values())


def _matched(name: str) -> Iterator[Path]:
    path = Path(name)
    if path.is_dir():
        yield from _inside(path)
    elif path.exists():
        yield path
    else:
        for match in glob.glob(name, recursive=True):
            inner = Path(match)
            if inner.is_dir():
                yield from _inside(inner)
            elif inner.suffix.lower() in SUFFIXES:
                yield inner


def _inside(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            yield path


def _why_nothing(name: str) -> str:
    if Path(name).is_dir():
        return f"{name} holds no video and no saved trace ({', '.join(sorted(SUFFIXES))})."
    if glob.has_magic(name):
        return f"No video matches {name}."
    return f"There is no file or folder {name}."
