"""Logistic regression with the signs that physics gives the weights, judged by folds that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.logistic import later_weights, logistic, weights_of_signs

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from rppg_core.pulse.evidence import Evidence

FOLDS = 5
_NO_PULSE_WEIGHT = 3  # a false pulse counts as much as this many wrong rates
_LATER_NO_PULSE_WEIGHT = 8
COUNTS = {"plain": 2.0, "stream": 1.0, "irregular": 40.0}
"""How much a window of each kind counts where features are fitted second.

Hearts without rhythm are few here, and what holds them off is `unevenness`, which hardly anything else shows.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What spoke for one vital in one window, and how far off it was (infinite where there was no pulse)."""

    row: str  # of the table
    features: dict[str, float]
    error: float
    fold: int
    evidence: Evidence | None = None  # of the heart rate, for what can't be right without it
    sigma: float = 1.0  # what the range is counted in
    kind: str = "plain"  # or another of `COUNTS`
    shown: str = ""  # the group that it is counted in
    quality: float = 0.0  # of a heart rate, as the default method answers it


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of the table: its weights, and for each window the probability said and whether it came true."""

    weights: dict[str, float]
    said: NDArray[np.float64]
    right: NDArray[np.bool_]


def can_be_fitted(group: list[Finding], tolerance: float) -> bool:
    """Whether there are right windows and wrong ones outside of every fold."""
    right = [(finding.fold, abs(finding.error) <= tolerance) for finding in group]
    return all({good for fold, good in right if fold != out} == {True, False} for out in range(FOLDS))


def fit(group: list[Finding], signs: dict[str, int], tolerance: float, later: Collection[str] = ()) -> Row:
    """Logistic regression with signed weights; each window's probability is said by the folds that it isn't in.

    Features named in `later` are fitted second, on windows of all kinds, beside the weights of the others, which are
    fitted on plain windows alone.
    """
    first = {name: sign for name, sign in signs.items() if name not in later}
    x = np.array([[finding.features[name] for name in (*first, *later)] for finding in group])
    error = np.abs([finding.error for finding in group])
    right, fold = error <= tolerance, np.array([finding.fold for finding in group])
    kinds = np.array([finding.kind for finding in group])
    plain = kinds == "plain" if later else np.ones(len(group), dtype=bool)
    count = np.where(np.isinf(error), _NO_PULSE_WEIGHT, 1.0)
    counts = np.array([COUNTS[kind] for kind in kinds]) * np.where(np.isinf(error), _LATER_NO_PULSE_WEIGHT, 1.0)

    def weights_of(used: NDArray[np.bool_]) -> NDArray[np.float64]:
        own = plain & used
        begun = weights_of_signs(x[own][:, : len(first)], right[own], count[own], first)
        offset = begun[0] + x[used][:, : len(first)] @ begun[1:]
        return np.concatenate([begun, later_weights(x[used][:, len(first) :], right[used], counts[used], offset)])

    said = np.zeros(len(group))
    for out in range(FOLDS):
        weights = weights_of(fold != out)
        said[fold == out] = logistic(weights[0] + x[fold == out] @ weights[1:])
    weights = weights_of(np.ones(len(group), dtype=bool))
    return Row(dict(zip(("intercept", *first, *later), weights.tolist(), strict=True)), said, right)


def show(name: str, row: Row) -> None:
    """Print a row, and how its probabilities came true."""
    shown = ", ".join(f'"{k}": {v:.3g}' for k, v in row.weights.items())
    print(f'        "{name}": {{{shown}}},  # {len(row.right)} windows, {row.right.mean():.0%} right')
    for low, high in ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 1.01)):
        inside = (row.said >= low) & (row.said < high)
        if inside.any():
            said = f"{row.said[inside].mean():.3f} said, {row.right[inside].mean():.3f} right"
            print(f"            # {low:.2f}-{high:.2f}: {inside.sum()} windows, {said}")
