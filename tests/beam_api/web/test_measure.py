"""`/api/rppg` through HTTP, sentence by sentence of its contract, on simulated faces and real bad input."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.test import TestResponse

from beam_api.services import measuring
from rppg_core.face.reader import Frame
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests import images

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from redis import Redis

    from beam_api.web.context import Parts

START_MS = 1_750_000_000_000.0
FPS = 15.0

Post = Callable[..., TestResponse]


@pytest.fixture(scope="session")
def face_frames() -> list[Frame]:
    """166 frames of a face at 72 bpm, 15 a second."""
    return list(simulate_face(Scene(duration_s=11.0, fps=FPS, seed=5)).frames(round(START_MS * 1000)))


@pytest.fixture
def enterprise_key(parts: Parts) -> str:
    return parts.keys.create("tester", tier="enterprise").key


@pytest.fixture
def post(client: FlaskClient, enterprise_key: str) -> Post:
    def send(frames: list[Frame] | list[bytes], key: str = enterprise_key, **fields: Any) -> TestResponse:
        parts = [
            (name, v, "") for name, value in fields.items() for v in (value if isinstance(value, list) else [value])
        ]
        if frames and isinstance(frames[0], Frame):
            parts += [("timestamp_ms", repr(frame.time_us / 1000), "") for frame in frames]
        parts += [("frame", f.data if isinstance(f, Frame) else f, '; filename="frame.jpg"') for f in frames]
        return client.post(
            "/api/rppg/measure",
            headers={"X-API-Key": key},
            data=encoded(parts),
            content_type="multipart/form-data; boundary=--of-a-test",
        )

    return send


def encoded(parts: list[tuple[str, Any, str]]) -> bytes:
    """A form body. Werkzeug's own would put large files into temporary ones."""
    out = b""
    for name, value, more in parts:
        content = value if isinstance(value, bytes) else str(value).encode()
        out += (
            f'----of-a-test\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"
        )
    return out + b"----of-a-test--\r\n"


def batches(frames: list[Frame], size: int = 33) -> Iterator[list[Frame]]:
    return (frames[at : at + size] for at in range(0, len(frames), size))


def code(response: TestResponse) -> str:
    body = response.get_json()
    assert body["success"] is False
    assert body["error"]["status"] == response.status_code
    assert body["error"]["request_id"] == response.headers["X-Request-Id"]
    assert not any(word in response.text for word in ("Traceback", ".py", "/home", "redis"))
    return body["error"]["code"]


def buffered(client: FlaskClient, key: str, session_id: str = "default") -> int:
    response = client.get(f"/api/rppg/sessions/{session_id}", headers={"X-API-Key": key})
    return response.get_json()["data"]["frames"] if response.status_code == 200 else 0


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
            assert set(body["meta"]) == {"api_version", "processing_ms", "request_id", "warnings"}
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
        "guidance", "face", "raw",
    }  # fmt: skip
    assert abs(data["heart_rate"] - 72) <= 2
    assert data["frames"] == 150
    assert data["duration_ms"] == 10_000
    assert data["frame_rate"] == pytest.approx(15, abs=0.01)
    assert data["withheld"] | {"spo2": ""} == {
        "hrv": "WINDOW_TOO_SHORT", "stress_index": "WINDOW_TOO_SHORT", "spo2": "",
        "respiration_rate": "WINDOW_TOO_SHORT",
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


# --- the analyst fails


class Failing:
    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, trace: Any) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise ArithmeticError("a bug")
        from rppg_core import measure

        return measure(trace)


def fail(app: Flask, times: int) -> None:
    app.extensions["beam_api"].measuring._analyse = Failing(times)


def test_a_failed_analysis_is_a_500_and_the_retry_gets_the_measurement(
    app: Flask, post: Post, face_frames: list[Frame]
) -> None:
    fail(app, times=1)
    parts = list(batches(face_frames, 64))
    for part in parts[:2]:
        post(part, duration_ms=10_000)
    assert code(post(parts[2], duration_ms=10_000)) == "INTERNAL_ERROR"
    retry = post(parts[2], duration_ms=10_000)
    assert retry.status_code == 200
    assert "Idempotent-Replayed" not in retry.headers
    assert abs(retry.get_json()["data"]["heart_rate"] - 72) <= 2


