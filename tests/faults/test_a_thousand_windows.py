"""Windows by the hundred while everything is killed, restarted and cut: every one is measured, and measured once.

`make faults` does it with 1000 windows. Redis flushes before it answers here (`BEAM_REDIS_FSYNC=always`), so that its
death by `kill -9` may lose nothing.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import redis

from beam_api.server.embedded_redis import running_url
from tests.faults.conftest import in_the_long_run, make_key, web_workers
from tests.faults.proxy import Proxy, proxied
from tests.faults.traffic import Book, Crowd, Monitored, Person
from tests.processes import wait_until

if TYPE_CHECKING:
    from tests.services import Service

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]

WINDOWS = int(os.environ.get("BEAM_FAULT_WINDOWS", "8"))
AT_ONCE = 16 if WINDOWS > 16 else 8
REQUESTS = (
    15 if WINDOWS < 500 else 30
)  # answered from one fault to the next, so that a slow machine sees no more of them


class Wrecker(threading.Thread):
    """Breaks one thing after another, at random and until it is stopped."""

    def __init__(self, service: Service, proxy: Proxy, book: Book) -> None:
        super().__init__()
        self._service, self._proxy, self._book = service, proxy, book
        self._draw, self._stop_asked = random.Random(7), threading.Event()
        self.done: Counter[str] = Counter()
        self.failure: BaseException | None = None

    def run(self) -> None:
        faults = [self.worker_killed] * 4 + [self.redis_killed, self.redis_restarted]
        faults += [self.clients_cut, self.redis_clients_cut]
        try:
            after = 0
            while not self._stop_asked.wait(0.02):
                if self._book.requests < after:
                    continue
                fault = self._draw.choice(faults)
                fault()
                after = self._book.requests + self._draw.randint(1, 2 * REQUESTS)
                self.done[fault.__name__.replace("_", " ")] += 1
        except BaseException as failure:
            self.failure = failure

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()
        if self.failure:
            raise self.failure

    def worker_killed(self) -> None:
        if workers := web_workers(self._service):
            os.kill(self._draw.choice(workers), signal.SIGKILL)

    def redis_killed(self) -> None:
        self._end_redis(signal.SIGKILL)

    def redis_restarted(self) -> None:
        self._end_redis(signal.SIGTERM)

    def clients_cut(self) -> None:
        self._proxy.cut()

    def redis_clients_cut(self) -> None:
        with redis.Redis.from_url(running_url(self._service.data_dir)) as client:
            client.client_kill_filter(_type="normal", skipme=True)

    def _end_redis(self, number: int) -> None:
        before = self._service.redis_pids()
        for pid in before:
            os.kill(pid, number)
        assert wait_until(lambda: self._service.redis_pids() not in ([], before) and self._redis_answers(), 20)

    def _redis_answers(self) -> bool:
        try:
            with redis.Redis.from_url(running_url(self._service.data_dir), socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.mark.parametrize(
    "kind", [pytest.param(Person, id="windows"), pytest.param(Monitored, id="strides", marks=in_the_long_run)]
)
def test_every_window_is_measured_once_whatever_is_killed_or_cut(start_service, tmp_path, capsys, kind):
    service = start_service(tmp_path / "data", BEAM_REDIS_FSYNC="always")
    key, book = make_key(service), Book()
    each = -(-WINDOWS // AT_ONCE)
    with proxied(urlsplit(service.url).port) as proxy:
        people = [kind(f"http://127.0.0.1:{proxy.port}", key, f"person-{i}", book) for i in range(AT_ONCE)]
        wrecker = Wrecker(service, proxy, book)
        with Crowd(people, each):
            wrecker.start()
        wrecker.stop()
    windows = each * AT_ONCE
    with capsys.disabled():
        broken = ", ".join(f"{count} x {fault}" for fault, count in sorted(wrecker.done.items()))
        print(f"\n{book.line()}; faults: {broken}; slowest 503 {book.slowest_503_s:.2f} s")
    book.check(windows)
    assert {"worker killed"} < set(wrecker.done)

    # The store agrees with the clients.
    assert wait_until(lambda: service.get("/ready").status_code == 200, 20)
    headers = {"X-API-Key": key}
    for result in book.delivered:
        kept = service.get(f"/api/rppg/measurements/{result.data['measurement_id']}", headers=headers).json()["data"]
        assert {**kept, "face": None} == {**result.data, "face": None}
    with redis.Redis.from_url(running_url(service.data_dir)) as client:
        assert sum(1 for _ in client.scan_iter("beam:*:result:*", count=1000)) == windows
        assert not list(client.scan_iter("beam:*:closed*", count=1000))
    assert service.end() == 0
