"""Read what is left of a request's body before an early answer.

A server that answers and closes with bytes unread resets the connection, and the client that is still sending sees the
reset instead of the 401 or 413. So the rest is read and thrown away, up to a bound in bytes and in time.
"""

from __future__ import annotations

import time

from flask import Flask, Response, request

BOUND_BYTES = 64 * 1024 * 1024
BOUND_S = 20.0
_CHUNK = 64 * 1024


def init_app(app: Flask) -> None:
    """Drain before every error answer."""
    app.after_request(_drain)


def _drain(response: Response) -> Response:
    # Only where the server ends the stream by itself, as gunicorn does; elsewhere a read past the end would hang.
    if response.status_code < 400 or not request.environ.get("wsgi.input_terminated"):
        return response
    source, left, end = request.environ["wsgi.input"], BOUND_BYTES, time.monotonic() + BOUND_S
    try:
        while left > 0 and time.monotonic() < end and (chunk := source.read(min(_CHUNK, left))):
            left -= len(chunk)
    except OSError:  # the client is gone, or sends no well-formed body: nobody is left to be kept from a reset
        pass
    return response
