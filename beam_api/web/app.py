"""The application factory: joins the parts, the hooks and the routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from beam_api import wiring
from beam_api.config import Settings
from beam_api.monitoring.logs import configure_logging
from beam_api.web import (
    auth,
    cors,
    draining,
    error_responses,
    openapi,
    request_log,
    request_metrics,
    security_headers,
    views,
)
from beam_api.web.context import EXTENSION

if TYPE_CHECKING:
    from redis import Redis

    from rppg_core.face.reader import FaceReader


def create_app(
    settings: Settings | None = None, *, redis: Redis | None = None, reader: FaceReader | None = None
) -> Flask:
    """Build the app. Loads the landmark model and connects to nothing: the first request does.

    Parameters
    ----------
    settings : Settings, optional
        Read from the environment if not given.
    redis : redis.Redis, optional
        The client to use. By default one of `settings.redis_url`, or else of the embedded server that `beam serve` has
        running on `settings.data_dir`.
    reader : FaceReader, optional
        A reader already loaded.

    Raises
    ------
    SettingsError
        If an environment variable is malformed.
    RedisNotRunning
        If no Redis is given, set or running.
    ModelUnavailable
        If the landmark model can't be loaded.
    """
    settings = settings or Settings.from_environment()
    configure_logging(settings.log_level_number)
    app = Flask("beam_api", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = wiring.build_parts(settings, redis=redis, reader=reader)
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    # Hooks after a request run in the reverse order: limit headers, the drain, and the log line last.
    for hooks in (request_metrics, request_log, security_headers, draining):
        hooks.init_app(app)
    cors.init_app(app, settings.cors_origins)
    auth.init_app(app)
    error_responses.init_app(app)
    views.register(app, openapi.init_app(app), playground_enabled=settings.playground == "on")
    return app
