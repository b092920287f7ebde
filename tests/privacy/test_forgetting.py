"""`DELETE /api/rppg/sessions/{id}` leaves nothing of a person; and what nobody deletes goes by itself."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from beam_api import Settings, create_app
from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.services.windows.measure_result import Measurement
from beam_api.services.windows.measuring import Measuring
from beam_api.store.client import connect
from beam_api.store.results import ResultStore
from beam_api.store.window_values import Entry, Session
from beam_api.store.windows import WindowStore
from beam_api.web.context import EXTENSION, Parts
from rppg_core import guidance, measure
from tests.images import jpeg, still_face
from tests.privacy.evidence import files, values
from tests.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from redis import Redis

    from rppg_core.face.reader import FaceReader

PERSON, NAMESAKE = "anna-forget-me", "anna-forget-me-not"
START_MS = 1_750_000_000_000


def post(client: FlaskClient, key: str, person: str, count: int = 5, start_ms: int | None = START_MS) -> Any:
    face = jpeg(still_face(eyes_px=40.0, frame_size=(240, 220)))
    form: dict[str, Any] = {
        "frame": [(io.BytesIO(face), "f.jpg") for _ in range(count)],
        "duration_ms": "10000",
        "session_id": person,
        "include_raw": "true",
    }
    if start_ms is not None:
        form["timestamp_ms"] = [str(start_ms + 2000 * i) for i in range(count)]
    answer = client.post("/api/rppg/measure", data=form, headers={"X-API-Key": key})
    assert answer.status_code in (200, 202), answer.text
    return answer.json["data"]


def live(client: FlaskClient, key: str, redis: Redis, person: str) -> set[str]:
    """Have all of a person there can be; the ids of their measurements.

    Two finished measurements, an open window, one that is full and waits, with somebody on the way to its result.
    """
    ids = {post(client, key, person, start_ms=START_MS + 10_000 * i)["measurement_id"] for i in range(2)}
    session = Session(key.removeprefix("beam_sk_")[:16], person)
    redis.pexpire(session.name("seen"), 500_000)  # half its life is over: the next request begins another generation
    post(client, key, person, 1, START_MS + 20_000)
    post(client, key, person, 2, START_MS + 21_000)
    sample = bytes(26)
    entries = [Entry(1000 * (START_MS + 23_000 + 2000 * i), bytes([i] * 8), sample) for i in range(5)]
    waiting = WindowStore(redis).append(session, entries, duration_us=10_000_000, digest=b"a digest").claim
    assert waiting
    ResultStore(redis).point(session, waiting.measurement_id)
    post(client, key, person, 2, START_MS + 34_000)
    kinds = {name.rpartition(b"}:")[2].split(b":")[0].decode() for name in redis.scan_iter() if person in name.decode()}
    assert {"window", "index", "samples", "closed", "results", "result", "last", "before", "done", "seen"} <= kinds
    assert {"face", "seen-before"} <= kinds
    return {*ids, waiting.measurement_id}


def mentions(redis: Redis, *words: str) -> dict[str, list[str]]:
    """Names in Redis that hold one of these words, in the name or below it; as whole words."""
    found = {}
    for name, data in values(redis):
        padded = data + b"\0"
        if hits := [w for w in words if any(w.encode() + end in padded for end in (b"}", b"\0", b":", b'"', b" "))]:
            found[name] = hits
    return found


@pytest.fixture
def other_key(parts: Parts) -> str:
    return parts.keys.create("other").key


def test_a_person_who_is_forgotten_is_nowhere(
    client: FlaskClient, api_key: str, other_key: str, redis: Redis, parts: Parts
) -> None:
    ids = live(client, api_key, redis, PERSON)
    others = {(key, name): live(client, key, redis, name) for key, name in ((other_key, PERSON), (api_key, NAMESAKE))}
    assert len(mentions(redis, PERSON, *ids)) > 15
    headers = {"X-API-Key": api_key}

    def stands(place: tuple[str, str]) -> Any:
        return client.get(f"/api/rppg/sessions/{place[1]}", headers={"X-API-Key": place[0]}).json["data"]

    before = {place: stands(place) for place in others}
    assert client.delete(f"/api/rppg/sessions/{PERSON}", headers=headers).status_code == 204

    tag = f"{api_key[8:24]}:{PERSON}"
    assert mentions(redis, tag, *ids) == {}
    assert [name for name in mentions(redis, PERSON) if other_key[8:24] not in name] in ([], pointers(redis, other_key))
    assert client.get(f"/api/rppg/sessions/{PERSON}", headers=headers).status_code == 404
    for measurement_id in ids:
        assert client.get(f"/api/rppg/measurements/{measurement_id}", headers=headers).status_code == 404
    assert mentions(redis, tag, *ids) == {}  # asking has brought nothing back

    for place, was in before.items():  # a namesake, and another customer's person of that name, are as they were
        now = stands(place)
        assert (now["frames"], now["last_measurement_id"]) == (was["frames"], was["last_measurement_id"])
        assert mentions(redis, *others[place])


def pointers(redis: Redis, key: str) -> list[str]:
    """Names by which another key's measurements are found; these hold its id below them."""
    return [name for name, data in values(redis) if name.endswith(":measurement") and key[8:24].encode() in data]


