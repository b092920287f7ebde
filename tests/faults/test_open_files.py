"""Web processes that may open few files, or no more: they pause and go on, in the same processes."""

from __future__ import annotations

import resource
import selectors
import socket
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import make_key, web_workers
from tests.images import jpeg, still_face
from tests.processes import wait_until
from tests.thorough import rows

pytestmark = pytest.mark.integration

FLOOD = 2400


def address(url: str) -> tuple[str, int]:
    parts = httpx.URL(url)
    return parts.host, parts.port or 0


def flood(target: tuple[str, int], first: bytes, number: int) -> list[socket.socket]:
    """Connections that send something and stay."""
    opened = []
    for _ in range(number):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(target)
        opened.append(connection)
    with selectors.DefaultSelector() as selector:
        for connection in opened:
            selector.register(connection, selectors.EVENT_WRITE)
        end = time.monotonic() + 10
        while selector.get_map() and time.monotonic() < end:
            for key, _ in selector.select(0.1):
                selector.unregister(key.fileobj)
                with suppress(OSError):
                    key.fileobj.send(first)
    return opened


def is_answered(service, key: str, timeout: float) -> bool:
    headers = {"X-API-Key": key}
    try:
        answers = [
            httpx.get(service.url + "/health", timeout=timeout),
            httpx.post(
                service.url + "/api/rppg/measure",
                headers=headers,
                files={"frame": ("f", jpeg(still_face()))},
                timeout=timeout,
            ),
        ]
    except httpx.TransportError:
        return False
    return [answer.status_code for answer in answers] == [200, 202]


@pytest.fixture
def many_files():
    """This process needs a file for each connection too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < FLOOD + 200:
        pytest.skip(f"needs {FLOOD} open files")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def limited(start_service, tmp_path_factory):
    """A service whose hard limit is 256 files, so that it can't be raised."""
    return start_service(tmp_path_factory.mktemp("limited") / "data", under=("prlimit", "--nofile=256:256"))


FIRST = [b"NONSENSE\r\n\r\n", b"", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"]


@pytest.mark.parametrize("first", rows(FIRST, [FIRST[0], FIRST[2]]))
def test_a_flood_of_connections_ends_no_worker(limited, many_files, first: bytes):
    service = limited
    key, workers = make_key(service), set(web_workers(service))
    opened = flood(address(service.url), first, FLOOD)
    try:
        if first == b"NONSENSE\r\n\r\n":  # others' connections end soon, so ours gets its turn while they stay
            assert wait_until(lambda: is_answered(service, key, 20.0), 40.0)
    finally:
        for connection in opened:
            connection.close()
    assert wait_until(lambda: is_answered(service, key, 5.0), 20.0)
    assert set(web_workers(service)) == workers


def test_a_worker_that_can_open_no_more_files_pauses(start_service, tmp_path: Path, many_files):
    """The limit sinks while it runs, beneath what its connections need."""
    service = start_service(tmp_path / "data")
    key, workers = make_key(service), web_workers(service)
    assert is_answered(service, key, 20.0)
    for worker in workers:
        used = max(int(path.name) for path in Path(f"/proc/{worker}/fd").iterdir())
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 20, used + 20))
    opened = flood(address(service.url), b"", 400)
    before = {worker: _cpu_s(worker) for worker in workers}
    time.sleep(3.0)
    spent = {worker: _cpu_s(worker) - before[worker] for worker in workers}
    assert max(spent.values()) < 1.0, "it spins"
    for connection in opened:
        connection.close()
    assert wait_until(lambda: is_answered(service, key, 5.0), 20.0)
    assert web_workers(service) == workers
    log = service.log.read_text()
    assert 1 <= log.count('"accepting pauses"') <= len(workers)
    metrics = service.get("/metrics", headers={}).text
    pauses = next(line for line in metrics.splitlines() if line.startswith("beam_accept_pauses_total"))
    assert float(pauses.split()[-1]) >= 2


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
