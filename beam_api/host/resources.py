"""What of this machine the process may use: cores and memory, as the scheduler and its control groups allow.

A container's limits stand in control groups, of which a process is in one per hierarchy, and each of which lies in
others that bind it too. Version 2 has one hierarchy, version 1 one for each controller; some machines have both.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_NO_LIMIT = 1 << 60  # version 1 tells "none" as a number of this size

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
    for group in _groups(root, "cpu"):
        words = _words(group / "cpu.max") or [*_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us")]
        if len(words) == 2 and words[0].isdigit() and int(words[1]) > 0:  # else "max", or -1
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def memory_limit_bytes(root: Path = Path("/")) -> int | None:
    """Memory that the control groups allow; None without a limit."""
    limits = []
    for group in _groups(root, "memory"):
        words = _words(group / "memory.max") or _words(group / "memory.limit_in_bytes")
        if words and words[0].isdigit() and int(words[0]) < _NO_LIMIT:
            limits.append(int(words[0]))
    return min(limits, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's groups that have a controller, and of the groups these are in."""
    own = _own_groups(root)
    for line in _lines(root / "proc/self/mountinfo"):
        before, separator, after = line.partition(" - ")
        fields, (kind, *_, options) = before.split(), (after.split() if separator else [""] * 3)
        name = "" if kind == "cgroup2" else controller
        if len(fields) < 5 or name not in own or not (kind == "cgroup2" or controller in options.split(",")):
            continue
        top, mounted = fields[3], root / fields[4].lstrip("/")
        # A container sees its own group mounted at the top, and may be told that group's path from outside.
        path = PurePosixPath(own[name])
        inside = path.relative_to(top) if path.is_relative_to(top) and ".." not in path.parts else PurePosixPath()
        for part in (inside, *inside.parents):
            yield mounted / part


def _own_groups(root: Path) -> dict[str, str]:
    """Paths of this process's groups, by controller; that of version 2 under the empty name."""
    found = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)  # of version 2: "0::/path"
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


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
