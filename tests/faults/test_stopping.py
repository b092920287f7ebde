"""The service is stopped, and reloaded, while clients send as fast as they can."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.faults.conftest import make_key
from tests.faults.traffic import film
from tests.integration.conftest import Service
from tests.processes import running, wait_until

pytestmark = pytest.mark.integration

CLIENTS = 12
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

    service: Service
    key: str
    session: str
    keeps_connection: bool
    answers: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    closed_politely: int = 0
    frames: int = 0
    until_refused: bool = True
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        address = urlsplit(self.service.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
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
        connection.close()


def senders(service: Service, key: str, **options) -> list[Sender]:
    film()
    all_of_them = [Sender(service, key, f"sender-{i}", i % 2 == 0, **options) for i in range(CLIENTS)]
    for sender in all_of_them:
        sender.thread.start()
    assert wait_until(lambda: all(sender.answers[202] >= 3 for sender in all_of_them), 60)
    return all_of_them


def test_on_sigterm_every_request_that_could_be_sent_is_answered(start_service, tmp_path) -> None:
    service = start_service(tmp_path / "data")
    key = make_key(service)
    processes = list(service.processes())
    busy = senders(service, key)
    assert service.end() == 0
    for sender in busy:
        sender.thread.join(30)
    assert [loss for sender in busy for loss in sender.lost] == []
    assert all(set(sender.answers) == {202} for sender in busy)
    assert sum(sender.closed_politely for sender in busy if sender.keeps_connection) > 0
    assert wait_until(lambda: not any(running(pid) for pid in processes), 5)
