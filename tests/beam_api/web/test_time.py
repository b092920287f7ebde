"""Clocks through HTTP: capture and arrival times, jumps, gaps, batches without times. Small still pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.test import TestResponse

from tests import images
from tests.beam_api.web.measuring import encoded

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from redis import Redis

Send = Callable[..., TestResponse]


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    face = images.still_face(eyes_px=40.0, frame_size=(240, 220))
    return [images.jpeg(face, quality) for quality in (90, 85)]


@pytest.fixture
def send(client: FlaskClient, api_key: str, pictures: list[bytes]) -> Send:
    """Post a picture at each of the times, or `count` of them without any."""

    def post(*times_ms: float | str, count: int = 0, picture: int = 0, **fields: Any) -> TestResponse:
        form: list[tuple[str, Any, str]] = [(name, value, "") for name, value in fields.items()]
        form += [("timestamp_ms", at, "") for at in times_ms]
        form += [("frame", pictures[picture], '; filename="f.jpg"')] * (count or len(times_ms))
        return client.post(
            "/api/rppg/measure",
            headers={"X-API-Key": api_key},
            data=encoded(form),
            content_type="multipart/form-data; boundary=--of-a-test",
        )

    return post


def window(response: TestResponse) -> tuple[int, int, bool]:
    """Frames, covered milliseconds, and whether it began anew."""
    assert response.status_code == 202, response.text
    data = response.get_json()["data"]
    return data["frames"], data["duration_ms"], data["restarted"]


def test_a_time_is_rounded_to_a_microsecond_so_that_a_frame_is_known_again(send: Send) -> None:
    send("1000.0004")
    assert window(send("1000")) == (1, 0, False)
    assert window(send("1e3")) == (1, 0, False)


@pytest.mark.parametrize("epoch_ms", [0, 1_750_000_000_000, 8_999_999_990_000])
def test_any_epoch_will_do(send: Send, epoch_ms: int) -> None:
    assert window(send(*(epoch_ms + 100 * i for i in range(10)))) == (10, 1000, False)


def rejected(response: TestResponse) -> list[tuple[int, str]]:
    return [(frame["index"], frame["code"]) for frame in response.get_json()["data"]["rejected"]]


def test_a_frame_within_a_millisecond_of_another_is_rejected_alone(send: Send) -> None:
    answer = send("1000", "1000.4", "1033")
    assert (window(answer)[0], rejected(answer)) == (2, [(1, "DUPLICATE_TIMESTAMP")])
    answer = send("1033.4", "1066", picture=1)
    assert (window(answer)[0], rejected(answer)) == (3, [(0, "DUPLICATE_TIMESTAMP")])


def test_a_coarse_clock_keeps_the_first_of_each_step_and_warns(send: Send) -> None:
    for second in range(3):
        answer = send(*(1000 * second + i // 3 * 100 for i in range(30)), picture=second % 2)
        assert window(answer) == (10 * second + 10, 1000 * second + 1000, False)
    # All frames are the same picture here, so the same time and picture count once and nothing is rejected.
    assert rejected(answer) == []


@pytest.mark.parametrize("epoch_s", [0.0, 1_750_000_000.0])
def test_seconds_are_refused_and_microseconds_warned_of(send: Send, epoch_s: float) -> None:
    refused = send(*(f"{epoch_s + i / 30:.6f}" for i in range(10)))
    assert refused.status_code == 400
    assert "milliseconds" in refused.get_json()["error"]["message"]
    (warning,) = send(*(f"{33_333 * i}" for i in range(10))).get_json()["meta"]["warnings"]
    assert "microseconds" in warning


def test_unused_fields_and_query_parameters_are_named(send: Send, client: FlaskClient) -> None:
    assert send(0, 100).get_json()["meta"]["warnings"] == []
    (warning,) = send(200, 300, sesion_id="x").get_json()["meta"]["warnings"]
    assert "`sesion_id`" in warning
    assert "`session_id`" in warning


def test_a_clock_that_jumps_ahead_begins_a_window_anew(send: Send) -> None:
    send(0, 1000, 2000)
    assert window(send(3_600_000)) == (1, 0, True)
    assert window(send(3_601_000)) == (2, 2000, False)


def test_a_clock_that_jumps_back_begins_a_window_anew_and_by_less_than_five_seconds_does_not(send: Send) -> None:
    send(1_000_000, 1_001_000)
    assert window(send(996_000)) == (3, 7500, False)
    assert window(send(500_000)) == (1, 0, True)
    assert window(send(501_000)) == (2, 2000, False)


def test_a_request_that_spans_a_jump_leaves_one_of_its_two_times_and_the_next_goes_on(send: Send) -> None:
    send(100, 200)
    assert window(send(300, 400, 3_600_000, 3_600_100)) == (2, 200, True)
    assert window(send(3_600_200)) == (3, 300, False)


def test_a_clock_that_drifts_against_the_servers_is_no_matter(send: Send) -> None:
    """30 s of a clock that runs at half the speed, in no time at all."""
    for second in range(4):
        response = send(*(1000 * second + 50 * i for i in range(20)))
    assert window(response) == (80, 4000, False)


def test_gaps_of_up_to_five_seconds_stay_gaps(send: Send) -> None:
    send(0, duration_ms=20_000)
    assert window(send(5000)) == (2, 10_000, False)
    assert window(send(10_000.001)) == (1, 0, True)


def test_a_buffered_time_with_another_picture_is_rejected_and_a_run_of_them_is_a_restart(send: Send) -> None:
    send(0, 1000, 2000)
    answer = send(1000, picture=1)
    assert (window(answer)[0], window(answer)[2], rejected(answer)) == (3, False, [(0, "DUPLICATE_TIMESTAMP")])
    assert window(send(0, 1000, 2000, 2500, picture=1)) == (4, 3500, True)


def test_late_frames_take_their_places_and_may_complete_the_window(send: Send) -> None:
    send(4000, 6000, duration_ms=10_000)
    send(0)
    assert window(send(2000))[0] == 4
    done = send(8000)
    assert done.status_code == 200
    assert done.get_json()["data"]["frames"] == 5
    assert window(send(7000, picture=1))[0] == 0  # a straggler
    again = send(8000)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json()["data"] == done.get_json()["data"]


def test_the_completing_request_is_answered_again_even_after_the_clock_has_restarted(send: Send) -> None:
    send(100_000, 104_000, duration_ms=10_000)
    done = send(108_000)
    assert done.status_code == 200
    assert window(send(1000)) == (1, 0, True)
    assert send(108_000).get_json()["data"] == done.get_json()["data"]
    assert window(send(2000))[0] == 2


def test_batches_without_times_go_on_from_each_other_while_that_agrees_with_the_clock(send: Send) -> None:
    assert window(send(count=10, fps=20)) == (10, 500, False)
    assert window(send(count=10, fps=20)) == (20, 1000, False)
    time.sleep(0.5)
    frames, covered_ms, restarted = window(send(count=10, fps=20))
    assert (frames, restarted) == (30, False)
    assert covered_ms == pytest.approx(1500, abs=2)


def test_batches_without_times_that_come_too_late_end_now(send: Send, redis: Redis) -> None:
    send(count=10, fps=20)
    time.sleep(1.6)
    frames, covered_ms, restarted = window(send(count=10, fps=20))
    assert (frames, restarted) == (20, False)
    assert covered_ms >= 1600
    assert covered_ms != pytest.approx(1000, abs=100)


def test_single_frames_without_times_take_those_of_their_arrival(send: Send) -> None:
    send(count=1)
    time.sleep(0.4)
    frames, covered_ms, _ = window(send(count=1))
    assert frames == 2
    assert 800 <= covered_ms < 5000  # the interval stands for the last frame too


def test_a_window_that_stalls_is_forgotten_with_all_its_state(
    send: Send, client: FlaskClient, api_key: str, redis: Redis
) -> None:
    send(0, 1000)
    names = [name for name in redis.scan_iter("*:default}:*") if b":seen" not in name]
    assert len(names) >= 4
    for name in names:
        assert 0 < redis.pttl(name) <= 120_000
        redis.delete(name)  # as its end of life does
    headers = {"X-API-Key": api_key}
    assert client.get("/api/rppg/sessions/default", headers=headers).status_code == 404
    assert window(send(2000)) == (1, 0, False)
