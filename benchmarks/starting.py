"""What a service takes to start and to end. `python -m benchmarks.starting [PATH]`

Seconds from the command to the first answer of `/ready`, and from SIGTERM to the end; processor time of all its
processes (two web processes, the video worker, Redis) from begin to end; and the memory that they keep to themselves
when they are ready. With the PATH of another tree both are measured in turns.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.services import services

HERE = Path(__file__).parents[1]
ROUNDS = 5


def _private_mb(pid: int) -> float:
    """Memory of a process that no other shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _once(tree: Path) -> tuple[float, float, float, float]:
    with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder:
        before, begin_s = os.times(), time.monotonic()
        with services() as start:
            service = start(Path(folder) / "data", cwd=tree, PYTHONPATH=str(tree))
            ready_s = time.monotonic()
            memory_mb = sum(map(_private_mb, service.processes()))
            leaving_s = time.monotonic()
        after = os.times()
        spent_s = after.children_user + after.children_system - before.children_user - before.children_system
        return ready_s - begin_s, time.monotonic() - leaving_s, spent_s, memory_mb


def main() -> None:
    """Measure and print."""
    trees = [HERE, *(Path(path).resolve() for path in sys.argv[1:2])]
    found: list[list[tuple[float, float, float, float]]] = [[] for _ in trees]
    for _ in range(ROUNDS):
        for tree, rows in zip(trees, found, strict=True):
            rows.append(_once(tree))
    print(f"{'ready_s':>8}{'end_s':>8}{'cpu_s':>8}{'own_mb':>8}  tree (medians of {ROUNDS})")
    for tree, rows in zip(trees, found, strict=True):
        print("".join(f"{median(column):8.2f}" for column in zip(*rows, strict=True)) + f"  {tree}")


if __name__ == "__main__":
    main()
