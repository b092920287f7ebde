"""The store holds hashes of keys only, and neither timing nor its contents reveal anything about a key."""

from __future__ import annotations

import base64
import hmac
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from beam_api import Settings, create_app
from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.services.access.keys import Token
from beam_api.store import keys as store_keys
from beam_api.store.client import connect
from beam_api.web.context import EXTENSION, Parts
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask

    from rppg_core.face.reader import FaceReader


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "own") as server:
        yield server


def secrets_of(client: Any, parts: Parts) -> list[str]:
    """Secrets of every sort, each used: of keys made, rotated, revoked; of visitors and their cookies; of webhooks."""
    made = [parts.keys.create("o", tier=tier).key for tier in ("sandbox", "enterprise", "scan")]
    made.append(client.post("/api/keys").json["data"]["key"])
    visit = client.post("/playground/key")
    cookie = visit.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
    secrets = [*(key[-43:] for key in [*made, visit.json["data"]["key"]]), cookie]
    for key in made:
        headers = {"X-API-Key": key}
        for path in ("", "/rotate"):
            method = client.post if path else client.get
            reported = method("/api/keys/me/webhook-secret" + path, headers=headers).json["data"]["secret"]
            secrets.append(reported.removeprefix("whsec_"))
        secrets.append(client.post("/api/keys/me/rotate", headers=headers).json["data"]["key"][-43:])
    secrets.append(
        client.delete("/api/keys/me", headers={"X-API-Key": client.post("/api/keys").json["data"]["key"]}).text
    )
    return [secret for secret in secrets if secret]


def forms_of(secret: str) -> list[bytes]:
    """A secret as it might lie about: whole, or any 12 characters of it; as hexadecimal digits, or as base64."""
    plain = secret.encode()
    pieces = [plain[at : at + 12] for at in range(0, len(plain) - 11, 4)]
    return [*pieces, plain.hex().encode(), *(base64.b64encode(plain[skip:])[4:-4] for skip in range(3))]


def test_a_dump_and_the_append_only_file_hold_no_secret(
    own_redis: EmbeddedRedis, tmp_path: Path, reader: FaceReader
) -> None:
    settings = Settings(data_dir=tmp_path, redis_url=own_redis.url, log_level="ERROR")
    redis = connect(own_redis.url)
    app = create_app(settings, redis=redis, reader=reader)
    parts = app.extensions[EXTENSION]
    secrets = secrets_of(app.test_client(use_cookies=False), parts)
    assert len(secrets) > 15
    redis.set("planted", secrets[0])  # the search must find what is there
    redis.config_set("rdbcompression", "no")
    redis.save()
    assert wait_until(lambda: redis.info("persistence")["aof_pending_bio_fsync"] == 0)
    redis.connection_pool.disconnect()
    files = {path.name: path.read_bytes() for path in own_redis.data_dir.rglob("*") if path.is_file()}
    assert {"dump.rdb", "appendonly.aof"} <= set(files)
    for name, data in files.items():
        found = [secret for secret in secrets if any(form in data for form in forms_of(secret))]
        assert found == (secrets[:1] if name in ("dump.rdb", "appendonly.aof") else []), name
    assert (parts.settings.data_dir / "secret.key").stat().st_mode & 0o077 == 0


def test_what_is_kept_of_a_key_is_its_sha_256(parts: Parts, redis: Redis) -> None:
    made = parts.keys.create("o")
    kept = redis.hgetall(f"beam:{{{made.record.key_id}}}:key")
    assert kept[b"digest"] == sha256(made.key.encode()).hexdigest().encode()


def test_a_secret_has_256_random_bits(parts: Parts) -> None:
    secrets = {parts.keys.create("o").key[-43:] for _ in range(300)}
    assert len(secrets) == 300
    assert len(set("".join(secrets))) == 62
    for place in range(43):
        assert len({secret[place] for secret in secrets}) > 50


# Answers must not distinguish existing keys from others -------------------------------------------------------------


@pytest.fixture
def refused(app: Flask, parts: Parts, redis: Redis) -> dict[str, dict[str, str]]:
    """Headers with keys of the right form that must not come in, by why."""
    good, revoked, expired, rotated = (parts.keys.create("o") for _ in range(4))
    parts.keys.revoke(revoked.record.key_id)
    redis.delete(f"beam:{{{expired.record.key_id}}}:key")
    parts.keys.rotate(rotated.record)
    visitor = app.test_client().post("/playground/key").json["data"]["key"]
    keys = {
        "unknown": "beam_sk_" + "a" * 59,
        "unknown, of a scan": "rppg_live_" + "a" * 59,
        "a good id with a wrong secret": good.key[:24] + "A" * 43,
        "a good key with another prefix": "rppg_live_" + good.key[8:],
        "revoked": revoked.key,
        "expired": expired.key,
        "rotated": rotated.key,
        "a visitor's without its cookie": visitor,
    }
    return {why: {"X-API-Key": key} for why, key in keys.items()}


