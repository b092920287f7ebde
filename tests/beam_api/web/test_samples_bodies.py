"""Bodies of every wrong sort for `POST /api/rppg/samples`: each gets a specific error, and stores nothing."""

from __future__ import annotations

import gzip
import json
import math
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from rppg_core.face.exchange import N_COLOURS
from tests.beam_api.web.measuring import code
from tests.beam_api.web.sampling import PATH, SIZE, send, send_text

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from redis import Redis

ROW: dict[str, Any] = {
    "timestamp_ms": 1000,
    "pose": [240, 220, 60, 0, 0],
    "colours": [[180, 120, 90]] * N_COLOURS,
}
BODY = {"sample_version": 1, "frame_size": SIZE, "samples": [ROW]}


def text(**fields: Any) -> bytes:
    return json.dumps({**BODY, **fields}).encode()


PLAIN = text()
BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "INVALID_PARAMETER"),
    "no JSON": (b"{", "INVALID_PARAMETER"),
    "a list": (b"[]", "INVALID_PARAMETER"),
    "a number": (b"1", "INVALID_PARAMETER"),
    "another coding": (PLAIN.decode().encode("utf-16"), "INVALID_PARAMETER"),
    "bytes that are no text": (PLAIN.replace(b"1000", b'"\xff"'), "INVALID_PARAMETER"),
    "a mark before it": (b"\xef\xbb\xbf" + PLAIN, "INVALID_PARAMETER"),
    "NaN": (PLAIN.replace(b"[180, 120", b"[NaN, 120", 1), "INVALID_SAMPLE"),
    "Infinity": (PLAIN.replace(b"1000", b"-Infinity"), "INVALID_SAMPLE"),
    "NaN in detail": (text(samples=[{**ROW, "detail": [0, 0, 0, 0, 0, math.nan]}]), "INVALID_SAMPLE"),
    "NaN in a logarithm": (text(samples=[{**ROW, "detail": [math.nan, 0.0, 0.0, 0.0, 0.0, 1.0]}]), "INVALID_SAMPLE"),
    "NaN elsewhere": (text(x=math.nan), "INVALID_PARAMETER"),
    "NaN for a length": (text(duration_ms=math.inf), "INVALID_PARAMETER"),
    "a name twice": (PLAIN[:-1] + b', "sample_version": 1}', "INVALID_PARAMETER"),
    "a name twice inside": (PLAIN.replace(b'"pose"', b'"timestamp_ms": 1, "pose"'), "INVALID_PARAMETER"),
    "a deep list": (b"[" * 500_000, "INVALID_PARAMETER"),
    "a deep object": (b'{"a":' * 150_000, "INVALID_PARAMETER"),
    "a deep value": (text(x=0).replace(b'"x": 0', b'"x": ' + b"[" * 100_000 + b"]" * 100_000), "INVALID_PARAMETER"),
    "many objects": (text(x=[{}] * 20_000), "INVALID_PARAMETER"),
    "a number of many digits": (PLAIN.replace(b"1000", b"9" * 100_000), "INVALID_PARAMETER"),
    "a number beyond all": (PLAIN.replace(b"[180,", b"[1e999,", 1), "INVALID_SAMPLE"),
    "a megabyte and more": (PLAIN + b" " * 1024 * 1024, "PAYLOAD_TOO_LARGE"),
    "no version": (text(sample_version=None), "INVALID_PARAMETER"),
    "a version to come": (text(sample_version=2), "INVALID_PARAMETER"),
    "a version of truth": (text(sample_version=True), "INVALID_PARAMETER"),
    "no size": (text(frame_size=None), "INVALID_PARAMETER"),
    "a size of nothing": (text(frame_size=[0, 480]), "INVALID_PARAMETER"),
    "a size of three": (text(frame_size=[640, 480, 3]), "INVALID_PARAMETER"),
    "half pixels": (text(frame_size=[640.5, 480]), "INVALID_PARAMETER"),
    "no samples": (text(samples=[]), "MISSING_FRAME"),
    "samples of nothing": (text(samples=None), "MISSING_FRAME"),
    "samples that are an object": (text(samples={"a": 1}), "INVALID_PARAMETER"),
    "samples that are text": (text(samples="abc"), "INVALID_PARAMETER"),
    "too many": (text(samples=[ROW] * 257), "TOO_MANY_FRAMES"),
    "a number for a name": (text(session_id=5), "INVALID_PARAMETER"),
    "a name that is none": (text(session_id="../x"), "INVALID_PARAMETER"),
    "half a character": (PLAIN[:-1] + b', "session_id": "\\ud800"}', "INVALID_PARAMETER"),
    "a length in text": (text(duration_ms="30000"), "INVALID_PARAMETER"),
    "a short length": (text(duration_ms=9999), "INVALID_PARAMETER"),
    "half a length": (text(duration_ms=30000.5), "INVALID_PARAMETER"),
    "a length of truth": (text(duration_ms=True), "INVALID_PARAMETER"),
    "a list for a flag": (text(include_raw=[True]), "INVALID_PARAMETER"),
    "two for a flag": (text(include_raw=2), "INVALID_PARAMETER"),
    "a sample that is none": (text(samples=[ROW, 7]), "INVALID_SAMPLE"),
    "a wrong count": (text(samples=[ROW, {**ROW, "colours": [[1, 2, 3]]}]), "INVALID_SAMPLE"),
}


