"""Keys and limits as a client sees them. `/nope` exists not, so its answer to a request that may come in is 404."""

import time
from dataclasses import replace
from random import Random

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from beam_api import create_app
from beam_api.services.access.admission import Admission
from beam_api.services.access.keys import Token
from beam_api.store.client import connect
from beam_api.store.limits import ADDRESS_LIMIT, Bucket, Limiter, moving_window
from beam_api.store.scripts import Script
from beam_api.web.auth import public

LIMIT_HEADERS = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


@pytest.fixture
def app(app):
    @app.post("/closed")
    def closed():
        from flask import g

        return {"key_id": g.key.key_id, "owner": g.key.owner, "tier": g.key.tier, "limit": g.key.limit_per_minute}

    @app.get("/broken")
    def broken():
        raise RuntimeError("as it happens")

    return app


def with_key(key):
    return {"X-API-Key": key}


def remaining(response):
    return int(response.headers["X-RateLimit-Remaining"])


def test_a_key_is_taken_from_either_header(client, api_key):
    for headers in (
        {"X-API-Key": api_key},
        {"Authorization": f"Bearer {api_key}"},
        {"Authorization": f"bearer  {api_key} "},
        {"X-API-Key": api_key, "Authorization": f"Bearer {api_key}"},
        {"X-API-Key": api_key, "Authorization": "Basic dXNlcjpwYXNz"},
    ):
        answer = client.post("/closed", headers=headers)
        assert answer.status_code == 200
        assert answer.json["key_id"] == api_key.removeprefix("beam_sk_")[:16]
        assert (answer.json["owner"], answer.json["tier"], answer.json["limit"]) == ("tester", "sandbox", 100)


def test_two_different_keys_are_refused_even_if_both_are_good(client, api_key, parts):
    other = parts.keys.create("other").key
    answer = client.post("/closed", headers={"X-API-Key": api_key, "Authorization": f"Bearer {other}"})
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "INVALID_API_KEY")


def test_no_key_is_distinguished_from_a_bad_one(client):
    answer = client.post("/closed")
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "MISSING_API_KEY")
    assert answer.headers["X-RateLimit-Limit"] == str(ADDRESS_LIMIT)
    for bad in ("nonsense", "beam_sk_" + "a" * 59, "rppg_live_" + "a" * 59):
        answer = client.post("/closed", headers=with_key(bad))
        assert (answer.status_code, answer.json["error"]["code"]) == (401, "INVALID_API_KEY")
        assert set(answer.headers.keys()) >= LIMIT_HEADERS
        assert "Retry-After" not in answer.headers


def test_a_revoked_key_gets_the_answer_of_an_unknown_one_at_once(client, parts):
    made = parts.keys.create("o")
    assert client.post("/closed", headers=with_key(made.key)).status_code == 200
    parts.keys.revoke(made.record.key_id)
    revoked = client.post("/closed", headers=with_key(made.key))
    unknown = client.post("/closed", headers=with_key("beam_sk_" + "a" * 59))
    for answer in (revoked, unknown):
        answer.json["error"].pop("request_id")
    assert revoked.status_code == unknown.status_code == 401
    assert revoked.json["error"]["message"] == unknown.json["error"]["message"]
    assert remaining(revoked) == remaining(unknown) + 1


def test_unknown_and_revoked_keys_ask_the_store_the_same(parts, redis):
    if not hasattr(redis, "connection_pool"):
        pytest.skip("the commands of one server are counted")
    made = parts.keys.create("o")
    parts.keys.revoke(made.record.key_id)
    admission = Admission(redis)
    admission.admit(Token.parse(made.key), "192.0.2.1")
    asked = []
    for key in (made.key, "beam_sk_" + "a" * 59):
        before = redis.info("stats")["total_commands_processed"]
        assert admission.admit(Token.parse(key), "192.0.2.1")[0].record is None
        asked.append(redis.info("stats")["total_commands_processed"] - before)
    assert asked[0] == asked[1]


def test_every_answer_to_a_request_with_a_key_says_how_the_limit_stands(client, api_key):
    answers = [
        client.post("/closed", headers=with_key(api_key)),
        client.get("/closed", headers=with_key(api_key)),
        client.get("/nope", headers=with_key(api_key)),
        client.get("/v1/nope", headers=with_key(api_key)),
        client.get("/broken", headers=with_key(api_key)),
        client.get("/health", headers=with_key(api_key)),
    ]
    assert [a.status_code for a in answers] == [200, 405, 404, 404, 500, 200]
    assert [remaining(a) for a in answers] == [99, 98, 97, 96, 95, 94]
    assert {a.headers["X-RateLimit-Limit"] for a in answers} == {"100"}
    assert all(abs(int(a.headers["X-RateLimit-Reset"]) - time.time() - 60) < 5 for a in answers)


