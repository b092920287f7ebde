"""Heart rates in hard situations, on simulated traces. `python -m benchmarks.hard_cases [--tune] [ROW ...]`

Each row is one situation, drawn many times with people, skin, noise and movement by chance. A row with a right rate
counts answers beyond 2 bpm of it as wrong. A row without one (two people in one window, a rate that its own aliases
equal) counts every answer as wrong.
"""

from __future__ import annotations

import argparse
import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import time  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.hard_situations import SITUATIONS  # noqa: E402
from rppg_core import measure  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.hard_situations import Case
    from rppg_core.results import Vitals

TUNING_SEED, TEST_SEED = 10_000, 900_000
"""Faults were looked for on seeds from the first on; figures are of seeds from the second on."""

TOLERANCE_BPM = 2.0

_HEAD = """\
| situation | windows | answered | right, of those answered | wrong ≥ 0.7 | wrong ≥ 0.3 | range holds the truth |
|---|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One window: what was answered, and how far that is from the truth."""

    confidence: float
    rate_bpm: float | None
    right: bool  # False where nothing should have been answered
    covered: bool


def outcome(case: Case, vitals: Vitals) -> Outcome:
    """Compare an answer with its truth."""
    rate, truth = vitals.heart_rate_bpm, case.truth_bpm
    if rate is None or truth is None:
        return Outcome(vitals.confidence, rate, right=False, covered=False)
    low, high = vitals.interval["heart_rate"]
    return Outcome(vitals.confidence, rate, right=abs(rate - truth) <= TOLERANCE_BPM, covered=low <= truth <= high)


def line(name: str, done: Sequence[Outcome]) -> str:
    """A row of the table."""
    answered = [one for one in done if one.rate_bpm is not None]
    wrong = [one for one in answered if not one.right]
    right = f"{1 - len(wrong) / len(answered):.0%}" if answered else ""
    covered = f"{np.mean([one.covered for one in answered]):.0%}" if answered else ""
    return (
        f"| {name} | {len(done)} | {len(answered) / len(done):.0%} | {right} "
        f"| {sum(one.confidence >= 0.7 for one in wrong)} | {len(wrong)} | {covered} |"
    )


def run(names: Iterable[str], count: int, first_seed: int, *, show_wrong: bool = False) -> None:
    """Measure and print row by row."""
    print(_HEAD, flush=True)
    for name in names:
        begin, done = time.perf_counter(), []
        for seed in range(first_seed, first_seed + count):
            case = SITUATIONS[name](seed)
            vitals = measure(case.trace)
            done.append(outcome(case, vitals))
            if show_wrong and done[-1].rate_bpm is not None and not done[-1].right:
                print(f"    {seed}: {done[-1].rate_bpm:.1f} for {case.truth_bpm}, {done[-1].confidence:.2f}")
        print(line(name, done), f"{time.perf_counter() - begin:.0f} s" if show_wrong else "", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help="the beginnings of the rows' names; all by default")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--tune", action="store_true", help="take the seeds for tuning, and show what is wrong")
    chosen = parser.parse_args()
    names = [name for name in SITUATIONS if not chosen.rows or name.startswith(tuple(chosen.rows))]
    run(names, chosen.count, TUNING_SEED if chosen.tune else TEST_SEED, show_wrong=chosen.tune)


if __name__ == "__main__":
    main()
