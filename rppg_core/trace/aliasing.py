"""How frames are paced: whether their capture times let a pulse hide behind its aliases.

Frames at even distances show a rate `f` and the rates `k * fs - f` and `k * fs + f` alike. How alike any two rates look
follows from the spectral window, the Fourier transform of the capture times: at the sum and at the difference of two
rates it is 1 if nothing in the frames can tell them apart, and about 1 / n for n frames at irregular times [1]_. It
needs no threshold on the distances of frames, so it sees an even pace through lost frames and a network's delays too.

References
----------
.. [1] J. T. VanderPlas, "Understanding the Lomb-Scargle Periodogram", ApJS 236(1), 2018. doi:10.3847/1538-4365/aab766
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.bands import ALIAS_HZ

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LOW_HZ, HIGH_HZ = ALIAS_HZ
"""Rates of a heart. Two of them may be confused over a distance of `LOW_HZ` to twice `HIGH_HZ`."""

ALIASED = 0.7
"""Strength from which aliases can't be distinguished from the pulse under a real trace's noise."""

_EVEN_MARGIN = 0.5  # what drift and harmonics may wrongly tell rates of an even pace apart by, aliases or not
_CHANCE = 1e-3  # of calling irregular times even
_GRID_S = 0.004  # capture times are binned so finely that the phase at twice HIGH_HZ is right to 0.1
_OVERSAMPLING = 4
_REFINED, _FINER = 6, 9  # points of the grid whose surroundings are looked at, and at how many places each
_LEAST_SIZE = 4096  # distances 0.06 Hz apart, however short the time
_MOST_SPAN_S, _SILENCE_S = 600.0, 5.0  # of a longer span, only the newest frames without a silence


def alias_strength(times_s: ArrayLike) -> float:
    """How alike the two rates look that are hardest to tell apart, 0-1.

    Parameters
    ----------
    times_s : array_like, shape (n_frames,)
        Capture times in seconds, in any order, on any clock. Of more than 10 minutes only the newest frames count:
        those after the last silence of 5 s, and no more than 10 minutes of them. This bounds the cost.

    Returns
    -------
    float
        The greatest power of the spectral window over the distances at which two rates may be confused. Aliases of a
        pure tone have this share of its power. 1 for fewer than two frames.
    """
    times = _bounded(np.sort(np.asarray(times_s, dtype=np.float64)))
    if len(times) < 2 or times[-1] == times[0]:
        return 1.0
    distances, power = _spectral_window(times)
    inside = (distances >= LOW_HZ) & (distances <= 2 * HIGH_HZ)
    return _refined(times, distances[inside], power[inside])


def has_alias(times_s: ArrayLike, rate_hz: float, *, apart_hz: float) -> bool:
    """Whether a heart of another rate would look the same at these times as one of `rate_hz`.

    Parameters
    ----------
    times_s : array_like, shape (n_frames,)
        Capture times in seconds, in any order.
    rate_hz : float
        A rate within `ALIAS_HZ`.
    apart_hz : float
        Nearer rates are the same one.

    Returns
    -------
    bool
        True if another rate of a heart is as strong an alias of this one as makes a pace evenly slow. At 5 even frames
        a second that holds for 100 beats a minute, whose alias is 200, and not for 60, whose alias would be 240.
    """
    times = _bounded(np.sort(np.asarray(times_s, dtype=np.float64)))
    if len(times) < 2 or times[-1] == times[0]:
        return True
    distances, power = _spectral_window(times)
    differ = (distances > apart_hz) & (distances <= max(rate_hz - LOW_HZ, HIGH_HZ - rate_hz))
    mirrored = (np.abs(distances - rate_hz - (LOW_HZ + HIGH_HZ) / 2) <= (HIGH_HZ - LOW_HZ) / 2) & (
        np.abs(distances - 2 * rate_hz) > apart_hz
    )
    needed = max(ALIASED, _by_chance(len(times), float(times[-1] - times[0])))
    return bool(np.max(power[differ | mirrored], initial=0.0) > needed)


def known_margin(margin: float, times_s: ArrayLike, rate_hz: float, *, apart_hz: float) -> float:
    """The part of a likelihood's margin over the next best rate that is knowledge.

    Frames can't tell a rate from its aliases, however much likelier a model of drift and harmonics makes one of them:
    over those there is no margin. Parameters are those of `has_alias`.
    """
    if not is_evenly_slow(times_s):
        return margin
    known = margin - _EVEN_MARGIN
    return min(known, 0.0) if has_alias(times_s, rate_hz, apart_hz=apart_hz) else known


def is_evenly_slow(times_s: ArrayLike) -> bool:
    """Whether a pulse seen at these times can't be distinguished from its aliases.

    Parameters
    ----------
    times_s : array_like, shape (n_frames,)
        Capture times in seconds, in any order. From a dozen frames on something can be said; fewer are never called
        evenly slow.

    Returns
    -------
    bool
        True for an even pace below 7.4 frames a second, also with lost frames and delays of some ten milliseconds.
        False for irregular times, and for every pace above that.
    """
    times = _bounded(np.sort(np.asarray(times_s, dtype=np.float64)))
    span = float(times[-1] - times[0]) if len(times) else 0.0
    if not span or len(times) - 1 > 4 * HIGH_HZ * span:  # dense: there is no need to look
        return False
    needed = max(ALIASED, _by_chance(len(times), span))
    return needed < 1 and alias_strength(times) > needed  # no strength is above 1


def _spectral_window(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How alike two rates look (0-1), by their distance in Hz, at sorted times."""
    counts = np.bincount(np.rint((times - times[0]) / _GRID_S).astype(np.intp))
    size = 1 << (max(_OVERSAMPLING * len(counts), _LEAST_SIZE) - 1).bit_length()
    power = np.abs(np.fft.rfft(counts, size)) ** 2 / len(times) ** 2
    return np.asarray(np.fft.rfftfreq(size, _GRID_S), dtype=np.float64), np.asarray(power)


def _refined(times: NDArray[np.float64], distances: NDArray[np.float64], power: NDArray[np.float64]) -> float:
    """Greatest power of the spectral window, sought between the points of its grid and at the ends of it.

    Between two points a peak is up to a seventh higher, which would depend on the span alone: the highest few are
    looked at with the exact times.
    """
    step = distances[1] - distances[0]
    tops = distances[np.argsort(power, kind="stable")[-_REFINED:]]
    points = (tops[:, None] + step * np.linspace(-0.5, 0.5, _FINER)).ravel()
    points = np.clip(np.concatenate([points, [LOW_HZ, 2 * HIGH_HZ]]), LOW_HZ, 2 * HIGH_HZ)
    turns = np.exp((-2j * np.pi * points)[:, None] * (times - times[0]))
    return float(np.max(np.abs(turns.mean(axis=1)) ** 2))


def _bounded(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The newest of these sorted times whose spectral window costs no more than that of a long measurement."""
    if len(times) < 2 or times[-1] - times[0] <= _MOST_SPAN_S:
        return times
    silences = np.flatnonzero(np.diff(times) > _SILENCE_S)
    newest = times[silences[-1] + 1 :] if len(silences) else times
    return np.asarray(newest[newest >= newest[-1] - _MOST_SPAN_S])


def _by_chance(n_frames: int, span_s: float) -> float:
    """Strength that irregular times exceed with a chance of `_CHANCE`: each independent distance is exponential."""
    distances = max(1.0, 2 * HIGH_HZ * span_s)
    return float(np.log(distances / _CHANCE) / n_frames)
