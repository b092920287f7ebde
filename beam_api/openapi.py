"""The OpenAPI document, made from the blueprints and the schemas that validate."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify
from flask_smorest import Api

from beam_api.auth import public
from beam_api.schemas.envelope import ErrorEnvelopeSchema


class BeamApi(Api):  # type: ignore[misc]
    """flask-smorest's document without its error handlers: `beam_api.errors` has the only ones."""

    ERROR_SCHEMA = ErrorEnvelopeSchema

    def _register_error_handlers(self) -> None:
        pass


def init_app(app: Flask) -> BeamApi:
    """Prepare the document and serve it; the caller registers its blueprints on what is returned."""
    app.config.update(API_TITLE="Beam rPPG", API_VERSION="1.0", OPENAPI_VERSION="3.1.0", API_SPEC_OPTIONS=_options())
    api = BeamApi(app)
    api.spec.components.security_scheme("ApiKeyHeader", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    api.spec.components.security_scheme("BearerToken", {"type": "http", "scheme": "bearer"})

    @app.get("/openapi.json")
    @public
    def openapi() -> Response:
        return jsonify(api.spec.to_dict())

    return api


def _options() -> dict[str, Any]:
    return {
        "info": {
            "description": "Contactless vital signs from frames of a face. Not a medical device.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"ApiKeyHeader": []}, {"BearerToken": []}],
    }
