"""Fit how far to believe an extractor on simulated faces of tuning seeds, and write the table as a module.

`python -m benchmarks.calibrate --method NAME --cache FOLDER`; the default method's table is
`rppg_core.quality.calibration`. Each recording is also cut into shorter windows, so that the table
holds from 10 s on. Ranges of RMSSD and of heart rates are fitted by `benchmarks.variability`,
`benchmarks.rate_ranges` and `benchmarks.sparse_ranges`. Weights keep the sign
that physics gives them, and a penalty keeps them from becoming surer than the recordings can show. What is left out of
each fold of five, judged by the other four, says how far to believe it.
"""

from __future__ import annotations

import argparse
import pickle
from collections import defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from benchmarks import codecs
from benchmarks.calibration_module import Fit, write_module
from benchmarks.fitting import COUNTS, FOLDS, Finding, Row, can_be_fitted, fit, show
from benchmarks.logistic import logistic
from benchmarks.recordings import TUNING_SEED, Job, jobs, rows, single_threaded_pool, thin
from benchmarks.recordings import Row as Recording
from benchmarks.spots import spot
from rppg_core._measure import breathe
from rppg_core.pulse.sparse import find_sparse_pulse
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.extractors import DEFAULT, extraction
from rppg_core.quality.probability import (
    MIN_CONFIDENCE,
    SURE,
    against_next,
    breath_features,
    heart_rate_features,
    is_excluded,
    oxygen_features,
    range_unit,
    sparse_features,
    variability_features,
)
from rppg_core.quality.table import Calibration
from rppg_core.simulation.faces import person_of
from rppg_core.trace.sampling import MIN_RATE_HZ
from rppg_core.vital.hrv import stress_index
from rppg_core.vital.oxygen import oxygen
from rppg_core.vital.variability import variability

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from benchmarks.streams import Sent
    from rppg_core.pulse.extract import Extractor
    from rppg_core.trace.traces import Trace

SIGNS = {
    "heart_rate_face": {
        "prominence_db": 1, "agreement": 1, "concentration": 1, "stability": 1, "pallor": -1, "phase_coherence": 1,
        "motion": -1, "log_nod": -1, "mismatch_bpm": -1, "kept_share": 1, "log_jitter": -1, "log_span": 1,
        "comb_db": -1, "sharp_comb_db": -1, "jumps": -1, "thinness": -1, "unevenness": -1,
        "lead_db": 1, "off_hue": -1,
    },
    "heart_rate_sparse": {
        "log_odds": 1, "margin": 1, "agreement": 1, "pallor": -1, "phase_coherence": 1, "log_nod": -1, "picture": -1,
    },
    "heart_rate_spot": {"snr_db": 1, "prominence_db": 1, "stability": 1, "motion": -1, "mismatch_bpm": -1},
    "hrv": {"log_range": -1, "kept_share": 1},
    "stress_index": {"sigma_ms": -1, "kept_share": 1},
    "respiration_rate": {"concentration": 1, "agreement": 1},
    "spo2": {"clarity": 1},
}  # fmt: skip
_WINDOWS_S = (30.0, 20.0, 15.0, 10.0)
_SPARSE_WINDOWS_S = (60.0, 30.0, 20.0, 12.0)
_SPARSE_HZ = (1.5, 7.5)
_THROUGH_CODECS = (60, 75, 4)  # faces, photographs, and the streams that each is sent through
_LATER = {
    "heart_rate_face": ("comb_db", "sharp_comb_db", "jumps", "thinness", "unevenness"),
    "heart_rate_sparse": ("picture",),
}
"""What is fitted second, on all recordings, beside what the plain ones gave: streams and hearts without rhythm are so
many here that they would otherwise make every plain recording doubtful."""
SPOT_SEEDS = range(TUNING_SEED + 50_000, TUNING_SEED + 50_600)
OWN_MODULE = Path(__file__).parents[1] / "rppg_core" / "quality" / "calibration.py"


_MOST_FALSE, _BELOW = 0.002, 1e-3
"""Share of the windows without a pulse that may be answered, and how far below an answer the next one stays."""

_RANGE = 0.9
_RANGED = {
    "heart_rate_face": "heart_rate",
    "respiration_rate": "respiration_rate",
}
_FARTHEST = {"respiration_rate": 5.0}
"""Errors beyond these count as these where a range is fitted: as wide a range is withheld, and all would be wider."""
_TOLERANCE = {
    "heart_rate_face": 2.0,
    "heart_rate_sparse": 2.0,
    "heart_rate_spot": 2.0,
    "hrv": 10.0,
    "stress_index": 0.3,
    "respiration_rate": 2.0,
    "spo2": 3.0,
}


