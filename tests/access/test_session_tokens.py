"""Session tokens: what they open, what they don't, and how they end."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from beam_api import create_app
from beam_api.services.access.keys import Token
from beam_api.store.session_tokens import SessionTokenStore
from tests.images import jpeg, still_face

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from redis import Redis
    from werkzeug.test import TestResponse

    from beam_api.services.access.keys import NewKey
    from beam_api.web.context import Parts

START_MS = 1_750_000_000_000
ROUTES = ("measure", "samples", "check")


@cache
def face() -> bytes:
    return jpeg(still_face(eyes_px=40.0, frame_size=(240, 220)))


@dataclass
class Holder:
    """Who has a key, and who has a token that it made."""

    client: FlaskClient
    made: NewKey
    sent: int = 0

    def wish(self, key: str | None = None, **wish: Any) -> TestResponse:
        body = {"session_id": "anna", **wish}
        return self.client.post("/api/keys/me/tokens", json=body, headers={"X-API-Key": key or self.made.key})

    def token(self, **wish: Any) -> str:
        answer = self.wish(**wish)
        assert answer.status_code == 201, answer.text
        return str(answer.get_json()["data"]["token"])

    def send(self, route: str, token: str, session: str = "anna", **more: str) -> TestResponse:
        self.sent += 1
        headers = {"Authorization": f"Bearer {token}", **more}
        at = START_MS + 40 * self.sent
        if route == "samples":
            sample = {"timestamp_ms": at, "pose": [240, 220, 60, 0, 0], "colours": [[180, 120, 90]] * 34}
            body = {"session_id": session, "sample_version": 1, "frame_size": [480, 440], "samples": [sample]}
            return self.client.post("/api/rppg/samples", json=body, headers=headers)
        form = {"frame": (io.BytesIO(face()), "f.jpg")}
        if route == "measure":
            form |= {"session_id": session, "timestamp_ms": str(at)}  # type: ignore[dict-item]
        return self.client.post(f"/api/rppg/{route}", data=form, headers=headers)


@pytest.fixture
def holder(app: Flask, parts: Parts) -> Holder:
    return Holder(app.test_client(use_cookies=False), parts.keys.create("owner", tier="enterprise"))


def code(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]["code"]


def test_a_token_is_made_for_one_session_and_says_when_it_ends(holder: Holder) -> None:
    answer = holder.wish(ttl_s=900, requests=2000)
    assert answer.status_code == 201
    data = answer.get_json()["data"]
    assert set(data) == {"token", "expires_at"}
    assert data["token"].startswith("beam_tk_")
    assert data["expires_at"].endswith("Z")
    assert len({holder.token() for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"session_id": None}, "session_id"),
        ({"session_id": "a b"}, "session_id"),
        ({"session_id": 5}, "session_id"),
        ({"session_id": "x" * 65}, "session_id"),
        *(({name: value}, name) for name in ("ttl_s", "requests") for value in (0, -1, 2001, "5", 1.5, None, True)),
        ({"ttl_s": 901}, "ttl_s"),
    ],
)
def test_a_wish_that_won_t_do_names_the_wrong_field(holder: Holder, wish: dict[str, Any], field: str) -> None:
    answer = holder.wish(**wish)
    assert code(answer) == (400, "INVALID_PARAMETER")
    assert f"'{field}'" in answer.get_json()["error"]["message"]


def test_a_token_can_send_for_its_own_session_and_nothing_else(app: Flask, holder: Holder) -> None:
    token = holder.token()
    assert holder.send("measure", token).status_code == 202
    assert holder.send("check", token).status_code == 200
    bound = holder.token(session_id="ida")
    assert holder.send("samples", bound, "ida").status_code == 202
    before = holder.client.get("/api/rppg/sessions/anna", headers={"X-API-Key": holder.made.key}).get_json()["data"]
    for _ in range(2):  # known to the process or not
        for route in ("measure", "samples"):
            refused = holder.send(route, bound, "anna")
            assert code(refused) == (403, "TOKEN_SCOPE")
            assert "'ida'" in refused.get_json()["error"]["message"]
    asked = 0
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if getattr(view, "is_public", False) or getattr(view, "takes_tokens", False):
            continue
        path = rule.rule.replace("<session_id>", "anna").replace("<measurement_id>", "msr_" + "0" * 32)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = holder.client.open(path, method=method, headers={"X-API-Key": token})
            assert answer.status_code == 403, (method, path)
            asked += 1
    assert asked >= 12
    after = holder.client.get("/api/rppg/sessions/anna", headers={"X-API-Key": holder.made.key}).get_json()["data"]
    assert (after["frames"], after["face"]) == (before["frames"], before["face"])


def test_a_refused_session_is_not_touched(holder: Holder, redis: Redis) -> None:
    """Not even by what is asked on the way: that it is active, or that a request of it is being read."""
    token = holder.token(session_id="ida")
    for route in ("measure", "samples"):
        holder.send(route, token, "ida" if route == "measure" else "leo")
        assert code(holder.send(route, token, "leo"))[0] == 403
    assert not [name for name in redis.scan_iter() if b":leo}" in name]
    (active,) = redis.scan_iter("*:active")
    assert redis.zrange(active, 0, -1) == [b"ida"]


def test_a_token_reads_public_routes_as_anybody_does(holder: Holder) -> None:
    headers = {"X-API-Key": holder.token()}
    assert holder.client.get("/health", headers=headers).status_code == 200
    assert code(holder.client.get("/api/rppg/nowhere", headers=headers)) == (404, "NOT_FOUND")
    assert code(holder.client.get("/api/rppg/measure", headers=headers)) == (405, "METHOD_NOT_ALLOWED")


def test_what_it_sends_counts_against_its_key(holder: Holder) -> None:
    token = holder.token()
    left = [int(holder.send(route, token).headers["X-RateLimit-Remaining"]) for route in ("samples", *["check"] * 2)]
    assert left == [left[0], left[0] - 1, left[0] - 2]
    usage = holder.client.get("/api/keys/me", headers={"X-API-Key": holder.made.key}).get_json()["data"]["usage"]
    assert usage["today"] == 5


@pytest.mark.parametrize("route", ROUTES)
def test_a_used_up_token_is_refused(holder: Holder, route: str) -> None:
    token = holder.token(requests=3)
    assert [holder.send(route, token).status_code // 100 for _ in range(4)] == [2, 2, 2, 4]
    assert code(holder.send(route, token)) == (401, "INVALID_API_KEY")


def test_an_expired_token_is_refused_and_gone(holder: Holder, redis: Redis) -> None:
    token = holder.token(ttl_s=1)
    assert holder.send("check", token).status_code == 200
    time.sleep(1.1)
    assert code(holder.send("check", token)) == (401, "INVALID_API_KEY")
    assert not list(redis.scan_iter("*:token:*"))


@pytest.mark.parametrize("how", ["revoked", "rotated", "expired"])
def test_a_token_ends_at_once_with_the_secret_that_made_it(
    holder: Holder, parts: Parts, redis: Redis, how: str
) -> None:
    token = holder.token()
    assert holder.send("check", token).status_code == 200
    key_id = holder.made.record.key_id
    if how == "revoked":
        parts.keys.revoke(key_id)
    elif how == "rotated":
        parts.keys.rotate(holder.made.record)
    else:
        redis.delete(f"beam:{{{key_id}}}:key")
    assert code(holder.send("check", token)) == (401, "INVALID_API_KEY")
    if how == "expired":
        assert not redis.exists(f"beam:{{{key_id}}}:key")


def test_requests_are_counted_down_whoever_sends_them_at_once(app: Flask, holder: Holder) -> None:
    token, statuses = holder.token(requests=20), []

    def send() -> None:
        client = app.test_client()
        for _ in range(10):
            answer = client.post(
                "/api/rppg/check", data={"frame": (io.BytesIO(b"x"), "f")}, headers={"X-API-Key": token}
            )
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(400), statuses.count(401)) == (20, 20)


def test_what_the_key_s_limit_refuses_costs_the_token_nothing(app: Flask, parts: Parts, redis: Redis) -> None:
    holder = Holder(app.test_client(), parts.keys.create("o", tier="enterprise", limit_per_minute=3))
    token = holder.token(requests=5)
    statuses = [holder.send("check", token).status_code for _ in range(6)]
    assert statuses == [200, 200, 429, 429, 429, 429]
    (name,) = redis.scan_iter("*:token:*")
    assert redis.hget(name, "left") == b"3"


def test_a_request_that_came_to_nothing_is_given_back_and_an_expired_token_never_comes_back(
    holder: Holder, parts: Parts, redis: Redis
) -> None:
    token = Token.parse(holder.token(requests=5))
    assert token
    admitted, _ = parts.admission.admit(token, "127.0.0.1")
    (name,) = redis.scan_iter("*:token:*")
    assert redis.hget(name, "left") == b"4"
    parts.admission.give_back(admitted)
    assert redis.hget(name, "left") == b"5"
    redis.delete(name)
    SessionTokenStore(redis).give_back(token.key_id, token.digest)
    assert not redis.exists(name)


def test_a_token_makes_no_token_and_is_no_key(holder: Holder, parts: Parts) -> None:
    token = holder.token()
    assert code(holder.wish(key=token)) == (403, "TOKEN_SCOPE")
    as_key = token.replace("beam_tk_", "beam_sk_")
    assert code(holder.wish(key=as_key))[0] == 401
    key_as_token = holder.made.key.replace("beam_sk_", "beam_tk_")
    assert code(holder.send("check", key_as_token))[0] == 401
    other = parts.keys.create("other").record.key_id
    assert code(holder.send("check", "beam_tk_" + other + token[24:]))[0] == 401


def test_all_bad_tokens_get_one_answer(holder: Holder, parts: Parts, redis: Redis) -> None:
    used, expired = holder.token(requests=1), holder.token(session_id="gone")
    holder.send("check", used)
    redis.delete(*(n for n in redis.scan_iter("*:token:*") if redis.hget(n, "session") == b"gone"))
    bad = [used, expired, "beam_tk_" + "a" * 59, expired[:24] + "A" * 43]
    reported = {holder.send("check", token).get_json()["error"]["message"] for token in bad}
    assert len(reported) == 1


def test_no_token_is_kept(holder: Holder, redis: Redis) -> None:
    token = holder.token()
    holder.send("samples", token)
    secret = token[24:].encode()
    for name in redis.scan_iter():
        value = redis.dump(name)
        assert secret not in name
        assert secret not in value
    (name,) = redis.scan_iter("*:token:*")
    assert 0 < redis.pttl(name) <= 900_000


def test_a_page_of_a_named_origin_may_send_with_it(settings: Any, redis: Redis, reader: Any, holder: Holder) -> None:
    origin = "https://app.example.com"
    app = create_app(replace(settings, cors_origins=(origin,)), redis=redis, reader=reader)
    page = Holder(app.test_client(), holder.made)
    token = holder.token()
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,content-encoding",
    }
    reported = page.client.options("/api/rppg/samples", headers={"Origin": origin, **asked})
    assert reported.status_code == 204
    assert "Content-Encoding" in reported.headers["Access-Control-Allow-Headers"]
    answer = page.send("samples", token, Origin=origin)
    assert answer.status_code == 202
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    about = page.client.get("/reader.json", headers={"Origin": origin})
    assert (about.status_code, about.headers["Access-Control-Allow-Origin"]) == (200, origin)
    assert page.send("samples", token, "leo", Origin=origin).headers["Access-Control-Allow-Origin"] == origin
