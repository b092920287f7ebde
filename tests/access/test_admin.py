"""What the operator may do is done by command line alone: no route makes a better key, or shows or ends another's."""

from __future__ import annotations

import ast
import json
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import beam_api
from beam_api.services.access.keys import TIERS

if TYPE_CHECKING:
    from flask import Flask
    from redis import Redis

    from beam_api.web.context import Parts

WISHES = {
    "name": "mine",
    "tier": "enterprise",
    "limit_per_minute": 1_000_000,
    "limit": 1_000_000,
    "owner": "me",
    "life": None,
    "key_id": "",
    "prefix": "rppg_live_",
    "expires_at": None,
    "revoked_at": "",
    "visitor": "",
    "digest": "0" * 64,
    "is_admin": True,
}
"""What a stranger would like a route to believe."""

WISHES_AS_FORM: dict[str, Any] = {name: json.dumps(value) for name, value in WISHES.items()}

ADMIN_PATHS = (
    *("/api/keys/all", "/api/keys/list", "/api/admin", "/admin", "/api/admin/keys", "/api/users", "/debug", "/console"),
    *("/api/keys/{id}", "/api/keys/{id}/revoke", "/api/keys/{id}/rotate", "/api/keys/me/tier", "/rq", "/server-status"),
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def requests(app: Flask, victim: str) -> list[tuple[str, str]]:
    """Every method on every route, and on paths that an admin's interface might have."""
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    values = {
        "<session_id>": victim,
        "<measurement_id>": victim,
        "<path:name>": "x",
        "<name>": "x",
        "<int:number>": "0",
    }
    paths = set(ADMIN_PATHS) | rules
    for name, value in values.items():
        paths = {path.replace(name, value) for path in paths}
    return sorted(product(METHODS, {path.replace("{id}", victim) for path in paths}))


@pytest.mark.parametrize("with_key", [False, True])
def test_no_route_makes_a_key_of_another_tier_whatever_it_is_asked(
    app: Flask, parts: Parts, redis: Redis, with_key: bool
) -> None:
    victim = parts.keys.create("victim", tier="starter")
    before = redis.hgetall(f"beam:{{{victim.record.key_id}}}:key")
    made = [parts.keys.create("me", tier="enterprise", limit_per_minute=900_000)]  # enough for all that follows
    client = app.test_client(use_cookies=False)
    seen: list[str] = []
    for method, path in requests(app, victim.record.key_id):
        if path.endswith("/events") and method in ("GET", "HEAD"):
            continue  # it has no end
        for how in ({"json": WISHES}, {"data": WISHES_AS_FORM}, {"query_string": WISHES_AS_FORM}):
            headers = {"X-API-Key": made[-1].key, "X-HTTP-Method-Override": "DELETE"} if with_key else {}
            answer = client.open(path, method=method, headers=headers, buffered=True, **how)
            assert answer.status_code < 500, (method, path)
            if "/static/" not in path and "/docs" not in path:
                seen.append(answer.text)
            if mine_was_changed(method, path, answer.status_code):
                made.append(parts.keys.create("me", tier="enterprise", limit_per_minute=900_000))
    assert redis.hgetall(f"beam:{{{victim.record.key_id}}}:key") == before
    ours = {victim.record.key_id, *(key.record.key_id for key in made)}
    others = [record for record in parts.keys.all() if record.key_id not in ours]
    assert others
    for record in others:
        assert (record.tier, record.limit_per_minute, record.owner) == ("sandbox", TIERS["sandbox"], "signup")
        assert record.prefix.startswith("beam_sk_")
        assert record.expires_at
    assert {(r.tier, r.limit_per_minute) for r in parts.keys.all() if r.owner == "me"} == {("enterprise", 900_000)}
    assert not [text for text in seen if victim.record.last4 in text and victim.record.prefix in text]
    assert not [text for text in seen if "digest" in text and "openapi" not in text]


def mine_was_changed(method: str, path: str, status: int) -> bool:
    return path.startswith("/api/keys/me") and method in ("POST", "DELETE") and status in (201, 204)


def test_answers_about_a_key_state_what_is_meant_for_its_holder_and_no_more(app: Flask, redis: Redis) -> None:
    client = app.test_client()
    made = client.post("/api/keys", json=WISHES).json["data"]
    assert set(made) == {"key_id", "key", "tier", "prefix", "last4", "created_at", "expires_at"}
    about = client.get("/api/keys/me", headers={"X-API-Key": made["key"]}).json["data"]
    assert set(about) == {
        *("key_id", "name", "prefix", "last4", "tier", "limit_per_minute", "created_at", "expires_at", "usage")
    }
    assert (about["name"], about["tier"]) == ("mine", "sandbox")
    kept = {name.decode() for name in redis.hgetall(f"beam:{{{made['key_id']}}}:key")}
    assert kept == {
        *("key_id", "digest", "owner", "name", "tier", "limit_per_minute", "prefix", "last4"),
        *("created_at", "revoked_at", "expires_at", "visitor", "origin", "work_limit"),
    }


def test_views_use_of_the_keys_only_what_concerns_the_key_of_the_request() -> None:
    """`all`, `get` and `create` are the commands'; a view that called one would be an admin's interface."""
    folder = Path(beam_api.__file__).parent / "web" / "views"
    used = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("parts().keys"):
                used.add(node.attr)
    assert used == {"usage", "rotate", "revoke", "watch"}