def test_a_window_that_always_fails_ends_without_vitals_and_does_not_block_its_session(
    app: Flask, post: Post, face_frames: list[Frame]
) -> None:
    fail(app, times=99)
    parts = list(batches(face_frames, 64))
    answers = [post(part, duration_ms=10_000) for part in [*parts, parts[2], parts[2], parts[2]]]
    assert [answer.status_code for answer in answers] == [202, 202, 500, 500, 200, 200]
    data = answers[4].get_json()["data"]
    assert data["heart_rate"] is None
    assert set(data["withheld"].values()) == {"NOT_MEASURED"}
    assert answers[5].headers["Idempotent-Replayed"] == "true"


def test_a_retry_during_analysis_waits_and_then_says_progress_1(
    monkeypatch: pytest.MonkeyPatch, app: Flask, post: Post, face_frames: list[Frame]
) -> None:
    """The analyst dies as if killed: with its claim held."""
    monkeypatch.setattr(measuring, "PATIENCE_S", 0.1)
    use_case = app.extensions["beam_api"].measuring
    parts = list(batches(face_frames, 64))
    for part in parts[:2]:
        post(part, duration_ms=10_000)
    with monkeypatch.context() as killed:
        killed.setattr(use_case, "_complete", Failing(1))
        assert post(parts[2], duration_ms=10_000).status_code == 500
    waiting = post(parts[2], duration_ms=10_000)
    assert waiting.status_code == 202
    assert waiting.get_json()["data"]["progress"] == 1.0
    redis: Redis = app.extensions["beam_api"].redis
    (closed,) = [name for name in redis.scan_iter("*:closed:msr_*") if not name.endswith(b":samples")]
    redis.hset(closed, "lease", 1)
    later = Frame(face_frames[-1].time_us + 66_667, images.jpeg(images.still_face()))
    taken_over = post([later], duration_ms=10_000)
    assert taken_over.status_code == 200
    assert abs(taken_over.get_json()["data"]["heart_rate"] - 72) <= 2
    assert "Idempotent-Replayed" not in taken_over.headers
    for part in (parts[2], [later]):
        assert post(part, duration_ms=10_000).headers["Idempotent-Replayed"] == "true"


# --- bad input: a code each, and nothing lost


