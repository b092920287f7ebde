"""Headers of every answer: load nothing from elsewhere, guess no types, keep no vitals and no keys."""

from __future__ import annotations

from flask import Flask, Response, request

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the pages: no script or style but from our own files."""

WORKER_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"
"""That of the worker which reads faces in the playground: its own modules and its model."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}
_DEFAULTS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_TLS_ONLY = "max-age=31536000"
"""Over TLS: require TLS for a year. Not sent on localhost, where it would bind other ports too."""

_LOCAL = ("localhost", "127.0.0.1", "[::1]")


def init_app(app: Flask) -> None:
    """Write the headers on every answer; what a view has set of policy and caching stays."""
    app.after_request(_write)


def _write(response: Response) -> Response:
    response.headers.update(_ALWAYS)
    for name, value in _DEFAULTS.items():
        response.headers.setdefault(name, value)
    if request.is_secure and request.host.rpartition(":")[0] not in _LOCAL and request.host not in _LOCAL:
        response.headers["Strict-Transport-Security"] = _TLS_ONLY
    return response