def test_without_a_key_an_open_or_missing_page_costs_nothing(client):
    for path, status in (("/health", 200), ("/nope", 404)):
        answer = client.get(path)
        assert answer.status_code == status
        assert not LIMIT_HEADERS & set(answer.headers.keys())


def test_a_full_bucket_is_429_and_a_429_does_not_count(client, parts):
    key = parts.keys.create("o", tier="enterprise", limit_per_minute=3).key
    statuses = [client.post("/closed", headers=with_key(key)).status_code for _ in range(6)]
    assert statuses == [200, 200, 200, 429, 429, 429]
    answer = client.post("/v1/closed", headers=with_key(key))
    assert answer.status_code == 429
    assert set(answer.json) == {"detail"}
    assert 55 <= int(answer.headers["Retry-After"]) <= 60
    assert remaining(answer) == 0
    assert client.get("/health", headers=with_key(key)).status_code == 200


def test_the_window_moves(client, parts, redis, monkeypatch):
    key = parts.keys.create("o", tier="enterprise", limit_per_minute=2).key
    start = time.time()
    for offset, status in ((0, 200), (30, 200), (59, 429), (61, 200), (62, 429), (91, 200)):
        monkeypatch.setattr("beam_api.store.limits.time.time", lambda now=start + offset: now)
        assert client.post("/closed", headers=with_key(key)).status_code == status, offset


def test_unknown_keys_are_limited_by_address_and_good_ones_are_not(app, parts, monkeypatch):
    monkeypatch.setattr("beam_api.store.limits.ADDRESS_LIMIT", 2)
    key = parts.keys.create("o").key
    here, there = (app.test_client() for _ in range(2))
    there.environ_base["REMOTE_ADDR"] = "192.0.2.9"
    statuses = [here.post("/closed", headers=with_key("wrong")).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]
    assert here.post("/closed", headers=with_key(key)).status_code == 200
    assert there.post("/closed").status_code == 401


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::3", "2001:db8:1:2:ffff::1", True),
        ("2001:db8:1:2::3", "2001:db8:1:3::3", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "not an address", True),
    ],
)
def test_an_address_bucket_holds_one_customer(one, other, same):
    assert (Bucket.of_address(one) == Bucket.of_address(other)) is same


@pytest.mark.parametrize(("trusted", "address"), [(0, "127.0.0.1"), (1, "203.0.113.7"), (2, "198.51.100.2")])
def test_forwarded_addresses_are_believed_from_trusted_proxies_alone(settings, redis, reader, trusted, address):
    app = create_app(replace(settings, trusted_proxies=trusted), redis=redis, reader=reader)

    @app.get("/address")
    @public
    def whose():
        from flask import request

        return request.remote_addr

    answer = app.test_client().get("/address", headers={"X-Forwarded-For": "198.51.100.2, 203.0.113.7"})
    assert answer.text == address


def test_the_buckets_are_those_of_the_limits_library(redis, redis_url):
    limiter, bucket = Limiter(redis), Bucket.of_key("id", 5)
    if not hasattr(redis, "connection_pool"):
        pytest.skip("the library's class for clusters names nothing otherwise")
    theirs = MovingWindowRateLimiter(RedisStorage(redis_url, key_prefix="beam"))
    item = RateLimitItemPerMinute(5)
    for expected in (4, 3, 2):
        standing = limiter.hit(bucket)
        stats = theirs.get_window_stats(item, bucket.name)
        assert stats.remaining == standing.remaining == expected
        assert stats.reset_time == pytest.approx(standing.reset_s, abs=1e-3)
    assert theirs.hit(item, bucket.name)
    assert limiter.hit(bucket).remaining == 0
    assert not theirs.hit(item, bucket.name)
    assert not limiter.hit(bucket).taken


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_a_bucket_in_every_state_gets_the_answers_of_the_limits_library(redis, limit):
    rewritten = Script(redis, moving_window() + "return take(KEYS[1], unpack(ARGV))")
    pages = RedisStorage.SCRIPT_ACQUIRE_MOVING_WINDOW.decode(), RedisStorage.SCRIPT_MOVING_WINDOW.decode()
    library_take, library_stats = (Script(redis, page) for page in pages)
    random, now_s = Random(limit), 1_764_000_000.0
    outcomes = set()
    for _ in range(200):
        now_s += random.choice([0, 1 / 64, 5, 20, 59.984375, 60, 61])
        taken, *standing = rewritten(keys=["{b}:rewritten"], args=(now_s, limit, 60))
        assert taken == (library_take(keys=["{b}:library"], args=(now_s, limit, 60, 1)) or 0)
        expected = library_stats(keys=["{b}:library"], args=(now_s - 60, limit)) or []
        assert [float(value) for value in standing] == pytest.approx([float(value) for value in expected], abs=1e-3)
        assert redis.lrange("{b}:rewritten", 0, -1) == redis.lrange("{b}:library", 0, -1)
        outcomes.add(taken)
    assert outcomes == {0, 1}


