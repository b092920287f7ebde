"""`pytest --cpu-times`: what each test file costs, in seconds of processor time, by itself and by what it starts.

A process that a test has started counts while it runs, not only when it has ended. What a shared fixture costs goes to
the test that asked for it first. With pytest-xdist the figures of all workers are put together.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("own_s", "started_s", "wall_s", "tests", "services", "processes")
"""Processor time of pytest and of what it starts, wall time, number of tests, starts of services and of all."""
SHOWN_TESTS = 40

_TICKS = os.sysconf("SC_CLK_TCK")
_started = {"services": 0, "processes": 0}


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        command = [os.fsdecode(part) for part in arguments[1]] if not isinstance(arguments[1], str) else [arguments[1]]
        _started["processes"] += 1
        _started["services"] += "serve" in command


def _started_s() -> float:
    """Processor time of all processes that this one has started, and that they have, while they run and afterwards."""
    parents: dict[int, list[int]] = defaultdict(list)
    times_s: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        pid = int(stat.parent.name)
        parents[int(fields[1])].append(pid)
        times_s[pid] = sum(map(int, fields[11:15])) / _TICKS
    ended, found_s = os.times(), 0.0
    queue = list(parents[os.getpid()])
    while queue:
        pid = queue.pop()
        found_s += times_s[pid]
        queue += parents[pid]
    return found_s + ended.children_user + ended.children_system


def _now() -> dict[str, float]:
    return {"own_s": time.process_time(), "started_s": _started_s(), "wall_s": time.monotonic(), **_started}


class CpuTimes:
    """Measures each test from outside: set-up, call and tear-down."""

    def __init__(self) -> None:
        self.costs: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(COLUMNS, 0.0))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before = _now()
        try:
            return (yield)
        finally:
            after = _now()
            cost = self.costs[item.nodeid]
            for column, value in after.items():
                cost[column] += max(0.0, value - before[column])  # a process may end that nobody waits for
            cost["tests"] += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["cpu_times"] = dict(self.costs)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.costs.update(getattr(node, "workeroutput", {}).get("cpu_times", {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        files: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(COLUMNS, 0.0))
        for test, cost in self.costs.items():
            for column in COLUMNS:
                files[test.partition("::")[0]][column] += cost[column]
                files["all"][column] += cost[column]
        terminalreporter.section("processor time")
        for title, table, most in (("file", files, None), ("test", self.costs, SHOWN_TESTS)):
            terminalreporter.write_line("".join(f"{column:>10}" for column in COLUMNS) + f"  {title}")
            for name, cost in sorted(table.items(), key=lambda entry: -_cpu_s(entry[1]))[:most]:
                terminalreporter.write_line(_row(cost) + f"  {name}")


def _row(cost: dict[str, float]) -> str:
    return "".join(f"{cost[column]:10.{1 if column.endswith('_s') else 0}f}" for column in COLUMNS)


def _cpu_s(cost: dict[str, float]) -> float:
    return cost["own_s"] + cost["started_s"]


def measure_if_asked(config: pytest.Config) -> None:
    if config.getoption("--cpu-times"):
        sys.addaudithook(_count)
        config.pluginmanager.register(CpuTimes(), "cpu-times")
