"""A service of the benchmarks' own, and what its processes use."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = 2
START_S = 30.0
END_S = 60.0
LIMIT = 1_000_000  # requests a minute: a key that no benchmark exhausts
WEB = ("gunicorn master", "gunicorn worker")
REDIS = ("redis-server", "valkey-server")

_BEAM = (sys.executable, "-m", "beam_api.cli")
_CHECKOUT = str(Path(__file__).parents[2])


@dataclass(frozen=True, slots=True)
class Service:
    """A running `beam serve`."""

    process: subprocess.Popen[str]
    address: str
    key: str
    data_dir: Path


@contextmanager
def running_service(workers: int = WORKERS, limit: int = LIMIT) -> Iterator[Service]:
    """A service on a data folder of its own, with a key of some requests a minute; all gone at the end."""
    with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder:
        env = _environment(folder)
        process, address = _spawn(env, workers)
        try:
            wait_until_ready(address)
            yield Service(process, address, make_key(env, limit), Path(folder))
        finally:
            _end(process)


def make_key(env: dict[str, str], limit: int) -> str:
    """A key of the service that this environment leads to."""
    make = [*_BEAM, "keys", "create", "--owner", "bench", "--tier", "enterprise", "--limit", str(limit), "--quiet"]
    return subprocess.run(make, env=env, capture_output=True, text=True, check=True).stdout.split()[-1]


def start_s() -> float:
    """From the command `beam serve` in an empty data folder to the first 200 of /ready, in seconds."""
    with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder:
        began = time.perf_counter()
        process, address = _spawn(_environment(folder), WORKERS)
        try:
            wait_until_ready(address, pause_s=0.01)
            return time.perf_counter() - began
        finally:
            _end(process)


def wait_until_ready(address: str, pause_s: float = 0.1) -> None:
    """Return when /ready answers 200."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        connection = http.client.HTTPConnection(address, timeout=5)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(pause_s)
    raise TimeoutError("the service did not get ready")


def cpu_by_kind(service: Service) -> Counter[str]:
    """CPU time in seconds that the processes of the service have used, by what they are."""
    used: Counter[str] = Counter()
    for pid, command in processes(service).items():
        used[command] += process_s(pid)  # type: ignore[assignment]
    return used


def process_s(pid: int) -> float:
    """CPU time that a process has used, and those of its children that have ended, in seconds."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def cpu_s(service: Service, *kinds: str) -> float:
    """CPU time that the service's processes of these kinds have used, in seconds; without kinds, of all."""
    used = cpu_by_kind(service)
    return sum(used[kind] for kind in kinds or tuple(used))


def machine_s() -> float:
    """CPU time that everything on this machine has used, in seconds: how busy others were shows in the difference."""
    spent = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = map(int, spent)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def processes(service: Service) -> dict[int, str]:
    """Every process of the service, by id, with a word of what it is."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, before = {service.process.pid}, 0
    while len(found) != before:
        before = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return {pid: _command(pid, parents[pid] == service.process.pid) for pid in sorted(found)}


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory of a process, and its share of what several hold in common: both in 10^6 bytes."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kept = {line.split()[0]: int(line.split()[1]) * 1024 / 1e6 for line in rollup.splitlines()[1:]}
    return kept["Rss:"], kept["Pss:"]


def _environment(folder: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("BEAM_")}
    return env | {"BEAM_DATA_DIR": folder, "BEAM_LOG_LEVEL": "WARNING", "PYTHONPATH": _CHECKOUT}


def _spawn(env: dict[str, str], workers: int) -> tuple[subprocess.Popen[str], str]:
    serve = [*_BEAM, "serve", "--port", "0", "--workers", str(workers)]
    process = subprocess.Popen(serve, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, urlsplit(process.stdout.readline().split()[-1]).netloc


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(END_S)
    if process.stdout:
        process.stdout.close()


def _command(pid: int, is_first: bool) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_text()
    if "gunicorn" in line:
        return "gunicorn master" if is_first else "gunicorn worker"
    if "beam_api.cli\0worker" in line:
        return "video worker"
    return next((name for name in REDIS if name in line), "beam serve")
