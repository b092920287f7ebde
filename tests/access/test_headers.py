"""Security headers of every answer, whatever the route and its outcome."""

from dataclasses import replace
from io import BytesIO

import pytest

from beam_api import create_app
from tests.images import jpeg, still_face

PAGES = ("/", "/keys", "/docs", "/docs/reference", "/playground", "/status")


def policy(answer):
    return {part.split()[0]: part.split()[1:] for part in answer.headers["Content-Security-Policy"].split(";")}


def answers(client, key):
    """An answer of each kind: pages, files, JSON, errors in both shapes, no body at all."""
    headers = {"X-API-Key": key}
    frame = {"frame": (BytesIO(jpeg(still_face())), "f.jpg")}
    yield from (client.get(path) for path in (*PAGES, "/health", "/ready", "/openapi.json", "/nope", "/v1/nope"))
    yield client.get("/static/beam.css", buffered=True)
    yield client.get("/static/js/keys.js", buffered=True)
    yield client.get("/playground/face/0")
    yield client.post("/api/rppg/measure", headers=headers, data=frame)
    yield client.get("/api/rppg/sessions/default", headers=headers)
    yield client.delete("/api/rppg/sessions/default", headers=headers)
    yield client.post("/v1/scan-session", headers=headers)
    yield client.post("/api/rppg/measure")
    yield client.post("/api/rppg/measure", headers=headers, data="text", content_type="text/plain")
    yield client.put("/api/keys", headers=headers)
    yield client.options("/api/keys")
    yield client.post("/playground/key")


def test_every_answer_keeps_to_its_origin_and_its_type(client, api_key):
    statuses = set()
    for answer in answers(client, api_key):
        statuses.add(answer.status_code)
        expected = answer.headers
        assert expected["X-Content-Type-Options"] == "nosniff"
        assert expected["X-Frame-Options"] == "DENY"
        assert expected["Referrer-Policy"] == "no-referrer"
        assert expected["Cross-Origin-Opener-Policy"] == expected["Cross-Origin-Resource-Policy"] == "same-origin"
        assert policy(answer)["default-src"] == policy(answer)["frame-ancestors"] == ["'none'"]
        features = dict(part.strip().split("=") for part in expected["Permissions-Policy"].split(","))
        assert features.pop("camera") == "(self)"
        assert set(features.values()) == {"()"}
        assert "Server" not in expected
        assert "X-Powered-By" not in expected
    assert {200, 201, 202, 204, 401, 404, 405, 415} <= statuses


def test_what_is_no_page_may_load_nothing_at_all(client, api_key):
    for answer in answers(client, api_key):
        if answer.mimetype != "text/html":
            assert policy(answer) == {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}


def test_vitals_and_keys_are_kept_by_no_browser_and_no_proxy(client, api_key):
    headers = {"X-API-Key": api_key}
    expected = [
        client.post("/api/keys"),
        client.get("/api/keys/me", headers=headers),
        client.get("/api/keys/me/webhook-secret", headers=headers),
        client.post("/api/keys/me/webhook-secret/rotate", headers=headers),
        client.post("/playground/key"),
        client.get("/api/rppg/sessions/nobody", headers=headers),
        client.get("/api/rppg/measurements/none", headers=headers),
        client.post("/api/rppg/measure", headers=headers),
        client.get("/api/v1/scan-session/none/vitals", headers=headers),
        client.get("/v1/scan-session/none/deliveries", headers=headers),
        client.post("/v1/scan-session", headers=headers),
        client.post("/api/keys/me/rotate", headers=headers),
    ]
    assert [answer.headers["Cache-Control"] for answer in expected] == ["no-store"] * len(expected)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://beam.example", None),
        ("https://beam.example", "max-age=31536000"),
        ("https://beam.example:8443", "max-age=31536000"),
        ("https://localhost:8443", None),
        ("https://localhost", None),
        ("https://127.0.0.1:8443", None),
        ("https://[::1]:8443", None),
    ],
)
@pytest.mark.parametrize("path", ["/", "/health", "/api/keys/me"])
def test_over_tls_browsers_are_asked_to_come_by_tls_alone(client, url, expected, path):
    assert client.get(path, base_url=url).headers.get("Strict-Transport-Security") == expected


@pytest.mark.parametrize(("trusted", "expected"), [(0, None), (1, "max-age=31536000")])
def test_a_proxy_that_ends_tls_is_believed_if_it_is_trusted(settings, redis, reader, trusted, expected):
    client = create_app(replace(settings, trusted_proxies=trusted), redis=redis, reader=reader).test_client()
    answer = client.get("/", base_url="http://beam.example", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers.get("Strict-Transport-Security") == expected


def test_a_visitor_s_cookie_is_for_no_script_no_other_site_and_two_paths(client):
    for url, secure in (("http://beam.example", False), ("https://beam.example", True)):
        cookies = client.post("/playground/key", base_url=url).headers.getlist("Set-Cookie")
        parts = [{p.partition("=")[0]: p.partition("=")[2] for p in cookie.split("; ")} for cookie in cookies]
        assert sorted(p["Path"] for p in parts) == ["/api/rppg/", "/playground"]
        for part in parts:
            assert {"HttpOnly", "SameSite", "Max-Age"} <= set(part)
            assert part["SameSite"] == "Strict"
            assert int(part["Max-Age"]) == 900
            assert ("Secure" in part) is secure
            assert "Domain" not in part


def test_nothing_else_sets_a_cookie(client, api_key):
    for answer in answers(client, api_key):
        if answer.request.path != "/playground/key":
            assert "Set-Cookie" not in answer.headers
