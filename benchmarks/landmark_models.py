"""What a landmark model does to the vitals. `python -m benchmarks.landmark_models MODEL [MODEL ...] [--count N]`

Every model reads the same simulated recordings of test seeds. A model is "5" (the shipped one), "68", or a path of a
dlib shape predictor; `python -m benchmarks.prune_landmarks` makes one.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.recordings import TEST_SEED, Job, Row, jobs, rows, with_landmarks
from benchmarks.scores import confidence, heart_rate_error, median, respiration_error, rmssd_error

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNT = 8
TOLERANCE_BPM = 2.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--count", type=int, default=COUNT, help="recordings of each kind [%(default)s]")
    options = parser.parse_args()
    recordings = [
        *jobs("moderate", options.count, TEST_SEED, fps=30.0),
        *jobs("hard", options.count, TEST_SEED, fps=30.0),
        *jobs("no pulse", options.count, TEST_SEED),
    ]
    todo: list[Job] = []
    for model in options.models:
        todo += with_landmarks(recordings, model)
    done = list(rows(todo))
    table = Table(
        "model", "recordings", "answered", f"within {TOLERANCE_BPM:g} bpm", "heart rate", "RMSSD", "respiration"
    )
    for model in options.models:
        of_model = [row for row in done if row.job.landmarks == model]
        for kind in ("moderate", "hard", "no pulse"):
            table.add_row(*_figures(model, kind, [row for row in of_model if row.job.group.startswith(kind)]))
    table.caption = "Medians of the absolute errors, in bpm, ms and breaths a minute"
    Console(width=118).print(table)


def _figures(model: str, kind: str, group: Sequence[Row]) -> tuple[str, ...]:
    answered = sum(confidence(row) >= 0.3 for row in group)
    begin = (model[-30:], f"{len(group)} {kind}", f"{answered}")
    if kind == "no pulse":
        return (*begin, "", "", "", "")
    rate, variability, breath = (
        np.abs([error(row) for row in group]) for error in (heart_rate_error, rmssd_error, respiration_error)
    )
    right = int(np.sum(rate <= TOLERANCE_BPM))
    return (*begin, f"{right}", *(f"{median(errors):.2f}" for errors in (rate, variability, breath)))


if __name__ == "__main__":
    main()