def test_a_key_is_admitted_in_one_round_trip_of_one_command_the_first_time_too(api_key, redis, sent_commands):
    Admission(redis).admit(Token.parse(api_key), "192.0.2.1")  # teaches the server the script
    sent_commands.clear()
    assert Admission(redis).admit(Token.parse(api_key), "192.0.2.1")[0].record
    assert sent_commands == [["EVALSHA"]]


def test_a_server_that_forgot_the_scripts_is_taught_again(client, api_key, redis):
    client.post("/closed", headers=with_key(api_key))
    redis.script_flush()
    assert remaining(client.post("/closed", headers=with_key(api_key))) == 98


def test_who_knows_only_the_id_of_a_key_cannot_use_up_its_limit(client, api_key):
    assert client.post("/closed", headers=with_key(api_key)).status_code == 200
    forged = api_key[:24] + "A" * 43
    for _ in range(5):
        assert client.post("/closed", headers=with_key(forged)).status_code == 401
    assert remaining(client.post("/closed", headers=with_key(api_key))) == 98


def test_a_503_does_not_count(app, client, api_key):
    from beam_api.exceptions import StoreUnavailable

    @app.get("/away")
    def away():
        raise StoreUnavailable

    answer = client.get("/away", headers=with_key(api_key))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert not LIMIT_HEADERS & set(answer.headers.keys())
    assert remaining(client.post("/closed", headers=with_key(api_key))) == 99


def test_without_redis_what_needs_a_key_is_503_and_health_answers(settings, reader, tmp_path):
    client = create_app(settings, redis=connect(f"unix://{tmp_path}/none.sock"), reader=reader).test_client()
    for headers in (with_key("beam_sk_" + "a" * 59), with_key("nonsense")):
        answer = client.get("/nope", headers=headers)
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "STORE_UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) >= 1
        assert not LIMIT_HEADERS & set(answer.headers.keys())
        assert client.get("/health", headers=headers).status_code == 200


@pytest.mark.parametrize("known", [False, True])
def test_checks_come_in_their_documented_order(client, parts, known):
    """Each request is wrong in all the ways not yet mended, and is answered with the first of them.

    The body of a key that is known to have been good is read first, which must not show.
    """
    full = parts.keys.create("o", tier="enterprise", limit_per_minute=1).key
    client.get("/nope", headers=with_key(full))
    good, revoked = parts.keys.create("o").key, parts.keys.create("o")
    if known:
        for key in (good, revoked.key):
            client.get("/nope", headers=with_key(key))
    parts.keys.revoke(revoked.record.key_id)
    form = "multipart/form-data; boundary=b"
    too_large = str(10**9)

    def reported(key, content_type, length, data=b""):
        sent = {"headers": with_key(key), "content_type": content_type, "data": data}
        answer = client.post("/api/rppg/measure", environ_overrides={"CONTENT_LENGTH": length}, **sent)
        return answer.json["error"]["code"]

    assert reported("wrong", "text/plain", too_large) == "INVALID_API_KEY"
    assert reported(revoked.key, "text/plain", too_large) == "INVALID_API_KEY"
    assert reported(full, "text/plain", too_large) == "RATE_LIMITED"
    assert reported(good, "text/plain", too_large) == "UNSUPPORTED_MEDIA_TYPE"
    assert reported(good, form, too_large) == "PAYLOAD_TOO_LARGE"
    part = "--b\r\nContent-Disposition: form-data; name={}\r\n\r\n{}\r\n"
    frame = part.format("frame; filename=face.jpg", "a text")
    for duration, code in (("5", "INVALID_PARAMETER"), ("10000", "UNSUPPORTED_IMAGE")):
        body = (part.format("duration_ms", duration) + frame + "--b--\r\n").encode()
        assert reported(good, form, str(len(body)), body) == code
