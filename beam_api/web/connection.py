"""The connection of a request, as far as it says who sends it."""

from __future__ import annotations

from flask import request

from beam_api.services.windows.feeders import feeder
from beam_api.web.auth import presented_keys
from beam_api.web.context import parts

_OF_A_PROXY = ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP")


def connection() -> bytes:
    """Name the connection of this request, to its key alone; empty where it says nothing of the sender.

    A connection that the client keeps is named by its address and port. One that ends with the request, and that of a
    proxy, carries many senders or is one of many: there the address is what is known, and the `User-Agent`. Behind a
    proxy that is not trusted nothing is.
    """
    trusted = parts().settings.trusted_proxies > 0
    if not trusted and any(name in request.headers for name in _OF_A_PROXY):
        return b""
    ends = request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0" or "close" in _options()
    port = "" if trusted or ends else request.environ.get("REMOTE_PORT", "")
    secret = next(iter(presented_keys()), "")
    return feeder(secret, request.remote_addr or "", port, request.headers.get("User-Agent", ""))


def _options() -> set[str]:
    return {option.strip().lower() for option in request.headers.get("Connection", "").split(",")}
