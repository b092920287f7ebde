"""Logs as JSON lines, and the id by which a request is found in them.

What is logged of a request: id, method, path, status, milliseconds and the key's public id. Never a key, a query, a
header, a body or an address.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from typing import Any

import structlog
from flask import Flask, Response, g, got_request_exception, request

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def configure_logging(level: int) -> None:
    """Log JSON lines to stderr, once a process. Tracebacks come without local variables, which may hold keys."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("werkzeug").setLevel(logging.ERROR)


def init_app(app: Flask) -> None:
    """Give every request an id and a line in the log. Call before anything else that hooks into requests."""
    app.before_request(_begin)
    app.after_request(_end)
    got_request_exception.connect(_log_bug, app)


def request_id() -> str:
    """The id of the current request."""
    return str(g.request_id)


def processing_ms() -> int:
    """Milliseconds since the current request began, at least 1."""
    elapsed_s: float = time.perf_counter() - g.started
    return max(1, round(1000 * elapsed_s))


def meta(**more: Any) -> dict[str, Any]:
    """The `meta` of a response in the envelope of the measure API."""
    return {"api_version": "1.0", "processing_ms": processing_ms(), "request_id": request_id(), **more}


def _begin() -> None:
    g.started = time.perf_counter()
    sent = request.headers.get("X-Request-Id", "")
    g.request_id = sent if _SANE_ID.fullmatch(sent) else f"req_{secrets.token_hex(12)}"


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    key = g.get("key")
    structlog.get_logger().info(
        "request",
        request_id=request_id(),
        method=request.method,
        path=request.path,
        status=response.status_code,
        ms=processing_ms(),
        key_id=key.key_id if key else None,
    )
    return response


def _log_bug(_app: Flask, exception: Exception, **_: Any) -> None:
    structlog.get_logger().error("unhandled exception", request_id=g.get("request_id"), exc_info=exception)
