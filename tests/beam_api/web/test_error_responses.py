import socket
from http import HTTPStatus

import pytest
from flask import abort, redirect

from beam_api import exceptions
from beam_api.web.auth import public
from beam_api.web.error_responses import STATUS, status_of
from rppg_core import errors as core


def tree(kind):
    return {kind}.union(*(tree(child) for child in kind.__subclasses__()))


def test_every_failure_has_a_row():
    ours = {
        kind for kind in tree(exceptions.BeamError) | tree(core.RppgError) if not kind.__module__.startswith("tests")
    }
    assert ours == set(STATUS)


def raising(app, error):
    @app.get("/raise", endpoint="raise")
    @app.get("/v1/raise", endpoint="raise-v1")
    @public
    def view():
        raise error

    return app.test_client()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (exceptions.MissingFrame(), 400, "MISSING_FRAME"),
        (exceptions.MissingTimestamps(), 400, "MISSING_TIMESTAMPS"),
        (exceptions.TooManyFrames(), 400, "TOO_MANY_FRAMES"),
        (exceptions.InvalidParameter("fps", "must be 1 to 240"), 400, "INVALID_PARAMETER"),
        (exceptions.NotFound(), 404, "NOT_FOUND"),
        (exceptions.PayloadTooLarge(), 413, "PAYLOAD_TOO_LARGE"),
        (exceptions.UnsupportedMediaType(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (exceptions.StoreUnavailable(), 503, "STORE_UNAVAILABLE"),
        (core.UnsupportedImage("It is a text."), 400, "UNSUPPORTED_IMAGE"),
        (core.InvalidImage("It is truncated."), 400, "INVALID_IMAGE"),
        (core.NoFaceDetected(), 400, "NO_FACE_DETECTED"),
    ],
)
def test_a_failure_is_reported_in_the_shape_of_its_path(app, error, status, code):
    client = raising(app, error)
    answer = client.get("/raise", headers={"X-Request-Id": "mine"})
    assert answer.status_code == status
    assert answer.json["success"] is False
    reported = answer.json["error"]
    assert (reported["code"], reported["message"], reported["status"], reported["request_id"]) == (
        code,
        str(error),
        status,
        "mine",
    )
    answer = client.get("/v1/raise")
    assert (answer.status_code, answer.json) == (status, {"detail": str(error)})


def test_a_missing_face_comes_with_guidance(app):
    answer = raising(app, core.NoFaceDetected(guidance=("FACE_TOO_SMALL",))).get("/raise")
    assert answer.json["error"]["guidance"] == ["FACE_TOO_SMALL"]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("/srv/secret/path"),
        core.ModelUnavailable("/srv/secret/path"),
        exceptions.BeamError("/srv/secret/path"),
        KeyError("/srv/secret/path"),
    ],
)
def test_a_bug_is_a_500_that_states_nothing(app, error):
    client = raising(app, error)
    for path in ("/raise", "/v1/raise"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
    assert client.get("/raise").json["error"]["code"] == "INTERNAL_ERROR"


@pytest.mark.parametrize("path", ["/nope", "/api/nope", "/api/v2/nope", "/v1x"])
def test_an_unknown_path_is_404_in_the_envelope(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/v1/nope", "/api/v1/nope", "/v1", "/api/v1"])
def test_an_unknown_path_of_the_scan_api_is_404_with_a_detail(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert set(answer.json) == {"detail"}


def test_a_wrong_method_names_the_right_ones(client):
    answer = client.delete("/health")
    assert (answer.status_code, answer.json["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("status", "code"), [(400, "INVALID_PARAMETER"), (413, "PAYLOAD_TOO_LARGE"), (415, "UNSUPPORTED_MEDIA_TYPE")]
)
def test_what_the_framework_refuses_has_our_shape(app, status, code):
    @app.get("/abort")
    @public
    def view():
        abort(status)

    answer = app.test_client().get("/abort")
    assert (answer.status_code, answer.json["error"]["code"], answer.mimetype) == (status, code, "application/json")


def test_a_redirect_stays_one(app):
    @app.get("/away")
    @public
    def view():
        abort(redirect("/elsewhere"))

    assert app.test_client().get("/away").headers["Location"] == "/elsewhere"


def test_a_subclass_without_a_row_has_the_status_of_its_parent():
    assert status_of(type("Deep", (exceptions.NotFound,), {"__module__": "tests"})) is HTTPStatus.NOT_FOUND


def test_a_silent_client_is_not_waited_for_for_ever(client):
    here, there = socket.socketpair()
    with here, there:
        client.get("/health", environ_base={"gunicorn.socket": here})
        assert 1 <= here.gettimeout() <= 60
