"""Clocks that jump: the client's in the middle of a window, and those of the machine that serves."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import redis

from beam_api.server.embedded_redis import EmbeddedRedis, find_binary
from tests.faults.conftest import make_key
from tests.faults.traffic import BATCH, BATCHES, FPS, START_MS, WINDOW_S, Book, Person, film
from tests.processes import wait_until
from tests.thorough import rows

pytestmark = pytest.mark.integration

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


_WEB_CLOCK = """
import os, time
def jumping(true_time=time.time):
    with open(os.environ["TEST_CLOCK"]) as file:
        return true_time() + float(file.read() or 0)
time.time = jumping
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    """A file that says by how much the clocks of a service differ from the true time, e.g. "+60"."""
    if not FAKETIME:
        pytest.skip("Debian's package faketime is not installed")
    file = tmp_path_factory.mktemp("clock") / "offset"
    file.write_text("+0")
    return file


@pytest.fixture(scope="module")
def mine(start_service, tmp_path_factory, clock):
    """A service whose Redis and web processes go by that clock, and a key of it.

    Redis by a library that stands before the kernel's clock. Python's waits don't survive that one, so the web
    processes get another `time.time` at their start, which is what limits go by.
    """
    folder = tmp_path_factory.mktemp("clocks")
    (folder / "sitecustomize.py").write_text(_WEB_CLOCK)
    bundled, wrapper = find_binary(), folder / "redis-server"
    wrapper.write_text(
        f"#!/bin/sh\nLD_PRELOAD={FAKETIME[0]} FAKETIME_TIMESTAMP_FILE={clock} FAKETIME_NO_CACHE=1 "
        f'FAKETIME_DONT_FAKE_MONOTONIC=1 exec {bundled.path} "$@"\n'
    )
    wrapper.chmod(0o700)
    paths = f"{folder}{os.pathsep}{os.getcwd()}"
    with EmbeddedRedis(folder / "redis", replace(bundled, path=wrapper), announce=False) as server:
        environment = {"BEAM_REDIS_URL": server.url, "TEST_CLOCK": str(clock), "PYTHONPATH": paths}
        service = start_service(folder / "data", **environment)
        yield service, make_key(service, BEAM_REDIS_URL=server.url)
        service.end(signal.SIGKILL)  # its video worker may be waiting for a time that is months away


@pytest.fixture(autouse=True)
def right_clock(clock):
    clock.write_text("+0")


def redis_time(service):
    """What its Redis takes for now, in seconds."""
    with redis.Redis.from_url(f"unix://{service.data_dir.parent}/redis/run/redis.sock") as client:
        return client.time()[0]


@pytest.mark.parametrize("jump_s", rows([60, -60, -3600], [60, -3600]))
def test_a_step_of_the_servers_clock_changes_no_window(mine, clock, jump_s):
    service, key = mine
    book = Book()
    person = Person(service.url, key, f"step{jump_s}", book)
    for number in range(BATCHES):
        if number == BATCHES // 2:
            clock.write_text(f"{jump_s:+d}")
        answer = person.send(0, number)
        assert answer.json()["data"]["frames"] == BATCH * (number + 1)
    assert abs(time.time() + jump_s - redis_time(service)) < 30
    assert answer.status_code == 200
    assert not book.again
    person.measure(1)  # the next one too, and after the clock has been put right
    clock.write_text("+0")
    person.measure(2)
    assert [d.data["frames"] for d in book.delivered] == [WINDOW_S * FPS] * 2
    person.close()


@pytest.mark.parametrize("jump_s", [61, -3600])
def test_a_step_of_the_servers_clock_keeps_no_key_from_its_limit(mine, clock, jump_s):
    service, _ = mine
    sandbox = {"X-API-Key": service.key}
    with httpx.Client(headers=sandbox) as client:
        assert wait_until(lambda: client.get(f"{service.url}/nope").status_code == 429, 60)
    clock.write_text(f"{jump_s:+d}")
    answer = service.get("/nope", headers=sandbox)
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (404, "99")
    assert abs(int(answer.headers["X-RateLimit-Reset"]) - (time.time() + jump_s + 60)) < 30
    clock.write_text("+0")
    assert int(service.get("/nope", headers=sandbox).headers["X-RateLimit-Remaining"]) >= 98


def test_a_step_beyond_two_minutes_forgets_open_windows_and_nothing_that_was_measured(mine, clock):
    service, key = mine
    book = Book()
    person = Person(service.url, key, "minutes", book)
    person.measure(0)
    person.send(1, 0)
    clock.write_text("+300")
    assert person.send(1, 1).json()["data"]["frames"] == BATCH  # the first second is gone
    measured = book.delivered[0].data["measurement_id"]
    assert service.get(f"/api/rppg/measurements/{measured}", headers={"X-API-Key": key}).status_code == 200
    person.close()


def test_nothing_of_anybody_is_left_in_redis_when_its_time_is_over(mine, clock):
    service, key = mine
    whole, half = (Person(service.url, key, name, Book()) for name in ("whole", "half"))
    whole.measure(0)
    whole.send(1, 0)
    half.send(0, 0)
    httpx.post(f"{service.url}/api/v1/scan-session", headers={"Authorization": f"Bearer {key}"}).raise_for_status()
    whole.close()
    half.close()
    kinds = kinds_of_keys(service)
    assert {"window", "samples", "face", "result", "measurement", "scan", "usage", "key"} <= kinds
    clock.write_text(f"+{25 * 3600}")
    assert kinds_of_keys(service) == {"key", "keys", "usage"}
    clock.write_text(f"+{101 * 24 * 3600}")
    assert kinds_of_keys(service) == {"key", "keys"}


def kinds_of_keys(service):
    """What sorts of keys are in its Redis, RQ's own not counted."""
    with redis.Redis.from_url(f"unix://{service.data_dir.parent}/redis/run/redis.sock") as client:
        names = [name.decode() for name in client.scan_iter("beam:*", count=1000)]
    return {name.rpartition("}:")[2].partition(":")[0] if "}" in name else name.split(":")[1] for name in names}


@pytest.mark.parametrize("jump_s", [180, -180])
def test_a_clients_clock_that_jumps_begins_a_new_window_at_once(mine, jump_s):
    service, key = mine

    def send(at_s):
        times = [f"{START_MS + 1000 * (at_s + i / FPS):.3f}" for i in range(BATCH)]
        form = {"timestamp_ms": times, "duration_ms": str(1000 * WINDOW_S), "session_id": f"client{jump_s}"}
        files = [("frame", ("f.jpg", jpeg, "image/jpeg")) for jpeg in film()[:BATCH]]
        answer = httpx.post(
            f"{service.url}/api/rppg/measure", data=form, files=files, headers={"X-API-Key": key}, timeout=60
        )
        return answer.status_code, answer.json()["data"]

    for at_s in range(5):
        send(at_s)
    for second in range(WINDOW_S):
        status, data = send(5 + jump_s + second)
        if second == 3:  # a request from before the jump is sent again: it is known, and changes nothing
            assert send(2)[1]["frames"] == data["frames"] == 4 * BATCH
        if status == 202:
            assert (data["restarted"], data["frames"]) == (second == 0, BATCH * (second + 1))
    assert (status, data["frames"]) == (200, WINDOW_S * FPS)
    # ... and back. What lies after the last window is no restart, and what the first jump put aside joins again.
    status, data = send(5)
    assert (status, data["restarted"], data["frames"]) == (202, jump_s > 0, BATCH if jump_s > 0 else 6 * BATCH)