def test_a_person_may_be_forgotten_twice_and_come_back(client: FlaskClient, api_key: str, redis: Redis) -> None:
    headers = {"X-API-Key": api_key}
    for _ in range(2):
        ids = live(client, api_key, redis, PERSON)
        for _ in range(2):
            assert client.delete(f"/api/rppg/sessions/{PERSON}", headers=headers).status_code == 204
        assert mentions(redis, PERSON, *ids) == {}
    assert post(client, api_key, PERSON, 1)["frames"] == 1


def test_who_is_forgotten_while_being_measured_is_forgotten(
    settings: Settings, redis: Redis, reader: FaceReader
) -> None:
    """The answer that is on its way is given; nothing of it is kept."""
    app = create_app(settings, redis=redis, reader=reader)
    parts = app.extensions[EXTENSION]
    made = parts.keys.create("o")
    session = Session(made.record.key_id, PERSON)

    def forget_meanwhile(trace: Any) -> Any:
        measuring.forget(session)
        return measure(trace)

    measuring = Measuring(
        WindowStore(redis), ResultStore(redis), reader, analyse=forget_meanwhile, advise=guidance.advise
    )
    app.extensions[EXTENSION] = replace(parts, measuring=measuring)
    answer = post(app.test_client(), made.key, PERSON)
    assert answer["status"] == "complete"
    left = mentions(redis, PERSON, answer["measurement_id"])
    # What the request noted of itself before it was measured goes within minutes; it holds no vitals.
    assert left == {} or all(redis.ttl(name.removeprefix("Redis ")) <= 1200 for name in left)
    assert not [name for name in left if "result" in name or "measurement" in name]


def test_who_is_forgotten_is_gone_from_the_disk_when_the_file_is_rewritten(tmp_path: Path, reader: FaceReader) -> None:
    with EmbeddedRedis(tmp_path) as server:
        redis = connect(server.url)
        app = create_app(
            Settings(data_dir=tmp_path, redis_url=server.url, log_level="ERROR"), redis=redis, reader=reader
        )
        key = app.extensions[EXTENSION].keys.create("o").key
        client = app.test_client()
        ids = live(client, key, redis, PERSON)
        words = [word.encode() for word in (PERSON, *ids)]

        def on_disk() -> list[str]:
            return [name for name, data in files([tmp_path]) if any(word in data for word in words)]

        assert wait_until(lambda: bool(on_disk()))
        assert client.delete(f"/api/rppg/sessions/{PERSON}", headers={"X-API-Key": key}).status_code == 204
        assert client.get("/api/keys/me", headers={"X-API-Key": key}).status_code == 200
        server.compact()
        assert wait_until(lambda: not on_disk())
        redis.connection_pool.disconnect()


def test_no_name_of_a_person_is_in_the_log(
    settings: Settings, redis: Redis, reader: FaceReader, capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(replace(settings, log_level="DEBUG"), redis=redis, reader=reader)
    key = app.extensions[EXTENSION].keys.create("o").key
    client = app.test_client()
    ids = live(client, key, redis, PERSON)
    for method in ("get", "delete", "post"):
        getattr(client, method)(f"/api/rppg/sessions/{PERSON}", headers={"X-API-Key": key})
    log = capsys.readouterr().err
    assert "/api/rppg/sessions/<session_id>" in log
    assert not [word for word in (PERSON, *ids) if word in log]


def test_what_nobody_deletes_goes_by_itself(
    client: FlaskClient, api_key: str, redis: Redis, parts: Parts, app: Flask
) -> None:
    """All that mentions a person is under a name that expires: none later than a day after the last measurement."""
    ids = live(client, api_key, redis, PERSON)
    named = mentions(redis, PERSON, *ids)
    assert len(named) > 15
    for name in named:
        assert 0 < redis.ttl(name.removeprefix("Redis ")) <= 24 * 3600, name


def test_what_a_measurement_keeps_is_numbers(client: FlaskClient, api_key: str, redis: Redis) -> None:
    """Of the frames nothing but the answer: no colours, no times of frames, no digests."""
    measurement_id = post(client, api_key, PERSON)["measurement_id"]
    kept = redis.get(Session(api_key[8:24], PERSON).name(f"result:{measurement_id}"))
    assert kept
    fields = set(Measurement.__dataclass_fields__)
    assert fields.isdisjoint({"samples", "colours", "frames_us", "images", "digest"})
    assert len(kept) < 4096
    reported = client.get(f"/api/rppg/measurements/{measurement_id}", headers={"X-API-Key": api_key})
    assert reported.status_code == 200


def test_a_scan_expires_with_all_it_owns_if_nobody_deletes_it(
    app: Flask, client: FlaskClient, api_key: str, redis: Redis
) -> None:
    headers = {"X-API-Key": api_key}
    session = client.post("/v1/scan-session", headers=headers).json["session_id"]
    assert 3590 < redis.ttl(f"beam:{{{session}}}:scan") <= 3600
    redis.pexpire(f"beam:{{{session}}}:scan", 1)
    assert wait_until(lambda: mentions(redis, session) == {})
    assert client.get(f"/v1/scan-session/{session}/vitals", headers=headers).status_code == 404
