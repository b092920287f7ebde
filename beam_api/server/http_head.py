"""Heads of requests: which are refused before they are parsed, what gunicorn's parser lets pass, and the answer.

Gunicorn's parser refuses most of what RFC 9112 forbids, but only once it has an empty line, for which a client that
ends its lines in another way never asks. `Head` sees such heads as they come.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
from http import HTTPStatus
from typing import Any

import structlog
from gunicorn.http import errors

_STATUS: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,  # a bug in the service
    errors.InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.NoMoreData: HTTPStatus.BAD_REQUEST,  # a body that its client does not send
    errors.ParseException: HTTPStatus.BAD_REQUEST,
}

MOST_COLLECTED = 34 * 1024 * 1024
"""Bodies of up to so many bytes are collected with their heads; it is a little more than a form of frames may have."""

_MOST_BYTES = 512 * 1024  # gunicorn's own limits are lower, and answer; this one is for what has no end
_END = b"\r\n\r\n"
_BARE = re.compile(rb"(?<!\r)\n|\r[^\n]")
_NO_METHOD = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z\r-]")  # as a first byte, that of a TLS handshake for one
_REQUEST_LINE = re.compile(rb"[^ ]+ [^ ]+ HTTP/[0-9]\.[0-9]")
_LENGTH = re.compile(rb"\r\nContent-Length[ \t]*:[ \t]*([0-9]{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_NOT_COLLECTED = re.compile(rb"\r\n(?:Transfer-Encoding|Expect)[ \t]*:", re.IGNORECASE)
_NAME = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::([0-9]{0,5}))?")


class Head:
    """The head of a request as it comes, and its body if that can wait. Looks at each byte of the head once.

    A body can wait if its length is announced and within `MOST_COLLECTED`, and its client expects nothing before it
    has sent it.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.body_at = 0
        """Where the body starts, once the head is complete."""
        self.is_complete = False
        self.is_refused = False
        self._has_line = False
        self._body_bytes = 0

    @property
    def missing(self) -> int:
        """How many bytes of the body are still to be collected; fewer than none where the next request has begun."""
        return self.body_at + self._body_bytes - len(self.data) if self.body_at else 0

    def add(self, data: bytes) -> None:
        """Take a piece. The head is complete at its end, or beyond all limits; or refused for what can't be HTTP.

        Refused are line ends other than CRLF, and a first line that is no request line.
        """
        seen = len(self.data)
        self.data += data
        if self.is_complete:
            return
        end = self.data.find(_END, max(0, seen - 3))
        self.is_complete = end >= 0 or len(self.data) >= _MOST_BYTES
        self.is_refused = bool(
            _NO_METHOD.match(self.data)
            or _BARE.search(self.data, max(0, seen - 1), end if end >= 0 else len(self.data))
        )
        start = 2 if self.data.startswith(b"\r\n") else 0  # one empty line before a request is passed over
        if not self._has_line and (line_end := self.data.find(b"\r\n", max(start, seen - 1))) >= 0:
            self._has_line = True
            self.is_refused |= not _REQUEST_LINE.fullmatch(self.data, start, line_end)
        if end >= 0:
            self.body_at = end + len(_END)
            self._body_bytes = self._announced()

    def _announced(self) -> int:
        """Length of the body, if it is to be collected; what is unclear is left to the parser."""
        lengths = _LENGTH.findall(self.data, 0, self.body_at)
        if len(lengths) != 1 or _NOT_COLLECTED.search(self.data, 0, self.body_at):
            return 0
        length = int(lengths[0])
        return length if length <= MOST_COLLECTED else 0


def check(request: Any) -> None:
    """Raise a ParseException for a request of gunicorn's that RFC 9112 has a server answer with 400."""
    if request.uri == "*" and request.method != "OPTIONS":
        raise errors.InvalidRequestLine("*")
    hosts = [value for name, value in request.headers if name == "HOST"]
    if len(hosts) > 1 or (not hosts and request.version >= (1, 1)) or not all(map(_is_host, hosts)):
        raise errors.InvalidHeader("HOST")


def _is_host(value: str) -> bool:
    """Whether a Host field names a host, with or without a port."""
    found = _HOST.fullmatch(value)
    if not found or int(found[2] or 0) > 65535:
        return False
    if not found[1].startswith("["):
        return bool(_NAME.fullmatch(found[1]))
    try:
        ipaddress.IPv6Address(found[1][1:-1])
    except ValueError:
        return False
    return True


def refusal(error: Exception) -> bytes | None:
    """The whole answer to what is no HTTP, which is logged without what it said; None if the error is no client's."""
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), None)
    if status is None or status >= 500:
        return None
    request_id = f"req_{secrets.token_hex(12)}"
    structlog.get_logger().info("malformed request", request_id=request_id, reason=type(error).__name__)
    code = "INVALID_PARAMETER" if status == HTTPStatus.BAD_REQUEST else status.name
    problem = {
        "code": code,
        "message": "The request could not be read.",
        "status": int(status),
        "request_id": request_id,
    }
    body = json.dumps({"success": False, "error": problem}).encode()
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\nX-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\n\r\n"
    )
    return head.encode() + body
