"""A key that was taken back is refused at once by every process, whatever is on its way and however that was done."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest

from beam_api.server.embedded_redis import EmbeddedRedis, running_url
from beam_api.services.access.admission import Admission
from beam_api.services.access.keys import Keys, NewKey, Token
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from tests.access.test_routes import START_MS, Customer
from tests.integration.test_races import cpu_ticks

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask
    from redis import Redis

    from beam_api.web.context import Parts
    from tests.services import Service

pytestmark = pytest.mark.integration

CLIENTS = 8
BEFORE, AFTER = 300, 600
"""Requests that must have been answered with the key good, and after it was taken back."""

WAYS = ["by command", "by its owner", "by rotation", "by expiry"]


@dataclass
class Hammer:
    """Clients with connections of their own, which send the key again and again until they are stopped."""

    service: Service
    key: str
    answers: list[tuple[float, int]] = field(default_factory=list)  # when the request began, its status
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, kept: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if kept else 0)
        with httpx.Client(headers={"X-API-Key": self.key}, limits=limits, timeout=30) as client:
            while not self.stop.is_set():
                begun = time.monotonic()
                status = client.get(self.service.url + "/api/rppg/sessions/nobody").status_code
                self.answers.append((begun, status))

    def wait_for(self, count: int) -> None:
        end = time.monotonic() + 60
        while len(self.answers) < count:
            assert time.monotonic() < end, "too few answers"
            time.sleep(0.01)


@pytest.fixture
def store(service: Service) -> Redis:
    return connect(running_url(service.data_dir))


def take_back(way: str, made: NewKey, service: Service, store: Redis) -> None:
    headers = {"X-API-Key": made.key}
    if way == "by command":
        Keys(KeyStore(store)).revoke(made.record.key_id)
    elif way == "by its owner":
        assert httpx.delete(service.url + "/api/keys/me", headers=headers, timeout=30).status_code == 204
    elif way == "by rotation":
        assert httpx.post(service.url + "/api/keys/me/rotate", headers=headers, timeout=30).status_code == 201
    else:
        store.pexpire(f"beam:{{{made.record.key_id}}}:key", 1)
        time.sleep(0.005)


@pytest.mark.parametrize("way", WAYS)
def test_no_request_that_begins_after_a_key_was_taken_back_comes_in(service: Service, store: Redis, way: str) -> None:
    made = Keys(KeyStore(store)).create("o", tier="enterprise", limit_per_minute=1_000_000)
    store.delete(*store.keys("*address*") or ["none"])  # 401s are limited by address: none of them may be a 429
    hammer = Hammer(service, made.key)
    before = cpu_ticks(service)
    threads = [threading.Thread(target=hammer.run, args=(number % 2 == 0,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        hammer.wait_for(BEFORE)
        take_back(way, made, service, store)
        gone = time.monotonic()
        hammer.wait_for(len(hammer.answers) + AFTER)
    finally:
        hammer.stop.set()
        for thread in threads:
            thread.join()
    late = [status for begun, status in hammer.answers if begun >= gone]
    assert len(late) >= AFTER - CLIENTS
    assert set(late) <= {401, 429}
    assert late.count(401) >= 500
    early = [status for begun, status in hammer.answers[: BEFORE - CLIENTS] if begun < gone]
    assert set(early) == {404}
    worked = [pid for pid, ticks in cpu_ticks(service).items() if ticks - before[pid] > 5]
    assert len(worked) >= 2  # both processes were asked


def test_a_revoked_key_stays_revoked_when_redis_comes_back(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        keys = Keys(KeyStore(connect(server.url)))
        revoked, kept = keys.create("o"), keys.create("o")
        keys.revoke(revoked.record.key_id)
    with EmbeddedRedis(tmp_path) as server:
        admission = Admission(connect(server.url))
        records = [admission.admit(Token.parse(made.key), "192.0.2.1")[0].record for made in (kept, revoked)]
        assert [record is not None for record in records] == [True, False]


def test_frames_sent_with_a_dead_secret_change_nothing(app: Flask, parts: Parts) -> None:
    """Not even in a process that knew the key, and reads the frames before it knows that the key is dead."""
    made = parts.keys.create("o")
    customer = Customer(app.test_client(), made.key, {"X-API-Key": made.key})
    assert customer.measure("anna", frames=2).status_code == 202
    new = customer.ask("POST", "/api/keys/me/rotate").json["data"]["key"]
    for start in (0, 4000, 8000):
        assert customer.measure("anna", START_MS + start).status_code == 401
    customer.headers = {"X-API-Key": new}
    window = customer.ask("GET", "/api/rppg/sessions/anna").json["data"]
    assert (window["frames"], window["last_measurement_id"]) == (2, None)
