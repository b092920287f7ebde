"""Return rate, error, bias, limits of agreement, correlation and coverage, with bootstrap intervals over people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

FIGURES = (
    "return_rate",
    "mean_absolute_error",
    "root_mean_square_error",
    "bias",
    "lower_limit_of_agreement",
    "upper_limit_of_agreement",
    "pearson_r",
    "interval_coverage",
)
"""Names of the figures of an `Agreement`."""

LIMITS_SD = 1.96
"""Limits of agreement lie this many standard deviations of the differences from the bias (Bland and Altman, 1986)."""

_LEAST_PEOPLE = 2  # of fewer, resampling says nothing
_ROWS_AT_ONCE = 4_000_000  # of weights, so that memory does not grow with the number of recordings
_Columns = tuple["NDArray[np.float64]", ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % confidence interval; NaN where the recordings don't support it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one vital agrees with its reference.

    Attributes
    ----------
    recordings : int
        Recordings that have a reference.
    returned : int
        Those of them for which the vital was returned.
    people : int
        Distinct people in `recordings`.
    figures : mapping
        From the names in `FIGURES` to their estimates. Errors are in the unit of the vital.
    """

    recordings: int
    returned: int
    people: int
    figures: Mapping[str, Estimate]


def return_rate(measured: ArrayLike) -> float:
    """Share of recordings for which a value was returned; NaN without recordings."""
    values = np.asarray(measured, float)
    return float(np.isfinite(values).mean()) if values.size else float("nan")


def mean_absolute_error(error: ArrayLike) -> float:
    """Mean of the absolute errors that are not NaN, in their unit; NaN without any."""
    size = np.abs(_finite(error))
    return float(size.mean()) if size.size else float("nan")


def root_mean_square_error(error: ArrayLike) -> float:
    """Root of the mean of the squared errors that are not NaN, in their unit; NaN without any."""
    given = _finite(error)
    return float(np.sqrt(np.mean(given**2))) if given.size else float("nan")


def bias(error: ArrayLike) -> float:
    """Mean of the errors (measured − reference) that are not NaN, in their unit; NaN without any."""
    given = _finite(error)
    return float(given.mean()) if given.size else float("nan")


def limits_of_agreement(error: ArrayLike) -> tuple[float, float]:
    """Bias ± 1.96 standard deviations (of the sample: n − 1) of the errors, in their unit; NaN below two errors."""
    given = _finite(error)
    if given.size < 2:
        return float("nan"), float("nan")
    spread = LIMITS_SD * float(given.std(ddof=1))
    return bias(given) - spread, bias(given) + spread


def pearson_r(measured: ArrayLike, reference: ArrayLike) -> float:
    """Pearson's correlation of the pairs without a NaN; NaN if one side is constant or there are fewer than two."""
    columns = _columns(measured, reference, None, None)
    return float(_figures(np.ones((1, len(columns[0]))), columns)["pearson_r"][0])


def interval_coverage(low: ArrayLike, high: ArrayLike, reference: ArrayLike) -> tuple[float, int]:
    """Share of the ranges that hold the reference, and how many ranges have one; (NaN, 0) without any."""
    bounds = np.asarray(low, float), np.asarray(high, float), np.asarray(reference, float)
    given = np.isfinite(bounds[0]) & np.isfinite(bounds[1]) & np.isfinite(bounds[2])
    if not given.any():
        return float("nan"), 0
    inside = (bounds[0] <= bounds[2]) & (bounds[2] <= bounds[1])
    return float(inside[given].mean()), int(given.sum())


def within_tolerance(error: ArrayLike, tolerance: float) -> tuple[float, float]:
    """Share of the errors that are at most `tolerance`: of all recordings, counting NaN as right, and of the returned.

    The first is the share for which no wrong value was returned. NaN without recordings.
    """
    size = np.abs(np.asarray(error, float))
    if not size.size:
        return float("nan"), float("nan")
    given = np.isfinite(size)
    right = size <= tolerance
    return float(np.mean(~given | right)), float(right[given].mean()) if given.any() else float("nan")


def rate_upper_bound(failures: int, trials: int) -> float:
    """One-sided 95 % upper bound of a rate (Clopper and Pearson, 1934)."""
    from scipy.stats import beta

    return 1.0 if trials <= failures else float(beta.ppf(0.95, failures + 1, trials - failures))


