"""A client that waits as asked stays inside its limit, and its frames have no aliases."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from beam_api import Settings, create_app
from beam_api.services.access.keys import TIERS
from beam_api.services.windows.pacing import Allowance, follows, interval_ms, mean_interval_ms, within
from beam_api.store.window_values import Session
from rppg_core.trace.aliasing import alias_strength, is_evenly_slow
from tests import images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from flask.testing import FlaskClient
    from redis import Redis
    from werkzeug.test import TestResponse

    from beam_api.web.context import Parts
    from rppg_core.face.reader import FaceReader


def moments(
    limit: int, seconds: float, *, name: str = "a", sessions: int = 1, latency: tuple[float, float] = (0.0, 0.0)
) -> list[float]:
    """When a client that follows sends its frames, in seconds; latency is that of the network: mean and spread."""
    rng = np.random.default_rng(1)
    mean_ms, session = mean_interval_ms(limit, sessions), Session("key", name)
    at, sent = 0.0, [0.0]
    while at < seconds:
        delay = max(0.0, rng.normal(*latency)) if any(latency) else 0.0
        at += interval_ms(session, len(sent), mean_ms) / 1000 + delay
        sent.append(at)
    return sent


def most_in_a_minute(sent: list[float]) -> int:
    ordered = np.sort(sent)
    return int((np.searchsorted(ordered, ordered + 60, side="left") - np.arange(len(ordered))).max())


@pytest.mark.parametrize("limit", [10, *sorted(TIERS.values())])
@pytest.mark.parametrize("sessions", [1, 2, 5])
def test_clients_that_follow_stay_inside_the_limit_of_their_key(limit: int, sessions: int) -> None:
    sent = [at for i in range(sessions) for at in moments(limit, 200, name=f"p{i}", sessions=sessions)]
    assert most_in_a_minute(sent) <= 0.9 * limit + 2 * sessions
    if limit >= 60:
        assert most_in_a_minute(sent) <= limit


def test_a_sandbox_key_gives_one_and_a_half_frames_a_second() -> None:
    assert len(moments(100, 600)) / 600 == pytest.approx(1.5, abs=0.02)


@pytest.mark.parametrize(("limit", "expected_hz"), [(1000, 15.0), (10_000, 30.0), (1_000_000, 30.0)])
def test_a_large_key_gives_fifteen_to_thirty_frames_a_second(limit: int, expected_hz: float) -> None:
    sent = moments(limit, 60)
    assert len(sent) / 60 == pytest.approx(expected_hz, rel=0.02)
    assert max(np.diff(sent)) < 0.11


@pytest.mark.parametrize("latency", [(0.0, 0.0), (0.03, 0.005), (0.15, 0.05)])
@pytest.mark.parametrize(("limit", "sessions"), [(60, 1), (100, 1), (100, 2), (1000, 4)])
def test_frames_of_a_client_that_follows_have_no_aliases(
    limit: int, sessions: int, latency: tuple[float, float]
) -> None:
    strengths = []
    for person in range(20):
        sent = np.array(moments(limit, 30, name=f"p{person}", sessions=sessions, latency=latency))
        assert not is_evenly_slow(sent)
        assert not is_evenly_slow(sent[-32:])
        strengths.append(alias_strength(sent) * len(sent))
    # By chance alone, the strongest of some 200 independent distances is ln(200) times the mean of 1 / n.
    assert np.median(strengths) < 9


@pytest.mark.parametrize("sessions", range(1, 7))
def test_no_interval_ends_a_window_by_its_silence(sessions: int) -> None:
    assert max(np.diff(moments(100, 600, sessions=sessions))) < 4.5


def test_intervals_are_never_negative() -> None:
    intervals = [interval_ms(Session("key", str(i)), n, 667.0) for i in range(20) for n in range(1, 200)]
    assert min(intervals) >= 0


def test_two_people_are_not_in_step() -> None:
    assert interval_ms(Session("key", "a"), 5, 667) != interval_ms(Session("key", "b"), 5, 667)


def test_other_calls_with_the_key_slow_the_frames_down() -> None:
    assert within(Allowance(100, 40, 100), 600) == 600
    assert 600 < within(Allowance(100, 3, 100), 600) < 1200
    assert within(Allowance(100, 0, 100), 600) == 1200
    assert within(Allowance(100, 0, 9000), 600) == 9000


def test_a_client_follows_if_it_is_about_as_fast_as_it_was_asked() -> None:
    assert follows(1.2, 667)
    assert not follows(3.0, 33)


# --- through HTTP


@pytest.fixture(scope="module")
def still() -> bytes:
    return images.jpeg(images.still_face(eyes_px=40.0, frame_size=(240, 220)))


class Camera:
    """A client that posts the same picture at the capture times it is given."""

    def __init__(self, client: FlaskClient, key: str, still: bytes) -> None:
        self.client, self.key, self.still = client, key, still

    def post(self, *times_ms: float, session_id: str = "default") -> TestResponse:
        data = {
            "timestamp_ms": [repr(float(at)) for at in times_ms],
            "session_id": session_id,
            "frame": [(io.BytesIO(self.still), "frame.jpg") for _ in times_ms],
        }
        return self.client.post("/api/rppg/measure", headers={"X-API-Key": self.key}, data=data)

    def pause_ms(self, *times_ms: float, session_id: str = "default") -> int | None:
        answer = self.post(*times_ms, session_id=session_id)
        assert answer.status_code == 202, answer.text
        value = answer.get_json()["data"]["next_frame_in_ms"]
        assert value is None or (isinstance(value, int) and value >= 0)
        return value


@pytest.fixture
def camera(client: FlaskClient, api_key: str, still: bytes) -> Camera:
    return Camera(client, api_key, still)


def test_a_single_frame_reports_when_the_next_is_due_and_a_batch_is_not(camera: Camera) -> None:
    assert camera.pause_ms(1000.0) is not None
    assert camera.pause_ms(1100.0, 1200.0) is None
    session = camera.client.get("/api/rppg/sessions/default", headers={"X-API-Key": camera.key}).get_json()["data"]
    assert session["next_frame_in_ms"] is None


def test_every_process_states_the_same_and_its_own_time_is_taken_off(
    camera: Camera, settings: Settings, redis: Redis, reader: FaceReader
) -> None:
    other = Camera(create_app(settings, redis=redis, reader=reader).test_client(), camera.key, camera.still)
    at, key_id = 1000.0, camera.key.removeprefix("beam_sk_")[:16]
    for frames in range(1, 8):
        before = time.perf_counter()
        pause = (camera, other)[frames % 2].pause_ms(at)
        spent_ms = 1000 * (time.perf_counter() - before)
        planned = interval_ms(Session(key_id, "default"), frames, mean_interval_ms(100, 1))
        assert pause is not None
        assert max(0.0, planned - spent_ms) <= pause <= planned + 1
        at += 1 + planned


def test_sessions_share_the_limit_of_their_key(camera: Camera) -> None:
    pauses = {name: [] for name in ("a", "b", "c")}
    for i in range(12):
        for name, intervals in pauses.items():
            intervals.append(camera.pause_ms(1000.0 + 2000 * i, session_id=name))
    later = [value for intervals in pauses.values() for value in intervals[1:]]
    assert np.mean(later) == pytest.approx(2000, rel=0.15)


def test_a_late_frame_gets_the_mean(camera: Camera) -> None:
    camera.pause_ms(1000.0)
    camera.pause_ms(4000.0)
    for at in (2000.0, 2500.0, 1500.0):
        before = time.perf_counter()
        interval = camera.pause_ms(at)
        spent_ms = 1000 * (time.perf_counter() - before)  # what the request took is subtracted, however long that was
        assert interval is not None
        assert max(0.0, 666 - spent_ms) <= interval <= 667


def test_a_key_whose_places_are_taken_is_asked_to_wait_until_one_is_free(camera: Camera) -> None:
    for _ in range(99):
        camera.client.get("/api/rppg/sessions/nobody", headers={"X-API-Key": camera.key})
    pause = camera.pause_ms(1000.0)
    assert pause is not None
    assert pause > 20_000


def paced(pauses: list[float]) -> Iterator[float]:
    at = 1_000_000.0
    for interval in pauses:
        yield at
        at += interval


def test_even_slow_frames_are_called_so_and_frames_at_the_requested_pace_are_not_even_called_slow(
    camera: Camera,
) -> None:
    delays = np.random.default_rng(0).normal(0, 4, 20)
    for at, delay in zip(paced([625.0] * 20), delays, strict=True):
        answer = camera.post(at + delay, session_id="even").get_json()["data"]
    assert {"EVENLY_SLOW_FRAMES", "LOW_FRAME_RATE"} <= set(answer["guidance"])
    at = 1_000_000.0
    for _ in range(20):
        data = camera.post(at, session_id="uneven").get_json()["data"]
        assert "EVENLY_SLOW_FRAMES" not in data["guidance"]
        at += data["next_frame_in_ms"] + 20
    assert not {"EVENLY_SLOW_FRAMES", "LOW_FRAME_RATE"} & set(data["guidance"])


def test_even_slow_frames_are_called_so_in_batches_too(camera: Camera) -> None:
    for i in range(5):
        answer = camera.post(*(1_000_000.0 + 250 * (4 * i + k) for k in range(4))).get_json()["data"]
    assert "EVENLY_SLOW_FRAMES" in answer["guidance"]


def test_a_key_with_room_whose_frames_are_slow_is_reported(app: Flask, parts: Parts, still: bytes) -> None:
    fast = Camera(app.test_client(), parts.keys.create("tester", tier="enterprise").key, still)
    intervals = np.random.default_rng(5).uniform(150, 900, 20)
    for at in paced(list(intervals)):
        answer = fast.post(at).get_json()["data"]
    assert "LOW_FRAME_RATE" in answer["guidance"]
