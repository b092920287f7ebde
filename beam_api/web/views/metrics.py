"""/metrics, for Prometheus: to this machine, or to who has the token."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from flask import Response, request
from flask_smorest import Blueprint

from beam_api.exceptions import NotFound
from beam_api.services.exposition import CONTENT_TYPE
from beam_api.web.auth import keyless
from beam_api.web.context import parts
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema

bp = Blueprint("metrics", __name__, description="For the operator's monitoring.")

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")
_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}
_TEXT = {"description": "Prometheus text, version 0.0.4.", "content": {"text/plain": {"schema": {"type": "string"}}}}


@bp.get("/metrics")
@bp.doc(security=[], responses={"200": _TEXT})
@bp.alt_response(404, schema=ErrorEnvelopeSchema, description="Not for this caller.")
@keyless
def metrics() -> Response:
    """Give the counts of this machine's processes, and how Redis and the queue are.

    Answered to callers on the same machine that came by no proxy, and to those that send `BEAM_METRICS_TOKEN` as a
    bearer token. To others there is nothing here.
    """
    if not may_read(parts().settings.metrics_token):
        raise NotFound
    return Response(parts().exposition.text(), content_type=CONTENT_TYPE)


def may_read(token: str | None) -> bool:
    """Whether the current request may see the metrics, by the token that is set or by where it comes from."""
    return _has_token(token) or _is_local()


def _has_token(token: str | None) -> bool:
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if not token or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(sent.strip().encode(), token.encode())


def _is_local() -> bool:
    """Whether the caller is on this machine, and not a proxy that hands on a stranger's request.

    A proxy gives itself away by a header, by the name that its client asked for, or, where both are hidden, by
    HTTP/1.0, which no monitoring speaks.
    """
    forwarded = any(name in request.headers for name in _FORWARDED)
    name = request.host.rpartition(":")[0] if not request.host.endswith("]") and ":" in request.host else request.host
    direct = request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
    return not forwarded and direct and name in _LOCAL_NAMES and _is_loopback(request.remote_addr or "")


def _is_loopback(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:  # a Unix socket: only a proxy speaks to one
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback
