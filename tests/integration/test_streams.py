"""Streams of events on the real service: they hold no thread, lose nothing, and end as answers should."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests import images
from tests.processes import wait_until
from tests.services import Service, services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

START_MS = 1_750_000_000_000
STREAMS = 24  # more than the threads of both processes


class Follower(threading.Thread):
    """Reads a stream to its end. `events` are (arrival, name, id, data); `failure` is what ended it, if not the end."""

    def __init__(self, service: Service, session: str, key: str = "", after: str = "") -> None:
        super().__init__(daemon=True)
        self.events: list[tuple[float, str, str, Any]] = []
        self.failure: Exception | None = None
        self.status = 0
        self._opened = threading.Event()
        self._url = f"{service.url}/api/rppg/sessions/{session}/events"
        self._headers = {"X-API-Key": key or service.key} | ({"Last-Event-ID": after} if after else {})
        self._response: httpx.Response | None = None
        self.start()
        assert self._opened.wait(30)

    def run(self) -> None:
        try:
            with httpx.stream("GET", self._url, headers=self._headers, timeout=60) as response:
                self._response, self.status = response, response.status_code
                fields: dict[str, str] = {}
                for line in response.iter_lines():
                    self._opened.set()
                    name, _, value = line.partition(": ")
                    if line:
                        fields[name] = value
                    elif "event" in fields:
                        about = fields["event"], fields.get("id", ""), json.loads(fields["data"])
                        self.events.append((time.monotonic(), *about))
                        fields = {}
        except httpx.HTTPError as failure:
            self.failure = failure
        finally:
            self._opened.set()

    def named(self, name: str) -> list[tuple[float, str, str, Any]]:
        return [event for event in self.events if event[1] == name]

    def close(self) -> None:
        if self._response:
            self._response.close()


@pytest.fixture(scope="module")
def face() -> list[bytes]:
    """Pictures that differ a little: the same one again is no new frame to a running rate."""
    still = images.still_face(eyes_px=40.0, frame_size=(240, 220))
    return [images.jpeg(still, quality) for quality in range(80, 96)]


def post(
    service: Service, face: list[bytes], session: str, seconds: range, key: str = "", **form: str
) -> httpx.Response:
    """Post a frame for each of these seconds."""
    files = [("frame", ("f.jpg", face[s % len(face)], "image/jpeg")) for s in seconds]
    data = {"timestamp_ms": [str(START_MS + 1000 * s) for s in seconds], "session_id": session, "duration_ms": "10000"}
    headers = {"X-API-Key": key or service.key}
    response = httpx.post(f"{service.url}/api/rppg/measure", headers=headers, data=data | form, files=files, timeout=60)
    assert response.status_code in (200, 202), response.text
    return response


def test_streams_hold_no_thread_and_each_gets_every_stride_at_once(service: Service, face: list[bytes]) -> None:
    followers = [Follower(service, "watched") for _ in range(STREAMS)]
    try:
        assert {follower.status for follower in followers} == {200}
        time.sleep(0.5)  # a running rate is sent to those who listen, and not kept
        measured, answered = [], []
        for start in range(0, 20, 2):
            response = post(service, face, "watched", range(start, start + 2), stride_ms="2000")
            if response.status_code == 200:
                measured.append(response.json()["data"])
                answered.append(time.monotonic())
        assert len(measured) == 6
        assert wait_until(lambda: all(len(f.named("measurement")) == 6 for f in followers), 10)
        for follower in followers:
            assert [data for _, _, _, data in follower.named("measurement")] == measured
            assert [event_id for _, _, event_id, _ in follower.named("measurement")] == [
                data["measurement_id"] for data in measured
            ]
            assert follower.named("partial")
        late = [f.named("measurement")[i][0] - answered[i] for f in followers for i in range(6)]
        assert sorted(late)[round(0.95 * len(late))] < 1.0
    finally:
        for follower in followers:
            follower.close()


def test_who_comes_again_misses_nothing(service: Service, face: list[bytes]) -> None:
    first = Follower(service, "resumed")
    measured = [post(service, face, "resumed", range(10)).json()["data"]["measurement_id"]]
    assert wait_until(lambda: len(first.named("measurement")) == 1, 10)
    first.close()
    measured += [post(service, face, "resumed", range(s, s + 10)).json()["data"]["measurement_id"] for s in (10, 20)]
    again = Follower(service, "resumed", after=measured[0])
    measured.append(post(service, face, "resumed", range(30, 40)).json()["data"]["measurement_id"])
    assert wait_until(lambda: len(again.named("measurement")) == 3, 10)
    assert [event_id for _, _, event_id, _ in again.named("measurement")] == measured[1:]
    again.close()


def test_the_streams_of_a_revoked_key_end_within_five_seconds(service: Service) -> None:
    key = httpx.post(f"{service.url}/api/keys").json()["data"]["key"]
    followers = [Follower(service, "revoked", key=key) for _ in range(4)]
    other = Follower(service, "revoked")
    assert httpx.delete(f"{service.url}/api/keys/me", headers={"X-API-Key": key}).status_code == 204
    assert wait_until(lambda: not any(follower.is_alive() for follower in followers), 5)
    assert not any(follower.failure for follower in followers)
    assert other.is_alive()
    other.close()


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    with services() as start:
        yield start(tmp_path / "data")


def test_streams_survive_a_redis_that_dies_and_end_well_with_the_service(
    own_service: Service, face: list[bytes]
) -> None:
    follower = Follower(own_service, "anna")
    first = post(own_service, face, "anna", range(10)).json()["data"]["measurement_id"]
    assert wait_until(lambda: len(follower.named("measurement")) == 1, 10)
    os.kill(own_service.redis_pid(), signal.SIGKILL)
    time.sleep(2.0)
    second = post(own_service, face, "anna", range(20, 30)).json()["data"]["measurement_id"]
    assert wait_until(lambda: len(follower.named("measurement")) == 2, 15)
    assert [event_id for _, _, event_id, _ in follower.named("measurement")] == [first, second]
    followers = [follower, *(Follower(own_service, "leo") for _ in range(8))]
    assert own_service.end() == 0
    assert wait_until(lambda: not any(f.is_alive() for f in followers), 10)
    assert [f.failure for f in followers if f.failure] == []
    assert failures(own_service) == []


def failures(service: Service) -> list[str]:
    """What went wrong in the service by itself: tracebacks and errors in its log, apart from Redis' end."""
    lines = service.log.read_text().splitlines()
    return [line for line in lines if "Traceback" in line or "streams failed" in line or '"level": "critical"' in line]


def test_open_streams_make_no_failure_of_a_shutdown(own_service: Service, face: list[bytes]) -> None:
    followers = [Follower(own_service, f"person-{number}") for number in range(STREAMS)]
    for number in range(4):
        post(own_service, face, f"person-{number}", range(5), stride_ms="2000")
    assert own_service.end() == 0
    assert wait_until(lambda: not any(f.is_alive() for f in followers), 10)
    assert [f.failure for f in followers if f.failure] == []
    assert failures(own_service) == []
