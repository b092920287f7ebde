"""Whether the process is alive, and whether it can work."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response, jsonify
from flask_smorest import Blueprint

from beam_api.store.client import ping
from beam_api.web.auth import public
from beam_api.web.context import parts
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema, success
from beam_api.web.schemas.health import HealthSchema, ReadySchema

bp = Blueprint("health", __name__, description="Liveness and readiness. No key needed.")


@bp.get("/health")
@bp.get("/api/health")
@bp.doc(security=[])
@bp.alt_response(200, schema=HealthSchema, description="The process answers.")
@public
def health() -> Response:
    """Say that the process answers, whatever the state of what it depends on."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return jsonify({"status": "ok", "timestamp": now, "service": "rppg-backend"})


@bp.get("/ready")
@bp.doc(security=[])
@bp.alt_response(200, schema=ReadySchema, description="Requests can be served.")
@bp.alt_response(503, schema=ErrorEnvelopeSchema, description="Redis is unavailable.")
@public
def ready() -> Response:
    """Say whether requests can be served: Redis answers, and the model is loaded (without it no app comes to be)."""
    ping(parts().redis)
    return success({"status": "ready", "redis": "ok", "model": "ok"})