def commands(redis: Redis, ask: Any) -> list[tuple[str, ...]]:
    """What Redis was asked meanwhile, scripts' own commands included; without the names and numbers in it."""
    watcher = Redis.from_url(f"unix://{redis.connection_pool.connection_kwargs['path']}")  # not of the app's pool
    with watcher, watcher.monitor() as monitor:
        ask()
        redis.echo("the end")
        seen: list[tuple[str, ...]] = []
        while "the end" not in (command := monitor.next_command())["command"]:
            words = command["command"].split()
            script = words[1] if words[0].upper() in ("EVALSHA", "EVAL") else ""
            seen.append((command["client_type"], words[0].upper(), script, str(len(words))))
    return seen


def test_keys_that_must_not_come_in_ask_the_store_the_very_same(
    app: Flask, redis: Redis, refused: dict[str, dict[str, str]]
) -> None:
    client = app.test_client(use_cookies=False)
    asked, reported = {}, set()
    for why, headers in refused.items():
        answers: list[Any] = []
        redis.delete("none", *redis.keys("*address*"))  # how long its script takes depends on how many it has counted
        client.get("/api/keys/me", headers=refused["unknown"])
        asked[why] = commands(redis, lambda h=headers, a=answers: a.append(client.get("/api/keys/me", headers=h)))
        body = answers[0].json["error"]
        reported.add((answers[0].status_code, body["code"], body["message"], tuple(sorted(answers[0].headers.keys()))))
    assert len(asked["unknown"]) >= 3
    for why, seen in asked.items():
        assert seen == asked["unknown"], why
    assert len(reported) == 1


def test_a_key_that_worked_until_now_is_asked_about_like_an_unknown_one_from_its_second_refusal_on(
    app: Flask, redis: Redis, parts: Parts
) -> None:
    """At the first one the process that knew its limit gives a place back. Who sees that holds the secret already."""
    client = app.test_client()
    made = parts.keys.create("o")
    headers, unknown = {"X-API-Key": made.key}, {"X-API-Key": "beam_sk_" + "a" * 59}
    for _ in range(2):
        assert client.get("/api/keys/me", headers=headers).status_code == 200
    parts.keys.revoke(made.record.key_id)
    for given in (headers, unknown):
        assert client.get("/api/keys/me", headers=given).status_code == 401
    asked = []
    for given in (headers, unknown):
        redis.delete(*redis.keys("*address*"))
        asked.append(commands(redis, lambda h=given: client.get("/api/keys/me", headers=h)))
    assert asked[0] == asked[1]


def test_what_is_no_key_of_this_service_is_answered_alike(app: Flask, refused: dict[str, dict[str, str]]) -> None:
    """Only its time differs: it is not looked up. That tells the form of our keys, which is documented."""
    client = app.test_client()
    known = client.get("/api/keys/me", headers=refused["unknown"]).json["error"]
    bad = ["x", "beam_sk_", "beam_sk_" + "a" * 58, "beam_sk_" + "a" * 60, "beam_sk_" + "-" * 59, "Beam_sk_" + "a" * 59]
    for key in [*bad, "beam_sk_" + "ä" * 59, "rppg_live_" + "\u0661" * 59, "a" * 8000]:
        answer = client.get("/api/keys/me", headers={"X-API-Key": key.encode().decode("latin-1")})
        assert answer.status_code == 401
        assert {**answer.json["error"], "request_id": ""} == {**known, "request_id": ""}


def test_secrets_are_compared_in_constant_time_and_equally_often(
    parts: Parts, redis: Redis, refused: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []
    constant_time = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return constant_time(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for why, headers in refused.items():
        compared.clear()
        token = Token.parse(headers["X-API-Key"])
        assert token
        assert not token.proves(parts.keys._store.get(token.key_id)), why
        assert compared == [(64, 64)], why  # whole digests, whatever is known of the key


def test_a_record_that_is_not_there_is_taken_apart_like_one_that_is(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise some microseconds would reveal that an id exists (`python -m benchmarks.refusals`)."""
    read: list[int] = []
    monkeypatch.setattr(store_keys, "text", lambda value: read.append(1) or value.decode())
    counts = []
    for key_id in (parts.keys.create("o").record.key_id, "a" * 16):
        read.clear()
        found = parts.keys._store.get(key_id)
        counts.append(len(read))
        assert (found is None) is (key_id == "a" * 16)
    assert counts[0] == counts[1] > 10


def test_a_digest_is_made_of_the_whole_key(parts: Parts) -> None:
    made = parts.keys.create("o")
    for at in range(24, 67):
        token = Token.parse(made.key[:at] + ("A" if made.key[at] != "A" else "B") + made.key[at + 1 :])
        assert token
        assert not token.proves(made.record)


def test_an_expired_key_ends_by_itself(app: Flask, parts: Parts, redis: Redis) -> None:
    from datetime import timedelta

    made = parts.keys.create("o", life=timedelta(seconds=0.4))
    client = app.test_client()
    assert client.get("/api/keys/me", headers={"X-API-Key": made.key}).status_code == 200
    time.sleep(0.6)
    assert client.get("/api/keys/me", headers={"X-API-Key": made.key}).status_code == 401
