"""The reference values of recordings, who is in them, and the groups they belong to: a CSV with a row a file."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMES = {
    "heart_rate_bpm": ("heart_rate_bpm", "heart_rate", "hr", "hr_bpm", "bpm"),
    "rmssd_ms": ("rmssd_ms", "rmssd", "hrv"),
    "sdnn_ms": ("sdnn_ms", "sdnn"),
    "respiration_rate_bpm": ("respiration_rate_bpm", "respiration_rate", "respiratory_rate", "rr", "resp_rate"),
    "stress_index": ("stress_index",),
    "spo2_percent": ("spo2_percent", "spo2"),
}
"""Columns of results that can have a reference, and what its column may be called."""

_PEOPLE = ("person", "subject", "participant")
_SERIES = "series"
_RANGE = {
    "heart_rate_bpm": (20, 300), "rmssd_ms": (0, 1000), "sdnn_ms": (0, 1000), "respiration_rate_bpm": (1, 100),
    "stress_index": (0, 1e5), "spo2_percent": (50, 100),
}  # fmt: skip
MOST_GROUPS = 12
"""A column with more different values is no group."""
_MOST_BYTES, _MOST_FIELD = 64_000_000, 10_000


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of one recording. `values` are by the columns of results, in their units."""

    file: str
    values: Mapping[str, float] = field(default_factory=dict)
    person: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    series: str | None = None  # a file beside, from which values are taken


@dataclass(frozen=True, slots=True)
class References:
    """References by the files as the results name them, and what could not be used of them."""

    by_file: Mapping[str, Reference]
    unmatched: tuple[str, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)  # series -> why nothing can be taken from it


def read_references(path: Path) -> list[Reference]:
    """Read a CSV with a column `file`. Raises ClickException with the line that can't be used."""
    csv.field_size_limit(_MOST_FIELD)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise click.ClickException(f"{path} has more than {_MOST_BYTES // 1_000_000} MB: is it a reference?")
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=head.count))
            names = {name: (name or "").strip().lower() for name in reader.fieldnames or ()}
            if "file" not in names.values():
                raise click.ClickException(f"{path} has no column `file`.")
            rows = [
                (reader.line_num, {names[k]: (v or "").strip() for k, v in row.items() if k in names}) for row in reader
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise click.ClickException(f"{path} can't be read as CSV: {error}.") from error
    groups = _group_columns([row for _, row in rows])
    return [_reference(path, line, row, groups) for line, row in rows if row["file"]]


def match(references: Iterable[Reference], files: Iterable[str], folder: Path) -> References:
    """Find the reference of each file: by its path, else by the end of its path, with or without its suffix.

    A path in the reference may be relative to `folder`, where the reference lies. Raises ClickException for a reference
    that fits several files, or a file that has several.
    """
    exact: dict[Path, str] = {}
    endings: dict[tuple[str, ...], list[str]] = {}
    for file in files:
        path = Path(file).resolve()
        exact[path] = file
        for parts in (path.parts, (*path.parts[:-1], path.stem)):
            for length in range(1, min(len(parts), 8) + 1):
                endings.setdefault(parts[-length:], []).append(file)
    found: dict[str, Reference] = {}
    unmatched = []
    for reference in references:
        named = PurePath(reference.file.replace("\\", "/"))
        beside = exact.get((folder / named).resolve()) or exact.get(Path(named).resolve())
        fitting = [beside] if beside else endings.get(tuple(p for p in named.parts if p not in (".", "..")), [])
        if len(fitting) > 1:
            raise click.ClickException(f"The reference {reference.file} fits {fitting[0]} and {fitting[1]}.")
        if not fitting:
            unmatched.append(reference.file)
        elif fitting[0] in found:
            raise click.ClickException(f"{fitting[0]} has two references.")
        else:
            found[fitting[0]] = reference
    return References(found, tuple(unmatched))


def _group_columns(rows: list[dict[str, str]]) -> tuple[str, ...]:
    """Columns that say what kind a recording is: those that are nothing else, with few different values."""
    taken = {"file", _SERIES, *_PEOPLE, *(alias for aliases in NAMES.values() for alias in aliases)}
    columns = dict.fromkeys(name for row in rows for name in row if name and name not in taken)
    return tuple(name for name in columns if 2 <= len({row.get(name) for row in rows if row.get(name)}) <= MOST_GROUPS)


def _reference(path: Path, line: int, row: Mapping[str, str], groups: tuple[str, ...]) -> Reference:
    values = {}
    for column, aliases in NAMES.items():
        text = next((row[alias] for alias in aliases if row.get(alias)), "")
        if text:
            values[column] = _number(path, line, column, text)
    return Reference(
        row["file"],
        values,
        next((row[name] for name in _PEOPLE if row.get(name)), None),
        {name: row[name] for name in groups if row.get(name)},
        row.get(_SERIES) or None,
    )


def _number(path: Path, line: int, column: str, text: str) -> float:
    low, high = _RANGE[column]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise click.ClickException(
            f"{path}, line {line}: {column} is {text[:30]!r}, not a number from {low} to {high:g}."
        )
    return value
