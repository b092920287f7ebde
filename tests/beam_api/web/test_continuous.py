"""Windows that a request closes, windows that slide, and the running rate between measurements, through HTTP."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from beam_api.store.trend import TrendStore
from beam_api.store.window_values import Claim
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from redis import Redis

    from beam_api.web.context import Parts
    from rppg_core.face.reader import Frame

from tests.beam_api.store.people import Person
from tests.beam_api.web.measuring import FPS, START_MS, Post, batches, buffered, code

VITALS = ("heart_rate", "hrv", "spo2", "stress_index", "respiration_rate")


@pytest.fixture(scope="module")
def long_frames() -> list[Frame]:
    """16 s of a face at 72 bpm, 15 frames a second."""
    scene = Scene(duration_s=16.0, fps=FPS, rmssd_ms=20.0, frame_size=(320, 300), eyes_px=42, seed=5)
    return list(simulate_face(scene).frames(round(START_MS * 1000)))


def without(data: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


# --- final


def test_a_final_request_measures_a_window_of_its_real_length(post: Post, long_frames: list[Frame]) -> None:
    parts = list(batches(long_frames[:180], 36))
    for part in parts[:-1]:
        assert post(part, duration_ms=60_000).status_code == 202
    done = post(parts[-1], duration_ms=60_000, final="true")
    assert done.status_code == 200
    data = done.get_json()["data"]
    assert (data["frames"], data["duration_ms"]) == (180, 12_000)
    assert abs(data["heart_rate"] - 72) <= 2
    again = post(parts[-1], duration_ms=60_000, final="true")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json()["data"] == data


def test_a_short_window_gives_no_vital_and_says_why(
    client: FlaskClient, post: Post, enterprise_key: str, long_frames: list[Frame]
) -> None:
    post(long_frames[:45])
    done = post([], final="1")
    assert done.status_code == 200
    data = done.get_json()["data"]
    assert {data[vital] for vital in VITALS} == {None}
    assert {data["withheld"][vital] for vital in VITALS} == {"WINDOW_TOO_SHORT"}
    assert (data["frames"], data["duration_ms"], data["confidence"]) == (45, 3000, 0.0)
    assert data["verdict"] == "retake"
    assert buffered(client, enterprise_key) == 0
    again = post([], final="1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json()["data"] == data
    path = f"/api/rppg/measurements/{data['measurement_id']}"
    assert client.get(path, headers={"X-API-Key": enterprise_key}).get_json()["data"] == data


def test_a_single_frame_may_be_a_window(post: Post, long_frames: list[Frame]) -> None:
    done = post(long_frames[:1], final="true", include_raw="true")
    assert done.status_code == 200
    assert (done.get_json()["data"]["frames"], done.get_json()["data"]["duration_ms"]) == (1, 0)


def test_there_must_be_something_to_close(post: Post, long_frames: list[Frame]) -> None:
    nothing = post([], final="true")
    assert nothing.status_code == 404
    assert code(nothing) == "NOT_FOUND"
    assert code(post([])) == "MISSING_FRAME"
    assert code(post([], final="false")) == "MISSING_FRAME"
    assert code(post([], final="yes")) == "INVALID_PARAMETER"
    post(long_frames[:15], session_id="other")
    assert post([], final="true").status_code == 404


def test_without_a_file_the_form_may_be_url_encoded(
    client: FlaskClient, post: Post, enterprise_key: str, long_frames: list[Frame]
) -> None:
    headers = {"X-API-Key": enterprise_key}
    post(long_frames[:15], session_id="anna")
    assert client.post("/api/rppg/measure", headers=headers, data={"session_id": "anna"}).status_code == 415
    long = {"final": "true", "session_id": "anna", "more": "x" * 9000}
    assert client.post("/api/rppg/measure", headers=headers, data=long).status_code == 415
    done = client.post("/api/rppg/measure", headers=headers, data={"final": "true", "session_id": "anna"})
    assert (done.status_code, done.get_json()["data"]["frames"]) == (200, 15)


def test_a_bad_final_request_closes_nothing(
    client: FlaskClient, post: Post, enterprise_key: str, long_frames: list[Frame]
) -> None:
    post(long_frames[:15])
    assert code(post([b"no picture"], final="true", timestamp_ms=START_MS + 1100)) == "UNSUPPORTED_IMAGE"
    assert buffered(client, enterprise_key) == 15


# --- strides


@pytest.mark.parametrize("stride", ["999", "10001", "300001", "-1", "2.5", "x"])
def test_a_stride_is_at_least_a_second_and_at_most_the_window(
    post: Post, long_frames: list[Frame], stride: str
) -> None:
    refused = post(long_frames[:1], duration_ms=10_000, stride_ms=stride)
    assert code(refused) == "INVALID_PARAMETER"
    assert "stride_ms" in refused.get_json()["error"]["message"]


def test_each_stride_gives_what_a_single_window_of_the_same_frames_gives(
    client: FlaskClient, post: Post, enterprise_key: str, long_frames: list[Frame]
) -> None:
    found = []
    for part in batches(long_frames, 15):
        response = post(part, duration_ms=10_000, stride_ms=2000, session_id="monitor")
        if response.status_code == 200:
            found.append((part[-1], response.get_json()["data"]))
        else:
            assert response.get_json()["data"]["progress"] < 1
    assert len(found) == 4
    assert all("results" not in data for _, data in found)
    about_the_request = {"session_id", "measurement_id", "timestamp", "face"}
    for number, (newest, data) in enumerate(found):
        assert (data["frames"], data["duration_ms"]) == (150, 10_000)
        end = long_frames.index(newest) + 1
        # A face is followed from frame to frame, so the single window has the same ones before it.
        for at in range(0, end, 15):
            if at and at == end - 150:
                post([], session_id=f"single{number}", final="true")
            single = post(long_frames[at : at + 15], duration_ms=10_000, session_id=f"single{number}")
        assert without(data, about_the_request) == without(single.get_json()["data"], about_the_request)


def test_earlier_strides_of_one_request_are_in_results(post: Post, long_frames: list[Frame]) -> None:
    thin = long_frames[::3]  # 5 a second
    post(thin[:45], duration_ms=10_000, stride_ms=1000)
    done = post(thin[45:], duration_ms=10_000, stride_ms=1000)
    data = done.get_json()["data"]
    assert len(data["results"]) == 6
    ids = [one["measurement_id"] for one in (*data["results"], data)]
    assert len(set(ids)) == 7
    assert all(set(one) == set(data) - {"results"} for one in data["results"])
    again = post(thin[45:], duration_ms=10_000, stride_ms=1000)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json()["data"] == data


# --- the running rate


@pytest.mark.parametrize("more", [{}, {"stride_ms": 2000}])
def test_the_running_rate_never_falls_back_while_frames_keep_coming(
    post: Post, long_frames: list[Frame], more: dict[str, int]
) -> None:
    shown, measured = [], 0
    for part in batches(long_frames, 5):
        response = post(part, duration_ms=10_000, **more)
        if response.status_code == 200:
            measured += 1
        else:
            shown.append(response.get_json()["data"]["partial"])
    first = next(i for i, partial in enumerate(shown) if partial)
    assert first <= 16
    assert all(shown[first:])
    assert all(partial["heart_rate"] == pytest.approx(72, abs=4) for partial in shown[first:])
    assert measured == (4 if more else 1)


def test_who_does_not_read_the_running_rate_need_not_pay_for_it(post: Post, long_frames: list[Frame]) -> None:
    parts = list(batches(long_frames[:120], 15))
    answers = [post(part, include_partial=str(part is parts[-1]).lower()).get_json() for part in parts]
    assert [bool(answer["data"]["partial"]) for answer in answers] == [False] * (len(parts) - 1) + [True]
    assert {tuple(answer["meta"]["warnings"]) for answer in answers} == {()}


def test_it_ends_with_the_measurement_that_a_final_request_closed(post: Post, long_frames: list[Frame]) -> None:
    for part in batches(long_frames[:105], 15):
        response = post(part)
    assert response.get_json()["data"]["partial"]
    post([], final="true")
    assert post(long_frames[105:120]).get_json()["data"]["partial"] is None


# --- the course of the rates


def test_the_course_of_the_rates_is_there_if_it_was_asked_for(post: Post, long_frames: list[Frame]) -> None:
    for part in batches(long_frames[:180], 30):
        done = post(part, duration_ms=12_000, include_series=part[0] == long_frames[60])
    series = done.get_json()["data"]["series"]
    assert set(series) == {
        "step_ms", "start_ms", "heart_rate", "heart_rate_low", "heart_rate_high", "respiration_rate",
    }  # fmt: skip
    assert (series["step_ms"], series["start_ms"]) == (1000, START_MS + 5000)
    values = zip(series["heart_rate_low"], series["heart_rate"], series["heart_rate_high"], strict=True)
    known = [(low, rate, high) for low, rate, high in values if rate is not None]
    assert known
    assert len(series["heart_rate"]) == 3
    assert all(low < rate < high and abs(rate - 72) <= 3 for low, rate, high in known)
    assert series["respiration_rate"] == [None] * 3


def test_a_short_window_has_a_course_without_values(post: Post, long_frames: list[Frame]) -> None:
    post(long_frames[:30], include_series="1")
    series = post([], final="1").get_json()["data"]["series"]
    assert (series["heart_rate"], series["respiration_rate"]) == ([], [])


def test_a_failure_of_the_course_costs_nobody_a_measurement(
    post: Post, long_frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_trace: object) -> None:
        raise RuntimeError("as it happens")

    monkeypatch.setattr("rppg_core.course.series.series", fail)
    for part in batches(long_frames[:150], 50):
        done = post(part, duration_ms=10_000, include_series="true")
    assert abs(done.get_json()["data"]["heart_rate"] - 72) <= 2
    assert done.get_json()["data"]["series"]["heart_rate"] == []


# --- the trend


def test_the_trend_holds_what_was_measured_oldest_first_and_is_forgotten_with_the_person(
    client: FlaskClient, post: Post, enterprise_key: str, long_frames: list[Frame], parts: Parts
) -> None:
    headers, path = {"X-API-Key": enterprise_key}, "/api/rppg/sessions/anna/trend"
    assert code(client.get(path, headers=headers)) == "NOT_FOUND"
    post(long_frames[:1], session_id="leo")
    empty = client.get("/api/rppg/sessions/leo/trend", headers=headers)
    assert empty.get_json()["data"] == {"measurements": []}
    found = []
    for part in batches(long_frames, 15):
        response = post(part, duration_ms=10_000, stride_ms=2000, session_id="anna")
        if response.status_code == 200:
            found.append((response.get_json()["data"], part[-1].time_us / 1000))
    trend = client.get(path, headers=headers).get_json()["data"]["measurements"]
    names = ("measurement_id", "timestamp", *VITALS, "confidence", "interval", "verdict")
    assert trend == [{name: data[name] for name in names} | {"at_ms": at_ms} for data, at_ms in found]
    assert client.get(f"{path}?limit=2", headers=headers).get_json()["data"]["measurements"] == trend[-2:]
    stranger = {"X-API-Key": parts.keys.create("stranger").key}
    assert code(client.get(path, headers=stranger)) == "NOT_FOUND"
    assert client.delete("/api/rppg/sessions/anna", headers=headers).status_code == 204
    assert code(client.get(path, headers=headers)) == "NOT_FOUND"


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1.5", "9" * 30, "²", "5&limit=6"])
def test_a_limit_of_the_trend_is_from_1_to_1000(client: FlaskClient, enterprise_key: str, limit: str) -> None:
    refused = client.get(f"/api/rppg/sessions/anna/trend?limit={limit}", headers={"X-API-Key": enterprise_key})
    assert code(refused) == "INVALID_PARAMETER"
    assert "limit" in refused.get_json()["error"]["message"]


def test_of_many_measurements_the_trend_keeps_a_thousand_of_the_last_day(redis: Redis) -> None:
    person, trends = Person(redis), TrendStore(redis)
    now_ms = round(1000 * time.time())
    redis.rpush(person.session.name("trend"), struct.pack(">Q", now_ms - 25 * 3600 * 1000) + b"old")
    for number in range(1003):
        claim = Claim(f"msr_{number}", 1, False, (1, 1), [])
        redis.hset(person.session.name(f"closed:msr_{number}"), mapping={"attempts": 1, "n": 1, "duration": 1})
        assert person.store.save(person.session, claim, b"{}", b"%d" % number) == "saved"
    kept = trends.newest(person.session, 1000, now_ms)
    assert kept == [b"%d" % number for number in range(3, 1003)]
    assert redis.llen(person.session.name("trend")) == 1000
    assert trends.newest(person.session, 1000, now_ms + 25 * 3600 * 1000) == []
