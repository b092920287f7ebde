"""A day of mixed traffic, compressed into minutes, and what became of it. `python -m benchmarks.load`

Without --host a service is started, and ended afterwards. Another one must be on this machine unless --anywhere says
that its owner knows. The exit status is 1 if a window or a scan was lost, an answer was a 5xx or missing, a repeated
request was answered otherwise, or a heart rate was wrong.
"""

from __future__ import annotations

# First: it makes sockets and subprocesses cooperative for all that follow.
import locust  # isort: skip

import argparse
import json
import logging
import sys
import time
from contextlib import ExitStack
from ipaddress import ip_address
from urllib.parse import urlsplit

from locust.env import Environment
from locust.log import setup_logging
from rich.console import Console
from rich.table import Table

from benchmarks.load.people import EVERYBODY
from benchmarks.load.traffic import Traffic, share
from benchmarks.report import Figure, show
from benchmarks.service.started import REDIS, WEB, Service, cpu_by_kind, machine_s, running_service

LIMIT = 10_000  # requests a minute: the enterprise tier's
FEWEST = 6
LEAVE_S = 60.0
MUST_BE_ZERO = (
    "windows lost",
    "scans lost",
    "5xx",
    "no answer",
    "unexpected",
    "repeated requests answered otherwise",
    "measurements that changed",
    "heart rates wrong",
    "exceptions in the load itself",
)


def main() -> None:
    """Let a day pass, and print."""
    options = _options()
    traffic = Traffic(options.key, tuple(options.windows_s), options.hurry)
    traffic.film()
    with ExitStack() as stack:
        service = None
        host = options.host
        if host is None:
            service = stack.enter_context(running_service(limit=LIMIT))
            host, traffic.key = f"http://{service.address}", service.key
        environment, used = _let_pass(host, traffic, options.seconds, options.people, service)
    _show_routes(environment)
    show(f"A day in {options.seconds:g} s, {options.people} people at noon", _figures(environment, traffic, used))
    wrong = {what: traffic.tally[what] for what in MUST_BE_ZERO if traffic.tally[what]}
    if options.json:
        print(json.dumps(traffic.tally))
    sys.exit(f"Wrong: {wrong}" if wrong else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", help="address of a running service, as http://localhost:8000")
    parser.add_argument("--key", default="", help="its API key, of the enterprise tier")
    parser.add_argument("--anywhere", action="store_true", help="let --host be another machine")
    parser.add_argument("--seconds", type=float, default=240.0, help="how long the day takes [%(default)s]")
    parser.add_argument("--people", type=int, default=20, help="at noon [%(default)s]")
    parser.add_argument(
        "--windows-s", type=int, nargs="+", default=[10, 20, 30], help="lengths of windows [%(default)s]"
    )
    parser.add_argument("--hurry", type=float, default=1.0, help="speed of batch clients [%(default)s]")
    parser.add_argument("--json", action="store_true", help="end with the tally as one line of JSON")
    options = parser.parse_args()
    if options.host and not options.anywhere and not _is_here(options.host):
        parser.error("--host is another machine: add --anywhere if it is yours.")
    if options.host and not options.key:
        parser.error("--host needs --key.")
    return options


def _is_here(host: str) -> bool:
    name = urlsplit(host).hostname or ""
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _let_pass(
    host: str, traffic: Traffic, seconds: float, people: int, service: Service | None
) -> tuple[Environment, dict[str, float]]:
    """Run the day; its statistics, and the CPU it took by whose it was, as shares of a core.

    Who goes home during the day leaves their window; who is there at its end may finish what they have begun.
    """
    patience_s = LEAVE_S + 2 * max(traffic.windows_s)

    class Day(locust.LoadTestShape):
        def tick(self) -> tuple[int, float] | None:
            """How many people there are now, and how many may come in a second."""
            passed = self.get_run_time() / seconds
            if passed < 1:
                return max(FEWEST, round(people * share(passed))), 20.0
            environment.stop_timeout = patience_s
            return None

    setup_logging("WARNING")
    logging.getLogger("locust.runners").setLevel("CRITICAL")  # it complains of people who have gone home already
    environment = Environment(user_classes=list(EVERYBODY), host=host, shape_class=Day(), stop_timeout=2.0)
    environment.traffic = traffic  # type: ignore[attr-defined]  # locust gives its people the environment
    runner = environment.create_local_runner()
    before, machine, began = cpu_by_kind(service) if service else None, machine_s(), time.monotonic()
    runner.start_shape()
    runner.shape_greenlet.join()
    passed = time.monotonic() - began
    used = {"machine": (machine_s() - machine) / passed}
    if service and before is not None:
        after = cpu_by_kind(service)
        used |= {kind: (after[kind] - before[kind]) / passed for kind in after}
    traffic.tally["exceptions in the load itself"] = sum(found["count"] for found in runner.exceptions.values())
    runner.quit()
    return environment, used


def _show_routes(environment: Environment) -> None:
    table = Table("route", "requests", "failures", "p50 ms", "p95 ms", "p99 ms", "longest ms", title="By route")
    for entry in sorted(environment.stats.entries.values(), key=lambda entry: entry.name):
        times = [entry.get_response_time_percentile(p) or 0 for p in (0.5, 0.95, 0.99)]
        numbers = [entry.num_requests, entry.num_failures, *times, entry.max_response_time]
        table.add_row(f"{entry.method} {entry.name}", *(f"{number:.0f}" for number in numbers))
    Console(width=118).print(table)
    for error in environment.stats.errors.values():
        print(f"{error.occurrences} x {error.method} {error.name}: {error.error}")


def _figures(environment: Environment, traffic: Traffic, used: dict[str, float]) -> list[Figure]:
    tally = traffic.tally
    left = {what: tally[f"{what} begun"] - sum(tally[f"{what} {end}"] for end in ENDS) for what in ("windows", "scans")}
    reported = [
        Figure("requests", environment.stats.total.num_requests),
        *(Figure(what, count) for what, count in sorted(tally.items()) if what not in MUST_BE_ZERO),
        *(Figure(f"{what} that were left when people went home", count) for what, count in left.items()),
        *(Figure(what, tally[what], "", 0) for what in MUST_BE_ZERO),
    ]
    kinds = [kind for kind in (*WEB, *REDIS, "video worker") if kind in used]
    reported += [Figure(f"CPU: {kind}", 100 * used[kind], "% of a core") for kind in kinds]
    return [*reported, Figure("CPU: all of this machine", 100 * used["machine"], "% of a core")]


ENDS = ("completed", "failed", "lost")


if __name__ == "__main__":
    main()
