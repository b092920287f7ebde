"""The row of the stress index and its range, fitted on the windows of `benchmarks.variability`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from benchmarks.fitting import FOLDS, Finding, fit, show
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.probability import stress_interval
from rppg_core.quality.table import Calibration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.variability import Window

SIGNS = {"log_jitter_share": -1, "kept_share": 1}
TOLERANCE, _RANGE = 0.3, 0.9
_LEAST_DIFFERENCES = 23  # of 25 beats


def fit_stress(found: Sequence[Window]) -> None:
    """Print the range and the row, and how many truths of each group its ranges hold."""
    part = [w for w in found if _can_be_answered(w)]
    off = np.array([np.log(w.stress.index / w.true_stress) for w in part if w.stress and w.true_stress])
    share = np.array([w.stress.jitter_share for w in part if w.stress])
    groups = np.array([w.group for w in part])
    widths = _widths(np.abs(off), share, np.array([1 / np.sum(groups == name) for name in groups]))
    print(f'        "stress_index": {widths},')
    pairs = zip(part, off, strict=True)
    findings = [Finding("stress_index", w.stress_features, float(np.expm1(e)), w.seed % FOLDS) for w, e in pairs]
    show("stress_index", fit(findings, SIGNS, TOLERANCE))
    table = Calibration(CALIBRATION.logistic, {**CALIBRATION.half_width, "stress_index": widths})
    for name in sorted(set(groups)):
        held = [
            low <= w.true_stress <= high
            for w in part
            if w.group == name and w.stress and w.true_stress
            for low, high in [stress_interval(w.stress, table)]
        ]
        print(f"  {name}: {np.mean(held):.0%} of {len(held)} ranges of the stress index hold the truth")


def _can_be_answered(window: Window) -> bool:
    said = window.found
    known = said.reason is None and not said.is_mostly_jitter and said.differences >= _LEAST_DIFFERENCES
    return known and window.stress is not None and bool(window.true_stress)


def _widths(
    off: NDArray[np.float64], share: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[float, float, float]:
    """What the range is with no jitter, and what a share of it adds: the 90 % quantile, by the pinball loss."""

    def loss(numbers: NDArray[np.float64]) -> float:
        best, added = np.exp(numbers)
        beyond = off - best - added * share
        return float(np.average(np.maximum(_RANGE * beyond, (_RANGE - 1) * beyond), weights=weight))

    starts = [np.log([best, added]) for best in (0.03, 0.1) for added in (0.3, 2.0)]
    best = min((minimize(loss, start, method="Nelder-Mead") for start in starts), key=lambda tried: tried.fun)
    at_rest, by_jitter = (float(f"{number:.3g}") for number in np.exp(best.x))
    return at_rest, by_jitter, 1.0
