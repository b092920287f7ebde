"""The running heart rate of a window that is still filling: the newest seconds, at a fraction of a measurement's cost.

It runs every other second while frames come in, so it must cost little beside reading them. Neighbouring regions are
joined and quick frames averaged before the pulse is sought: what a fusion of 30 regions gains over one of a dozen
matters to beats, which are not timed here for anybody. The rate is judged as a measurement's is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.face.regions import CENTRES, N_REGIONS
from rppg_core.pulse.extract import Pulse, find_pulse
from rppg_core.pulse.sparse import find_sparse_pulse
from rppg_core.pulse.succession import is_replaced
from rppg_core.quality.answers import NEEDS_S
from rppg_core.quality.probability import MIN_CONFIDENCE, confidence, heart_rate_quality, rate_interval
from rppg_core.quality.sparse import sparse_interval, sparse_quality
from rppg_core.trace.repeats import distinct
from rppg_core.trace.sampling import MIN_RATE_HZ, frame_rate_hz, is_sparse
from rppg_core.trace.traces import Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPAN_S = 10.0
"""How much of the newest trace is looked at."""

SPARSE_SPAN_S = 30.0
"""The same where frames come so slowly that 10 s hold too few of them."""

TAIL_S = 5.0
"""How much of the pulse is shown."""

_ENOUGH_HZ = 15.0  # holds the second harmonic of all but the fastest hearts
_FINE_HZ = 100.0  # beats serve the rate alone, so their times need not be finer
_MOST_APART_S = 1.0  # a longer pause among so few seconds leaves too little
_ANCHORS = np.array(  # in the canonical frame: brow, nose, cheeks by the nose, outside and below, chin
    [
        *((x, -0.85) for x in (-0.5, 0.0, 0.5)),
        (0.0, 0.0),
        *((side * x, y) for side in (-1, 1) for x, y in ((0.3, 0.4), (0.65, 0.4), (0.65, 0.85))),
        (0.0, 1.5),
    ]
)
_JOINED = np.argmin(np.linalg.norm(CENTRES[:, None] - _ANCHORS, axis=2), axis=1)  # (N_REGIONS,) the nearest anchor


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """What the newest seconds show. Without a believable rate there is no pulse to show either."""

    heart_rate_bpm: float | None
    confidence: float
    fs: float  # sampling rate of `ppg` in Hz
    ppg: NDArray[np.float64]  # (n,) the newest `TAIL_S` seconds, rising with blood volume; empty without a rate
    quality: float = 0.0  # probability that the rate is within 2 bpm
    interval_bpm: tuple[float, float] | None = None  # its 90 % range


def partial(trace: Trace) -> Partial | None:
    """Find the running heart rate.

    Parameters
    ----------
    trace : Trace
        The newest frames of a window; what is older than `SPAN_S` (`SPARSE_SPAN_S` of slow or bursting frames) is left
        out.

    Returns
    -------
    Partial or None
        None while there are less than 5 s. The rate is None exactly when its confidence is below 0.3, as it is for a
        trace too broken to be judged. Slow frames show no wave.
    """
    whole = distinct(trace)
    trace = _newest(whole, SPAN_S)
    times = trace.times_s
    if len(times) < 2 or times[-1] - times[0] + np.median(np.diff(times)) < NEEDS_S["heart_rate"] - 1e-3:
        return None
    slow = frame_rate_hz(times) < MIN_RATE_HZ
    if not slow and np.diff(times).max() > _MOST_APART_S:
        return Partial(None, 0.0, frame_rate_hz(times), np.zeros(0))
    if slow or is_sparse(times):
        return _sparse(_newest(whole, SPARSE_SPAN_S))
    quick = _folded(_joined(trace))
    pulse = _find(quick)
    if pulse is None or is_replaced(quick, lambda part: getattr(_find(part), "rate_bpm", None)):
        return Partial(None, 0.0, frame_rate_hz(times), np.zeros(0))
    quality, fs = heart_rate_quality(pulse.evidence), pulse.even.fs
    sure = confidence(quality)
    if sure < MIN_CONFIDENCE:
        return Partial(None, sure, fs, np.zeros(0))
    range_ = rate_interval(pulse.rate_bpm, pulse.evidence, quality)
    return Partial(pulse.rate_bpm, sure, fs, pulse.wave[-round(TAIL_S * fs) :], quality, range_)


def _find(trace: Trace) -> Pulse | None:
    return find_pulse(trace, fine_hz=_FINE_HZ, rhythm=False)


def _sparse(trace: Trace) -> Partial:
    pulse = find_sparse_pulse(trace)
    fs = frame_rate_hz(trace.times_s)
    if pulse is None:
        return Partial(None, 0.0, fs, np.zeros(0))
    quality = sparse_quality(pulse.evidence)
    sure = confidence(quality)
    if sure < MIN_CONFIDENCE:
        return Partial(None, sure, fs, np.zeros(0))
    range_ = sparse_interval(pulse.rate_bpm, pulse.sigma_bpm, quality)
    return Partial(pulse.rate_bpm, sure, fs, np.zeros(0), quality, range_)


def _newest(trace: Trace, span_s: float) -> Trace:
    kept = trace.times_s >= trace.times_s[-1] - span_s if len(trace.times_s) else np.zeros(0, bool)
    return trace.part(kept)


def _joined(trace: Trace) -> Trace:
    """With neighbouring regions joined, of those that were seen throughout: one that comes and goes would be a step."""
    colours = trace.colours
    if colours.shape[1] != N_REGIONS:
        return trace
    seen = np.isfinite(colours).all(axis=(0, 2))
    groups = (np.arange(len(_ANCHORS))[:, None] == _JOINED[seen]).astype(np.float64)
    groups = groups[groups.any(axis=1)]
    if not len(groups):
        return trace
    joined = groups / groups.sum(axis=1, keepdims=True) @ colours[:, seen]
    return replace(trace, colours=joined)


def _folded(trace: Trace) -> Trace:
    """With consecutive frames averaged, as many as leave `_ENOUGH_HZ`."""
    fold = int(frame_rate_hz(trace.times_s) / _ENOUGH_HZ + 0.05)
    if fold < 2:
        return trace
    count = len(trace.times_s) // fold

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        newest = values[len(values) - count * fold :]
        return np.asarray(newest.reshape(count, fold, *values.shape[1:]).mean(axis=1))

    witness = None if trace.witness is None else mean(trace.witness)
    return Trace(mean(trace.times_s), mean(trace.colours), mean(trace.pose), trace.frame_size, witness)
