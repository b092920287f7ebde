"""Redis hangs, is stopped, and is killed; requests get a quick 503, and what was buffered is there afterwards."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import redis

from beam_api.server.embedded_redis import EmbeddedRedis, running_url
from beam_api.store.client import TIMEOUT_S
from tests.faults.conftest import LONG, in_the_long_run, make_key
from tests.faults.traffic import BATCH, BATCHES, Book, Person
from tests.processes import wait_until

pytestmark = pytest.mark.integration

OUTAGE_S = 5.0
ASKING = 16  # clients; more than there are threads
SOON_S = 1.0  # generous: they take milliseconds


@contextmanager
def asked(service, key):
    """Clients that ask without pause for the length of a block; yields what they were answered: (began, took, status).

    One in four asks whether the service is alive.
    """
    answers, stop = [], threading.Event()

    def ask(number):
        path, headers = ("/health", {}) if number % 4 == 0 else ("/api/rppg/sessions/nobody", {"X-API-Key": key})
        with httpx.Client(timeout=60) as client:
            while not stop.wait(0.05):
                began = time.monotonic()
                answer = client.get(service.url + path, headers=headers)
                answers.append((began, time.monotonic() - began, path, answer))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(ASKING)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def half_a_window(service, key, session):
    """A person whose window is half full."""
    person = Person(service.url, key, session, Book())
    for number in range(BATCHES // 2):
        assert person.send(0, number).json()["data"]["frames"] == (number + 1) * BATCH
    return person


def completes(person):
    """Whether the other half makes it a window that lacks nothing."""
    for number in range(BATCHES // 2, BATCHES):
        answer = person.send(0, number)
    person.close()
    data = answer.json()["data"]
    return (answer.status_code, data["frames"]) == (200, BATCHES * BATCH)


def check_outage(answers, began, ended):
    """All that began meanwhile was answered, soon after the first few had found out."""
    during = [a for a in answers if began + TIMEOUT_S + SOON_S < a[0] and a[0] + a[1] < ended]
    assert {(path, answer.status_code) for _, _, path, answer in during} == {
        ("/health", 200),
        ("/api/rppg/sessions/nobody", 503),
    }
    refused = [answer for *_, answer in during if answer.status_code == 503]
    assert {answer.json()["error"]["code"] for answer in refused} == {"STORE_UNAVAILABLE"}
    assert {answer.headers["Retry-After"] for answer in refused} == {"2"}
    assert max(took for _, took, _, _ in answers) < 2 * TIMEOUT_S + SOON_S
    took = sorted(took for _, took, path, _ in during if path == "/health")
    assert took[len(took) // 2] < SOON_S
    assert {answer.status_code for _, _, path, answer in answers if path == "/health"} == {200}


@pytest.fixture(scope="module")
def mine(start_service, tmp_path_factory):
    """A service and a key of it."""
    service = start_service(tmp_path_factory.mktemp("unavailable") / "data")
    return service, make_key(service)


def test_a_redis_that_hangs_for_five_seconds_is_a_quick_503_and_then_all_goes_on(mine):
    service, key = mine
    person = half_a_window(service, key, "hanging")
    pid = service.redis_pid()
    with asked(service, key) as answers:
        began = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(OUTAGE_S)
        finally:
            os.kill(pid, signal.SIGCONT)
        ended = time.monotonic()
        assert wait_until(lambda: answers[-1][0] > ended and answers[-1][3].status_code == 404, 10)
    check_outage(answers, began, ended)
    assert completes(person)


@in_the_long_run
def test_a_redis_that_is_down_for_five_seconds_has_kept_the_windows(start_service, tmp_path):
    server = EmbeddedRedis(tmp_path / "redis", announce=False)
    server.start()
    try:
        service = start_service(tmp_path / "data", BEAM_REDIS_URL=server.url)
        key = make_key(service, BEAM_REDIS_URL=server.url)
        person = half_a_window(service, key, "down")
        with asked(service, key) as answers:
            began = time.monotonic()
            server.stop()
            time.sleep(OUTAGE_S)
            server.start()
            ended = time.monotonic()
            assert wait_until(lambda: answers[-1][0] > ended and answers[-1][3].status_code == 404, 10)
        check_outage(answers, began, ended)
        assert completes(person)
        assert service.end() == 0
    finally:
        server.stop()


@pytest.mark.parametrize("fsync", ["everysec", pytest.param("always", marks=in_the_long_run)])
def test_a_redis_that_is_killed_is_started_again_with_what_it_had_on_disk(mine, start_service, tmp_path, fsync):
    service, key = mine
    if fsync == "always":
        service = start_service(tmp_path / "data", BEAM_REDIS_FSYNC="always")
        key = make_key(service)
    for number in range(3 if LONG else 1):
        person = half_a_window(service, key, f"killed-{number}")
        if fsync == "everysec":
            time.sleep(2.1)  # what is older than a flush, and one that was late, is on the disk
        pid = service.redis_pid()
        os.kill(pid, signal.SIGKILL)
        assert completes(person)
        assert service.redis_pid() != pid
    with redis.Redis.from_url(running_url(service.data_dir)) as client:
        assert client.config_get("appendfsync") == {"appendfsync": fsync}
