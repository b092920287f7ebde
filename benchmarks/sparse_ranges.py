"""Fit the 90 % range of a heart rate from sparse frames: how many of its standard errors hold the truth.

`python -m benchmarks.sparse_ranges` takes the tuning recordings of `benchmarks.calibrate`, thins those of fast cameras,
and prints the first number of `rppg_core.quality.calibration.HALF_WIDTH["heart_rate_sparse"]`. Fitted is the 90 %
quantile over windows whose quality lets their range follow from the noise alone, each group counting as the square
root of these. `--check` renders test seeds, fits nothing, and judges the table as it is.
"""

from __future__ import annotations

import argparse
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.calibrate import recordings
from benchmarks.recordings import TEST_SEED, Job, jobs, rows, thin
from benchmarks.tuning_windows import windows
from rppg_core.pulse.sparse import find_sparse_pulse
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.probability import MIN_CONFIDENCE, confidence, is_vague
from rppg_core.quality.sparse import CLEAR_OF_ALIASES, sparse_interval, sparse_quality
from rppg_core.simulation.faces import person_of
from rppg_core.trace.sampling import MIN_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.recordings import Row
    from rppg_core.trace.traces import Trace

_WINDOWS_S = (60.0, 30.0, 20.0, 10.0)
_HZ = (1.5, 7.5)
_JITTERS = (0.45, 0.3, 0.0)
_QUANTILE, _TOLERANCE_BPM = 0.9, 3.0
_CHECKED = {"moderate": 20, "hard": 20, "no pulse": 24}
_SLOW = {"fps": 1.6, "time_jitter": 0.3, "duration_s": 60.0}


@dataclass(frozen=True, slots=True)
class Window:
    """One window: how far off its rate is (infinite without a pulse), and what is said of it."""

    group: str
    span_s: float
    error_bpm: float
    quality: float
    sigma_bpm: float
    half_bpm: float
    answered: bool


def measured(name: str, job: Job, part: Trace) -> Window | None:
    """Measure one window."""
    pulse = find_sparse_pulse(part)
    if pulse is None:
        return None
    start, end = float(part.times_s[0]), float(part.times_s[-1])
    truth = person_of(job.scene).truth(start, end).heart_rate_bpm if job.scene.pulse > 0 else np.inf
    quality = sparse_quality(pulse.evidence)
    range_ = sparse_interval(pulse.rate_bpm, pulse.sigma_bpm, quality)
    answered = confidence(quality) >= MIN_CONFIDENCE and not is_vague("heart_rate", range_)
    off = abs(pulse.rate_bpm - truth)
    return Window(name, end - start, off, quality, pulse.sigma_bpm, (range_[1] - range_[0]) / 2, answered)


def measured_all(done: Iterable[Row]) -> Iterator[Window]:
    """Every window of each recording, thinned to slow paces where the camera is fast."""
    for row in done:
        if row.trace is None:
            continue
        name, slow = row.job.group.split(":")[0], [row.trace]
        if row.job.scene.fps >= MIN_RATE_HZ:
            rng = np.random.default_rng([5, row.job.scene.seed])
            slow = [thin(row.trace, float(rng.uniform(*_HZ)), jitter, rng) for jitter in _JITTERS]
        for trace in slow:
            for part in windows(trace, _WINDOWS_S):
                found = measured(name, row.job, part)
                if found:
                    yield found


def fitted(done: list[Window]) -> float:
    """Standard errors that hold the truth of nine tenths; of hearts with a rhythm, without which a peak is no mean."""
    part = [one for one in done if one.quality >= CLEAR_OF_ALIASES and np.isfinite(one.error_bpm)]
    part = [one for one in part if one.group != "irregular"]
    groups = [one.group for one in part]
    count = np.array([1 / np.sqrt(groups.count(group)) for group in groups])
    needed = np.array([one.error_bpm / one.sigma_bpm for one in part])
    order = np.argsort(needed)
    held = np.cumsum(count[order]) / count.sum()
    return float(f"{needed[order][np.searchsorted(held, _QUANTILE)]:.3g}")


def show(done: list[Window]) -> None:
    """Print by group and by length what is answered, how much of it is wrong, and how many ranges hold the truth."""
    print("| windows | | answered | beyond 3 bpm | … at confidence ≥ 0.7 | range holds the truth | median half, bpm |")
    print("|---|---|---|---|---|---|---|")
    bled = [one for one in done if np.isfinite(one.error_bpm)]
    for group in dict.fromkeys(one.group for one in bled):
        print(_line(group, [one for one in bled if one.group == group]))
    for length in _WINDOWS_S:
        print(_line(f"{length:.0f} s", [one for one in bled if abs(one.span_s - length) < 0.2 * length]))
    none = [one for one in done if not np.isfinite(one.error_bpm)]
    answered = [one for one in none if one.answered]
    best = max((confidence(one.quality) for one in answered), default=0.0)
    print(f"Without a pulse: {len(none)} windows, {len(answered)} answered, confidence at most {best:.2f}.")


def _line(name: str, part: list[Window]) -> str:
    answered = [one for one in part if one.answered]
    wrong = [one for one in answered if one.error_bpm > _TOLERANCE_BPM]
    sure = sum(confidence(one.quality) >= 0.7 for one in wrong)
    held = np.mean([one.error_bpm <= one.half_bpm for one in answered]) if answered else np.nan
    half = np.median([one.half_bpm for one in answered]) if answered else np.nan
    share = len(answered) / max(len(part), 1)
    return f"| {name} | {len(part)} | {share:.0%} | {len(wrong)} | {sure} | {held:.0%} | {half:.2f} |"


def _of_tuning(cache: Path, at_most: int | None) -> Iterator[Row]:
    """Recordings of the cache, an even choice of each kind; streams of `benchmarks.codecs` are left out."""
    taken: dict[str, int] = {}
    for path in recordings(cache):
        row = pickle.loads(path.read_bytes())
        if isinstance(row, list):
            continue
        taken[row.job.group] = taken.get(row.job.group, 0) + 1
        if at_most is None or taken[row.job.group] <= at_most:
            yield row


def _of_test(first_seed: int) -> Iterator[Row]:
    scenes = [(kind, job.scene) for kind, n in _CHECKED.items() for job in jobs(kind, n, first_seed, **_SLOW)]
    yield from rows([Job(f"1.6 fps, {kind}", scene) for kind, scene in scenes], processes=1)


def main() -> None:
    """Measure, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/beam-tuning"))
    parser.add_argument("--at-most", type=int, help="recordings of each kind [all]")
    parser.add_argument("--check", action="store_true", help="render test seeds, and fit nothing")
    parser.add_argument("--first-seed", type=int, default=TEST_SEED + 7000, help="of those [%(default)s]")
    options = parser.parse_args()
    source = _of_test(options.first_seed) if options.check else _of_tuning(options.cache, options.at_most)
    done = list(measured_all(source))
    if not options.check:
        print(f"Now {CALIBRATION.half_width['heart_rate_sparse']}\nFitted {fitted(done)} on {len(done)} windows")
    show(done)


if __name__ == "__main__":
    main()
