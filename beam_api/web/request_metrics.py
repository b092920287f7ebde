"""Counts every request, by route, method and status."""

from __future__ import annotations

from flask import Flask, Response, request

from beam_api.monitoring import counters
from beam_api.web import request_log


def init_app(app: Flask) -> None:
    """Count every request. Call first: hooks after a request run in the reverse order."""

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "unmatched"  # few, whatever clients ask for
        counters.count_request(route, request.method, response.status_code, request_log.elapsed_ms() / 1000)
        return response
