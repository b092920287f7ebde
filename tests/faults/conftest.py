"""What breaks things, and a service to break."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.processes import running

if TYPE_CHECKING:
    from tests.services import Service

LONG = "BEAM_FAULT_WINDOWS" in os.environ
in_the_long_run = pytest.mark.skipif(not LONG, reason="make faults runs it; a shorter test is like it")


def make_key(service: Service, **environment: str) -> str:
    """A key that no limit stops, in the Redis that the service has in this environment."""
    return service.make_key(redis_url=environment.get("BEAM_REDIS_URL", ""), limit_per_minute=1_000_000)


def parent_of(pid: int) -> int:
    """The parent of a process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def children_of(pid: int) -> set[int]:
    """The processes that a process has started and that still run."""
    pids = {int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat")}
    return {child for child in pids if parent_of(child) == pid and running(child)}


def web_workers(service: Service) -> list[int]:
    """The processes that answer requests."""
    gunicorn = [pid for pid, command in service.processes().items() if "-m gunicorn" in command]
    return [pid for pid in gunicorn if parent_of(pid) in gunicorn]