def main() -> None:
    """Collect, fit, print, and write the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/beam-tuning"))
    parser.add_argument("--method", default=DEFAULT, help="one of rppg_core.extractor_names() [%(default)s]")
    parser.add_argument("--output", type=Path, help="the module to write [of the default method: its own]")
    parser.add_argument("--only", nargs="+", choices=SIGNS, default=list(SIGNS), help="fit these rows, keep the others")
    options = parser.parse_args()
    method, signs_of = options.method, {name: SIGNS[name] for name in SIGNS if name in options.only}
    paths = recordings(options.cache)
    findings: dict[str, list[Finding]] = defaultdict(list)
    with single_threaded_pool() as pool:
        works = [pool.imap(partial(judged, method=method, only=options.only), paths, chunksize=4)]
        if "heart_rate_spot" in signs_of:
            works.append(pool.imap(partial(judged_spot, method=method), SPOT_SEEDS, chunksize=16))
        for finding in (one for work in works for found in work for one in found):
            findings[finding.row].append(finding)
    rows_ = {
        name: fit(findings[name], signs, _TOLERANCE[name], _LATER.get(name, ()))
        for name, signs in signs_of.items()
        if can_be_fitted(findings[name], _TOLERANCE[name])
    }
    if "heart_rate_face" in rows_:
        rows_["heart_rate_face"] = cautious(rows_["heart_rate_face"], findings["heart_rate_face"])
    print("Not fitted, for want of windows:", ", ".join(signs_of.keys() - rows_.keys()) or "none")
    widths = {}
    for name, row in rows_.items():
        show(name, row)
        if name in _RANGED:
            widths[_RANGED[name]] = half_width(believed(name, rows_, findings[name]), findings[name])
            print(f'        "{_RANGED[name]}": {widths[_RANGED[name]]},')
    table = Calibration(
        {**CALIBRATION.logistic, **{name: row.weights for name, row in rows_.items()}},
        {**CALIBRATION.half_width, **widths},
        CALIBRATION.rate_range,
    )
    output = options.output or (OWN_MODULE if method == DEFAULT else Path(f"{method}_calibration.py"))
    how = Fit(
        method=method,
        command=("python", "-m", "benchmarks.calibrate", "--method", method, *_given(options.only)),
        seeds=(TUNING_SEED, max(*(job.scene.seed for job in tuning_jobs()), SPOT_SEEDS[-1])),
        recordings=len(paths) + (len(SPOT_SEEDS) if "heart_rate_spot" in signs_of else 0),
        windows={name: len(findings[name]) for name in rows_},
        right={name: float(row.right.mean()) for name, row in rows_.items()},
    )
    write_module(output, table, how)
    print(f"Written to {output}.")


def cautious(row: Row, group: list[Finding]) -> Row:
    """Lower the intercept until hardly a window without a pulse is answered, by the folds that haven't seen it.

    A wrong rate is an error, a pulse of a photograph a broken promise: this costs answers, and makes all probabilities
    lower than what comes true.
    """
    bloodless = np.array([np.isinf(f.error) and not (f.evidence and is_excluded(f.evidence)) for f in group])
    allowed = int(_MOST_FALSE * sum(np.isinf(f.error) for f in group))
    said = np.clip(row.said, 1e-12, 1 - 1e-12)
    odds = np.log(said / (1 - said))
    highest = np.sort(odds[bloodless])[::-1]
    answered = MIN_CONFIDENCE * SURE / 0.7
    shift = min(float(np.log(answered / (1 - answered)) - highest[allowed]) - _BELOW, 0.0)
    weights = {**row.weights, "intercept": row.weights["intercept"] + shift}
    print(f"heart_rate_face: intercept lowered by {-shift:.2f}, for {allowed} false pulses")
    return Row(weights, logistic(odds + shift), row.right)


def _given(only: list[str]) -> tuple[str, ...]:
    return () if set(only) == set(SIGNS) else ("--only", *only)


def believed(name: str, rows_: dict[str, Row], group: list[Finding]) -> NDArray[np.float64]:
    """The quality that each window's vital would be answered with."""
    said, rate = rows_[name].said, rows_.get("heart_rate_face")
    believed_rate = rate.weights if rate else CALIBRATION.logistic["heart_rate_face"]
    if name == "heart_rate_sparse":
        return np.minimum(said, [against_next(finding.features["margin"]) for finding in group])
    return said if name == "heart_rate_face" else said * probability_of(believed_rate, group)


