"""Fit how far to believe an extractor on simulated faces of tuning seeds, and write the table as a module.

`python -m benchmarks.calibrate --method NAME --cache FOLDER`; the default method's table is
`rppg_core.quality.calibration`. `--judge` fits nothing, and prints how the heart rates of these windows are answered by
the table as it is; with `--photographs`, those of so many photographs through codecs that no fit has seen.

Each recording is also cut into shorter windows, so that the table holds from 10 s on. Ranges of RMSSD and of heart
rates are fitted by `benchmarks.variability`, `benchmarks.rate_ranges` and `benchmarks.sparse_ranges`. Weights keep the
sign that physics gives them, and a penalty keeps them from becoming surer than the recordings can show. What is left
out of each fold of five, judged by the other four, says how far to believe it.
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
from benchmarks.fitting import Finding, Row, can_be_fitted, fit, show
from benchmarks.logistic import logistic
from benchmarks.recordings import TUNING_SEED, Job, jobs, rows, single_threaded_pool
from benchmarks.tuning_windows import TOLERANCE, judged, judged_spot
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.extractors import DEFAULT
from rppg_core.quality.probability import (
    MIN_CONFIDENCE,
    SURE,
    confidence,
    heart_rate_features,
    is_excluded,
)
from rppg_core.quality.sparse import against_next
from rppg_core.quality.table import Calibration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


SIGNS = {
    "heart_rate_face": {
        "prominence_db": 1, "agreement": 1, "concentration": 1, "stability": 1, "pallor": -1, "phase_coherence": 1,
        "motion": -1, "log_nod": -1, "mismatch_bpm": -1, "kept_share": 1, "log_jitter": -1, "log_span": 1,
        "comb_db": -1, "sharp_comb_db": -1, "jumps": -1, "thinness": -1, "unevenness": -1,
        "lead_db": 1, "off_hue": -1, "low_rate": -1, "asymmetry": 1,
    },
    "heart_rate_sparse": {
        "log_odds": 1, "margin": 1, "agreement": 1, "pallor": -1, "phase_coherence": 1, "log_nod": -1, "picture": -1,
        "without_rhythm": -1, "pale": -1, "few_frames": -1,
        "low_rate": -1, "asymmetry": 1,
    },
    "heart_rate_spot": {"snr_db": 1, "prominence_db": 1, "stability": 1, "motion": -1, "mismatch_bpm": -1},
    "hrv": {"log_range": -1, "kept_share": 1},
    "stress_index": {"log_jitter_share": -1, "kept_share": 1},
    "respiration_rate": {"concentration": 1, "agreement": 1},
    "spo2": {"clarity": 1},
}  # fmt: skip
_THROUGH_CODECS = (60, 75, 4)  # faces, photographs, and the streams that each is sent through
_UNSEEN_SEED = 21_000
_LATER = {
    "heart_rate_face": ("comb_db", "sharp_comb_db", "jumps", "thinness", "unevenness", "low_rate", "asymmetry"),
    "heart_rate_sparse": ("picture", "without_rhythm", "pale", "few_frames", "low_rate", "asymmetry"),
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


def main() -> None:
    """Collect, fit, print, and write the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/beam-tuning"))
    parser.add_argument("--method", default=DEFAULT, help="one of rppg_core.extractor_names() [%(default)s]")
    parser.add_argument("--output", type=Path, help="the module to write [of the default method: its own]")
    parser.add_argument("--only", nargs="+", choices=SIGNS, default=list(SIGNS), help="fit these rows, keep the others")
    parser.add_argument("--judge", action="store_true", help="judge the default method's table as it is, by group")
    parser.add_argument("--photographs", type=int, default=0, help="judge so many others instead, with --judge")
    options = parser.parse_args()
    if options.judge:
        judge(unseen(options.cache, options.photographs) if options.photographs else recordings(options.cache))
        return
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
        name: fit(findings[name], signs, TOLERANCE[name], _LATER.get(name, ()))
        for name, signs in signs_of.items()
        if can_be_fitted(findings[name], TOLERANCE[name])
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


def judge(paths: list[Path]) -> None:
    """Print how the heart rates of all windows are answered, group by group."""
    with single_threaded_pool() as pool:
        rows_ = ["heart_rate_face", "heart_rate_sparse"]
        work = pool.imap(partial(judged, method=DEFAULT, only=rows_), paths, chunksize=4)
        found = [one for part in work for one in part if one.row in rows_]
    print("| windows of 10 to 60 s | count | rate found | answered right | wrong | at 0.7 and more | of these wrong |")
    print("|---|---|---|---|---|---|---|")
    for name in sorted({one.shown for one in found}):
        group = [one for one in found if one.shown == name]
        right = np.array([abs(one.error) <= TOLERANCE[one.row] for one in group])
        said = np.array([confidence(one.quality) for one in group])
        answered, sure = said >= MIN_CONFIDENCE, said >= confidence(SURE)
        counts = (
            len(group),
            right.sum(),
            (answered & right).sum(),
            (answered & ~right).sum(),
            sure.sum(),
            (sure & ~right).sum(),
        )
        print(f"| {name} | " + " | ".join(map(str, counts)) + " |")


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
    if len(highest) <= allowed:
        return row
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


def unseen(cache: Path, photographs: int) -> list[Path]:
    """Photographs through codecs on seeds that no fit has seen, rendered once and then kept in a folder in `cache`."""
    folder = cache / "unseen"
    folder.mkdir(parents=True, exist_ok=True)
    for _ in codecs.sent(codecs.cases(_UNSEEN_SEED, 0, photographs, _THROUGH_CODECS[2]), folder):
        print(end=".", flush=True)
    return sorted(folder.glob("*.pickle"))


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
