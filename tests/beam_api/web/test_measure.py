"""`/api/rppg` through HTTP, sentence by sentence of its contract, on simulated faces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rppg_core.results import HRV_DETAILS
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests import images

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from beam_api.web.context import Parts
    from rppg_core.face.reader import Frame

from tests.beam_api.web.measuring import Post, batches, buffered, code

# --- the window fills, and the measurement


def test_a_face_is_measured_and_the_measurement_is_found_again(
    client: FlaskClient, post: Post, enterprise_key: str, face_frames: list[Frame], parts: Parts
) -> None:
    progress, done = [], None
    for part in batches(face_frames):
        response = post(part, duration_ms=10_000, include_raw="TRUE")
        body = response.get_json()
        if response.status_code == 202:
            assert set(body["data"]) == {
                "status", "session_id", "progress", "frames", "rejected", "restarted", "heart_rate", "hrv", "spo2",
                "stress_index", "respiration_rate", "confidence", "duration_ms", "timestamp", "guidance", "face",
                "partial", "next_frame_in_ms",
            }  # fmt: skip
            assert body["data"]["heart_rate"] is None
            assert set(body["meta"]) == {"api_version", "processing_ms", "request_id", "warnings", "source"}
            assert len(body["data"]["face"]["landmarks"]) == 5
            assert body["data"]["face"]["timestamp_ms"] == pytest.approx(part[-1].time_us / 1000)
            progress.append(body["data"]["progress"])
        else:
            assert done is None
            done = body
    assert done is not None
    assert progress[:4] == sorted(progress[:4])
    assert progress[0] == pytest.approx(33 / 150, abs=0.001)
    data = done["data"]
    assert set(data) == {
        "status", "session_id", "measurement_id", "frames", "rejected", "heart_rate", "hrv", "spo2", "stress_index",
        "respiration_rate", "confidence", "duration_ms", "timestamp", "frame_rate", "quality", "withheld", "interval",
        "guidance", "face", "raw", "verdict", "hrv_details",
    }  # fmt: skip
    assert abs(data["heart_rate"] - 72) <= 2
    assert data["frames"] == 150
    assert data["duration_ms"] == 10_000
    assert data["frame_rate"] == pytest.approx(15, abs=0.01)
    assert set(data["hrv_details"]) == set(HRV_DETAILS)
    details = [f"hrv_details.{name}" for name in HRV_DETAILS]
    assert data["withheld"] | {"spo2": ""} == {
        "hrv": "WINDOW_TOO_SHORT", "stress_index": "WINDOW_TOO_SHORT", "spo2": "",
        "respiration_rate": "WINDOW_TOO_SHORT", **dict.fromkeys(details, "WINDOW_TOO_SHORT"),
    }  # fmt: skip
    assert set(data["quality"]) == {"heart_rate", "hrv", "spo2", "stress_index", "respiration_rate", "snr_db"}
    assert set(data["raw"]) == {"sampling_rate", "ppg", "respiration", "beats_ms"}
    assert data["timestamp"].endswith("Z")
    assert len(data["timestamp"]) == 20
    assert set(done["meta"]) == {
        "api_version",
        "processing_ms",
        "request_id",
        "algorithm",
        "notice",
        "estimates",
        "warnings",
        "source",
    }
    assert done["meta"]["estimates"] == {"spo2": "uncalibrated ratio of ratios"}

    path = f"/api/rppg/measurements/{data['measurement_id']}"
    again = client.get(path, headers={"X-API-Key": enterprise_key})
    assert again.status_code == 200
    assert again.get_json()["data"] == data
    other = client.get(path, headers={"X-API-Key": parts.keys.create("stranger").key})
    assert code(other) == "NOT_FOUND"
    session = client.get("/api/rppg/sessions/default", headers={"X-API-Key": enterprise_key}).get_json()["data"]
    assert session["last_measurement_id"] == data["measurement_id"]
    assert session["frames"] == 16
    stranger = client.get("/api/rppg/sessions/default", headers={"X-API-Key": parts.keys.create("stranger").key})
    assert code(stranger) == "NOT_FOUND"


def test_a_retry_of_the_completing_request_is_answered_again_and_deletion_forgets(
    client: FlaskClient, post: Post, enterprise_key: str, face_frames: list[Frame]
) -> None:
    parts = list(batches(face_frames, 30))
    answers = [post(part, duration_ms=10_000) for part in parts]
    first = answers[4]
    assert first.status_code == 200
    assert "Idempotent-Replayed" not in first.headers
    assert "raw" not in first.get_json()["data"]
    again = post(parts[4][::-1], duration_ms=10_000)
    assert again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json()["data"] == first.get_json()["data"]
    for part in parts[:4]:
        retry = post(part, duration_ms=10_000)
        assert retry.status_code == 202
        assert (retry.get_json()["data"]["frames"], retry.get_json()["data"]["restarted"]) == (16, False)

    headers = {"X-API-Key": enterprise_key}
    assert client.delete("/api/rppg/sessions/default", headers=headers).status_code == 204
    measurement_id = first.get_json()["data"]["measurement_id"]
    assert code(client.get(f"/api/rppg/measurements/{measurement_id}", headers=headers)) == "NOT_FOUND"
    assert code(client.get("/api/rppg/sessions/default", headers=headers)) == "NOT_FOUND"


def test_any_splitting_gives_the_same_vitals(post: Post, face_frames: list[Frame]) -> None:
    found = []
    for session_id, size in (("a", 60), ("b", 25)):
        for part in batches(face_frames, size):
            response = post([*part[::-1], part[0]][:64], duration_ms=10_000, session_id=session_id)
            if response.status_code == 200:
                data = response.get_json()["data"]
                found.append({name: data[name] for name in ("frames", "heart_rate", "spo2", "confidence", "quality")})
    assert len(found) == 2
    assert found[0]["frames"] == found[1]["frames"] == 150
    assert abs(found[0]["heart_rate"] - found[1]["heart_rate"]) <= 1


def test_two_sessions_of_one_key_do_not_mix(client: FlaskClient, post: Post, enterprise_key: str) -> None:
    frames = list(simulate_face(Scene(duration_s=1.0, fps=5.0)).frames(0))
    post(frames[:3], session_id="one")
    post(frames[3:5], session_id="Two.2_-")
    assert [buffered(client, enterprise_key, name) for name in ("one", "Two.2_-", "default")] == [3, 2, 0]


def test_frames_without_timestamps_take_the_servers_time(post: Post) -> None:
    still = images.jpeg(images.still_face())
    frames = [post([still]).get_json()["data"]["frames"] for _ in range(3)]
    assert 2 <= frames[-1] <= 3  # two within a sixtieth of a second count once
    batch = post([still] * 10, fps=10, session_id="batch").get_json()["data"]
    assert batch["frames"] == 10
    assert batch["duration_ms"] == 1000
    more = post([still] * 5, fps=10, session_id="batch").get_json()["data"]
    assert (more["frames"], more["duration_ms"]) == (15, 1500)


def test_stamped_and_unstamped_frames_do_not_share_a_window(
    client: FlaskClient, post: Post, enterprise_key: str
) -> None:
    still = images.jpeg(images.still_face())
    assert post([still], timestamp_ms=[100]).status_code == 202
    assert code(post([still])) == "INVALID_PARAMETER"
    assert buffered(client, enterprise_key) == 1


def test_the_form_and_the_answers_are_in_the_openapi_document(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    operation = document["paths"]["/api/rppg/measure"]["post"]
    assert "multipart/form-data" in operation["requestBody"]["content"]
    assert {"200", "202", "400", "413", "415"} <= set(operation["responses"])
    form = document["components"]["schemas"]["Upload"]["properties"]
    assert set(form) == {
        "frame", "timestamp_ms", "fps", "duration_ms", "stride_ms", "final", "include_raw", "include_series",
        "include_partial", "session_id",
    }  # fmt: skip
    assert form["duration_ms"]["minimum"] == 10_000
    assert json.dumps(document)


def test_a_request_costs_two_round_trips_of_four_commands(post: Post, face_frames, sent_commands) -> None:
    many = batches(face_frames, 15)
    post(next(many))  # its key becomes known
    for request in (next(many), next(many)[:1]):
        sent_commands.clear()
        assert post(request).status_code == 202
        assert sent_commands == [["EVALSHA"] * 3, ["EVALSHA"]]


def test_a_refused_request_takes_no_times_from_frames_to_come(parts, post: Post, face_frames, redis) -> None:
    key = parts.keys.create("o", tier="enterprise", limit_per_minute=1).key
    images = [frame.data for frame in face_frames[:30]]
    assert post(images, key, fps=15).status_code == 202
    (clock,) = redis.scan_iter("*:clock")
    before = redis.get(clock)
    assert post(images, key, fps=15).status_code == 429
    assert redis.get(clock) == before
