"""The course of heart rate and breathing over a trace: one value a second, each from the seconds around it.

A heart rate is that of the 10 s around its moment (30 s of slow frames), found and judged as the running rate is: on
its own, so that what the rest of the trace shows neither helps nor harms it. Breathing is slower: it is sought in the
30 s around, in what it does to the pulse of the whole trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.pulse.extract import find_pulse
from rppg_core.pulse.modulations import modulations
from rppg_core.quality.answers import NEEDS_S, SLACK_S
from rppg_core.quality.probability import MIN_CONFIDENCE, breath_features, interval, probability
from rppg_core.rolling import SPAN_S, SPARSE_SPAN_S, Partial, partial
from rppg_core.trace.repeats import distinct
from rppg_core.trace.sampling import is_sparse
from rppg_core.vital.respiration import FS as BREATH_FS
from rppg_core.vital.respiration import respiration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.trace.traces import Trace

STEP_S = 1.0
"""From one value to the next."""

_BREATH_SPAN_S = 30.0
_DRIFT_HZ = 0.07  # as of a whole window
_LEAST_APART_S, _MOST_LOOKS = 2.0, 30  # heart rates are sought so far apart, and so often at most; between two they go
# straight from one to the other
_WIDEST_BPM, _WIDEST_BREATH_BPM = 20.0, 8.0  # a range wider than that says nothing


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Values `STEP_S` apart, the first `start_s` after the trace's start; NaN where nothing is known. All (n,)."""

    start_s: float
    heart_rate_bpm: NDArray[np.float64]
    heart_rate_low_bpm: NDArray[np.float64]  # ends of the 90 % range
    heart_rate_high_bpm: NDArray[np.float64]
    respiration_rate_bpm: NDArray[np.float64]


def series(trace: Trace) -> Series:
    """Follow heart rate and breathing through a trace.

    Returns
    -------
    Series
        From 5 s after the trace's start to 5 s before its end; empty for a trace of less than 10 s.
    """
    times = trace.times_s
    span_s = float(times[-1] - times[0] + np.median(np.diff(times))) if len(times) > 1 else 0.0
    count = int((span_s - SPAN_S + SLACK_S) / STEP_S) + 1 if span_s >= SPAN_S - SLACK_S else 0
    at = SPAN_S / 2 + STEP_S * np.arange(count, dtype=np.float64)
    rates, qualities = _heart_rates(trace, at, span_s)
    breath = _breaths(trace, at, qualities, span_s)
    return Series(SPAN_S / 2, rates[:, 0], rates[:, 1], rates[:, 2], breath)


def _heart_rates(
    trace: Trace, at: NDArray[np.float64], span_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rate and ends of its range (n, 3), and quality (n,), at these moments; NaN and 0 where nothing is known."""
    if not len(at):
        return np.full((0, 3), np.nan), np.zeros(0)
    apart = int(np.ceil(max(_LEAST_APART_S, span_s / _MOST_LOOKS) / STEP_S))
    looks = np.unique([*range(0, len(at), apart), len(at) - 1])
    half_s = (SPARSE_SPAN_S if is_sparse(trace.times_s) else SPAN_S) / 2
    times = trace.times_s - trace.times_s[0]
    found = np.array([_judged(partial(trace.part(np.abs(times - at[i]) <= half_s))) for i in looks])
    # NaN on either side gives NaN between: what is not known there is not known here.
    low, high = np.interp(at, at[looks], found[:, 1]), np.interp(at, at[looks], found[:, 2])
    rates = np.stack([np.interp(at, at[looks], found[:, 0]), low, high], axis=1)
    return rates, np.interp(at, at[looks], found[:, 3])


def _judged(seen: Partial | None) -> tuple[float, float, float, float]:
    """Rate, ends of its range, quality."""
    if seen is None or seen.heart_rate_bpm is None or seen.interval_bpm is None:
        return np.nan, np.nan, np.nan, 0.0
    low, high = seen.interval_bpm
    if high - low > _WIDEST_BPM:
        return np.nan, np.nan, np.nan, 0.0
    return seen.heart_rate_bpm, low, high, seen.quality


def _breaths(trace: Trace, at: NDArray[np.float64], sure: NDArray[np.float64], span_s: float) -> NDArray[np.float64]:
    """Breathing rate (n,); `sure` is the quality of the heart rate."""
    found = np.full(len(at), np.nan)
    needs_s, trace = NEEDS_S["respiration_rate"] - SLACK_S, distinct(trace)
    if span_s < needs_s or not sure.any() or is_sparse(trace.times_s):
        return found
    pulse = find_pulse(trace)
    if pulse is None:
        return found
    rate_hz = pulse.rate_bpm / 60
    slow = modulations(pulse, rate_hz)
    for i in np.flatnonzero(sure):
        first_s, last_s = max(at[i] - _BREATH_SPAN_S / 2, 0.0), min(at[i] + _BREATH_SPAN_S / 2, span_s)
        if last_s - first_s < needs_s:
            continue
        part = slice(round(first_s * BREATH_FS), round(last_s * BREATH_FS))
        breath = respiration({name: wave[part] for name, wave in slow.items()}, rate_hz, _DRIFT_HZ)
        quality = float(sure[i]) * probability("respiration_rate", breath_features(breath))
        if quality < MIN_CONFIDENCE or not np.isfinite(breath.rate_bpm):
            continue
        low, high = interval("respiration_rate", breath.rate_bpm, quality, last_s - first_s)
        if high - low <= _WIDEST_BREATH_BPM:
            found[i] = breath.rate_bpm
    return found
