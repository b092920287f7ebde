"""`POST /api/rppg/check`: one picture is looked at, and nothing of it is kept."""

import io
from functools import cache

import pytest

from tests import images


@cache
def face():
    return images.jpeg(images.still_face(eyes_px=60.0, frame_size=(480, 440)))


@pytest.fixture
def key(parts):
    return parts.keys.create("tester", tier="enterprise").key


def check(client, key, *frames):
    files = [(io.BytesIO(data), "f.jpg", "image/jpeg") for data in frames]
    return client.post("/api/rppg/check", headers={"X-API-Key": key}, data={"frame": files})


def test_a_face_is_seen_and_nothing_is_kept(client, key, redis):
    answer = check(client, key, face())
    data = answer.get_json()["data"]
    assert answer.status_code == 200
    assert data["guidance"] == []
    assert data["ok"] is True
    assert len(data["face"]["box"]) == 4
    assert not [name for name in redis.scan_iter("beam:*") if b"window" in name or b"face" in name]
    assert client.get("/api/rppg/sessions/default", headers={"X-API-Key": key}).status_code == 404


def test_a_small_face_is_no_error_and_says_what_to_change(client, key):
    data = check(client, key, images.jpeg(images.still_face(eyes_px=22.0, frame_size=(480, 440)))).get_json()["data"]
    assert data["ok"] is False
    assert "FACE_TOO_SMALL" in data["guidance"]


def test_another_face_is_always_looked_for(client, key):
    two = images.jpeg(images.beside(images.still_face(), images.still_face(mirror=True), 0.7))
    data = check(client, key, two).get_json()["data"]
    assert data["ok"] is False
    assert "SEVERAL_FACES" in data["guidance"]


def test_without_a_face_it_is_a_200_as_well(client, key):
    answer = check(client, key, images.jpeg(images.wall()))
    assert answer.status_code == 200
    assert answer.get_json()["data"] == {"ok": False, "face": None, "guidance": answer.get_json()["data"]["guidance"]}


def test_it_counts_as_a_request_and_as_work(client, key):
    first = check(client, key, face())
    second = check(client, key, face())
    remaining = [int(answer.headers["X-RateLimit-Remaining"]) for answer in (first, second)]
    assert remaining[0] - remaining[1] == 1


@pytest.mark.parametrize(
    ("frames", "code"), [(0, "MISSING_FRAME"), (2, "TOO_MANY_FRAMES"), (b"x", "UNSUPPORTED_IMAGE")]
)
def test_it_takes_one_picture(client, key, frames, code):
    answer = (
        check(client, key, *([frames] if isinstance(frames, bytes) else [face()] * frames))
        if frames
        else client.post(
            "/api/rppg/check", headers={"X-API-Key": key}, data={"other": "x"}, content_type="multipart/form-data"
        )
    )
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, code)
