"""What an analysis costs beside that of another tree. `python -m benchmarks.analysis PATH [--repeats 60]`

PATH is another working tree of this repository. Each tree has a process; they analyse the same traces in turns, so that
a busy machine shows in both. Times are of CPU. Read the ratios, medians over the pairs: below 1, this tree is cheaper.
Memory is kept and returned as in a web process.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report import Figure, show
from rppg_core.face.regions import N_REGIONS
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace
from rppg_core.trace.witnesses import DETAILS, N_WITNESSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent.parent
WORKER = Path(__file__).with_name("analysis_worker.py")
WARM = 4  # pairs that don't count


def arrays(times_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Times, colours, pose and witnesses of a face."""
    person = simulate_person(heart_rate_bpm=72.0, duration_s=float(times_s[-1]) + 1, seed=1)
    trace = simulate_trace(person, times_s, n_regions=N_REGIONS, seed=1)
    rng = np.random.default_rng(1)
    witness = rng.normal(120.0, 0.3, (len(times_s), N_WITNESSES))
    witness[:, DETAILS] = rng.normal(2.0, 0.01, witness[:, DETAILS].shape)
    return trace.times_s, trace.colours, trace.pose, witness


def uneven(seconds: int, fps: int) -> NDArray[np.float64]:
    """Capture times that stray by a third of their distance."""
    slots = np.arange(seconds * fps)
    return np.asarray((slots + 0.5 + np.random.default_rng(3).uniform(-0.3, 0.3, len(slots))) / fps)


TRACES = {
    "measure: 30 s at 30 fps": lambda: capture_times(30, 30),
    "measure: 60 s at 30 fps": lambda: capture_times(60, 30),
    "measure: 1799 frames (7 * 257) at 30 fps": lambda: capture_times(1799 / 30, 30),
    "measure: 30 s at uneven 12 fps": lambda: uneven(30, 12),
    "measure: 60 s at uneven 3 fps": lambda: uneven(60, 3),
    "measure: 10 s at 4 fps": lambda: capture_times(10, 4),
    "partial: 10 s at 30 fps": lambda: capture_times(10, 30),
}


class Tree:
    """A process that analyses with the code of one tree."""

    def __init__(self, root: Path, traces: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), str(root), str(traces)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=traces.parent,
        )  # fmt: skip

    def ms(self, name: str) -> float:
        """CPU of one analysis."""
        assert self.process.stdin
        assert self.process.stdout
        print(name, file=self.process.stdin, flush=True)
        return 1000 * float(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, metavar="PATH")
    parser.add_argument("--repeats", type=int, default=60, help="pairs of each trace")
    asked = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder:
        file = Path(folder, "traces")
        file.write_bytes(pickle.dumps({name: arrays(times()) for name, times in TRACES.items()}))
        other, this = Tree(asked.other.resolve(), file), Tree(HERE, file)
        for name in TRACES:
            pairs = []
            for turn in range(asked.repeats + WARM):
                first, second = (other, this) if turn % 2 else (this, other)
                took = {tree: tree.ms(name) for tree in (first, second)}
                pairs.append((took[this], took[other]))
            figures += [
                Figure(name, median(mine for mine, _ in pairs[WARM:]), "ms"),
                Figure("  over the other tree's", median(mine / its for mine, its in pairs[WARM:]), "x"),
            ]
        other.close()
        this.close()
    show(f"This tree beside {asked.other}", figures)


if __name__ == "__main__":
    main()
