"""The figures of the pages, read from docs/accuracy.md, which `make bench-accuracy` writes."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from beam_api.web.documents import source


class Figure(NamedTuple):
    """A large figure of the first page, and what it is of."""

    value: str
    text: str


class Row(NamedTuple):
    """A line of the model card."""

    what: str
    figure: str


_CARD = (
    "heart rate, ",
    "false pulses with confidence ≥ 0.3 in ",
    "RMSSD, moderate",
    "RMSSD, hard",
    "respiration: ",
    "90 % ranges of ",
)
"""How the lines begin that the model card shows; what follows one under `…` goes with it."""


@cache
def rows() -> tuple[Row, ...]:
    """The lines of the model card, word for word."""
    return read_rows(source.read("accuracy"))


@cache
def figures() -> tuple[Figure, ...]:
    """The large figures of the first page."""
    return read_figures(source.read("accuracy"))


@cache
def answered_by_skin() -> tuple[str, str]:
    """The shares of recordings with a heart rate on the darkest and on the lightest skin."""
    report = source.read("accuracy")
    return _found(r"skin \| type 6 \| \d+ \| (\d+%)", report)[0], _found(r"skin \| type 1 \| \d+ \| (\d+%)", report)[0]


def read_rows(report: str) -> tuple[Row, ...]:
    """The lines of the model card in a report."""
    kept: list[Row] = []
    wanted = False
    for row in _table(report):
        wanted = wanted if row.what.startswith("…") else row.what.startswith(_CARD)
        if wanted:
            kept.append(row)
    return tuple(kept)


def read_figures(report: str) -> tuple[Figure, ...]:
    """The large figures in a report."""
    table = _table(report)
    rate, answered = _with_next(table, "heart rate, ")
    false = next(row for row in table if row.what.startswith("false pulses with confidence ≥ 0.3 in "))
    moderate, _ = _with_next(table, "RMSSD, moderate")
    _, hard = _with_next(table, "RMSSD, hard")
    (faces,) = _found(r"heart rate, (\d+) hard faces", rate.what)
    (scenes,) = _found(r"in (\d+) scenes without one", false.what)
    right = _spaced(rate.figure.replace(".0%", "%"))
    return (
        Figure(
            _spaced(answered.figure),
            f"of {faces} hard simulated faces get a heart rate; {right} are right within 2 bpm, or withheld.",
        ),
        Figure(
            false.figure.partition(" ")[0],
            f"of {scenes} scenes without a pulse got a rate with confidence: photos, masks and screens stay null.",
        ),
        Figure(
            moderate.figure,
            "is the median error of RMSSD on a moderate simulated face. "
            f"Of the hard ones {_spaced(hard.figure)} are answered.",
        ),
    )


def _table(report: str) -> list[Row]:
    section = report.partition("\n## Figures to reach\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [Row(what, figure) for what, figure, *_ in cells]


def _with_next(table: list[Row], beginning: str) -> tuple[Row, Row]:
    at = next(index for index, row in enumerate(table) if row.what.startswith(beginning))
    return table[at], table[at + 1]


def _found(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    if not found:
        message = f"docs/accuracy.md has no {pattern!r}"
        raise LookupError(message)
    return found.groups()


def _spaced(share: str) -> str:
    return share.replace("%", " %")
