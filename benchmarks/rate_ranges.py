"""Fit the 90 % range of a face's heart rate: how far off a rate is, given what spreads its peak.

`python -m benchmarks.rate_ranges` prints the weights of `rppg_core.quality.calibration.RATE_RANGE`, and for each group
how many ranges hold the truth. Fitted is the 90 % quantile of the error's logarithm, each group counting as the square
root of its answered windows. `--check` takes test seeds, fits nothing, and judges the table as it is.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, eye, hstack

from benchmarks import codecs
from benchmarks.hard_cases import TEST_SEED
from benchmarks.hard_situations import SITUATIONS
from rppg_core.pulse.extract import find_pulse
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.probability import (
    MIN_CONFIDENCE,
    confidence,
    heart_rate_quality,
    rate_interval,
    rate_range_features,
)
from rppg_core.simulation.faces import person_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rppg_core.trace.traces import Trace

TUNING_SEED = 20_000
_LEAST_BPM = 0.02  # added to each error: a perfect hit has no logarithm
_QUANTILE, _PENALTY = 0.9, 1e-3
_OTHERS = ("evenly slow", "unevenly slow", "replaced", "no pulse", "no rhythm")  # no rate of a rhythm from an even grid


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered window: how far off its rate is, what spreads it, and half of the range by the present table."""

    group: str
    error_bpm: float
    features: dict[str, float]
    half_bpm: float


def answer(group: str, trace: Trace, truth_bpm: float) -> Answer | None:
    """Measure a window; None if its quality withholds it."""
    pulse = find_pulse(trace)
    if pulse is None:
        return None
    quality = heart_rate_quality(pulse.evidence)
    if confidence(quality) < MIN_CONFIDENCE:
        return None
    low, high = rate_interval(pulse.rate_bpm, pulse.evidence, quality)
    error = abs(pulse.rate_bpm - truth_bpm)
    return Answer(group, error, rate_range_features(pulse.evidence), (high - low) / 2)


def answers(first_seed: int, count: int, streams: list[codecs.Case], cache: Path | None) -> Iterator[Answer]:
    """Every answered window of the situations, and of faces through codecs."""
    for name, make in SITUATIONS.items():
        if name.startswith(_OTHERS):
            continue
        for seed in range(first_seed, first_seed + count):
            case = make(seed)
            found = answer(name, case.trace, case.truth_bpm) if case.truth_bpm is not None else None
            if found:
                yield found
    for sent in codecs.sent(streams, cache):
        if sent.trace is not None:
            start, end = float(sent.trace.times_s[0]), float(sent.trace.times_s[-1])
            found = answer("video codecs", sent.trace, person_of(sent.scene).truth(start, end).heart_rate_bpm)
            if found:
                yield found


def quantile_weights(x: NDArray[np.float64], y: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (k,) by which the quantile of y is linear in x (n, k), whose first column is of ones."""
    n, k = x.shape
    penalty = np.full(k, _PENALTY * count.sum())
    penalty[0] = 0.0
    cost = np.concatenate([penalty, penalty, _QUANTILE * count, (1 - _QUANTILE) * count])
    rows = hstack([csr_matrix(x), -csr_matrix(x), eye(n), -eye(n)])
    found = linprog(cost, A_eq=rows, b_eq=y, bounds=(0, None), method="highs")
    return np.asarray(found.x[:k] - found.x[k : 2 * k])


def fitted(done: list[Answer]) -> dict[str, float]:
    """The weights by name."""
    names = list(done[0].features)
    x = np.array([[1.0, *(one.features[name] for name in names)] for one in done])
    y = np.log([one.error_bpm + _LEAST_BPM for one in done])
    groups = [one.group for one in done]
    count = np.array([1 / np.sqrt(groups.count(group)) for group in groups])
    weights = quantile_weights(x, y, count)
    return dict(zip(("intercept", *names), (float(f"{weight:.3g}") for weight in weights), strict=True))


def show(done: list[Answer]) -> None:
    """Print how many ranges of each group hold the truth, by the present table."""
    print("| group | answered | range holds the truth | median half, bpm |\n|---|---|---|---|")
    for group in [*dict.fromkeys(one.group for one in done), "all"]:
        part = [one for one in done if group in (one.group, "all")]
        held = np.mean([one.error_bpm <= one.half_bpm for one in part])
        print(f"| {group} | {len(part)} | {held:.0%} | {np.median([one.half_bpm for one in part]):.2f} |")


def main() -> None:
    """Measure, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=90, help="windows of each situation [%(default)s]")
    parser.add_argument("--faces", type=int, default=60, help="faces through four codecs each [%(default)s]")
    parser.add_argument("--cache", type=Path, help="a folder for the streams of `benchmarks.codecs`")
    parser.add_argument("--check", action="store_true", help="test seeds, and no fit")
    chosen = parser.parse_args()
    if chosen.cache:
        chosen.cache.mkdir(parents=True, exist_ok=True)
    first, streams = (TEST_SEED, codecs.TEST_SEED) if chosen.check else (TUNING_SEED, codecs.TUNING_SEED)
    done = list(answers(first, chosen.count, codecs.cases(streams, chosen.faces, 0, 4), chosen.cache))
    if not chosen.check:
        print(f"Now {dict(CALIBRATION.rate_range)}\nFitted on {len(done)} windows {fitted(done)}")
    show(done)


if __name__ == "__main__":
    main()
