"""Routes: decode the request, call one service, encode the answer. No decision is taken here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beam_api.web.views import (
    continuous,
    documents,
    health,
    keys,
    measure,
    metrics,
    pages,
    playground,
    samples,
    scans,
    status,
    webhook_secret,
)

if TYPE_CHECKING:
    from flask import Flask
    from flask_smorest import Api


def register(app: Flask, api: Api, *, playground_enabled: bool) -> None:
    """Register every blueprint with the app, and those of the API with its OpenAPI document.

    Pages are no part of the document, nor is the short address of the scan API: it would give each operation twice.
    """
    for blueprint in (health.bp, metrics.bp, measure.bp, samples.bp, continuous.bp, keys.bp, webhook_secret.bp):
        api.register_blueprint(blueprint)
    api.register_blueprint(scans.bp, url_prefix=scans.PREFIX)
    app.register_blueprint(scans.bp, name="scans (short address)", url_prefix=scans.SHORT_PREFIX)
    app.register_blueprint(pages.bp)
    app.register_blueprint(pages.files)
    app.register_blueprint(documents.bp)
    app.register_blueprint(status.bp)
    if playground_enabled:
        app.register_blueprint(playground.bp)
