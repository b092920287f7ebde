"""How far off one measurement of a simulated recording is, and what many of them amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.validation import interval_coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.recordings import Row


def heart_rate_error(row: Row) -> float:
    """Error in bpm; NaN where nothing was answered."""
    if row.vitals is None or row.truth is None or row.vitals.heart_rate_bpm is None:
        return float("nan")
    return row.vitals.heart_rate_bpm - row.truth.heart_rate_bpm


def rmssd_error(row: Row) -> float:
    """Error in ms; NaN where nothing was answered."""
    if row.vitals is None or row.truth is None or row.vitals.rmssd_ms is None or row.truth.rmssd_ms is None:
        return float("nan")
    return row.vitals.rmssd_ms - row.truth.rmssd_ms


def respiration_error(row: Row) -> float:
    """Error in breaths a minute; NaN where nothing was answered."""
    if row.vitals is None or row.truth is None or row.vitals.respiration_rate_bpm is None:
        return float("nan")
    return row.vitals.respiration_rate_bpm - row.truth.respiration_rate_bpm


def stress_error(row: Row) -> float:
    """Error as a share of the truth; NaN where nothing was answered."""
    if row.vitals is None or row.truth is None or row.vitals.stress_index is None or not row.truth.stress_index:
        return float("nan")
    return row.vitals.stress_index / row.truth.stress_index - 1


def spo2_error(row: Row) -> float:
    """Error in points; NaN where nothing was answered."""
    if row.vitals is None or row.vitals.spo2_percent is None:
        return float("nan")
    return row.vitals.spo2_percent - row.job.scene.spo2_percent


def confidence(row: Row) -> float:
    """0 where there was not even a trace."""
    return row.vitals.confidence if row.vitals else 0.0


def covered(group: Sequence[Row], vital: str, truth: Callable[[Row], float | None]) -> tuple[float, int]:
    """Share of 90 % ranges that hold the truth, and how many there were."""
    nothing = (float("nan"), float("nan"))
    ranges = [row.vitals.interval.get(vital, nothing) if row.vitals else nothing for row in group]
    values = [truth(row) if row.truth else None for row in group]
    return interval_coverage([low for low, _ in ranges], [high for _, high in ranges], np.array(values, float))


def median(values: NDArray[np.float64]) -> float:
    """Of what was answered; NaN without any."""
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def mean(values: NDArray[np.float64]) -> float:
    """Of what was answered; NaN without any."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
