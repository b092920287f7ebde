"""Whether the process is alive, whether it can work, and what its reader does."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response, jsonify
from flask_smorest import Blueprint

from beam_api.store.client import ping
from beam_api.web.auth import public
from beam_api.web.context import parts
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema, success
from beam_api.web.schemas.health import HealthSchema, ReaderSchema, ReadySchema
from rppg_core.face.description import reader_description

bp = Blueprint("health", __name__, description="Liveness, readiness, and what the reader does. No key needed.")


@bp.get("/health")
@bp.get("/api/health")
@bp.doc(security=[])
@bp.alt_response(200, schema=HealthSchema, description="The process answers.")
@public
def health() -> Response:
    """Say that the process answers, whatever the state of what it depends on."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return jsonify({"status": "ok", "timestamp": now, "service": "rppg-backend"})


@bp.get("/reader.json")
@bp.doc(security=[])
@bp.alt_response(200, schema=ReaderSchema, description="Constants of the reader.")
@public
def reader() -> Response:
    """Describe the reader: the format of a sample, and where its colours come from, for a reader on another device."""
    return jsonify(reader_description())


@bp.get("/ready")
@bp.doc(security=[])
@bp.alt_response(200, schema=ReadySchema, description="Requests can be served.")
@bp.alt_response(503, schema=ErrorEnvelopeSchema, description="Redis is unavailable.")
@public
def ready() -> Response:
    """Say whether requests can be served: Redis answers, and the model is loaded (without it no app comes to be)."""
    ping(parts().redis)
    return success({"status": "ready", "redis": "ok", "model": "ok"})
