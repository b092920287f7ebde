"""Logistic regression whose weights keep the sign that physics gives them, with a penalty on their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PENALTY, _LATER_PENALTY = 0.001, 2e-4


def later_weights(
    x: NDArray[np.float64], right: NDArray[np.bool_], count: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights, none above zero, of features (n, k) beside a score that is fixed."""
    if not x.shape[1]:
        return np.zeros(0)
    y = right.astype(float)

    def loss(w: NDArray[np.float64]) -> float:
        score = offset + x @ w
        return float(np.average(np.logaddexp(0, score) - y * score, weights=count) + _LATER_PENALTY * np.sum(w**2))

    bounds = [(None, 0)] * x.shape[1]
    return np.asarray(minimize(loss, np.full(x.shape[1], -0.05), bounds=bounds, method="L-BFGS-B").x)


def weights_of_signs(
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