@pytest.mark.parametrize("packed", [False, True])
def test_every_wrong_body_names_what_is_wrong_and_stores_nothing(
    client: FlaskClient, enterprise_key: str, redis: Redis, packed: bool
) -> None:
    for name, (body, expected) in BODIES.items():
        answer = send_text(client, enterprise_key, body, packed=packed)
        assert code(answer) == expected, (name, answer.text)
    assert not [name for name in redis.scan_iter() if b":default}" in name]


def test_an_invalid_sample_is_named_by_its_index_and_the_good_ones_before_it_are_not_kept(
    client: FlaskClient, enterprise_key: str
) -> None:
    wrong = {**ROW, "timestamp_ms": 1040, "colours": [[180, 120, 256]] * N_COLOURS}
    answer = send(client, enterprise_key, [ROW, wrong])
    assert code(answer) == "INVALID_SAMPLE"
    assert answer.get_json()["error"]["index"] == 1
    assert "Sample 1" in answer.get_json()["error"]["message"]
    assert "0-255" in answer.get_json()["error"]["message"]
    assert client.get("/api/rppg/sessions/default", headers={"X-API-Key": enterprise_key}).status_code == 404


def test_only_json_and_gzip_are_read(client: FlaskClient, enterprise_key: str) -> None:
    headers = {"X-API-Key": enterprise_key}
    for kind in ("text/plain", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded", None):
        answer = client.post(PATH, data=PLAIN, content_type=kind, headers=headers)
        assert code(answer) == "UNSUPPORTED_MEDIA_TYPE"
    for coding in ("br", "deflate", "gzip, gzip", "zstd"):
        answer = send_text(client, enterprise_key, PLAIN, coding=coding)
        assert code(answer) == "UNSUPPORTED_MEDIA_TYPE"
    assert send_text(client, enterprise_key, PLAIN, coding="identity").status_code == 202
    assert send_text(client, enterprise_key, PLAIN, packed=True).status_code == 202


@pytest.mark.parametrize(
    "body",
    [PLAIN, gzip.compress(PLAIN)[:-4], gzip.compress(PLAIN) + b"more", gzip.compress(PLAIN) * 2, b"", b"\x1f\x8b"],
)
def test_what_is_no_whole_gzip_is_a_400(client: FlaskClient, enterprise_key: str, body: bytes) -> None:
    answer = send_text(client, enterprise_key, body, coding="gzip")
    assert code(answer) == "INVALID_PARAMETER"


def test_a_bomb_is_never_inflated_beyond_the_bound(client: FlaskClient, enterprise_key: str) -> None:
    bomb = gzip.compress(bytes(300_000_000), 9)
    assert len(bomb) < 1024 * 1024
    send_text(client, enterprise_key, PLAIN)
    tracemalloc.start()
    try:
        answer = send_text(client, enterprise_key, bomb, coding="gzip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert code(answer) == "PAYLOAD_TOO_LARGE"
    assert peak < 8_000_000


def test_a_request_over_the_limit_is_refused_before_its_body_is_looked_at(client: FlaskClient, parts) -> None:
    key = parts.keys.create("o", tier="enterprise", limit_per_minute=1).key
    assert send_text(client, key, PLAIN).status_code == 202
    answer = send_text(client, key, b"{", coding="gzip")
    assert code(answer) == "RATE_LIMITED"
    assert code(send_text(client, "wrong", b"{")) == "INVALID_API_KEY"


def test_no_body_of_a_megabyte_costs_many_times_what_256_good_samples_cost(
    client: FlaskClient, enterprise_key: str
) -> None:
    good = text(samples=[{**ROW, "timestamp_ms": 1000 + 40 * i} for i in range(256)])
    filling = 1_000_000
    worst = {
        "lists": text(x=[]).replace(b"[]", b"[" + b"[]," * 14_000 + b"0]"),
        "numbers": text(x=0).replace(b'"x": 0', b'"x": [' + b"1," * (filling // 2) + b"1]"),
        "floats": text(x=0).replace(b'"x": 0', b'"x": [' + b"1e9," * (filling // 4) + b"1]"),
        "long numbers": text(x=0).replace(b'"x": 0', b'"x": [' + (b"9" * 4000 + b",") * (filling // 4001) + b"1]"),
        "names": text(**{f"{i:x}": 0 for i in range(filling // 14)}),
        "objects": text(x=0).replace(b'"x": 0', b'"x": [' + b"{}," * 14_000 + b"1]"),
    }
    send_text(client, enterprise_key, good)

    def cost(body: bytes) -> float:
        spent = []
        for _ in range(3):
            start = time.process_time()
            assert send_text(client, enterprise_key, body).status_code in (202, 400)
            spent.append(time.process_time() - start)
        return min(spent)

    benign = cost(good)
    ratios = {name: cost(body) / benign for name, body in worst.items()}
    assert max(ratios.values()) < 10, ratios
