"""`/api/rppg` on real bad input: its code, and nothing is lost."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from rppg_core.face.reader import Frame
from tests import images

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from redis import Redis


from tests.beam_api.web.measuring import Post, buffered, code

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
