"""Fit `rppg_core.calibration` on simulated faces of tuning seeds; prints the new table.

`python -m benchmarks.calibrate --recordings 300 --cache FOLDER`. Each recording is also cut into shorter windows, so
that the table holds from 10 s on. Weights keep the sign that physics gives them, and a penalty keeps them from
becoming surer than the recordings can show.
"""

from __future__ import annotations

import argparse
import pickle
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.recordings import TUNING_SEED, Row, jobs, rows
from rppg_core.hrv import rmssd_ms, stress_index, without_jitter_ms
from rppg_core.measure import breathe
from rppg_core.oxygen import oxygen
from rppg_core.pulse import find_pulse
from rppg_core.quality import breath_features, heart_rate_features, oxygen_features, variability_features
from rppg_core.simulate import person_of
from rppg_core.traces import Trace

SIGNS = {
    "heart_rate_face": {
        "snr_db": 1, "prominence_db": 1, "agreement": 1, "stability": 1, "hue": 1, "pallor": -1, "motion": -1,
        "mismatch_bpm": -1, "log_span": 1,
    },
    "hrv": {"sigma_ms": -1, "noise_share": -1, "kept_share": 1},
    "stress_index": {"sigma_ms": -1, "noise_share": -1, "kept_share": 1},
    "respiration_rate": {"concentration": 1, "agreement": 1},
    "spo2": {"clarity": 1},
}  # fmt: skip
_NO_PULSE_WEIGHT = 3  # a false pulse counts as much as this many wrong rates
_WINDOWS_S = (30.0, 20.0, 15.0, 10.0)
_PENALTY = 0.001


@dataclass(slots=True)
class Table:
    """Features and outcomes of one vital."""

    features: list[dict[str, float]] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    error: list[float] = field(default_factory=list)

    def add(self, features: dict[str, float], error: float, tolerance: float) -> None:
        """One window."""
        self.features.append(features)
        self.right.append(abs(error) <= tolerance)
        self.error.append(error)


def main() -> None:
    """Collect, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=300)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/beam-tuning"))
    arguments = parser.parse_args()
    tables: dict[str, Table] = defaultdict(Table)
    for row in recordings(arguments.recordings, arguments.cache):
        for trace in windows(row):
            judge(row, trace, tables)
    for name, signs in SIGNS.items():
        table = tables[name]
        weights, fitted = fit(table, signs)
        shown = ", ".join(f'"{k}": {v:.3g}' for k, v in weights.items())
        print(f'        "{name}": {{{shown}}},  # {len(fitted)} windows, {np.mean(table.right):.0%} right')
        for low, high in ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 1.01)):
            inside = (fitted >= low) & (fitted < high)
            if inside.any():
                part = np.array(table.right)[inside]
                said = f"{fitted[inside].mean():.3f} said, {part.mean():.3f} right"
                print(f"            # {low:.2f}-{high:.2f}: {inside.sum()} windows, {said}")
        error = np.abs(table.error)
        for low, high in ((0.3, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 0.995), (0.995, 1.01)):
            inside = (fitted >= low) & (fitted < high) & np.isfinite(error)
            if inside.sum() > 5:
                print(f"            # half width at {low}-{high}: {np.quantile(error[inside], 0.9):.2f}")


def recordings(count: int, cache: Path) -> Iterator[Row]:
    """Tuning recordings, half of them hard, a quarter without a pulse; rendered once and then kept in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    wanted = (
        jobs("hard", count // 2, TUNING_SEED)
        + jobs("moderate", count // 4, TUNING_SEED)
        + jobs("no pulse", count // 4, TUNING_SEED)
    )
    paths = {job: cache / f"{job.group.replace(' ', '-').replace(':', '')}-{job.scene.seed}.pickle" for job in wanted}
    for row in rows([job for job in wanted if not paths[job].exists()]):
        paths[row.job].write_bytes(pickle.dumps(row))
        print(end=".", flush=True)
    for path in paths.values():
        yield pickle.loads(path.read_bytes())


def windows(row: Row) -> Iterator[Trace]:
    """The whole trace and its shorter parts."""
    if row.trace is None:
        return
    times = row.trace.times_s
    for width in _WINDOWS_S:
        for start in np.arange(times[0], times[-1] - width + 0.2, width):
            inside = (times >= start) & (times < start + width)
            if inside.sum() > 4 * width:
                part = row.trace
                yield Trace(part.times_s[inside], part.colours[inside], part.pose[inside], part.frame_size)


def judge(row: Row, trace: Trace, tables: dict[str, Table]) -> None:
    """Measure one window, and note what spoke for each vital and how far off it was."""
    pulse = find_pulse(trace)
    if pulse is None:
        return
    start, end = float(trace.times_s[0]), float(trace.times_s[-1])
    truth = person_of(row.job.scene).truth(start, end)
    bled = row.job.scene.pulse > 0
    error = pulse.rate_bpm - truth.heart_rate_bpm if bled else float("inf")
    tables["heart_rate_face"].add(heart_rate_features(pulse.evidence), error, 2.0)
    if not bled or abs(error) > 2:
        return
    beats, span = pulse.beats, end - start
    seen = rmssd_ms(beats.intervals_s, beats.kept)
    if span > 19 and seen is not None and truth.rmssd_ms is not None and beats.kept_share >= 0.75:
        off = without_jitter_ms(seen, beats.timing_sigma_s) - truth.rmssd_ms
        tables["hrv"].add(variability_features(beats), off, 10.0)
    index = stress_index(beats.intervals_s, beats.kept)
    if span > 24 and index is not None and truth.stress_index and beats.kept_share >= 0.75:
        tables["stress_index"].add(variability_features(beats), index / truth.stress_index - 1, 0.3)
    if span > 14:
        breath = breathe(pulse, pulse.rate_bpm / 60)
        if np.isfinite(breath.rate_bpm):
            off = breath.rate_bpm - truth.respiration_rate_bpm
            tables["respiration_rate"].add(breath_features(breath), off, 2.0)
    estimate = oxygen(pulse.colour.strength, pulse.colour.error)
    if estimate.spo2_percent is not None:
        tables["spo2"].add(oxygen_features(estimate), estimate.spo2_percent - row.job.scene.spo2_percent, 3.0)


def fit(table: Table, signs: dict[str, int]) -> tuple[dict[str, float], NDArray[np.float64]]:
    """Logistic regression with signed weights; returns them and the probability of each window."""
    x = np.array([[row[name] for name in signs] for row in table.features])
    y = np.array(table.right, float)
    count = np.where(np.isinf(table.error), _NO_PULSE_WEIGHT, 1.0)
    centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = (x - centre) / spread

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        score = w[0] + z @ w[1:]
        p = 1 / (1 + np.exp(-np.clip(score, -40, 40)))
        cost = np.average(np.logaddexp(0, score) - y * score, weights=count) + _PENALTY * np.sum(w[1:] ** 2) / 10
        slope = np.concatenate(
            [[np.average(p - y, weights=count)], z.T @ (count * (p - y)) / count.sum() + _PENALTY * w[1:] / 5]
        )
        return float(cost), slope

    bounds = [(None, None)] + [(0, None) if sign > 0 else (None, 0) for sign in signs.values()]
    w = minimize(loss, np.zeros(len(signs) + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = w[1:] / spread
    intercept = float(w[0] - weights @ centre)
    fitted = 1 / (1 + np.exp(-(intercept + x @ weights)))
    return {"intercept": intercept} | dict(zip(signs, weights.tolist(), strict=True)), fitted


if __name__ == "__main__":
    main()
