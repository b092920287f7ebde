"""A request that closes a window and brings no file: libraries send such a form URL-encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from werkzeug.exceptions import ClientDisconnected

from beam_api.web.form import Form

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_MOST_BYTES = 8 * 1024


def read_closing(request: Request) -> Form | None:
    """The fields of a URL-encoded form that names `final`; None for any other body.

    Any other URL-encoded form is refused for its type, so nobody reads the body after this.
    """
    if request.mimetype != "application/x-www-form-urlencoded" or (request.content_length or 0) > _MOST_BYTES:
        return None
    try:
        body = request.stream.read(_MOST_BYTES + 1)
    except (ClientDisconnected, OSError):
        return None
    if len(body) > _MOST_BYTES or not body.isascii():
        return None
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return None
    return Form(fields=fields) if "final" in fields else None
