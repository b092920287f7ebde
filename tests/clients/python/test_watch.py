"""`Beam.watch` and `beam watch` on a real service."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from beam_api.cli.watch import watch as command
from beam_client import Beam, Event, Measurement, Partial
from tests.faults.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.services import Service

pytestmark = pytest.mark.integration


class Watcher(threading.Thread):
    """Watches a session until it has seen so many measurements."""

    def __init__(self, url: str, key: str, session: str, measurements: int = 1) -> None:
        super().__init__(daemon=True)
        self._client, self._session, self._measurements = Beam(url, key), session, measurements
        self.seen: list[Event] = []

    @property
    def ids(self) -> list[str]:
        return [event.measurement_id for event in self.seen if isinstance(event, Measurement)]

    def run(self) -> None:
        with self._client:
            for event in self._client.watch(self._session, timeout_ms=90_000):
                self.seen.append(event)
                if len(self.ids) == self._measurements:
                    return


def test_a_session_is_watched_while_others_fill_it(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    key = make_key()
    watcher = Watcher(service.url, key, "clara")
    watcher.start()
    with Beam(service.url, key) as client:
        result = client.measure(frames, session_id="clara")
    watcher.join(60)
    assert watcher.seen[-1] == result
    rates = [event.heart_rate for event in watcher.seen[:-1] if isinstance(event, Partial)]
    assert [rate for rate in rates if rate is not None]


def test_watching_ends_when_nothing_happens(beam: Beam) -> None:
    assert list(beam.watch("nobody", timeout_ms=200)) == []


def test_a_cut_connection_is_opened_again_and_misses_no_measurement(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    key, port = make_key(), httpx.URL(service.url).port or 0
    with proxied(port) as proxy, Beam(service.url, key) as client:
        watcher = Watcher(f"http://127.0.0.1:{proxy.port}", key, "emil", measurements=2)
        first = client.measure(frames, session_id="emil")
        watcher.start()
        end = time.monotonic() + 30
        while not watcher.ids and time.monotonic() < end:
            time.sleep(0.05)
        with proxy.closed():
            later = [(time_ms + 60_000, frame) for time_ms, frame in frames]
            second = client.measure(later, session_id="emil")
        watcher.join(60)
    assert watcher.ids == [first.measurement_id, second.measurement_id]


def test_the_command_prints_each_event(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    key = make_key()
    with Beam(service.url, key) as client:
        result = client.measure(frames, session_id="frida")
    asked = ["frida", "--url", service.url, "--key", key, "--seconds", "0.5"]
    shown = CliRunner().invoke(command, [*asked, "--json"], catch_exceptions=False)
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [event["id"] for event in events if event["event"] == "measurement"] == [result.measurement_id]
    assert f"Heart rate {result.heart_rate}" in CliRunner().invoke(command, asked).stdout


def test_the_command_says_what_is_wrong_with_a_key(service: Service) -> None:
    failed = CliRunner().invoke(command, ["gina", "--url", service.url, "--key", "wrong"])
    assert failed.exit_code == 1
    assert "key" in failed.output
