"""The state of the service: a page for its operator, and the same as JSON, to who may read /metrics."""

from __future__ import annotations

from flask import Blueprint, Response

from beam_api.exceptions import NotFound
from beam_api.services.status import read_status
from beam_api.web.auth import keyless, public
from beam_api.web.context import parts
from beam_api.web.schemas.envelope import success
from beam_api.web.views.metrics import may_read
from beam_api.web.views.pages import page

bp = Blueprint("status", __name__)
"""The page holds no figure: it asks for them, with the operator's token."""


@bp.get("/status")
@public
def status_page() -> Response:
    """Show the state to an operator."""
    return page("status.html")


@bp.get("/status.json")
@keyless
def status() -> Response:
    """Give the state. Others than the operator get what a route that does not exist gives."""
    if not may_read(parts().settings.metrics_token):
        raise NotFound
    return success(read_status(parts().exposition.samples()))
