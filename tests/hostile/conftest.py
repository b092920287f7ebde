"""A service to attack, and what must be true of it afterwards."""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from tests.services import services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services import Service

MEASURE = "/api/rppg/measure"
ERROR = {"code", "message", "status", "request_id"}
MOST_MEMORY_MB = 600.0
"""More of a web process than before, in any test here."""


@dataclass
class Target:
    """A running service under attack. Every answer is checked to be one that the contract knows."""

    service: Service
    key: str
    client: httpx.Client
    slowest_s: float = 0.0
    asked: int = 0

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.service.url)
        return parts.hostname or "", parts.port or 0

    def ask(self, method: str, path: str, **options) -> httpx.Response:
        headers = {"X-API-Key": self.key} | options.pop("headers", {})
        started = time.monotonic()
        answer = self.client.request(method, self.service.url + path, headers=headers, **options)
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        self.asked += 1
        check(answer, path)
        return answer

    def raw(self, data: bytes, *, ends: bool = False) -> bytes:
        """Bytes sent as they are, and all bytes of the answer until the server closes or falls silent for 0.2 s.

        With `ends`, the client says that it sends no more.
        """
        found = b""
        with socket.create_connection(self.address, timeout=60.0) as connection:
            connection.sendall(data)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            try:
                while more := connection.recv(65_536):
                    found += more
                    connection.settimeout(0.2)
            except (TimeoutError, ConnectionResetError):
                pass
        return found

    def workers(self) -> dict[int, str]:
        """The web processes and the video worker; not what they start for a moment."""
        return {
            pid: command
            for pid, command in self.service.processes().items()
            if ("-m gunicorn" in command or "beam_api.cli worker" in command) and _parent(pid) not in self._leaves()
        }

    def _leaves(self) -> set[int]:
        return {pid for pid, command in self.service.processes().items() if "beam_api.cli worker" in command}

    def peaks_mb(self) -> dict[int, float]:
        return {pid: _status_mb(pid, "VmHWM") for pid, command in self.workers().items() if "gunicorn" in command}


def check(answer: httpx.Response, path: str) -> None:
    """No 5xx, an id, and an error in the shape of its API."""
    assert answer.status_code < 500, (path, answer.status_code, answer.text[:300])
    if answer.status_code < 400:
        return
    body = answer.json()
    if f"{path}/".startswith(("/v1/", "/api/v1/")):
        assert set(body) == {"detail"}, body
        assert isinstance(body["detail"], str)
    else:
        assert body["success"] is False
        assert set(body["error"]) - {"guidance"} == ERROR, body
        assert body["error"]["status"] == answer.status_code
        assert body["error"]["request_id"] == answer.headers["X-Request-Id"]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _status_mb(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One service for all attacks, and a key without a limit that matters."""
    with services() as start, httpx.Client(timeout=90) as client:
        service = start(tmp_path_factory.mktemp("hostile") / "data")
        keys = Keys(KeyStore(connect(running_url(service.data_dir))))
        key = keys.create("attacker", tier="enterprise", limit_per_minute=1_000_000).key
        yield Target(service, key, client)


@pytest.fixture
def target(attacked: Target) -> Iterator[Target]:
    """The service, which after the test runs in the same processes, is ready, and has logged no bug."""
    attacked.slowest_s = 0.0
    before, peaks, log_at = attacked.workers(), attacked.peaks_mb(), attacked.service.log.stat().st_size
    yield attacked
    assert set(attacked.workers()) == set(before), "a process died"
    assert attacked.service.get("/ready").status_code == 200
    for pid, peak in attacked.peaks_mb().items():
        assert peak - peaks[pid] < MOST_MEMORY_MB, f"{peak - peaks[pid]:.0f} MB more"
    with attacked.service.log.open("rb") as log:
        log.seek(log_at)
        lines = log.read().decode(errors="replace").splitlines()
    reported = [json.loads(line) for line in lines if line.startswith("{")]
    assert not [line for line in reported if line.get("level") in ("error", "critical")], reported
    assert not [line for line in lines if "Traceback" in line and not line.startswith("{")]
