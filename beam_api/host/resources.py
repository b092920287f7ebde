"""Cores and memory that this process may use: what the scheduler and its control groups (version 2) allow.

A container's limits are those of its control group and of every group that contains it.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE_BYTES = 250_000_000
"""What the service needs beside its web processes: its parent, gunicorn's master, Redis, an idle video worker."""

WORKER_BYTES = 100_000_000
"""What a web process takes beyond what it shares with the others."""


def default_workers(root: Path = Path("/")) -> int:
    """Web processes that this machine, or what we are given of it, can keep busy and has the memory for."""
    most = cores(root)
    limit = memory_limit_bytes(root)
    if limit is not None:
        most = min(most, int((limit - SERVICE_BYTES) // WORKER_BYTES))
    return max(1, most)


def cores(root: Path = Path("/")) -> int:
    """Cores this process may use: those it may be scheduled on (cpusets count), or less by its groups' quotas.

    A part of a core counts as one: what it allows would else be left unused.
    """
    if sys.version_info >= (3, 13):
        scheduled = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        scheduled = len(os.sched_getaffinity(0))
    else:
        scheduled = os.cpu_count() or 1
    quota = cpu_quota(root)
    return scheduled if quota is None else max(1, min(scheduled, math.ceil(quota)))


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Cores' worth of time that the control groups allow; None without a limit."""
    quotas = []
    for group in _groups(root):
        words = _words(group / "cpu.max")
        if len(words) == 2 and words[0].isdigit() and int(words[1]) > 0:  # else "max"
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def memory_limit_bytes(root: Path = Path("/")) -> int | None:
    """Memory that the control groups allow; None without a limit."""
    limits = []
    for group in _groups(root):
        words = _words(group / "memory.max")
        if words and words[0].isdigit():
            limits.append(int(words[0]))
    return min(limits, default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's control group and of the groups that contain it."""
    own = next((line.removeprefix("0::") for line in _lines(root / "proc/self/cgroup") if line.startswith("0::")), None)
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields = before.split()
        if own is None or len(fields) < 5 or after.partition(" ")[0] != "cgroup2":
            continue
        top, mounted = fields[3], root / fields[4].lstrip("/")
        # A container sees its own group mounted at the top, and may see that group's path from outside.
        path = PurePosixPath(own)
        inside = path.relative_to(top) if path.is_relative_to(top) and ".." not in path.parts else PurePosixPath()
        for part in (inside, *inside.parents):
            yield mounted / part


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:  # not Linux
        return []
