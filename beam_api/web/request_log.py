"""Logs as JSON lines, and the id by which a request is found in them.

What is logged of a request: id, method, route, status, milliseconds and the key's public id. Never a key, a query, a
header, a body, an address, or the name of a person: of `/api/rppg/sessions/anna` the log has the route.
"""

from __future__ import annotations

import re
import secrets
import time
from contextlib import suppress
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, got_request_exception, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from beam_api.monitoring.logs import _SECRET

_LONG = re.compile(r"[^/]{25,}")  # in a path that leads nowhere: perhaps a key, by mistake
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def init_app(app: Flask) -> None:
    """Give every request an id and a line in the log. Call before anything else that hooks into requests."""
    app.before_request(_begin)
    app.after_request(_end)
    got_request_exception.connect(_log_bug, app)
    app.log_exception = _no_second_log  # type: ignore[assignment,method-assign]


def request_id() -> str:
    """The id of the current request."""
    return str(g.request_id)


def elapsed_ms() -> float:
    """Milliseconds since the current request began."""
    return 1000 * (time.perf_counter() - float(g.started))


def processing_ms() -> int:
    """As `elapsed_ms`, in whole milliseconds and at least 1."""
    return max(1, round(elapsed_ms()))


def meta(**more: Any) -> dict[str, Any]:
    """The `meta` of a response in the envelope of the measure API."""
    return {"api_version": "1.0", "processing_ms": processing_ms(), "request_id": request_id(), **more}


def _begin() -> None:
    g.started = time.perf_counter()
    sent = request.headers.get("X-Request-Id", "")
    is_sane = _SANE_ID.fullmatch(sent) and not _SECRET.search(sent)
    g.request_id = sent if is_sane else f"req_{secrets.token_hex(12)}"


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    key = g.get("key")
    structlog.get_logger().info(
        "request",
        request_id=request_id(),
        method=request.method,
        path=_route(),
        status=response.status_code,
        ms=processing_ms(),
        key_id=key.key_id if key else None,
    )
    return response


def _route() -> str:
    """The route of the request; of a path that leads nowhere its beginning, without what may be a key or a name."""
    if request.url_rule:
        return request.url_rule.rule
    if isinstance(error := request.routing_exception, MethodNotAllowed) and error.valid_methods:
        method = next(iter(error.valid_methods))
        with suppress(HTTPException):  # a redirect, from // to /
            return current_app.url_map.bind("").match(request.path, method, return_rule=True)[0].rule
    pieces = request.path.split("/")
    return _LONG.sub("[...]", "/".join(pieces[:4])) + ("/[...]" if pieces[4:] else "")


def _no_second_log(_exc_info: object) -> None:
    """Suppress Flask's own line about an unhandled exception: `_log_bug` has written one."""


def _log_bug(_app: Flask, exception: Exception, **_: Any) -> None:
    structlog.get_logger().error("unhandled exception", request_id=g.get("request_id"), exc_info=exception)
