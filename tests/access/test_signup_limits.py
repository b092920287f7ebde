"""How many keys a stranger gets, by whatever address he says to have; and what a visitor's key is good for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from beam_api import Settings, create_app
from beam_api.services.access.signup import SIGNUPS_AN_HOUR, VISITORS_AN_HOUR

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from redis import Redis

    from rppg_core.face.reader import FaceReader

LIMITS = [("/api/keys", SIGNUPS_AN_HOUR), ("/playground/key", VISITORS_AN_HOUR)]


def statuses(client: FlaskClient, path: str, addresses: Any) -> list[int]:
    """Of one request from each address, with a header that claims another one where it is a pair."""
    found = []
    for address in addresses:
        peer, forwarded = address if isinstance(address, tuple) else (address, None)
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        found.append(client.post(path, headers=headers, environ_overrides={"REMOTE_ADDR": peer}).status_code)
    return found


@pytest.fixture
def behind(settings: Settings, redis: Redis, reader: FaceReader) -> Any:
    """A client of a service that trusts so many proxies."""
    return lambda proxies: create_app(
        replace(settings, trusted_proxies=proxies), redis=redis, reader=reader
    ).test_client(use_cookies=False)


@pytest.mark.parametrize(("path", "most"), LIMITS)
def test_an_ipv4_address_gets_its_share(client: FlaskClient, path: str, most: int) -> None:
    assert statuses(client, path, ["192.0.2.1"] * (most + 2)) == [201] * most + [429] * 2
    assert statuses(client, path, ["192.0.2.2"]) == [201]


@pytest.mark.parametrize(("path", "most"), LIMITS)
def test_all_addresses_of_an_ipv6_customer_get_one_share(client: FlaskClient, path: str, most: int) -> None:
    mine = [f"2001:db8:1:2:{i:x}::{i + 1:x}" for i in range(most + 2)]
    assert statuses(client, path, mine) == [201] * most + [429] * 2
    assert statuses(client, path, ["2001:db8:1:3::1"]) == [201]


@pytest.mark.parametrize(("path", "most"), LIMITS)
def test_a_claimed_address_counts_for_nothing_where_no_proxy_is_trusted(behind: Any, path: str, most: int) -> None:
    claims = [("192.0.2.1", f"198.51.100.{i}") for i in range(most + 2)]
    assert statuses(behind(0), path, claims) == [201] * most + [429] * 2


@pytest.mark.parametrize(("path", "most"), LIMITS)
def test_behind_a_proxy_only_what_the_proxy_added_counts(behind: Any, path: str, most: int) -> None:
    """The client writes the header's beginning, the proxy its end."""
    claims = [("10.0.0.1", f"198.51.100.{i}, 203.0.113.7") for i in range(most + 2)]
    client = behind(1)
    assert statuses(client, path, claims) == [201] * most + [429] * 2
    assert statuses(client, path, [("10.0.0.1", "198.51.100.1, 203.0.113.8")]) == [201]


def test_with_two_proxies_the_second_last_counts(behind: Any) -> None:
    claims = [("10.0.0.1", f"198.51.100.{i}, 203.0.113.7, 10.0.0.2") for i in range(SIGNUPS_AN_HOUR + 1)]
    assert statuses(behind(2), "/api/keys", claims) == [201] * SIGNUPS_AN_HOUR + [429]


@pytest.mark.parametrize("claim", ["", "x", "unknown", "203.0.113.7:1234", "[2001:db8::1]:80", "2001:db8::1%eth0"])
def test_what_a_proxy_forwards_that_is_no_address_gets_one_share_for_all(behind: Any, claim: str) -> None:
    addresses = [("10.0.0.1", f"{claim}")] * SIGNUPS_AN_HOUR
    client = behind(1)
    assert statuses(client, "/api/keys", addresses) == [201] * SIGNUPS_AN_HOUR
    assert statuses(client, "/api/keys", [("10.0.0.1", claim)]) == [429]


@pytest.mark.parametrize("header", ["X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"])
@pytest.mark.parametrize("proxies", [0, 1])
def test_no_other_header_claims_an_address(behind: Any, header: str, proxies: int) -> None:
    client = behind(proxies)
    for i in range(SIGNUPS_AN_HOUR + 1):
        answer = client.post("/api/keys", headers={header: f"198.51.100.{i}"})
    assert answer.status_code == 429


def test_who_is_refused_keeps_what_he_has(client: FlaskClient) -> None:
    key = client.post("/api/keys").json["data"]["key"]
    assert statuses(client, "/api/keys", ["127.0.0.1"] * SIGNUPS_AN_HOUR)[-1] == 429
    assert client.get("/api/keys/me", headers={"X-API-Key": key}).status_code == 200


def test_requests_with_bad_keys_are_limited_by_address_too(client: FlaskClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("beam_api.store.limits.ADDRESS_LIMIT", 5)
    found = [
        client.get(
            "/api/keys/me",
            headers={"X-API-Key": f"beam_sk_{i:059d}", "X-Forwarded-For": f"198.51.100.{i}"},
            environ_overrides={"REMOTE_ADDR": f"2001:db8:1:2::{i}"},
        ).status_code
        for i in range(7)
    ]
    assert found == [401] * 5 + [429] * 2


def test_many_visitors_of_one_address_do_not_share_keys_or_people(app: Flask) -> None:
    visits = []
    for _ in range(3):
        client = app.test_client(use_cookies=False)
        made = client.post("/playground/key")
        cookie = made.headers["Set-Cookie"].partition(";")[0]
        visits.append((client, made.json["data"]["key"], cookie))
    for client, key, own in visits:
        for _, _, cookie in visits:
            answer = client.get("/api/rppg/sessions/default", headers={"X-API-Key": key, "Cookie": cookie})
            assert answer.status_code == (404 if cookie == own else 401)


def test_a_visitor_s_key_is_good_on_the_measure_api_alone(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    made = client.post("/playground/key")
    headers = {"X-API-Key": made.json["data"]["key"], "Cookie": made.headers["Set-Cookie"].partition(";")[0]}
    for rule in app.url_map.iter_rules():
        if getattr(app.view_functions[rule.endpoint], "is_public", False):
            continue
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            path = rule.rule.replace("<session_id>", "x").replace("<measurement_id>", "x")
            answer = client.open(path, method=method, headers=headers)
            assert (answer.status_code == 401) is not path.startswith("/api/rppg/"), (method, path)
    for path in ("/api/rppg", "/api/rppg/../keys/me", "//api/rppg/measure", "/api//rppg/measure", "/API/rppg/measure"):
        assert client.get(path, headers=headers).status_code in (401, 404)


@pytest.mark.parametrize("cookie", ["", "x", "a" * 42, "a" * 44, "ä" * 43, "a" * 42 + ";", '"' + "a" * 41 + '"'])
def test_a_cookie_of_another_form_is_replaced(app: Flask, cookie: str) -> None:
    client = app.test_client(use_cookies=False)
    made = client.post("/playground/key", headers={"Cookie": f"beam_visitor={cookie}".encode().decode("latin-1")})
    assert made.status_code == 201
    given = made.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
    assert len(given) == 43
    assert given != cookie
