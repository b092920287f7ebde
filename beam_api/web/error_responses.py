"""Exceptions to HTTP statuses, in one table, and the two error formats."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, jsonify, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, HTTPException

from beam_api import exceptions
from beam_api.host.process import is_shortage
from beam_api.web.request_log import request_id
from rppg_core import errors as core

STATUS: dict[type[Exception], HTTPStatus] = {
    exceptions.BeamError: HTTPStatus.INTERNAL_SERVER_ERROR,
    exceptions.MissingFrame: HTTPStatus.BAD_REQUEST,
    exceptions.MissingTimestamps: HTTPStatus.BAD_REQUEST,
    exceptions.TooManyFrames: HTTPStatus.BAD_REQUEST,
    exceptions.InvalidParameter: HTTPStatus.BAD_REQUEST,
    exceptions.MissingApiKey: HTTPStatus.UNAUTHORIZED,
    exceptions.InvalidApiKey: HTTPStatus.UNAUTHORIZED,
    exceptions.TokenScope: HTTPStatus.FORBIDDEN,
    exceptions.SignupClosed: HTTPStatus.FORBIDDEN,
    exceptions.CrossSiteRequest: HTTPStatus.FORBIDDEN,
    exceptions.NotFound: HTTPStatus.NOT_FOUND,
    exceptions.Conflict: HTTPStatus.CONFLICT,
    exceptions.Unprocessable: HTTPStatus.UNPROCESSABLE_ENTITY,
    exceptions.PayloadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    exceptions.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    exceptions.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    exceptions.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    exceptions.TooManyStreams: HTTPStatus.SERVICE_UNAVAILABLE,
    core.RppgError: HTTPStatus.INTERNAL_SERVER_ERROR,
    core.UnsupportedImage: HTTPStatus.BAD_REQUEST,
    core.InvalidImage: HTTPStatus.BAD_REQUEST,
    core.InvalidVideo: HTTPStatus.BAD_REQUEST,
    core.UnusableVideo: HTTPStatus.UNPROCESSABLE_ENTITY,
    core.NoFaceDetected: HTTPStatus.BAD_REQUEST,
    core.InvalidTraces: HTTPStatus.BAD_REQUEST,
    core.InvalidTraceFile: HTTPStatus.BAD_REQUEST,
    core.InvalidSample: HTTPStatus.BAD_REQUEST,
    core.SignalTooShort: HTTPStatus.BAD_REQUEST,
    core.ModelUnavailable: HTTPStatus.INTERNAL_SERVER_ERROR,
    core.UnknownExtractor: HTTPStatus.INTERNAL_SERVER_ERROR,
}

DETAIL_PATHS = ("/v1/", "/api/v1/")
"""Below these, errors have the shape of the scan-session API."""

_HTTP_CODES = {
    HTTPStatus.BAD_REQUEST: "INVALID_PARAMETER",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "METHOD_NOT_ALLOWED",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "PAYLOAD_TOO_LARGE",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
}

_HTTP_MESSAGES = {
    HTTPStatus.BAD_REQUEST: "The request could not be read.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address doesn't take this method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: exceptions.PayloadTooLarge.message,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: exceptions.UnsupportedMediaType.message,
}

_INTERNAL = exceptions.BeamError.message


def init_app(app: Flask) -> None:
    """Answer each known failure with its status and JSON; a bug with a 500 without details (they are in the log)."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    for kind in (exceptions.BeamError, core.RppgError):
        app.register_error_handler(kind, _answer_known)
    app.register_error_handler(OSError, _answer_shortage)
    app.register_error_handler(MemoryError, _answer_shortage)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(ParseException, lambda _error: _answer_http(BadRequest()))  # malformed chunks


def status_of(kind: type[Exception]) -> HTTPStatus:
    """The status of a failure: its own row, else that of the nearest class it derives from."""
    return next(STATUS[parent] for parent in kind.__mro__ if parent in STATUS)


def _answer_known(error: exceptions.BeamError | core.RppgError) -> Response:
    status = status_of(type(error))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, exceptions.StoreUnavailable):
        return _answer(error.code, _INTERNAL, status)
    more: dict[str, Any] = {"guidance": list(error.guidance)} if isinstance(error, core.NoFaceDetected) else {}
    if isinstance(error, core.InvalidSample):
        more = {"index": error.index}
    response = _answer(error.code, str(error), status, **more)
    if isinstance(error, (exceptions.RateLimited, exceptions.StoreUnavailable)):
        response.headers["Retry-After"] = str(error.retry_after_s)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _answer_shortage(error: OSError | MemoryError) -> Response:
    """No more files or memory: it is over in a moment. Any other such error is a bug."""
    if not is_shortage(error):
        raise error
    structlog.get_logger().warning("no files or memory for a request", reason=str(error))
    return _answer_known(exceptions.StoreUnavailable("The service is short of files or memory at the moment."))


def _answer_http(error: HTTPException) -> Response:
    """What Flask and Werkzeug raise. A redirect stays one; an exception without a handler comes here as a 500."""
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()  # type: ignore[return-value]
    status = HTTPStatus(error.code or 500)
    code = _HTTP_CODES.get(status, "INTERNAL_ERROR" if status >= 500 else status.name)
    message = _INTERNAL if status >= 500 else _HTTP_MESSAGES.get(status, status.description or status.phrase)
    response = _answer(code, message, status)
    for name, value in error.get_headers(request.environ):
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value  # Allow, Retry-After
    return response


def _answer(code: str, message: str, status: HTTPStatus, **more: Any) -> Response:
    if _tells_detail(request.path):
        body: dict[str, Any] = {"detail": message}
    else:
        error = {"code": code, "message": message, "status": int(status), "request_id": request_id(), **more}
        body = {"success": False, "error": error}
    response = jsonify(body)
    response.status_code = status
    return response


def _tells_detail(path: str) -> bool:
    """Whether errors on this path have the shape of the scan-session API."""
    return f"{path}/".startswith(DETAIL_PATHS)
