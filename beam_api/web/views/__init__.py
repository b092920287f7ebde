"""Routes: decode the request, call one service, encode the answer. No decision is taken here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beam_api.web.views import (
    continuous,
    health,
    keys,
    measure,
    metrics,
    pages,
    playground,
    samples,
    scans,
    webhook_secret,
)

if TYPE_CHECKING:
    from flask import Flask
    from flask_smorest import Api


def register(app: Flask, api: Api, *, playground_enabled: bool) -> None:
    """Register every blueprint with the app and its OpenAPI document."""
    for blueprint in (health.bp, metrics.bp, measure.bp, samples.bp, continuous.bp, keys.bp, pages.bp):
        api.register_blueprint(blueprint)
    app.register_blueprint(pages.files)
    if playground_enabled:
        api.register_blueprint(playground.bp)
    for name, prefix in scans.PREFIXES.items():
        api.register_blueprint(scans.bp, name=name, url_prefix=prefix)
    api.register_blueprint(webhook_secret.bp)
