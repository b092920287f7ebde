"""Results beside their references: the figures of every vital, of all recordings and of each group."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from beam_api.cli.validation.table import FAILED, UNREADABLE
from rppg_core.validation import Agreement, ReliabilityBin, agreement, reliability, within_tolerance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from beam_api.cli.validation.references import Reference, References

Row = dict[str, Any]
CONFIDENCE_EDGES = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)
WORST = 10


@dataclass(frozen=True, slots=True)
class Vital:
    """A vital of the report. An error of at most `tolerance` is right, which is what its `quality` is about."""

    column: str
    name: str
    label: str
    unit: str
    tolerance: float | None


VITALS = (
    Vital("heart_rate_bpm", "heart_rate", "Heart rate", "bpm", 2.0),
    Vital("rmssd_ms", "hrv", "RMSSD", "ms", 10.0),
    Vital("respiration_rate_bpm", "respiration_rate", "Respiration rate", "breaths/min", 2.0),
    Vital("sdnn_ms", "", "SDNN", "ms", None),
    Vital("stress_index", "stress_index", "Stress index", "", None),
    Vital("spo2_percent", "spo2", "SpO2 (uncalibrated)", "points", None),
)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The figures of the recordings that have one value of a group column."""

    column: str
    value: str
    agreement: Agreement
    by_confidence: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True, eq=False)
class VitalFigures:
    """What is found of one vital. The arrays have an element for each recording with a reference."""

    vital: Vital
    measured: NDArray[np.float64]
    reference: NDArray[np.float64]
    agreement: Agreement
    groups: tuple[Group, ...]
    right_of_all: float  # within tolerance, or withheld
    right_of_returned: float
    by_quality: tuple[ReliabilityBin, ...]
    by_confidence: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Everything that the report shows."""

    recordings: int
    readable: int
    failures: Mapping[str, int]
    withheld: Mapping[str, Mapping[str, int]]  # vital -> reason -> recordings
    returned: Mapping[str, int]  # vital -> recordings, with or without a reference
    vitals: tuple[VitalFigures, ...]
    worst: tuple[tuple[Row, Reference | None], ...]
    people: int
    without_reference: int
    unmatched: tuple[str, ...]
    unusable: Mapping[str, str]


def study(rows: Sequence[Row], references: References, *, resamples: int = 2000) -> Study:
    """Compare the rows of a table of results with their references.

    Rows of files that could not be read say nothing about a person: they are counted, and left out of the figures. A
    video in which no face was found is a recording whose vitals were not returned.
    """
    readable = [row for row in rows if row["reason"] not in UNREADABLE]
    known = [row for row in readable if row["file"] in references.by_file]
    people = {_person(row, references) for row in known}
    return Study(
        recordings=len(rows),
        readable=len(readable),
        failures=Counter(str(row["reason"]) for row in rows if row["status"] == FAILED),
        withheld={
            vital.column: Counter(_reason(row, vital) for row in readable if row[vital.column] is None)
            for vital in VITALS
            if vital.name
        },
        returned={vital.column: sum(row[vital.column] is not None for row in readable) for vital in VITALS},
        vitals=tuple(
            figures
            for figures in (_figures(vital, known, references, resamples) for vital in VITALS)
            if figures is not None
        ),
        worst=_worst(readable, references),
        people=len(people),
        without_reference=len(readable) - len(known),
        unmatched=references.unmatched,
        unusable=references.unusable,
    )


def _figures(vital: Vital, known: Sequence[Row], references: References, resamples: int) -> VitalFigures | None:
    rows = [row for row in known if vital.column in references.by_file[row["file"]].values]
    if not rows:
        return None
    measured = _numbers([row[vital.column] for row in rows])
    truth = np.array([references.by_file[row["file"]].values[vital.column] for row in rows], float)
    error = measured - truth
    right, of_returned = (np.nan, np.nan) if vital.tolerance is None else within_tolerance(error, vital.tolerance)
    quality = _numbers([row.get(f"quality_{vital.name}") or 0.0 for row in rows])
    return VitalFigures(
        vital,
        measured,
        truth,
        _agreement(vital, rows, references, resamples),
        tuple(_groups(vital, rows, references, resamples)),
        right,
        of_returned,
        () if vital.tolerance is None else tuple(reliability(quality, error, vital.tolerance)),
        _by_confidence(vital, rows, references),
    )


def _by_confidence(vital: Vital, rows: Sequence[Row], references: References) -> tuple[ReliabilityBin, ...]:
    """Errors of a vital in bands of the confidence of its recording."""
    if vital.tolerance is None:
        return ()
    truth = np.array([references.by_file[row["file"]].values[vital.column] for row in rows], float)
    error = _numbers([row[vital.column] for row in rows]) - truth
    confidence = _numbers([row["confidence"] or 0.0 for row in rows])
    return tuple(reliability(confidence, error, vital.tolerance, CONFIDENCE_EDGES))


def _agreement(vital: Vital, rows: Sequence[Row], references: References, resamples: int) -> Agreement:
    return agreement(
        _numbers([row[vital.column] for row in rows]),
        [references.by_file[row["file"]].values[vital.column] for row in rows],
        low=_numbers([row.get(f"{vital.column}_low") for row in rows]),
        high=_numbers([row.get(f"{vital.column}_high") for row in rows]),
        people=[_person(row, references) for row in rows],
        resamples=resamples,
    )


def _groups(vital: Vital, rows: Sequence[Row], references: References, resamples: int) -> list[Group]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        for column, value in references.by_file[row["file"]].groups.items():
            found.setdefault((column, value), []).append(row)
    return [
        Group(column, value, _agreement(vital, part, references, resamples), _by_confidence(vital, part, references))
        for (column, value), part in sorted(found.items(), key=lambda item: (item[0][0], _natural(item[0][1])))
    ]


def _natural(value: str) -> tuple[float, str]:
    """Numbers in the order of numbers, before words."""
    try:
        return float(value), value
    except ValueError:
        return float("inf"), value


def _worst(rows: Sequence[Row], references: References) -> tuple[tuple[Row, Reference | None], ...]:
    """Those with the largest errors of the heart rate, then those without one, the least sure first."""

    def badness(row: Row) -> tuple[bool, float]:
        reference = references.by_file.get(row["file"])
        truth = reference.values.get("heart_rate_bpm") if reference else None
        rate = row["heart_rate_bpm"]
        if rate is not None and truth is not None:
            return True, abs(rate - truth)
        return False, -(row["quality_heart_rate"] or 0.0)

    order = sorted(rows, key=badness, reverse=True)
    return tuple((row, references.by_file.get(row["file"])) for row in order[:WORST])


def _person(row: Row, references: References) -> str:
    """Who is in a recording; without a name, nobody else."""
    reference = references.by_file[row["file"]]
    return f"file {row['file']}" if reference.person is None else f"person {reference.person}"


def _reason(row: Row, vital: Vital) -> str:
    return str(row.get(f"withheld_{vital.name}") or row["reason"] or "NOT_MEASURED")


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], float)
