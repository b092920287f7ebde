"""How a request's body is waited for, and what becomes of what nobody read.

A client that stops in the middle of a body would hold a thread for ever, and there are few: reads have a time limit.

A server that answers and closes with bytes unread resets the connection, and the client that is still sending sees the
reset instead of the 401 or 413. So the rest is read and discarded, up to a bound in bytes and in time.
"""

from __future__ import annotations

import time

from flask import Flask, Response, request
from gunicorn.http.errors import ParseException

SILENCE_S = 15.0
BOUND_BYTES = 256 * 1024 * 1024  # a video that is too large is mostly not much too large
BOUND_S = 20.0
_CHUNK = 64 * 1024


def init_app(app: Flask) -> None:
    """Limit the wait for bodies, and drain before every error answer."""
    app.before_request(_limit_silence)
    app.after_request(_drain)


def _limit_silence() -> None:
    # Gunicorn lifts the limit by itself before the next request of the connection.
    if connection := request.environ.get("gunicorn.socket"):
        connection.settimeout(SILENCE_S)


def _drain(response: Response) -> Response:
    # Only where the server ends the stream by itself, as gunicorn does; elsewhere a read past the end would hang.
    if response.status_code < 400 or not request.environ.get("wsgi.input_terminated"):
        return response
    source, left, end = request.environ["wsgi.input"], BOUND_BYTES, time.monotonic() + BOUND_S
    try:
        while left > 0 and time.monotonic() < end and (chunk := source.read(min(_CHUNK, left))):
            left -= len(chunk)
    except (OSError, ParseException):  # the client is gone or silent, or sends no well-formed chunks
        pass
    return response
