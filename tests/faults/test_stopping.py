"""The service is stopped, and reloaded, while clients send as fast as they can."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_api.store.usage import UsageStore
from tests.faults.conftest import children_of, in_the_long_run, make_key, web_workers
from tests.faults.traffic import film
from tests.processes import running, wait_until
from tests.thorough import THOROUGH, thorough

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

CLIENTS = 12
PAUSE_S = 0.0 if THOROUGH else 0.05
"""Between the requests of a client while a service starts beside it: without one, all that costs is to wait for it."""
_BOUNDARY = "beam-faults"


def body(session: str, at_ms: int) -> bytes:
    """A request with one frame."""
    fields = {"session_id": session, "duration_ms": "300000", "timestamp_ms": str(at_ms)}
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    frame = b'Content-Disposition: form-data; name="frame"; filename="f.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    parts.append(frame + film()[0])
    return b"".join(b"--%s\r\n%s\r\n" % (_BOUNDARY.encode(), part) for part in parts) + f"--{_BOUNDARY}--\r\n".encode()


@dataclass
class Sender:
    """Sends requests one after another. A request is lost if it could be sent and was not answered."""

    url: str
    key: str
    session: str
    keeps_connection: bool
    answers: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    closed_politely: int = 0
    frames: int = 0
    until_refused: bool = True
    pause_s: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        headers = {"X-API-Key": self.key, "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        number = 0
        while not self.ended.is_set():
            try:
                if connection.sock is None:
                    connection.connect()
            except ConnectionError:
                self.refused += 1
                if self.until_refused:
                    return
                time.sleep(0.05)
                continue
            number += 1
            try:
                content = body(self.session, 1_750_000_000_000 + 20 * number)
                connection.request("POST", "/api/rppg/measure", body=content, headers=headers)
                answer = connection.getresponse()
                data = json.loads(answer.read())
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{type(error).__name__} {error} at request {number}")
                connection.close()
                continue
            self.answers[answer.status] += 1
            if answer.status == 202:
                self.frames = data["data"]["frames"]
            if answer.will_close:
                self.closed_politely += 1
            if not self.keeps_connection:
                connection.close()
            time.sleep(self.pause_s)
        connection.close()


def check(busy: list[Sender]) -> None:
    """No request was lost, and none refused."""
    assert [loss for sender in busy for loss in sender.lost] == []
    assert all(set(sender.answers) == {202} for sender in busy)


def senders(url: str, key: str, **options) -> list[Sender]:
    """Clients that have begun to send; every second one keeps its connection."""
    film()
    all_of_them = [Sender(url, key, f"sender-{i}", i % 2 == 0, **options) for i in range(CLIENTS)]
    for sender in all_of_them:
        sender.thread.start()
    assert wait_until(lambda: all(sender.answers[202] >= 3 for sender in all_of_them), 60)
    return all_of_them


@contextmanager
def bare_gunicorn(url: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """gunicorn under nobody's care, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("BEAM_")}
    env |= {"BEAM_REDIS_URL": url, "BEAM_DATA_DIR": str(tmp_path), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "gunicorn", "-c", "python:beam_api.server.gunicorn_conf"]
    command += ["-w", "2", "-b", f"127.0.0.1:{port}"]
    with (tmp_path / "gunicorn.log").open("w") as log:
        process = subprocess.Popen(command, env=env, stderr=log)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(40)


def reload(gunicorn: subprocess.Popen[bytes]) -> None:
    """Return when no worker is left of those before."""
    before = children_of(gunicorn.pid)
    gunicorn.send_signal(signal.SIGHUP)
    assert wait_until(lambda: not before & (now := children_of(gunicorn.pid)) and len(now) == 2, 40)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False


@in_the_long_run
def test_on_sighup_gunicorn_replaces_its_workers_and_no_request_is_lost(redis_server, tmp_path) -> None:
    client = connect(redis_server.url)
    key = Keys(KeyStore(client), UsageStore(client)).create("reload", tier="enterprise", limit_per_minute=1_000_000).key
    client.close()
    with bare_gunicorn(redis_server.url, tmp_path) as (gunicorn, url):
        assert wait_until(lambda: answers(url), 30)
        busy = senders(url, key, until_refused=False)
        reload(gunicorn)
        more = [sum(sender.answers.values()) for sender in busy]
        assert wait_until(lambda: all(sum(s.answers.values()) > m for s, m in zip(busy, more, strict=True)), 30)
        for sender in busy:
            sender.ended.set()
            sender.thread.join(60)
    check(busy)
    assert sum(sender.refused for sender in busy) == 0


@pytest.fixture(scope="module")
def own(start_service, tmp_path_factory):
    """A service and a key of it; the last test here ends it."""
    service = start_service(tmp_path_factory.mktemp("stopping") / "data")
    return service, make_key(service)


@thorough  # fewer clients do so in integration/test_reload.py
def test_on_sighup_the_service_hands_over_and_no_request_is_lost(own) -> None:
    service, key = own
    busy = senders(service.url, key, until_refused=False, pause_s=PAUSE_S)
    before = set(web_workers(service))
    service.process.send_signal(signal.SIGHUP)
    assert wait_until(lambda: handed_over(service, before), 60)
    for sender in busy:
        sender.ended.set()
        sender.thread.join(60)
    check(busy)
    assert sum(sender.refused for sender in busy) == 0


def handed_over(service, before: set[int]) -> bool:
    """Whether all web processes are other ones."""
    now = set(web_workers(service))
    return len(now) == 2 and not now & before


def test_on_sigterm_every_request_that_could_be_sent_is_answered(own) -> None:
    service, key = own
    processes = list(service.processes())
    busy = senders(service.url, key)
    assert service.end() == 0
    for sender in busy:
        sender.thread.join(30)
    check(busy)
    assert sum(sender.closed_politely for sender in busy if sender.keeps_connection) > 0
    assert wait_until(lambda: not any(running(pid) for pid in processes), 5)
