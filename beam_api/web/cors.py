"""What pages of other origins may do here: nothing, unless the operator names their origin.

A browser lets a page read answers of another origin only if those say so (CORS). They say so on the JSON APIs and on
/reader.json alone, to origins that BEAM_CORS_ORIGINS names, and never allow cookies: a visitor's key is of no use
elsewhere.

Any page could otherwise send requests that need no key on behalf of its visitor, and they would count against the
visitor's address. Browsers say where a request comes from; a cross-site one is refused.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask, Response, current_app, request

from beam_api.exceptions import CrossSiteRequest

if TYPE_CHECKING:
    from collections.abc import Callable

CORS_PATHS = ("/api/", "/v1/", "/reader.json")

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Encoding, Content-Type, Last-Event-ID, X-API-Key, X-Request-Id"
    ),
    "Access-Control-Max-Age": "600",
}
_EXPOSED = (
    "Idempotent-Replayed, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "X-Beam-Work-Limit, X-Beam-Work-Remaining, X-Beam-Work-Reset, "
    "X-Beam-Scan-Limit, X-Beam-Scan-Remaining, X-Beam-Scan-Reset, X-Request-Id"
)
_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def init_app(app: Flask, allowed: tuple[str, ...]) -> None:
    """Answer preflights before anything asks for a key; write CORS headers; refuse what other sites ask for."""
    app.before_request(_refuse_other_sites(allowed))
    if allowed:
        app.before_request(_answer_preflight(allowed))
        app.after_request(_write(allowed))


def _answer_preflight(allowed: tuple[str, ...]) -> Callable[[], Response | None]:
    def answer() -> Response | None:
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not is_preflight or not request.path.startswith(CORS_PATHS) or request.headers.get("Origin") not in allowed:
            return None
        return Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)

    return answer


def _write(allowed: tuple[str, ...]) -> Callable[[Response], Response]:
    def write(response: Response) -> Response:
        if request.path.startswith(CORS_PATHS):
            response.headers.add("Vary", "Origin")
            if (origin := request.headers.get("Origin")) in allowed:
                response.headers["Access-Control-Allow-Origin"] = str(origin)
                response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return response

    return write


def _refuse_other_sites(allowed: tuple[str, ...]) -> Callable[[], None]:
    def refuse() -> None:
        view = current_app.view_functions.get(request.endpoint or "")
        if request.method not in _UNSAFE or not getattr(view, "is_public", False):
            return  # what needs a key can't be asked for by a page that doesn't have one
        comes_from = request.headers.get("Sec-Fetch-Site", "none")  # programs send none
        if comes_from not in ("none", "same-origin") and request.headers.get("Origin") not in allowed:
            raise CrossSiteRequest

    return refuse
