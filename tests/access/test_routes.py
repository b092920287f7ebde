"""One key never sees or changes another's: every route that takes an id, asked by everybody who may not.

`ROWS` holds a line for each such route and method. The first test fails when the app has one without a line.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from beam_api.services.access.keys import TIERS
from beam_api.store.deliveries import DeliveryStore
from beam_api.store.scans import session_name
from tests.images import jpeg, still_face

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from redis import Redis

    from beam_api.web.context import Parts

START_MS = 1_750_000_000_000
SCAN = "/scan-session/<session_id>"
ROWS = {
    ("GET", "/api/rppg/measurements/<measurement_id>"): "measurement",
    ("GET", "/api/rppg/sessions/<session_id>"): "person",
    ("GET", "/api/rppg/sessions/<session_id>/trend"): "person",
    ("DELETE", "/api/rppg/sessions/<session_id>"): "person",
    ("POST", f"/api/v1{SCAN}/video"): "scan",
    ("GET", f"/api/v1{SCAN}/vitals"): "scan",
    ("GET", f"/api/v1{SCAN}/deliveries"): "scan",
    ("DELETE", f"/api/v1{SCAN}"): "scan",
    ("POST", f"/v1{SCAN}/video"): "scan",
    ("GET", f"/v1{SCAN}/vitals"): "scan",
    ("GET", f"/v1{SCAN}/deliveries"): "scan",
    ("DELETE", f"/v1{SCAN}"): "scan",
}
"""Route and method to what its id names: something that belongs to a key."""

LISTENING = {("GET", "/api/rppg/sessions/<session_id>/events")}
"""Streams, which are open to any good key: of what is not its own it hears nothing. See `test_events`."""

PUBLIC = {"/static/<path:name>", "/docs/<path:name>", "/playground/face/<int:number>"}
"""What these name belongs to nobody."""

OWN = {
    ("GET", "/api/keys/me"),
    ("DELETE", "/api/keys/me"),
    ("POST", "/api/keys/me/rotate"),
    ("POST", "/api/keys/me/tokens"),
    ("GET", "/api/keys/me/webhook-secret"),
    ("POST", "/api/keys/me/webhook-secret/rotate"),
    ("POST", "/api/rppg/measure"),
    ("POST", "/api/rppg/check"),
    ("POST", "/api/rppg/samples"),
    ("POST", "/api/v1/scan-session"),
    ("POST", "/v1/scan-session"),
}
"""Routes without an id that show or change what belongs to the key of the request."""

OPEN = {
    *("/", "/keys", "/docs", "/playground", "/openapi.json", "/health", "/api/health", "/ready", "/metrics"),
    *("/api/keys", "/playground/key", "/reader.json", "/accuracy", "/privacy", "/docs/reference", "/docs/search.json"),
    *("/status", "/status.json"),
}
"""Routes that need no key, and show nothing that belongs to one."""

FOREIGN = {"measurement": "msr_" + "0" * 32, "person": "anna", "scan": "sess_20260101000000_0123456789abcdef"}
NOBODY = {"measurement": "msr_" + "f" * 32, "person": "nobody", "scan": "sess_20260101000000_fedcba9876543210"}


@dataclass
class Customer:
    """A key, how it is sent, and what it owns."""

    client: FlaskClient
    key: str
    headers: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        return self.client.open(path, method=method, headers=self.headers, **options)

    def measure(self, session: str, start_ms: int = START_MS, frames: int = 5) -> Any:
        """Frames two seconds apart; five make a window, which is full, and nobody's pulse."""
        face = jpeg(still_face(eyes_px=40.0, frame_size=(240, 220)))
        form = {
            "frame": [(io.BytesIO(face), "f.jpg") for _ in range(frames)],
            "timestamp_ms": [str(start_ms + 2000 * i) for i in range(frames)],
            "duration_ms": "10000",
            "session_id": session,
        }
        return self.ask("POST", "/api/rppg/measure", data=form)

    def own_everything(self, parts: Parts, redis: Redis) -> None:
        """A measurement, an open window, a completed scan with deliveries, a webhook secret, usage."""
        self.ids = {"person": "anna", "measurement": self.measure("anna").json["data"]["measurement_id"]}
        single = {"frame": (io.BytesIO(jpeg(still_face(eyes_px=40.0, frame_size=(240, 220)))), "f.jpg")}
        assert self.ask("POST", "/api/rppg/measure", data={**single, "session_id": "anna"}).status_code == 202
        self.ids["scan"] = self.ask("POST", "/v1/scan-session").json["session_id"]
        redis.hset(
            session_name(self.ids["scan"]), mapping={"status": "completed", "vitals": json.dumps({"heart_rate": 61})}
        )
        DeliveryStore(redis).log(self.ids["scan"], {"id": "msg_1", "at": "now", "status": 200, "attempt": 1})

    def view(self) -> dict[str, Any]:
        """All that this key can see of what it owns."""
        seen = {
            what: self.ask("GET", fill(rule, self.ids)).json for (method, rule), what in ROWS.items() if method == "GET"
        }
        seen["webhook-secret"] = self.ask("GET", "/api/keys/me/webhook-secret").json["data"]
        return {what: without_the_moment(reported) for what, reported in seen.items()}


def fill(rule: str, ids: dict[str, str]) -> str:
    """The path of a route, with an id of the kind that its row says."""
    what = next(what for (_, known), what in ROWS.items() if known == rule)
    return rule.replace("<session_id>", ids[what]).replace("<measurement_id>", ids[what])


def without_the_moment(reported: Any) -> Any:
    """An answer without what differs from request to request."""
    if isinstance(reported, dict):
        moment = ("request_id", "processing_ms", "timestamp")
        return {name: without_the_moment(value) for name, value in reported.items() if name not in moment}
    return reported


def reported(answer: Any) -> tuple[int, Any, Any]:
    """The parts of an answer: its status, its body, and those headers that say something of what was asked for."""
    moment = (
        *("X-Request-Id", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Limit", "X-Beam-Work-Reset"),
        "Date",
    )
    headers = {name: value for name, value in answer.headers.items() if name not in moment}
    return (
        answer.status_code,
        without_the_moment(answer.json if answer.is_json and answer.data else answer.text),
        headers,
    )


def options_of(method: str, rule: str) -> dict[str, Any]:
    return {"data": {"file": (io.BytesIO(b"\0\0\0\x18ftypisom"), "v.mp4")}} if rule.endswith("/video") else {}


@pytest.fixture
def owner(app: Flask, parts: Parts, redis: Redis) -> Customer:
    key = parts.keys.create("owner", tier="enterprise").key
    customer = Customer(app.test_client(use_cookies=False), key, {"X-API-Key": key})
    customer.own_everything(parts, redis)
    return customer


GOOD = [*TIERS, "signup", "rotated", "visitor"]
"""Keys that are good, each somebody else's."""

USELESS = ["unknown", "revoked", "expired", "replaced", "malformed", "no key", "visitor without cookie", "two keys"]


@pytest.fixture
def somebody(app: Flask, parts: Parts, redis: Redis, owner: Customer, request: pytest.FixtureRequest) -> Customer:
    """Whoever the parameter names. Their keys have the same prefixes and tiers as the owner's may have."""
    client = app.test_client(use_cookies=False)
    kind = request.param
    if kind.startswith("visitor"):
        made = client.post("/playground/key")
        cookie = made.headers["Set-Cookie"].partition(";")[0]
        headers = {"X-API-Key": made.json["data"]["key"]} | ({} if "without" in kind else {"Cookie": cookie})
        return Customer(client, headers["X-API-Key"], headers)
    if kind in TIERS:
        key = parts.keys.create("owner", tier=kind).key  # the same owner's name: two keys are two customers
    elif kind == "signup":
        key = client.post("/api/keys", json={"name": "mine"}).json["data"]["key"]
    elif kind == "two keys":
        return Customer(client, "", {"X-API-Key": owner.key, "Authorization": f"Bearer {parts.keys.create('o').key}"})
    elif kind == "no key":
        return Customer(client, "", {})
    elif kind == "malformed":
        key = owner.key[:-1]
    elif kind == "unknown":
        key = owner.key[:24] + "A" * 43  # the owner's id, which is no secret, and a wrong one
    else:
        new = parts.keys.create("owner")
        key = new.key
        if kind == "revoked":
            parts.keys.revoke(new.record.key_id)
        elif kind == "expired":
            redis.delete(f"beam:{{{new.record.key_id}}}:key")
        else:
            rotated = parts.keys.rotate(new.record)
            key = rotated.key if kind == "rotated" else key
    return Customer(client, key, {"Authorization": f"Bearer {key}"})


def test_every_route_has_a_line(app: Flask) -> None:
    rules = {(m, r.rule): bool(r.arguments) for r in app.url_map.iter_rules() for m in r.methods - {"HEAD", "OPTIONS"}}
    with_id = {row for row, takes_id in rules.items() if takes_id and row[1] not in PUBLIC} - LISTENING
    assert with_id == set(ROWS), "a route that takes an id needs a row in ROWS, and one that is gone needs none"
    without = {row for row, takes_id in rules.items() if not takes_id and row[1] not in OPEN}
    assert without == OWN, "a route that needs a key needs a line in OWN"


def test_routes_that_are_said_to_be_open_are_marked_so_and_no_others(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        is_public = getattr(app.view_functions[rule.endpoint], "is_public", False)
        assert is_public is (rule.rule in OPEN | PUBLIC), rule.rule


def test_the_owner_sees_what_is_their_own(owner: Customer) -> None:
    """Else the tests below would find that nobody sees anything."""
    for method, rule in ROWS:
        if method == "GET":
            assert owner.ask(method, fill(rule, owner.ids)).status_code == 200, rule
    assert owner.view()["scan"]["deliveries"][0]["id"] == "msg_1"


@pytest.mark.parametrize("somebody", GOOD, indirect=True)
def test_another_good_key_gets_the_answer_for_what_is_not_there(owner: Customer, somebody: Customer) -> None:
    before = owner.view()
    for (method, rule), kind in ROWS.items():
        for verb in (method, "HEAD") if method == "GET" else (method,):
            theirs = somebody.ask(verb, fill(rule, owner.ids), **options_of(method, rule))
            nothing = somebody.ask(verb, fill(rule, NOBODY), **options_of(method, rule))
            assert reported(theirs) == reported(nothing), (verb, rule)
            expected = (204,) if (method, kind) == ("DELETE", "person") else (401, 404)
            assert theirs.status_code in expected, (verb, rule)
    assert owner.view() == before


@pytest.mark.parametrize("somebody", USELESS, indirect=True)
def test_a_key_that_is_none_gets_one_answer_for_everything(owner: Customer, somebody: Customer) -> None:
    before = owner.view()
    reasons = set()
    for method, rule in ROWS:
        for ids in (owner.ids, NOBODY, FOREIGN):
            answer = somebody.ask(method, fill(rule, ids), **options_of(method, rule))
            assert answer.status_code == 401, (method, rule)
            reasons.add(answer.json.get("detail") or answer.json["error"]["message"])
    for method, path in (*OWN, *LISTENING):
        assert somebody.ask(method, path).status_code == 401, path
    assert len(reasons) == 1
    assert owner.view() == before


@pytest.mark.parametrize("somebody", GOOD, indirect=True)
def test_two_keys_that_name_a_person_alike_measure_two_people(owner: Customer, somebody: Customer) -> None:
    before = owner.view()
    answer = somebody.measure("anna")  # the very frames, times and name of the owner's measurement
    assert answer.status_code == 200
    assert "Idempotent-Replayed" not in answer.headers
    assert answer.json["data"]["measurement_id"] != owner.ids["measurement"]
    mine = somebody.ask("GET", "/api/rppg/sessions/anna").json["data"]
    assert mine["last_measurement_id"] == answer.json["data"]["measurement_id"]
    assert mine["frames"] == 0
    assert owner.view() == before
    assert somebody.ask("DELETE", "/api/rppg/sessions/anna").status_code == 204
    assert owner.view() == before


@pytest.mark.parametrize("somebody", [k for k in GOOD if k != "visitor"], indirect=True)
def test_usage_secrets_and_keys_are_each_key_s_own(owner: Customer, somebody: Customer) -> None:
    before = owner.view()
    used = owner.ask("GET", "/api/keys/me").json["data"]["usage"]["today"]
    about = somebody.ask("GET", "/api/keys/me").json["data"]
    assert about["key_id"] == somebody.key.removeprefix("beam_sk_").removeprefix("rppg_live_")[:16]
    assert about["usage"]["today"] == 1
    secret = somebody.ask("GET", "/api/keys/me/webhook-secret").json["data"]["secret"]
    rotated = somebody.ask("POST", "/api/keys/me/webhook-secret/rotate").json["data"]["secret"]
    assert len({secret, rotated, before["webhook-secret"]["secret"]}) == 3
    assert somebody.ask("POST", "/api/keys/me/rotate").status_code == 201
    assert owner.ask("GET", "/api/keys/me").json["data"]["usage"]["today"] == used + 1
    assert owner.view() == before


def test_what_a_revoked_key_owned_is_nobody_s(owner: Customer, app: Flask, parts: Parts) -> None:
    """Not even that of the key that is made next by the same owner."""
    parts.keys.revoke(owner.key[8:24])
    heir = parts.keys.create("owner", tier="enterprise").key
    client = app.test_client()
    for (method, rule), kind in ROWS.items():
        for key, status in ((owner.key, 401), (heir, 204 if (method, kind) == ("DELETE", "person") else 404)):
            path = fill(rule, owner.ids)
            answer = client.open(path, method=method, headers={"X-API-Key": key}, **options_of(method, rule))
            assert answer.status_code == status, (method, rule)


def test_a_rotated_key_keeps_what_it_owned(owner: Customer) -> None:
    before = owner.view()
    key = owner.ask("POST", "/api/keys/me/rotate").json["data"]["key"]
    assert {owner.ask(method, path).status_code for method, path in OWN} == {401}
    owner.headers = {"X-API-Key": key}
    assert owner.view() == before


@pytest.fixture
def many_ids(owner: Customer, parts: Parts) -> dict[str, set[str]]:
    return {
        "scan": {owner.ask("POST", "/v1/scan-session").json["session_id"] for _ in range(200)},
        "key": {parts.keys.create("o").record.key_id for _ in range(200)},
        "measurement": {owner.measure(f"p{i}").json["data"]["measurement_id"] for i in range(8)},
    }


def test_ids_can_t_be_guessed(many_ids: dict[str, set[str]]) -> None:
    """And if they could, the tests above show that a guess is of no use: ownership is looked at each time."""
    assert {what: len(ids) for what, ids in many_ids.items()} == {"scan": 200, "key": 200, "measurement": 8}
    random_part = {
        "scan": {found.rpartition("_")[2] for found in many_ids["scan"]},
        "key": many_ids["key"],
        "measurement": {found.removeprefix("msr_") for found in many_ids["measurement"]},
    }
    # Characters that are drawn: 36 to the 16th (82 bits), 62 to the 16th (95 bits), 128 bits of a hash over the key's
    # id, the person's name and every frame's time and digest.
    assert {len(part) for part in random_part["scan"]} == {16}
    assert {len(part) for part in random_part["key"]} == {16}
    assert {len(part) for part in random_part["measurement"]} == {32}
    for what, alphabet in (("scan", 36), ("key", 62), ("measurement", 16)):
        drawn = "".join(random_part[what])
        assert len(set(drawn)) == alphabet
        for place in range(16):  # no place is a counter or a clock
            assert len({part[place] for part in random_part[what]}) > min(alphabet, len(random_part[what])) / 3
