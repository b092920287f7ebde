"""`/api/keys` as a client sees it: get a key, look at it, rotate it, revoke it."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from beam_api import create_app
from beam_api.services.access.keys import SIGNUP_LIFE, Keys, Token
from beam_api.services.access.signup import SIGNUPS_AN_HOUR
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore


def with_key(key):
    return {"X-API-Key": key}


def sign_up(client, **options):
    answer = client.post("/api/keys", **options)
    assert answer.status_code == 201, answer.text
    return answer.json["data"]


def usage(client, key):
    return client.get("/api/keys/me", headers=with_key(key)).json["data"]["usage"]


def test_anybody_gets_a_sandbox_key_that_works_at_once(client):
    made = sign_up(client, json={"name": "my first try"})
    assert set(made) == {"key_id", "key", "tier", "prefix", "last4", "created_at", "expires_at"}
    assert made["tier"] == "sandbox"
    assert made["key"].startswith(made["prefix"])
    assert made["key"].endswith(made["last4"])
    life = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert abs(life - SIGNUP_LIFE) < timedelta(minutes=5)
    answer = client.get("/api/keys/me", headers=with_key(made["key"]))
    shown = answer.json["data"]
    assert (shown["key_id"], shown["name"], shown["limit_per_minute"]) == (made["key_id"], "my first try", 100)
    assert (shown["prefix"], shown["last4"]) == (made["prefix"], made["last4"])
    assert made["key"] not in answer.text
    assert answer.headers["X-RateLimit-Remaining"] == "99"


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"json": {"name": ""}}, {"json": {"other": 1}}])
def test_a_name_is_not_asked_for(client, options):
    assert sign_up(client, **options)["key"].startswith("beam_sk_")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": "{", "content_type": "application/json"}, 400),
        ({"data": "[]", "content_type": "application/json"}, 400),
        ({"data": "null", "content_type": "application/json"}, 400),
        ({"data": b"\xff", "content_type": "application/json"}, 400),
        ({"json": {"name": 5}}, 400),
        ({"json": {"name": None}}, 400),
        ({"json": {"name": "n" * 201}}, 400),
        ({"json": {"name": "two\nlines"}}, 400),
        ({"data": "name=x", "content_type": "text/plain"}, 415),
        ({"data": "name=x"}, 415),
        ({"data": b"{" + b" " * 20_000, "content_type": "application/json"}, 413),
        ({"data": b"x" * 20_000, "content_type": "text/plain"}, 415),
        ({"data": b"[" * 8000 + b"]" * 8000, "content_type": "application/json"}, 400),
    ],
)
def test_what_is_no_name_is_refused_and_counts_for_nothing(client, redis, options, status):
    answer = client.post("/api/keys", **options)
    assert (answer.status_code, answer.json["success"]) == (status, False)
    assert redis.dbsize() == 0


def test_an_address_gets_so_many_keys_an_hour_and_others_their_own(app, client):
    for _ in range(SIGNUPS_AN_HOUR):
        sign_up(client)
    answer = client.post("/api/keys")
    assert (answer.status_code, answer.json["error"]["code"]) == (429, "RATE_LIMITED")
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    sign_up(client, environ_overrides={"REMOTE_ADDR": "192.0.2.9"})


def test_signup_can_be_closed(settings, redis, reader):
    client = create_app(replace(settings, signup="closed"), redis=redis, reader=reader).test_client()
    answer = client.post("/api/keys")
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "SIGNUP_CLOSED")
    assert redis.dbsize() == 0
    assert b"gives no keys" in client.get("/keys").data


def test_no_secret_of_a_new_or_rotated_key_is_kept(client, redis):
    made = sign_up(client)
    rotated = client.post("/api/keys/me/rotate", headers=with_key(made["key"])).json["data"]
    kept = b" ".join(redis.dump(name) + name for name in redis.scan_iter())
    for key in (made["key"], rotated["key"]):
        secret = key[8 + 16 :]
        for start in range(len(secret) - 5):
            assert secret[start : start + 6].encode() not in kept


def test_rotation_kills_the_old_secret_and_leaves_the_rest(client, redis):
    made = sign_up(client, json={"name": "kept"})
    redis.pexpire(f"beam:{{{made['key_id']}}}:key", 1000_000)
    answer = client.post("/api/keys/me/rotate", headers=with_key(made["key"]))
    rotated = answer.json["data"]
    assert answer.status_code == 201
    assert set(rotated) == set(made)
    assert rotated["key_id"] == made["key_id"]
    assert rotated["key"] != made["key"]
    assert client.get("/api/keys/me", headers=with_key(made["key"])).status_code == 401
    shown = client.get("/api/keys/me", headers=with_key(rotated["key"])).json["data"]
    assert (shown["name"], shown["usage"]["today"]) == ("kept", 2)
    assert redis.pttl(f"beam:{{{made['key_id']}}}:key") > 80 * 24 * 3600 * 1000


def test_what_was_measured_stays_with_a_rotated_key(client, parts, api_key):
    from beam_api.store.window_values import Entry, Session
    from rppg_core.trace.traces import Sample

    key_id = api_key[8:24]
    sample = Sample(colours=np.array([[1, 2, 3]], np.float32), pose=np.zeros(5, np.float32))
    parts.measuring._windows.append(
        Session(key_id, "anna"), [Entry(1, b"12345678", b"0" * len(sample.pose) * 4 + b"1" * 6)], duration_us=10_000_000
    )
    rotated = client.post("/api/keys/me/rotate", headers=with_key(api_key)).json["data"]
    assert rotated["expires_at"] is None
    answer = client.get("/api/rppg/sessions/anna", headers=with_key(rotated["key"]))
    assert answer.json["data"]["frames"] == 1


def test_of_two_rotations_at_once_one_gets_a_working_key_and_the_other_none(parts, redis):
    made = parts.keys.create("o")
    results: list[Any] = []
    barrier = threading.Barrier(8)

    def rotate():
        barrier.wait()
        try:
            results.append(Keys(KeyStore(redis)).rotate(made.record))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=rotate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [r for r in results if not isinstance(r, Exception)]
    assert len(good) == 1
    assert {type(r).__name__ for r in results if isinstance(r, Exception)} == {"InvalidApiKey"}
    assert parts.admission.admit(Token.parse(good[0].key), "192.0.2.1")[0].record


def test_a_revoked_key_is_refused_at_its_next_request(client):
    made = sign_up(client)
    answer = client.delete("/api/keys/me", headers=with_key(made["key"]))
    assert (answer.status_code, answer.data) == (204, b"")
    for method, path in (("get", "/api/keys/me"), ("post", "/api/keys/me/rotate"), ("delete", "/api/keys/me")):
        answer = getattr(client, method)(path, headers=with_key(made["key"]))
        assert (answer.status_code, answer.json["error"]["code"]) == (401, "INVALID_API_KEY")


def test_revoking_a_key_that_has_just_expired_leaves_nothing(parts, redis):
    made = parts.keys.create("o", life=timedelta(days=1))
    redis.delete(f"beam:{{{made.record.key_id}}}:key")
    KeyStore(redis).mark_revoked(made.record, "now")
    assert not redis.exists(f"beam:{{{made.record.key_id}}}:key")


def test_an_expired_key_is_unknown_and_unlisted(client, parts, redis):
    made = sign_up(client)
    kept = parts.keys.create("o").record
    assert {record.key_id for record in parts.keys.all()} == {made["key_id"], kept.key_id}
    redis.pexpire(f"beam:{{{made['key_id']}}}:key", 1)
    time.sleep(0.05)
    redis.zadd("beam:keys:expiring", {made["key_id"]: 1})
    assert client.get("/api/keys/me", headers=with_key(made["key"])).status_code == 401
    assert parts.keys.all() == [kept]
    sign_up(client)
    assert redis.zcard("beam:keys:expiring") == 1


def test_usage_counts_what_counts(app, client, parts):
    from beam_api.exceptions import StoreUnavailable

    @app.get("/away")
    def away():
        raise StoreUnavailable

    key = parts.keys.create("o", tier="enterprise", limit_per_minute=4).key
    assert client.get("/nope", headers=with_key(key)).status_code == 404
    assert client.get("/away", headers=with_key(key)).status_code == 503
    assert client.get("/health", headers=with_key(key)).status_code == 200
    reported = usage(client, key)
    assert (reported["today"], reported["month"]) == (3, 3)
    assert client.get("/nope", headers=with_key(key)).status_code == 404
    for _ in range(3):
        assert client.get("/nope", headers=with_key(key)).status_code == 429
    assert parts.keys.usage(key[8:24]).today == 4


def test_a_limit_that_was_changed_counts_no_request_twice(client, parts, redis):
    made = parts.keys.create("o", tier="enterprise", limit_per_minute=5)
    for _ in range(2):
        client.get("/nope", headers=with_key(made.key))
    redis.hset(f"beam:{{{made.record.key_id}}}:key", "limit_per_minute", 7)
    assert client.get("/nope", headers=with_key(made.key)).headers["X-RateLimit-Remaining"] == "6"
    assert usage(client, made.key)["today"] == 4


def test_usage_is_reported_for_each_of_thirty_days(client, api_key, redis, monkeypatch):
    from datetime import date

    days = {date(2026, 2, 27): 3, date(2026, 2, 28): 1, date(2026, 3, 2): 2}
    for day, count in days.items():
        monkeypatch.setattr("beam_api.services.access.admission.today", lambda day=day: day)
        for _ in range(count):
            client.get("/nope", headers=with_key(api_key))
    monkeypatch.setattr("beam_api.services.access.keys.today", lambda: date(2026, 3, 2))
    reported = usage(client, api_key)  # is itself counted
    by_day = {d["date"]: d["requests"] for d in reported["by_day"]}
    assert list(by_day) == sorted(by_day)
    assert (len(by_day), reported["by_day"][-1]["date"]) == (30, "2026-03-02")
    assert {day: count for day, count in by_day.items() if count} == {
        "2026-02-27": 3,
        "2026-02-28": 1,
        "2026-03-02": 3,
    }
    assert (reported["today"], reported["month"]) == (3, 3)
    assert 0 < redis.ttl(f"beam:{{{api_key[8:24]}}}:usage:2026-03") <= 100 * 24 * 3600


def test_without_a_key_there_is_nothing_to_see(client):
    for method, path in (("get", "/api/keys/me"), ("post", "/api/keys/me/rotate"), ("delete", "/api/keys/me")):
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer.json["error"]["code"]) == (401, "MISSING_API_KEY")


def test_no_key_is_made_while_the_store_is_unavailable(settings, reader, tmp_path):
    client = create_app(settings, redis=connect(f"unix://{tmp_path}/none.sock"), reader=reader).test_client()
    for path in ("/api/keys", "/playground/key"):
        answer = client.post(path)
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "STORE_UNAVAILABLE")
        assert "Retry-After" in answer.headers


class TestVisitors:
    """The playground's key: short-lived, and good only with the cookie that came with it, on the measure API alone."""

    @pytest.fixture
    def visitor(self, client):
        answer = client.post("/playground/key")
        assert answer.status_code == 201
        return answer.json["data"]["key"]

    def test_it_is_good_for_minutes_and_not_listed(self, client, visitor, parts, redis):
        assert parts.keys.all() == []
        assert 0 < redis.ttl(f"beam:{{{visitor[8:24]}}}:key") <= 900
        assert client.get("/api/rppg/sessions/nobody", headers=with_key(visitor)).status_code == 404

    def test_without_its_cookie_it_is_no_key(self, app, visitor):
        stranger = app.test_client()
        assert stranger.get("/api/rppg/sessions/nobody", headers=with_key(visitor)).status_code == 401
        stranger.post("/playground/key")
        assert stranger.get("/api/rppg/sessions/nobody", headers=with_key(visitor)).status_code == 401

    def test_elsewhere_it_is_no_key(self, app, client, visitor):
        cookie = client.get_cookie("beam_visitor", path="/api/rppg/").value
        headers = {**with_key(visitor), "Cookie": f"beam_visitor={cookie}"}
        bare = app.test_client(use_cookies=False)
        assert bare.get("/api/rppg/sessions/nobody", headers=headers).status_code == 404
        for method, path in (("get", "/api/keys/me"), ("post", "/api/keys/me/rotate"), ("get", "/nope")):
            assert getattr(bare, method)(path, headers=headers).status_code == 401

    def test_its_cookie_is_for_no_script_and_no_other_site(self, client):
        answer = client.post("/playground/key", base_url="https://localhost")
        cookies = answer.headers.getlist("Set-Cookie")
        assert len(cookies) == 2
        for cookie in cookies:
            assert {"HttpOnly", "SameSite=Strict", "Secure"} <= set(cookie.split("; "))

    def test_a_second_key_leaves_the_first_one_good(self, client, visitor):
        other = client.post("/playground/key").json["data"]["key"]
        for key in (visitor, other):
            assert client.get("/api/rppg/sessions/nobody", headers=with_key(key)).status_code == 404

    def test_they_are_limited_by_address(self, client, monkeypatch):
        monkeypatch.setattr("beam_api.services.access.signup.VISITORS_AN_HOUR", 2)
        statuses = [client.post("/playground/key").status_code for _ in range(3)]
        assert statuses == [201, 201, 429]

    def test_the_playground_can_be_off(self, settings, redis, reader):
        client = create_app(replace(settings, playground="off"), redis=redis, reader=reader).test_client()
        for method, path in (("get", "/playground"), ("post", "/playground/key"), ("get", "/playground/face/0")):
            assert getattr(client, method)(path).status_code == 404
        assert b"/playground" not in client.get("/").data
        assert not [path for path in client.get("/openapi.json").json["paths"] if "playground" in path]


def test_answers_with_keys_and_vitals_are_not_kept_by_browsers(client, api_key):
    for answer in (client.post("/api/keys"), client.get("/api/keys/me", headers=with_key(api_key))):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert json.loads(answer.data)["success"] is True