def recordings(cache: Path) -> list[Path]:
    """Tuning recordings of every kind, rendered once and then kept in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    wanted = tuning_jobs()
    paths = {job: cache / f"{job.group.replace(' ', '-').replace(':', '')}-{job.scene.seed}.pickle" for job in wanted}
    for row in rows([job for job in wanted if not paths[job].exists()]):
        paths[row.job].write_bytes(pickle.dumps(row))
        print(end=".", flush=True)
    for _ in codecs.sent(codecs.cases(codecs.TUNING_SEED, *_THROUGH_CODECS), cache):
        print(end=".", flush=True)
    return sorted(cache.glob("*.pickle"))


def tuning_jobs() -> list[Job]:
    """Hard and moderate faces, as JPEG and as video, hearts without rhythm, and what has no pulse."""
    videos = []
    for i in range(36):
        rng = np.random.default_rng([77, i])
        kind, crf, fps = ("moderate" if i % 2 else "hard"), int(rng.integers(18, 29)), float(rng.choice([25.0, 30.0]))
        scene = jobs(kind, 1, TUNING_SEED + 20_000 + i, codec="h264", crf=crf, fps=fps)[0].scene
        videos.append(Job(f"h264 {kind}", scene))
    slow = {"fps": 1.6, "time_jitter": 0.3, "duration_s": 60.0}
    return (
        jobs("hard", 100, TUNING_SEED)
        + jobs("moderate", 45, TUNING_SEED)
        + [Job("hard30", job.scene) for job in jobs("hard", 40, TUNING_SEED + 10_000, fps=30.0)]
        + videos
        + jobs("no pulse", 90, TUNING_SEED + 30_000, duration_s=20.0)
        + jobs("no pulse", 120, TUNING_SEED + 31_000, duration_s=10.0)
        + jobs("no pulse", 24, TUNING_SEED + 32_000, duration_s=20.0, codec="h264")
        + [Job("sparse moderate", job.scene) for job in jobs("moderate", 60, TUNING_SEED + 40_000, **slow)]
        + [Job("sparse hard", job.scene) for job in jobs("hard", 40, TUNING_SEED + 40_000, **slow)]
        + jobs("no pulse", 48, TUNING_SEED + 40_000, **slow)
        + [_without_rhythm(job) for job in jobs("moderate", 30, TUNING_SEED + 50_000)]
    )


def _without_rhythm(job: Job) -> Job:
    rng = np.random.default_rng([78, job.scene.seed])
    rate_bpm, irregular = float(rng.uniform(60, 130)), float(rng.uniform(0.12, 0.3))
    return Job("irregular", replace(job.scene, heart_rate_bpm=rate_bpm, irregular=irregular))


def judged(path: Path, method: str, only: Collection[str] = tuple(SIGNS)) -> list[Finding]:
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
        unit = range_unit(end - start)
        return Finding(row, features, error, job.scene.seed % FOLDS, pulse.evidence, unit, _kind(job))

    error = pulse.rate_bpm - truth.heart_rate_bpm if bled else float("inf")
    yield found("heart_rate_face", heart_rate_features(pulse.evidence), error)
    if not bled or abs(error) > _TOLERANCE["heart_rate_face"]:
        return
    beats, span = pulse.beats, end - start
    spread = variability(beats)
    if span > 19 and spread.reason is None and spread.rmssd_ms is not None and truth.rmssd_ms is not None:
        yield found("hrv", variability_features(beats, spread, trace.bits_a_pixel), spread.rmssd_ms - truth.rmssd_ms)
    index = stress_index(beats.intervals_s, beats.normal)
    if span > 24 and spread.reason is None and index is not None and truth.stress_index:
        yield found(
            "stress_index", variability_features(beats, spread, trace.bits_a_pixel), index / truth.stress_index - 1
        )
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
    yield Finding("heart_rate_sparse", features, error, fold, sigma=pulse.sigma_bpm, kind=_kind(job))


def _kind(job: Job) -> str:
    return job.group if job.group in COUNTS else "plain"


def probability_of(weights: Mapping[str, float], group: list[Finding]) -> NDArray[np.float64]:
    """What a row for the heart rate says of each finding's window."""
    features = [heart_rate_features(finding.evidence) for finding in group if finding.evidence]
    names = [name for name in weights if name != "intercept"]
    return logistic(
        weights["intercept"] + np.array([[f[name] for name in names] for f in features]) @ [weights[n] for n in names]
    )


def half_width(quality: NDArray[np.float64], group: list[Finding]) -> tuple[float, float, float]:
    """The three numbers of `calibration.HALF_WIDTH`: the 90 % quantile of the error as a function of the quality.

    By the pinball loss, on windows that are answered.
    """
    error, sigma = np.abs([finding.error for finding in group]), np.array([finding.sigma for finding in group])
    error = np.where(np.isfinite(error), np.minimum(error, _FARTHEST.get(group[0].row, np.inf)), error)
    answered = (quality >= MIN_CONFIDENCE) & np.isfinite(error)
    q, size, unit = quality[answered], error[answered], sigma[answered]

    def loss(numbers: NDArray[np.float64]) -> float:
        best, added, power = np.exp(numbers)
        off = size - (best * unit + added * (1 - q) ** power * unit)
        return float(np.mean(np.maximum(_RANGE * off, (_RANGE - 1) * off)))

    starts = [np.log([best, added, power]) for best in (0.1, 2.0) for added in (5.0, 30.0) for power in (0.5, 1.0)]
    best = min((minimize(loss, start, method="Nelder-Mead") for start in starts), key=lambda found: found.fun)
    return tuple(float(f"{number:.3g}") for number in np.exp(best.x))  # type: ignore[return-value]  # three numbers


if __name__ == "__main__":
    main()
