"""Windows of the tuning recordings, measured: what spoke for each vital, and how far off it was."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.fitting import COUNTS, FOLDS, Finding
from benchmarks.recordings import Job, thin
from benchmarks.spots import spot
from rppg_core._measure import breathe
from rppg_core.pulse.sparse import find_sparse_pulse
from rppg_core.quality.extractors import DEFAULT, extraction
from rppg_core.quality.probability import (
    VAGUE_QUALITY,
    breath_features,
    heart_rate_features,
    heart_rate_quality,
    is_vague,
    oxygen_features,
    range_unit,
    rate_interval,
    stress_features,
    variability_features,
)
from rppg_core.quality.sparse import sparse_features, sparse_interval, sparse_quality
from rppg_core.simulation.faces import person_of
from rppg_core.trace.sampling import MIN_RATE_HZ
from rppg_core.vital.oxygen import oxygen
from rppg_core.vital.stress import stress
from rppg_core.vital.variability import variability

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from benchmarks.recordings import Row as Recording
    from benchmarks.streams import Sent
    from rppg_core.pulse.extract import Extractor
    from rppg_core.trace.traces import Trace

_WINDOWS_S = (30.0, 20.0, 15.0, 10.0)
_SPARSE_WINDOWS_S = (60.0, 30.0, 20.0, 12.0)
_SPARSE_HZ = (1.5, 7.5)
TOLERANCE = {
    "heart_rate_face": 2.0,
    "heart_rate_sparse": 2.0,
    "heart_rate_spot": 2.0,
    "hrv": 10.0,
    "stress_index": 0.3,
    "respiration_rate": 2.0,
    "spo2": 3.0,
}
"""How far off a vital may be to count as right, in its unit."""


def judged(path: Path, method: str, only: Collection[str] = tuple(TOLERANCE)) -> list[Finding]:
    """Measure every window of a recording; those of slow frames by the default method alone, and if they are wanted."""
    recorded: Recording | list[Sent] = pickle.loads(path.read_bytes())
    if isinstance(recorded, list):
        parts = [(Job("stream", sent.scene), sent.trace) for sent in recorded]
    else:
        parts = [(recorded.job, recorded.trace)]
    return [found for job, trace in parts if trace is not None for found in _judge_all(job, trace, method, only)]


def _judge_all(job: Job, trace: Trace, method: str, only: Collection[str]) -> list[Finding]:
    extract = extraction(method).extract
    slow_too = method == DEFAULT and "heart_rate_sparse" in only
    if job.scene.fps < MIN_RATE_HZ:
        return (
            []
            if not slow_too
            else [found for part in windows(trace, _SPARSE_WINDOWS_S) for found in _judge_sparse(job, part)]
        )
    rng = np.random.default_rng([5, job.scene.seed])
    thinned = [thin(trace, float(rng.uniform(*_SPARSE_HZ)), jitter, rng) for jitter in (0.45, 0.3, 0.0)]
    quick = [found for part in windows(trace, _WINDOWS_S) for found in _judge(job, part, extract)]
    if not slow_too:
        return quick
    return quick + [
        found for slow in thinned for part in windows(slow, _SPARSE_WINDOWS_S) for found in _judge_sparse(job, part)
    ]


def windows(trace: Trace, widths_s: tuple[float, ...]) -> Iterator[Trace]:
    """Parts of a trace, of each of several lengths."""
    times = trace.times_s
    for width in widths_s:
        for start in np.arange(times[0], times[-1] - width + 0.2, width):
            inside = (times >= start) & (times < start + width)
            if inside.sum() > 1.2 * width and times[inside][-1] - times[inside][0] > 0.8 * width:
                yield trace.part(inside)


def judged_spot(seed: int, method: str) -> list[Finding]:
    """Measure every window of a simulated spot of skin."""
    made, extract, found = spot(seed), extraction(method).extract, []
    for part in windows(made.trace, _WINDOWS_S):
        pulse = extract(part)
        if pulse is not None:
            truth = made.person.truth(float(part.times_s[0]), float(part.times_s[-1])) if made.person else None
            error = pulse.rate_bpm - truth.heart_rate_bpm if truth else float("inf")
            features = heart_rate_features(pulse.evidence)
            found.append(Finding("heart_rate_spot", features, error, seed % FOLDS, pulse.evidence))
    return found


def _judge(job: Job, trace: Trace, extract: Extractor) -> Iterator[Finding]:
    """Measure one window, and note what spoke for each vital and how far off it was."""
    pulse = extract(trace)
    if pulse is None:
        return
    start, end = float(trace.times_s[0]), float(trace.times_s[-1])
    truth = person_of(job.scene).truth(start, end)
    bled = job.scene.pulse > 0

    def found(row: str, features: dict[str, float], error: float) -> Finding:
        unit, quality = range_unit(end - start), heart_rate_quality(pulse.evidence)
        quality = _as_answered(quality, rate_interval(pulse.rate_bpm, pulse.evidence, quality))
        fold, shown = job.scene.seed % FOLDS, _shown(job)
        return Finding(row, features, error, fold, pulse.evidence, unit, _kind(job), shown, quality)

    error = pulse.rate_bpm - truth.heart_rate_bpm if bled else float("inf")
    yield found("heart_rate_face", heart_rate_features(pulse.evidence), error)
    if not bled or abs(error) > TOLERANCE["heart_rate_face"]:
        return
    beats, span = pulse.beats, end - start
    spread = variability(beats)
    if span > 19 and spread.reason is None and spread.rmssd_ms is not None and truth.rmssd_ms is not None:
        yield found("hrv", variability_features(beats, spread), spread.rmssd_ms - truth.rmssd_ms)
    index = stress(beats, spread)
    if span > 24 and spread.reason is None and index is not None and truth.stress_index:
        yield found("stress_index", stress_features(index, beats), index.index / truth.stress_index - 1)
    if span > 14:
        breath = breathe(pulse, pulse.rate_bpm / 60)
        if np.isfinite(breath.rate_bpm):
            yield found("respiration_rate", breath_features(breath), breath.rate_bpm - truth.respiration_rate_bpm)
    estimate = oxygen(pulse.colour.strength, pulse.colour.error)
    if estimate.spo2_percent is not None:
        yield found("spo2", oxygen_features(estimate), estimate.spo2_percent - job.scene.spo2_percent)


def _judge_sparse(job: Job, trace: Trace) -> Iterator[Finding]:
    """The same of a window whose frames are far apart."""
    pulse = find_sparse_pulse(trace)
    if pulse is None:
        return
    truth = person_of(job.scene).truth(float(trace.times_s[0]), float(trace.times_s[-1]))
    error = pulse.rate_bpm - truth.heart_rate_bpm if job.scene.pulse > 0 else float("inf")
    features, fold = sparse_features(pulse.evidence), job.scene.seed % FOLDS
    quality = sparse_quality(pulse.evidence)
    yield Finding(
        "heart_rate_sparse",
        features,
        error,
        fold,
        sigma=pulse.sigma_bpm,
        kind=_kind(job),
        shown=f"slow frames: {_shown(job)}",
        quality=_as_answered(quality, sparse_interval(pulse.rate_bpm, pulse.sigma_bpm, quality)),
    )


def _as_answered(quality: float, range_: tuple[float, float]) -> float:
    """The quality in the answer: low where the range is so wide that the rate is withheld."""
    return min(quality, VAGUE_QUALITY) if is_vague("heart_rate", range_) else quality


def _kind(job: Job) -> str:
    return job.group if job.group in COUNTS else "plain"


def _shown(job: Job) -> str:
    """The group of a window's table: hard faces by their skin, all else by what it is."""
    if job.scene.pulse <= 0:
        return "photographs through codecs" if job.group == "stream" else "no pulse"
    if job.group == "stream":
        return "faces through codecs"
    name = job.group.removeprefix("h264 ").removesuffix("30")
    return (
        f"{name}, skin {'I to IV' if job.scene.skin < 5 else 'V' if job.scene.skin == 5 else 'VI'}"
        if name == "hard"
        else name
    )
