"""What one address may do with all the keys that it has made for itself; operators' keys don't count."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from beam_api import Settings, create_app
from beam_api.web.context import EXTENSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient
    from redis import Redis

    from rppg_core.face.reader import FaceReader

ME = {"REMOTE_ADDR": "192.0.2.1"}
OTHER = {"REMOTE_ADDR": "192.0.2.2"}


@pytest.fixture
def limited(settings: Settings, redis: Redis, reader: FaceReader) -> Callable[..., FlaskClient]:
    """A client of a service with these settings."""
    return lambda **changes: create_app(replace(settings, **changes), redis=redis, reader=reader).test_client(
        use_cookies=False
    )


def signed_up(client: FlaskClient, place: dict[str, str] = ME) -> str:
    answer = client.post("/api/keys", environ_overrides=place)
    assert answer.status_code == 201
    return str(answer.json["data"]["key"])


def visited(client: FlaskClient, place: dict[str, str] = ME) -> dict[str, str]:
    answer = client.post("/playground/key", environ_overrides=place)
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    return {"X-API-Key": answer.json["data"]["key"], "Cookie": cookie}


def ask(client: FlaskClient, headers: dict[str, str], place: dict[str, str] = ME) -> Any:
    return client.get("/api/rppg/sessions/x", headers=headers, environ_overrides=place)


def test_all_self_made_keys_of_an_address_share_one_limit(limited: Any) -> None:
    client = limited(address_limit=6)
    holders = [{"X-API-Key": signed_up(client)}, {"X-API-Key": signed_up(client)}, visited(client), visited(client)]
    answers = [ask(client, holders[i % 4]) for i in range(8)]
    assert [answer.status_code for answer in answers] == [404] * 6 + [429] * 2
    refused = answers[-1]
    assert refused.json["error"]["code"] == "RATE_LIMITED"
    assert "this address" in refused.json["error"]["message"]
    assert (refused.headers["X-RateLimit-Limit"], refused.headers["X-RateLimit-Remaining"]) == ("6", "0")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    elsewhere = ask(client, holders[0], OTHER)
    assert elsewhere.status_code == 404
    # Two requests of this key were answered before; the refused one doesn't count.
    assert elsewhere.headers["X-RateLimit-Remaining"] == str(100 - 3)


def test_all_addresses_of_an_ipv6_network_share_the_limit(limited: Any) -> None:
    client = limited(address_limit=3)
    key = {"X-API-Key": signed_up(client)}
    places = [{"REMOTE_ADDR": f"2001:db8:1:2:{i:x}::1"} for i in range(4)]
    assert [ask(client, key, place).status_code for place in places] == [404, 404, 404, 429]
    assert ask(client, key, {"REMOTE_ADDR": "2001:db8:1:3::1"}).status_code == 404


def test_an_operator_s_key_is_not_counted_by_address(limited: Any) -> None:
    client = limited(address_limit=2)
    made = client.application.extensions[EXTENSION].keys.create("signup").key
    own = {"X-API-Key": signed_up(client)}
    assert [ask(client, own).status_code for _ in range(3)] == [404, 404, 429]
    assert [ask(client, {"X-API-Key": made}).status_code for _ in range(5)] == [404] * 5


def test_a_key_that_is_at_its_own_limit_uses_none_of_its_address(limited: Any) -> None:
    client = limited(address_limit=150)
    first, second = {"X-API-Key": signed_up(client)}, {"X-API-Key": signed_up(client)}
    assert [ask(client, first).status_code for _ in range(105)] == [404] * 100 + [429] * 5
    assert [ask(client, second).status_code for _ in range(51)] == [404] * 50 + [429]


def test_both_limits_can_be_turned_off(limited: Any) -> None:
    client = limited(address_limit=0, address_keys=0)
    keys = [{"X-API-Key": signed_up(client)} for _ in range(3)]
    assert {ask(client, key).status_code for key in keys * 5} == {404}


def test_an_address_has_so_many_live_keys_and_each_revoked_one_makes_room(limited: Any) -> None:
    client = limited(address_keys=3)
    keys = [signed_up(client), signed_up(client), visited(client)["X-API-Key"]]
    for path in ("/api/keys", "/playground/key"):
        refused = client.post(path, environ_overrides=ME)
        assert (refused.status_code, refused.json["error"]["code"]) == (429, "RATE_LIMITED")
        assert "3 live keys" in refused.json["error"]["message"]
        assert 800 < int(refused.headers["Retry-After"]) <= 900  # when the visitor's key ends
    signed_up(client, OTHER)

    def of_mine(method: str, path: str, key: str) -> Any:
        return client.open(path, method=method, headers={"X-API-Key": key}, environ_overrides=ME)

    rotated = of_mine("POST", "/api/keys/me/rotate", keys[0]).json["data"]["key"]
    assert client.post("/api/keys", environ_overrides=ME).status_code == 429
    assert of_mine("DELETE", "/api/keys/me", rotated).status_code == 204
    signed_up(client)
    assert client.post("/api/keys", environ_overrides=ME).status_code == 429
    client.application.extensions[EXTENSION].keys.revoke(keys[1][8:24])  # by the operator
    signed_up(client)


def test_a_key_that_expires_makes_room(limited: Any, redis: Redis) -> None:
    client = limited(address_keys=1)
    visited(client)
    (slots,) = redis.keys("beam:{origin:*}:keys")
    assert b"192.0.2.1" not in slots
    assert 0 < redis.pttl(slots) <= 15 * 60 * 1000
    assert client.post("/api/keys", environ_overrides=ME).status_code == 429
    members: list[Any] = redis.zrange(slots, 0, -1)
    redis.zadd(slots, dict.fromkeys(members, 1))  # it has expired
    signed_up(client)
