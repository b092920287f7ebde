"""`POST /api/rppg/samples` through HTTP: the same answers as for the frames that the samples were made of."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rppg_core.face.exchange import N_COLOURS
from tests.beam_api.web.measuring import Post, batches, buffered, code
from tests.beam_api.web.sampling import Rows, read_rows, send

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from redis import Redis

    from rppg_core.face.reader import FaceReader, Frame


@pytest.fixture(scope="module")
def rows(reader: FaceReader, face_frames: list[Frame]) -> list[Rows]:
    return read_rows(reader, list(batches(face_frames)))


@pytest.fixture(scope="module")
def flat(rows: list[Rows]) -> Rows:
    return [row for part in rows for row in part]


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    moment = ("timestamp", "measurement_id", "session_id", "partial", "next_frame_in_ms")
    return {name: value for name, value in answer["data"].items() if name not in moment}


def test_samples_of_our_own_reader_are_answered_as_their_frames_are_to_the_digit(
    client: FlaskClient, post: Post, enterprise_key: str, face_frames: list[Frame], rows: list[Rows]
) -> None:
    done = 0
    for frames, part in zip(batches(face_frames), rows, strict=True):
        images = post(frames, duration_ms=10_000, include_raw="true")
        colours = send(
            client, enterprise_key, part, packed=True, duration_ms=10_000, include_raw=True, session_id="colours"
        )
        assert colours.status_code == images.status_code
        assert comparable(colours.get_json()) == comparable(images.get_json())
        first, second = (answer.get_json()["data"].get("partial") for answer in (images, colours))
        assert first == second
        assert images.get_json()["meta"]["source"] == "images"
        assert colours.get_json()["meta"].pop("source") == "samples"
        assert set(colours.get_json()["meta"]) == set(images.get_json()["meta"])
        done += colours.status_code == 200
    assert done == 1
    last = client.get("/api/rppg/sessions/colours", headers={"X-API-Key": enterprise_key}).get_json()["data"]
    path = f"/api/rppg/measurements/{last['last_measurement_id']}"
    assert client.get(path, headers={"X-API-Key": enterprise_key}).get_json()["meta"]["source"] == "samples"


def test_lists_of_colours_are_read_as_base64_is(client: FlaskClient, enterprise_key: str, flat: Rows) -> None:
    levels = np.frombuffer(base64.b64decode(flat[0]["colours"]), "<u2").reshape(-1, 3)
    listed = [None if (region == 0xFFFF).all() else [level / 256 for level in region.tolist()] for region in levels]
    assert send(client, enterprise_key, flat[:3]).status_code == 202
    again = send(client, enterprise_key, [{**flat[0], "colours": listed}, *flat[1:3]]).get_json()["data"]
    assert (again["frames"], again["rejected"]) == (3, [])


def test_a_request_sent_again_counts_once_and_the_completing_one_is_replayed(
    client: FlaskClient, enterprise_key: str, flat: Rows
) -> None:
    first = send(client, enterprise_key, flat[:100], duration_ms=10_000)
    assert first.get_json()["data"]["frames"] == 100
    again = send(client, enterprise_key, flat[99::-1], packed=True, duration_ms=10_000)
    assert again.get_json()["data"]["frames"] == 100
    done = send(client, enterprise_key, flat[100:], duration_ms=10_000)
    assert done.status_code == 200
    replay = send(client, enterprise_key, flat[100:], packed=True, duration_ms=10_000)
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert replay.get_json()["data"] == done.get_json()["data"]
    assert replay.get_json()["meta"]["source"] == "samples"


def test_256_samples_are_one_step(client: FlaskClient, enterprise_key: str, flat: Rows) -> None:
    many = [{**flat[i % len(flat)], "timestamp_ms": 1e12 + 40 * i} for i in range(257)]
    assert code(send(client, enterprise_key, many)) == "TOO_MANY_FRAMES"
    assert buffered(client, enterprise_key) == 0
    assert send(client, enterprise_key, many[:256]).get_json()["data"]["frames"] == 256
    assert send(client, enterprise_key, many[256:]).get_json()["data"]["frames"] == 257


def test_a_window_takes_images_or_samples_and_keeps_what_it_held(
    client: FlaskClient, post: Post, enterprise_key: str, face_frames: list[Frame], flat: Rows
) -> None:
    assert post(face_frames[:3]).status_code == 202
    refused = send(client, enterprise_key, flat[3:6])
    assert code(refused) == "INVALID_PARAMETER"
    assert "samples" in refused.get_json()["error"]["message"]
    assert buffered(client, enterprise_key) == 3
    assert send(client, enterprise_key, flat[:4], session_id="b").status_code == 202
    refused = post(face_frames[4:6], session_id="b")
    assert code(refused) == "INVALID_PARAMETER"
    assert "images" not in refused.get_json()["error"]["message"].split("holds")[1]
    assert buffered(client, enterprise_key, "b") == 4


def test_an_unseen_face_is_rejected_as_in_a_frame_and_the_rest_is_taken(
    client: FlaskClient, enterprise_key: str, flat: Rows
) -> None:
    unseen = {**flat[1], "colours": [None] * N_COLOURS}
    taken = send(client, enterprise_key, [flat[0], unseen, flat[2]]).get_json()["data"]
    assert taken["frames"] == 2
    assert taken["rejected"] == [{"index": 1, "code": "NO_FACE_DETECTED"}]
    assert "NO_FACE" in taken["guidance"]
    alone = send(client, enterprise_key, [{**unseen, "timestamp_ms": flat[3]["timestamp_ms"]}])
    assert code(alone) == "NO_FACE_DETECTED"
    assert buffered(client, enterprise_key) == 2


def test_the_face_of_the_newest_sample_is_answered_and_none_is_made_up(
    client: FlaskClient, enterprise_key: str, flat: Rows
) -> None:
    bare = [{name: value for name, value in row.items() if name != "face"} for row in flat[:4]]
    assert send(client, enterprise_key, bare, session_id="bare").get_json()["data"]["face"] is None
    with_box = send(client, enterprise_key, [*bare[:1], flat[3], bare[1]]).get_json()["data"]["face"]
    assert with_box["timestamp_ms"] == flat[3]["timestamp_ms"]
    without = {**flat[3], "face": {"landmarks": flat[3]["face"]["landmarks"]}}
    assert send(client, enterprise_key, [without], session_id="c").get_json()["data"]["face"] == with_box


def test_a_face_of_images_is_none_of_samples(
    client: FlaskClient, post: Post, enterprise_key: str, face_frames: list[Frame], flat: Rows, redis: Redis
) -> None:
    assert post(face_frames[:3]).get_json()["data"]["face"]
    (window,) = redis.scan_iter("*:default}:window")
    redis.hset(window, "at", 0)  # it has been silent
    bare = [{name: value for name, value in row.items() if name != "face"} for row in flat[3:6]]
    answer = send(client, enterprise_key, bare).get_json()["data"]
    assert (answer["frames"], answer["face"], answer["restarted"]) == (3, None, True)


def test_a_single_sample_reports_when_to_send_the_next(client: FlaskClient, api_key: str, flat: Rows) -> None:
    assert send(client, api_key, flat[:1]).get_json()["data"]["next_frame_in_ms"] is not None
    assert send(client, api_key, flat[1:3]).get_json()["data"]["next_frame_in_ms"] is None


def test_a_request_counts_and_costs_little_work(client: FlaskClient, api_key: str, flat: Rows) -> None:
    first, second = (send(client, api_key, part).headers for part in (flat[:100], flat[100:]))
    assert int(first["X-RateLimit-Remaining"]) - int(second["X-RateLimit-Remaining"]) == 1
    assert 5990 < int(second["X-Beam-Work-Remaining"]) < 6000


def test_doubled_times_and_seconds_are_reported_as_for_frames(
    client: FlaskClient, enterprise_key: str, flat: Rows
) -> None:
    doubled = [flat[0], {**flat[1], "timestamp_ms": flat[0]["timestamp_ms"]}, flat[2]]
    answer = send(client, enterprise_key, doubled).get_json()["data"]
    assert answer["rejected"] == [{"index": 1, "code": "DUPLICATE_TIMESTAMP"}]
    seconds = [{**row, "timestamp_ms": row["timestamp_ms"] / 1000} for row in flat[:20]]
    assert code(send(client, enterprise_key, seconds, session_id="s")) == "INVALID_PARAMETER"
    assert buffered(client, enterprise_key, "s") == 0


def test_unknown_names_are_warned_of_and_misspelt_ones_refused(
    client: FlaskClient, enterprise_key: str, flat: Rows
) -> None:
    answer = send(client, enterprise_key, [{**flat[0], "color": 1}], sessionid="x", duration=1)
    warnings = " ".join(answer.get_json()["meta"]["warnings"])
    assert "`session_id`?" in warnings
    assert "`duration_ms`?" in warnings
    assert "`color` of a sample" in warnings
    refused = send(client, enterprise_key, flat[:1], Session_Id="x")
    assert code(refused) == "INVALID_PARAMETER"
    assert "session_id" in refused.get_json()["error"]["message"]


def test_any_number_of_unknown_names_costs_a_few_explanations(
    client: FlaskClient, enterprise_key: str, flat: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained = []
    monkeypatch.setattr("beam_api.web.schemas.samples_form.meant", lambda name, known: explained.append(name) or "")
    many: dict[str, Any] = {f"n{i}": 0 for i in range(50_000)}
    answer = send(client, enterprise_key, flat[:1], **many)
    assert len(answer.get_json()["meta"]["warnings"]) == 17
    assert len(explained) <= 48


def test_the_route_is_in_the_openapi_document(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    operation = document["paths"]["/api/rppg/samples"]["post"]
    assert "application/json" in operation["requestBody"]["content"]
    assert {"200", "202", "400", "401", "413", "415", "429", "503"} <= set(operation["responses"])
    body = document["components"]["schemas"]["Samples"]["properties"]
    assert {"session_id", "duration_ms", "include_raw", "sample_version", "frame_size", "samples"} <= set(body)
    assert not {"timestamp_ms", "fps"} & set(body)
    assert json.dumps(document)
