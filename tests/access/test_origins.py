"""What pages of other origins may do: nothing, unless the operator names their origin."""

from dataclasses import replace

import pytest

from beam_api import create_app
from beam_api.config import Settings, SettingsError

APP = "https://app.example.com"
CORS = {"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Credentials"}
APIS = ("/api/rppg/measure", "/api/keys/me", "/v1/scan-session", "/api/v1/scan-session", "/api/nowhere")


@pytest.fixture
def open_to_app(settings, redis, reader):
    """A client of a service that has named an origin."""
    return create_app(replace(settings, cors_origins=(APP,)), redis=redis, reader=reader).test_client()


def preflight(client, path, origin=APP):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key,content-type"}
    return client.options(path, headers={"Origin": origin, **asked})


@pytest.mark.parametrize("path", [*APIS, "/", "/playground/key", "/openapi.json", "/health"])
def test_unless_configured_no_answer_is_for_another_origin(client, api_key, path):
    answers = [preflight(client, path)]
    answers += [client.open(path, method=m, headers={"Origin": APP, "X-API-Key": api_key}) for m in ("GET", "POST")]
    for answer in answers:
        assert not CORS & set(answer.headers.keys())
    assert preflight(client, "/api/rppg/measure").status_code == 401


@pytest.mark.parametrize("path", APIS)
def test_a_named_origin_may_call_the_apis(open_to_app, api_key, path):
    reported = preflight(open_to_app, path)
    assert (reported.status_code, reported.data) == (204, b"")
    assert reported.headers["Access-Control-Allow-Origin"] == APP
    assert "POST" in reported.headers["Access-Control-Allow-Methods"]
    assert "X-API-Key" in reported.headers["Access-Control-Allow-Headers"]
    assert "Last-Event-ID" in reported.headers["Access-Control-Allow-Headers"]
    for headers in ({}, {"X-API-Key": api_key}, {"X-API-Key": "wrong"}):  # its page must see what went wrong, too
        answer = open_to_app.post(path, headers={"Origin": APP, **headers})
        assert answer.headers["Access-Control-Allow-Origin"] == APP
        assert "X-RateLimit-Remaining" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_preflight_asks_for_no_key_and_counts_for_nothing(open_to_app, redis):
    for path in APIS:
        assert preflight(open_to_app, path).status_code == 204
    assert redis.dbsize() == 0


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example.com", "http://app.example.com", "https://app.example.com:444", "null", APP + ".evil.com"],
)
def test_only_the_very_origin_is_named(open_to_app, api_key, origin):
    answers = [
        preflight(open_to_app, "/api/rppg/measure", origin),
        open_to_app.get("/api/keys/me", headers={"Origin": origin, "X-API-Key": api_key}),
    ]
    assert [answer.status_code for answer in answers] == [401, 200]
    for answer in answers:
        assert not CORS & set(answer.headers.keys())
        assert "Origin" in answer.headers["Vary"]  # no cache may give this answer to the named origin


@pytest.mark.parametrize("path", ["/", "/keys", "/playground/key", "/openapi.json", "/health", "/static/beam.css"])
def test_pages_and_what_they_are_made_of_stay_closed(open_to_app, path):
    for answer in (preflight(open_to_app, path), open_to_app.get(path, headers={"Origin": APP}, buffered=True)):
        assert not CORS & set(answer.headers.keys())


@pytest.mark.parametrize(
    "value",
    [
        *("*", "null", "example.com", "https://example.com/", "https://*.example.com", "https://Example.com", "a b"),
        *("capacitor://", "capacitor://localhost/", "capacitor://*", "tauri:localhost", "file://", "1a://x", "x://y:0"),
        *("capacitor://localhost/index.html", "https://user@example.com", "ionic://localhost?a", "://localhost"),
        *("file://localhost", "javascript://x", "https://a:99999"),
    ],
)
def test_a_setting_that_is_no_list_of_origins_is_refused(monkeypatch, value):
    monkeypatch.setenv("BEAM_CORS_ORIGINS", value)
    with pytest.raises(SettingsError, match="BEAM_CORS_ORIGINS"):
        Settings.from_environment()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *(
            (v, "no origin of their own")
            for v in ("file://localhost", "javascript://x", "data:", "blob:", "Blob:https://a.b")
        ),
        *((v, "no origin of their own") for v in ("data:text/html,x", "blob:https://a.example/1", f"{APP} file:///a")),
        *(
            (v, "ports from 1 to 65535")
            for v in ("https://a:99999", "https://[::1]:65536", "capacitor://localhost:70000")
        ),
    ],
)
def test_what_is_wrong_with_an_origin_is_said(monkeypatch, value, said):
    monkeypatch.setenv("BEAM_CORS_ORIGINS", value)
    with pytest.raises(SettingsError, match=f"BEAM_CORS_ORIGINS.*{said}"):
        Settings.from_environment()


def test_the_highest_port_and_hosts_called_like_schemes_are_origins(monkeypatch):
    monkeypatch.setenv("BEAM_CORS_ORIGINS", "https://a:65535,http://file,http://tauri.localhost")
    assert Settings.from_environment().cors_origins == ("https://a:65535", "http://file", "http://tauri.localhost")


def test_origins_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("BEAM_CORS_ORIGINS", f"{APP}, http://localhost:5173 https://[::1]:8443")
    assert Settings.from_environment().cors_origins == (APP, "http://localhost:5173", "https://[::1]:8443")


@pytest.mark.parametrize(
    "origin",
    ["capacitor://localhost", "ionic://localhost", "tauri://localhost", "http://tauri.localhost", "app://x-1:8080"],
)
def test_the_origin_of_a_packaged_app_is_one_like_others(settings, redis, reader, api_key, monkeypatch, origin):
    monkeypatch.setenv("BEAM_CORS_ORIGINS", origin)
    named = Settings.from_environment().cors_origins
    client = create_app(replace(settings, cors_origins=named), redis=redis, reader=reader).test_client()
    allowed = preflight(client, "/api/rppg/measure", origin)
    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == origin
    answer = client.get("/api/keys/me", headers={"Origin": origin, "X-API-Key": api_key})
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    for other in ("http://localhost", "https://localhost", origin + "/", "null"):
        assert preflight(client, "/api/rppg/measure", other).status_code == 401


@pytest.mark.parametrize("path", ["/api/keys", "/playground/key"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_gets_no_key_in_its_visitor_s_name(client, redis, path, site):
    """A form needs no CORS; what it asks for would count against the address of whoever was led to the page."""
    form = {"content_type": "application/x-www-form-urlencoded"}
    answer = client.post(path, headers={"Sec-Fetch-Site": site, "Origin": "https://evil.example"}, **form)
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "CROSS_SITE_REQUEST")
    assert "Set-Cookie" not in answer.headers
    assert redis.dbsize() == 0


@pytest.mark.parametrize("path", ["/api/keys", "/playground/key"])
@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
def test_pages_and_programs_of_the_service_get_their_own(client, path, headers):
    assert client.post(path, headers=headers).status_code == 201


def test_a_named_origin_may_ask_for_a_key(open_to_app):
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": APP}
    assert open_to_app.post("/api/keys", headers=headers).status_code == 201


def test_what_needs_a_key_can_t_be_asked_for_with_a_cookie_alone(client):
    """A visitor's cookie is no key: a page that made a browser send it would still have none."""
    client.post("/playground/key")
    for method, path in (("post", "/api/rppg/measure"), ("delete", "/api/rppg/sessions/default")):
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer.json["error"]["code"]) == (401, "MISSING_API_KEY")