def agreement(
    measured: ArrayLike,
    reference: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    people: Sequence[Hashable] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Compare one vital with its reference.

    Parameters
    ----------
    measured, reference : array_like, shape (n,)
        In one unit. NaN in `measured` is a withheld value. Recordings with NaN in `reference` are left out.
    low, high : array_like, shape (n,), optional
        The 90 % ranges; NaN where none was given.
    people : sequence of length n, optional
        Who is in each recording; each recording is a person of its own by default. Recordings of one person resemble
        each other, so the bootstrap resamples people, with all their recordings.
    resamples : int
        Bootstrap resamples for the percentile intervals (2.5 % and 97.5 %).
    seed : int
        Of the resampling: the same recordings have the same intervals.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    columns = _columns(measured, reference, low, high)
    names = list(range(len(columns[0]))) if people is None else list(people)
    if len(names) != len(columns[0]):
        raise ValueError(f"{len(names)} people for {len(columns[0])} recordings")
    known = np.isfinite(columns[1])
    columns = tuple(column[known] for column in columns)
    numbers: dict[Hashable, int] = {}
    person = np.array([numbers.setdefault(name, len(numbers)) for name, use in zip(names, known, strict=True) if use])
    point = _figures(np.ones((1, int(known.sum()))), columns)
    spread = _bootstrap(columns, person, len(numbers), resamples, seed)
    figures = {name: Estimate(float(point[name][0]), *spread.get(name, (np.nan, np.nan))) for name in FIGURES}
    return Agreement(int(known.sum()), int(np.isfinite(columns[0]).sum()), len(numbers), figures)


def _bootstrap(
    columns: _Columns, person: NDArray[np.int_], people: int, resamples: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of each figure over resampled people."""
    if people < _LEAST_PEOPLE:
        return {}
    rng = np.random.default_rng(seed)
    at_once = max(1, _ROWS_AT_ONCE // max(len(person), people))
    parts = []
    for start in range(0, resamples, at_once):
        drawn = rng.multinomial(people, np.full(people, 1 / people), size=min(at_once, resamples - start))
        parts.append(_figures(drawn[:, person].astype(float), columns))
    found = {}
    for name in FIGURES:
        values = np.concatenate([part[name] for part in parts])
        values = values[np.isfinite(values)]
        if len(values) >= resamples / 2:  # a figure that most resamples can't have, has no interval
            low, high = np.quantile(values, (0.025, 0.975))
            found[name] = (float(low), float(high))
    return found


def _figures(weights: NDArray[np.float64], columns: _Columns) -> dict[str, NDArray[np.float64]]:
    """Each figure (b,) of recordings that count `weights` (b, n) times."""
    measured, reference, low, high = columns
    given = np.isfinite(measured) & np.isfinite(reference)
    ranged = np.isfinite(low) & np.isfinite(high) & np.isfinite(reference)
    error = (measured - reference)[given]
    mine = weights[:, given]
    inside = ((low <= reference) & (reference <= high))[ranged].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        count = mine.sum(axis=1)
        middle = mine @ error / count
        variance = mine @ error**2 - count * middle**2
        # Constant errors leave a rounding error of either sign.
        spread = LIMITS_SD * np.sqrt(np.clip(variance, 0, None) / np.where(count > 1, count - 1, np.nan))
        values = (
            weights[:, np.isfinite(measured)].sum(axis=1) / weights.sum(axis=1),
            mine @ np.abs(error) / count,
            np.sqrt(mine @ error**2 / count),
            middle,
            middle - spread,
            middle + spread,
            _correlation(mine, measured[given], reference[given]),
            weights[:, ranged] @ inside / weights[:, ranged].sum(axis=1),
        )
    return dict(zip(FIGURES, values, strict=True))


def _correlation(
    weights: NDArray[np.float64], measured: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted correlation (b,); NaN where one side has no spread. Called where division by zero is silent."""
    if not len(measured):
        return np.full(len(weights), np.nan)
    x, y = measured - measured.mean(), reference - reference.mean()
    count = weights.sum(axis=1)
    x_mean, y_mean = weights @ x / count, weights @ y / count
    x_power = weights @ x**2 - count * x_mean**2
    y_power = weights @ y**2 - count * y_mean**2
    common = weights @ (x * y) - count * x_mean * y_mean
    enough = (x_power > 1e-9 * (weights @ x**2)) & (y_power > 1e-9 * (weights @ y**2))
    found: NDArray[np.float64] = np.where(enough, np.clip(common / np.sqrt(x_power * y_power), -1, 1), np.nan)
    return found


def _columns(measured: ArrayLike, reference: ArrayLike, low: ArrayLike | None, high: ArrayLike | None) -> _Columns:
    values, truth = np.asarray(measured, float), np.asarray(reference, float)
    nothing = np.full(len(values), np.nan)
    columns = (
        values,
        truth,
        nothing if low is None else np.asarray(low, float),
        nothing if high is None else np.asarray(high, float),
    )
    if len({column.shape for column in columns}) > 1 or values.ndim != 1:
        raise ValueError(f"columns differ in shape: {', '.join(str(column.shape) for column in columns)}")
    return columns


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    given: NDArray[np.float64] = np.asarray(values, float)
    kept: NDArray[np.float64] = given[np.isfinite(given)]
    return kept
