import json
import sys
from contextlib import suppress
from dataclasses import replace

import pytest

from beam_api import create_app
from beam_api.web.auth import public


@pytest.fixture
def app(settings, redis, reader, capsys):
    app = create_app(replace(settings, log_level="INFO"), redis=redis, reader=reader)

    @app.post("/closed")
    def closed():
        return {}

    @app.get("/broken")
    @public
    def broken():
        local_secret = "hunter2"  # a traceback with locals would show it
        raise RuntimeError("it broke" + local_secret[:0])

    return app


@pytest.fixture
def log_lines(capsys):
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_every_answer_has_an_id_and_a_line_in_the_log(client, log_lines):
    for path in ("/health", "/nope", "/v1/nope", "/broken"):
        log_lines()
        answer = client.get(path)
        [line] = [x for x in log_lines() if x["event"] == "request"]
        assert line["request_id"] == answer.headers["X-Request-Id"]
        assert line["request_id"].startswith("req_")
        assert (line["method"], line["path"], line["status"]) == ("GET", path, answer.status_code)
        assert line["ms"] >= 1
        assert line["key_id"] is None


def test_a_sane_id_of_the_client_is_kept_and_another_is_not(client):
    assert client.get("/health", headers={"X-Request-Id": "mine-1.2:3"}).headers["X-Request-Id"] == "mine-1.2:3"
    for bad in ("", "a b", "<script>", "x" * 129, "ü"):
        answer = client.get("/health", headers={"X-Request-Id": bad.encode("latin-1").decode("latin-1")})
        assert answer.headers["X-Request-Id"].startswith("req_")


def test_the_log_has_the_id_of_the_key_and_nothing_secret(client, parts, log_lines):
    made = parts.keys.create("o")
    client.post("/closed?token=hunter2", headers={"X-API-Key": made.key}, data=b"\xff\xd8 picture")
    client.post(f"/closed/{made.key}", headers={"Authorization": f"Bearer {made.key}"})
    client.post("/closed", headers={"X-API-Key": made.key[:-1]})
    lines = log_lines()
    assert [line["key_id"] for line in lines] == [made.record.key_id, made.record.key_id, None]
    written = json.dumps(lines)
    assert made.key[24:40] not in written
    assert "hunter2" not in written
    assert "picture" not in written


def test_the_log_has_the_route_and_not_the_person(client, parts, log_lines):
    headers = {"X-API-Key": parts.keys.create("o").key}
    client.get("/api/rppg/sessions/anna-schmidt", headers=headers)
    client.get("/v1/scan-session/sess_1/vitals", headers=headers)
    client.put("/api/rppg/sessions/anna-schmidt", headers=headers)
    client.get("/api/rppg/session/anna-schmidt", headers=headers)
    assert client.put("/api//rppg/measure", headers=headers).status_code == 405
    client.get("/api/nowhere/" + "x" * 30 + "/end")
    paths = [line["path"] for line in log_lines()]
    assert paths == [
        "/api/rppg/sessions/<session_id>",
        "/v1/scan-session/<session_id>/vitals",
        "/api/rppg/sessions/<session_id>",
        "/api/rppg/session/[...]",
        "/api//rppg/[...]",
        "/api/nowhere/[...]/[...]",
    ]


def test_an_id_that_a_client_gives_may_be_no_secret(client, api_key, log_lines):
    for secret in (api_key, "whsec_c2VjcmV0"):
        answer = client.get("/health", headers={"X-Request-Id": secret})
        assert answer.headers["X-Request-Id"].startswith("req_")
        assert secret not in json.dumps(log_lines())


def test_a_bug_is_logged_with_its_traceback_but_no_values(client, log_lines):
    answer = client.get("/broken")
    [line] = [x for x in log_lines() if x["level"] == "error"]
    assert line["request_id"] == answer.json["error"]["request_id"]
    assert "RuntimeError: it broke" in line["exception"]
    assert "Traceback" in line["exception"]


def test_an_error_names_the_request(client):
    answer = client.get("/nope")
    assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"]


def test_a_log_whose_disk_is_full_costs_no_request_its_answer(client, monkeypatch):
    full = open("/dev/full", "w")  # noqa: SIM115 - it can't be closed either
    monkeypatch.setattr(sys, "stderr", full)
    with pytest.raises(OSError, match="No space left"):
        print("a line", file=sys.stderr, flush=True)
    assert [client.get(path).status_code for path in ("/health", "/closed", "/broken")] == [200, 405, 500]
    monkeypatch.undo()
    with suppress(OSError):
        full.close()