@cache
def bad_requests() -> dict[str, tuple[str, list[bytes], dict[str, Any]]]:
    face = images.still_face()
    good, small = images.jpeg(face), images.still_face(eyes_px=9.0)
    return {
        "no frame": ("MISSING_FRAME", [], {}),
        "an empty file": ("MISSING_FRAME", [b""], {}),
        "a text file named .jpg": ("UNSUPPORTED_IMAGE", [b"hello, I am a picture"], {}),
        "a gif": ("UNSUPPORTED_IMAGE", [b"GIF89a" + bytes(100)], {}),
        "a grey picture": ("UNSUPPORTED_IMAGE", [images.grey_jpeg(face)], {}),
        "a truncated jpeg": ("INVALID_IMAGE", [good[: len(good) // 2]], {}),
        "a header of 30000 x 30000": ("INVALID_IMAGE", [images.huge_header()], {}),
        "a wall": ("NO_FACE_DETECTED", [images.jpeg(images.wall())], {}),
        "a tiny face": ("NO_FACE_DETECTED", [images.jpeg(small)], {}),
        "too short a window": ("INVALID_PARAMETER", [good], {"duration_ms": 9999}),
        "too long a window": ("INVALID_PARAMETER", [good], {"duration_ms": 300_001}),
        "a window of letters": ("INVALID_PARAMETER", [good], {"duration_ms": "abc"}),
        "a window with a fraction": ("INVALID_PARAMETER", [good], {"duration_ms": "30000.0"}),
        "a strange session": ("INVALID_PARAMETER", [good], {"session_id": "../etc"}),
        "a session with a line end": ("INVALID_PARAMETER", [good], {"session_id": "a\n"}),
        "an empty session": ("INVALID_PARAMETER", [good], {"session_id": ""}),
        "a time that is none": ("INVALID_PARAMETER", [good], {"timestamp_ms": "NaN"}),
        "an infinite time": ("INVALID_PARAMETER", [good], {"timestamp_ms": "1e309"}),
        "a negative time": ("INVALID_PARAMETER", [good], {"timestamp_ms": "-1"}),
        "a time beyond all": ("INVALID_PARAMETER", [good], {"timestamp_ms": "9000000000001"}),
        "a rate of 241": ("INVALID_PARAMETER", [good], {"fps": 241}),
        "a rate of 0": ("INVALID_PARAMETER", [good], {"fps": 0}),
        "a flag that is none": ("INVALID_PARAMETER", [good], {"include_raw": "yes"}),
        "one time for two frames": ("INVALID_PARAMETER", [good, good], {"timestamp_ms": [1.0]}),
        "seconds for milliseconds": ("INVALID_PARAMETER", [good] * 3, {"timestamp_ms": [1.0, 1.033, 1.066]}),
        "two frames and no time": ("MISSING_TIMESTAMPS", [good, good], {}),
        "65 frames": ("TOO_MANY_FRAMES", [good] * 65, {"fps": 30}),
        "a frame of 9 MB": ("PAYLOAD_TOO_LARGE", [bytes(9 * 1024 * 1024)], {}),
        "35 MB of frames": ("PAYLOAD_TOO_LARGE", [bytes(7 * 1024 * 1024)] * 5, {"fps": 30}),
    }


@pytest.mark.parametrize("case", bad_requests())
def test_bad_input_has_its_code_and_loses_nothing(
    client: FlaskClient, post: Post, enterprise_key: str, redis: Redis, case: str
) -> None:
    expected, pictures, fields = bad_requests()[case]
    now_ms = redis.time()[0] * 1000
    stamped = "timestamp_ms" in fields
    still = bad_requests()["too short a window"][1][0]
    if stamped:
        post([still], timestamp_ms=[now_ms])
    else:
        post([still])
    response = post(pictures, **fields)
    assert code(response) == expected
    assert response.status_code == (413 if expected == "PAYLOAD_TOO_LARGE" else 400)
    assert buffered(client, enterprise_key) == 1
    if expected == "INVALID_PARAMETER":
        name = next(iter(fields))
        assert f"'{name}'" in response.get_json()["error"]["message"]
    if case == "a tiny face":
        assert response.get_json()["error"]["guidance"]


def test_a_wall_in_a_session_that_follows_a_face_is_refused(
    client: FlaskClient, post: Post, enterprise_key: str, face_frames: list[Frame]
) -> None:
    post(face_frames[:3])
    wall = Frame(face_frames[3].time_us, images.jpeg(images.wall()))
    assert code(post([wall])) == "NO_FACE_DETECTED"
    mixed = post([wall, *face_frames[4:7]])
    assert mixed.status_code == 202
    assert mixed.get_json()["data"]["rejected"] == [{"index": 0, "code": "NO_FACE_DETECTED"}]
    assert "NO_FACE" in mixed.get_json()["data"]["guidance"]
    assert buffered(client, enterprise_key) == 6


def test_a_picture_turned_by_its_exif_tag_and_one_in_four_inks_are_faces(post: Post) -> None:
    face = images.still_face()
    turned = images.with_orientation(images.jpeg(images.as_stored(face, 6)), 6)
    for picture in (turned, images.cmyk_jpeg(face), images.png(face)):
        assert post([picture], session_id="any").status_code == 202


@pytest.mark.parametrize(("key", "expected"), [(None, "MISSING_API_KEY"), ("beam_sk_unknown", "INVALID_API_KEY")])
def test_without_a_valid_key_nothing_else_is_looked_at(client: FlaskClient, key: str | None, expected: str) -> None:
    response = client.post("/api/rppg/measure", headers={"X-API-Key": key} if key else {}, data=b"no form")
    assert response.status_code == 401
    assert code(response) == expected


def test_another_content_type_is_415(client: FlaskClient, enterprise_key: str) -> None:
    for content_type in ("application/json", "image/jpeg", ""):
        response = client.post(
            "/api/rppg/measure", headers={"X-API-Key": enterprise_key}, data=b"{}", content_type=content_type
        )
        assert response.status_code == 415
        assert code(response) == "UNSUPPORTED_MEDIA_TYPE"


def test_the_form_and_the_answers_are_in_the_openapi_document(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    operation = document["paths"]["/api/rppg/measure"]["post"]
    assert "multipart/form-data" in operation["requestBody"]["content"]
    assert {"200", "202", "400", "413", "415"} <= set(operation["responses"])
    form = document["components"]["schemas"]["Upload"]["properties"]
    assert set(form) == {"frame", "timestamp_ms", "fps", "duration_ms", "include_raw", "session_id"}
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
