"""Least squares under coloured noise: sines fitted to samples at any times, and how much of a series they explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtrs

from rppg_core.numerics import TINY

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HARMONIC_RIDGE = 1.0  # the first harmonic is the weaker part of a pulse, and noise in it counts less
_DRIFT_S, _DRIFT_POWER = (1.0, 3.0, 10.0), (0.3, 1.0, 3.0, 10.0, 30.0)  # of the noise's slow part, unless it has none
_POSE_POWER = (0.0, 0.1, 0.3, 1.0, 3.0)


def noise_root(
    times: NDArray[np.float64], series: NDArray[np.float64], pose: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cholesky factor (n, n) of the covariance, white noise being 1, under which the series is likeliest.

    Slow drift is chosen first, then how far the series follows the head's pose: with few frames, to regress it on the
    pose without such a bound would take the pulse along.
    """
    n = len(times)
    apart = np.abs(times[:, None] - times)
    white = np.eye(n)
    paces = [np.exp(-apart / pace_s) for pace_s in _DRIFT_S]
    drift, _ = _likeliest([white, *(white + power * pace for pace in paces for power in _DRIFT_POWER)], series)
    spread = pose.std(axis=0)
    moves = (pose - pose.mean(axis=0))[:, spread > 1e-9] / spread[spread > 1e-9]
    led = moves @ moves.T
    return _likeliest([drift + power * led for power in _POSE_POWER], series)[1]


def _likeliest(
    covariances: list[NDArray[np.float64]], series: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Which of several covariances, each up to a scale, makes a series of unknown mean likeliest; and its root."""
    data = np.stack([series, np.ones(len(series))], axis=1)
    best, best_root, best_score = covariances[0], covariances[0], -np.inf
    for covariance in covariances:
        root, failed = dpotrf(covariance, lower=1, clean=1)
        if failed:  # of white noise and more
            raise np.linalg.LinAlgError("a covariance is not positive definite")
        white, one = dtrtrs(root, data, lower=1)[0].T
        rest = white @ white - (white @ one) ** 2 / (one @ one)
        score = -0.5 * len(series) * np.log(max(rest, TINY)) - np.log(np.diag(root)).sum()
        if score > best_score:
            best, best_root, best_score = covariance, root, score
    return best, best_root


def whitened(series: NDArray[np.float64], root: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Series (n, k) in units in which their noise is white, without their mean."""
    white = dtrtrs(root, series, lower=1)[0]
    return np.asarray(white - level @ (level.T @ white))


def waves_at(
    times: NDArray[np.float64], root: NDArray[np.float64], level: NDArray[np.float64], freqs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cosine and sine of each frequency and of its double, whitened, shape (n_freqs, n, 4)."""
    phase = 2 * np.pi * np.outer(times, freqs)
    cosine, sine = np.cos(phase), np.sin(phase)
    waves = np.stack([cosine, sine, 2 * cosine**2 - 1, 2 * sine * cosine], axis=2)
    white = whitened(waves.reshape(len(times), -1), root, level)
    return np.moveaxis(white.reshape(len(times), len(freqs), 4), 1, 0)


def fit(waves: NDArray[np.float64], series: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients (n_freqs, 4, k) of whitened series (n, k) on whitened waves, and the power that they explain."""
    gram = np.swapaxes(waves, 1, 2) @ waves
    own = np.trace(gram[:, :2, :2], axis1=1, axis2=2)
    gram[:, [2, 3], [2, 3]] += _HARMONIC_RIDGE * own[:, None]
    gram[:, range(4), range(4)] += 1e-9 * own[:, None]
    products = np.swapaxes(waves, 1, 2) @ series
    coefficients = np.linalg.solve(gram, products)
    return np.asarray(coefficients), np.asarray((coefficients * products).sum(axis=1))


def explained(
    times: NDArray[np.float64],
    series: NDArray[np.float64],
    root: NDArray[np.float64],
    level: NDArray[np.float64],
    freqs: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Share (n_freqs, k) of each whitened series' power that a pulse of each rate explains."""
    _, power = fit(waves_at(times, root, level, freqs), series)
    return np.asarray(power / (np.sum(series**2, axis=0) + TINY))
