"""Logistic regression with the signs that physics gives the weights, judged by folds that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from rppg_core.pulse.evidence import Evidence

FOLDS = 5
_PENALTY = 0.001
_NO_PULSE_WEIGHT = 3  # a false pulse counts as much as this many wrong rates


@dataclass(frozen=True, slots=True)
class Finding:
    """What spoke for one vital in one window, and how far off it was (infinite where there was no pulse)."""

    row: str  # of the table
    features: dict[str, float]
    error: float
    fold: int
    evidence: Evidence | None = None  # of the heart rate, for what can't be right without it
    sigma: float = 1.0  # what the range is counted in


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


def fit(group: list[Finding], signs: dict[str, int], tolerance: float) -> Row:
    """Logistic regression with signed weights; each window's probability is said by the folds that it isn't in."""
    x = np.array([[finding.features[name] for name in signs] for finding in group])
    error = np.abs([finding.error for finding in group])
    right, count = error <= tolerance, np.where(np.isinf(error), _NO_PULSE_WEIGHT, 1.0)
    fold, said = np.array([finding.fold for finding in group]), np.zeros(len(group))
    for out in range(FOLDS):
        weights = _weights(x[fold != out], right[fold != out], count[fold != out], signs)
        said[fold == out] = logistic(weights[0] + x[fold == out] @ weights[1:])
    weights = _weights(x, right, count, signs)
    return Row(dict(zip(("intercept", *signs), weights.tolist(), strict=True)), said, right)


def _weights(
    x: NDArray[np.float64], right: NDArray[np.bool_], count: NDArray[np.float64], signs: dict[str, int]
) -> NDArray[np.float64]:
    """Intercept and weights of the features (n, k)."""
    centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
    z, y = (x - centre) / spread, right.astype(float)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        score = w[0] + z @ w[1:]
        cost = np.average(np.logaddexp(0, score) - y * score, weights=count) + _PENALTY * np.sum(w[1:] ** 2) / 10
        p = logistic(score)
        slope = np.concatenate(
            [[np.average(p - y, weights=count)], z.T @ (count * (p - y)) / count.sum() + _PENALTY * w[1:] / 5]
        )
        return float(cost), slope

    bounds = [(None, None)] + [(0, None) if sign > 0 else (None, 0) for sign in signs.values()]
    w = minimize(loss, np.zeros(len(signs) + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = w[1:] / spread
    return np.concatenate([[w[0] - weights @ centre], weights])


def logistic(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of a score."""
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -40, 40))))


def show(name: str, row: Row) -> None:
    """Print a row, and how its probabilities came true."""
    shown = ", ".join(f'"{k}": {v:.3g}' for k, v in row.weights.items())
    print(f'        "{name}": {{{shown}}},  # {len(row.right)} windows, {row.right.mean():.0%} right')
    for low, high in ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 1.01)):
        inside = (row.said >= low) & (row.said < high)
        if inside.any():
            said = f"{row.said[inside].mean():.3f} said, {row.right[inside].mean():.3f} right"
            print(f"            # {low:.2f}-{high:.2f}: {inside.sum()} windows, {said}")
