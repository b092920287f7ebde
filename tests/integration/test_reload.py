"""SIGHUP to `beam serve`: new code takes over and no request is lost, on kept connections too."""

from __future__ import annotations

import http.client
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSCTTY
from urllib.parse import urlsplit

import httpx
import pytest

from tests.processes import running, wait_until
from tests.services import Service

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


def connection_to(service: Service) -> http.client.HTTPConnection:
    address = urlsplit(service.url)
    return http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)


def pids(service: Service, words: str) -> set[int]:
    return {pid for pid, command in service.processes().items() if words in command}


def log(service: Service) -> list[str]:
    lines = service.log.read_text().splitlines()
    return [json.loads(line)["event"] for line in lines if line.startswith("{") and line.endswith("}")]


def reload(service: Service, done: int) -> None:
    """Reload, and wait until the log says so for the `done`th time and the former processes have ended."""
    service.process.send_signal(signal.SIGHUP)
    assert wait_until(lambda: log(service).count("reload done") == done, PATIENCE_S), service.log.read_text()


class Client(threading.Thread):
    """Sends requests over one kept connection, or over a new one each, until it is stopped."""

    def __init__(self, service: Service, *, kept: bool, pause_s: float) -> None:
        super().__init__(daemon=True)
        self.answered, self.lost = 0, []
        self._service, self._kept, self._pause_s = service, kept, pause_s
        self._over = threading.Event()

    def run(self) -> None:
        connection = connection_to(self._service)
        while not self._over.wait(self._pause_s):
            try:
                connection.request("POST", "/api/keys/nope", body=b"x" * 20_000, headers={"X-API-Key": "beam_sk_x"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 401:
                    self.lost.append(answer.status)
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()
            if not self._kept:
                connection.close()
        connection.close()

    def end(self) -> None:
        self._over.set()
        self.join()


@pytest.fixture(scope="module")
def changing(start_service, tmp_path_factory) -> tuple[Service, Path]:
    """A service, and the code that it runs, to be changed."""
    folder = tmp_path_factory.mktemp("reload")
    for package in ("beam_api", "rppg_core"):
        shutil.copytree(ROOT / package, folder / "code" / package)  # with its bytecode: else each process compiles it
    # gunicorn looks for code where it was started first.
    service = start_service(folder / "data", cwd=folder / "code", PYTHONPATH=str(folder / "code"))
    return service, folder / "code" / "beam_api" / "web" / "views" / "health.py"


def test_a_reload_loads_new_code_and_loses_no_request(changing):
    service, code = changing
    web, video, redis = pids(service, "gunicorn"), pids(service, "cli worker"), pids(service, "redis-server")
    clients = [Client(service, kept=True, pause_s=0.15), Client(service, kept=False, pause_s=0.15)]
    seldom = Client(service, kept=True, pause_s=3.0)  # longer than a worker that ends would wait for it
    for client in (*clients, seldom):
        client.start()
    assert wait_until(lambda: seldom.answered >= 1, PATIENCE_S)
    assert service.get("/health").json()["service"] == "rppg-backend"
    code.write_text(code.read_text().replace("rppg-backend", "rppg-backend-2"))
    reload(service, 1)
    assert wait_until(lambda: not any(map(running, web)), PATIENCE_S)
    assert {service.get("/health").json()["service"] for _ in range(6)} == {"rppg-backend-2"}
    answered = seldom.answered
    assert wait_until(lambda: seldom.answered >= answered + 1, PATIENCE_S)
    for client in (*clients, seldom):
        client.end()
    assert [client.lost for client in (*clients, seldom)] == [[], [], []]
    assert all(client.answered >= 10 for client in clients)
    assert wait_until(lambda: not any(map(running, video)), PATIENCE_S)
    assert len(pids(service, "gunicorn")) == 3
    assert len(pids(service, "cli worker")) == 1
    assert pids(service, "redis-server") == redis


def test_code_that_does_not_start_takes_nothing_over(changing):
    service, code = changing
    web, good = pids(service, "gunicorn"), code.read_text()
    code.write_text("this is no Python\n")
    service.process.send_signal(signal.SIGHUP)
    failed = "reload failed; the former processes stay"
    assert wait_until(lambda: failed in log(service), PATIENCE_S)
    assert service.get("/ready").status_code == 200
    assert pids(service, "gunicorn") == web
    code.write_text(good)
    done = log(service).count("reload done")
    reload(service, done + 1)
    assert service.get("/ready").status_code == 200


def test_a_service_that_ends_refuses_new_connections_and_answers_on_kept_ones(changing):
    service, _ = changing
    kept, slow = connection_to(service), connection_to(service)
    kept.request("GET", "/health")
    kept.getresponse().read()
    slow.putrequest("POST", "/nope")
    slow.putheader("X-API-Key", "beam_sk_x")
    slow.putheader("Content-Length", "20")
    slow.endheaders(b"0123456789")
    time.sleep(0.5)  # a worker is reading the body by now
    service.process.send_signal(signal.SIGTERM)
    address = urlsplit(service.url)

    def refused() -> bool:
        try:
            socket.create_connection((address.hostname, address.port), timeout=5).close()
        except ConnectionRefusedError:
            return True
        return False

    time.sleep(0.3)
    kept.request("GET", "/health")
    answer = kept.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert wait_until(refused, 20)
    assert service.process.poll() is None
    slow.send(b"0123456789")
    assert slow.getresponse().status == 401
    slow.close()
    kept.close()
    assert service.process.wait(40) == 0


def test_a_terminal_that_is_closed_ends_the_service_and_a_reload_in_one_does_not(tmp_path):
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BEAM_")}
    environment |= {"BEAM_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "beam_api.cli", "serve", "--port", "0", "--workers", "1"],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, TIOCSCTTY, 0),  # noqa: PLW1509
        )
    os.close(theirs)
    try:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        service = Service(process, url, "", tmp_path / "data", tmp_path / "log")

        def ready() -> bool:
            try:
                return httpx.get(url + "/ready", timeout=20).status_code == 200
            except httpx.TransportError:
                return False

        assert wait_until(ready, PATIENCE_S)
        reload(service, 1)
        processes = service.processes()
        os.close(ours)
        assert process.wait(40) == 0
        assert not any(map(running, processes))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
