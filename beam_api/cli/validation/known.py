"""What is known of the files of a batch: from a CSV, from a folder of series, or from the layout of a data set."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from beam_api.cli.validation.layouts import find_recordings
from beam_api.cli.validation.references import Reference, References, match, read_references
from beam_api.cli.validation.series import SUFFIXES, Series, UnusableSeries, read_series, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

_WRONG = (OSError, ValueError, KeyError, IndexError, TypeError, csv.Error)


def references_of(path: Path, files: Sequence[str], seconds: float) -> References:
    """References of files from a CSV, or from a folder with a series of the name of each file.

    Values that the CSV has count before those of its series. Raises ClickException if no file has a reference.
    """
    if path.is_dir():
        series = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES and one.is_file())
        listed = [Reference(str(one.relative_to(path).with_suffix("")), series=one.name) for one in series]
        where = {reference.file: one for reference, one in zip(listed, series, strict=True)}
        found = match(listed, files, path)
    else:
        found = match(read_references(path), files, path.parent)
        where = {one.file: path.parent / one.series for one in found.by_file.values() if one.series}
    if not found.by_file:
        raise click.ClickException(
            f"{path} names none of the files, but {', '.join(found.unmatched[:3]) or 'nothing'}."
        )
    return _completed(found, lambda one: read_series(where[one.file]), seconds)


def recordings_of(layout: str, roots: Sequence[str], seconds: float) -> tuple[list[Path], References]:
    """The recordings of a data set, with their references. Raises UsageError if there is none."""
    found = {str(one.file): one for one in find_recordings(layout, roots)}
    listed = {
        file: Reference(file, {}, one.person, one.groups(one.file), str(one.reference)) for file, one in found.items()
    }

    def read(reference: Reference) -> list[Series]:
        one = found[reference.file]
        return one.read(one.file, one.reference)

    return [one.file for one in found.values()], _completed(References(listed), read, seconds)


def _completed(found: References, read: Callable[[Reference], Iterable[Series]], seconds: float) -> References:
    """References with what their series say. One that can't be used is named with its reason."""
    by_file, unusable = dict(found.by_file), {}
    for file, reference in found.by_file.items():
        if not reference.series:
            continue
        try:
            values = values_of(list(_translated(read, reference)), seconds)
        except UnusableSeries as error:
            unusable[reference.series] = error.format_message()
            continue
        by_file[file] = replace(reference, values={**values, **reference.values})
    return replace(found, by_file=by_file, unusable=unusable)


def _translated(read: Callable[[Reference], Iterable[Series]], reference: Reference) -> Iterable[Series]:
    try:
        return read(reference)
    except _WRONG as error:
        raise UnusableSeries(f"it can't be read: {error}") from error
