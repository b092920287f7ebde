"""The service: HTTP and Redis around `rppg_core`. `create_app` is where its parts meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask
from redis import Redis
from werkzeug.middleware.proxy_fix import ProxyFix

from beam_api.config import Settings

if TYPE_CHECKING:
    from rppg_core.face.reader import FaceReader

__all__ = ["Settings", "create_app"]


def create_app(
    settings: Settings | None = None, *, redis: Redis | None = None, reader: FaceReader | None = None
) -> Flask:
    """Build the app. Loads the landmark model, connects to nothing: the first request does.

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
    # Imported here: `beam keys` and the parent of `beam serve` need none of it, and OpenCV and dlib are large.
    from beam_api.adapters.probe import probe_upload
    from beam_api.monitoring import counters, logs
    from beam_api.server.embedded_redis import running_url
    from beam_api.services.admission import Admission
    from beam_api.services.exposition import Exposition
    from beam_api.services.keys import Keys
    from beam_api.services.measuring import Measuring
    from beam_api.services.scanning import Scanning
    from beam_api.services.signup import Signup
    from beam_api.store.client import connect
    from beam_api.store.keys import KeyStore
    from beam_api.store.results import ResultStore
    from beam_api.store.usage import UsageStore
    from beam_api.store.windows import WindowStore
    from beam_api.web import (
        auth,
        cors,
        draining,
        error_responses,
        openapi,
        request_log,
        request_metrics,
        security_headers,
    )
    from beam_api.web.context import EXTENSION, Parts
    from beam_api.web.views import health, keys, measure, pages, playground, scans, webhook_secret
    from beam_api.web.views import metrics as metrics_view
    from beam_api.wiring import ScanParts
    from rppg_core import guidance
    from rppg_core import measure as analyse
    from rppg_core.face.reader import FaceReader as Reader

    settings = settings or Settings.from_environment()
    logs.configure_logging(settings.log_level_number)
    client = redis or connect(settings.redis_url or running_url(settings.data_dir))
    reader = reader or Reader(settings.landmarks)
    measuring = Measuring(
        WindowStore(client), ResultStore(client), reader, analyse=counters.timed(analyse), advise=guidance.advise
    )
    key_service = Keys(KeyStore(client), UsageStore(client))
    scan = ScanParts.build(settings, client)
    scanning = Scanning(
        *(scan.scans, scan.spool, scan.upkeep, scan.delivering),
        probe=probe_upload,
        allowed_hosts=settings.webhook_allow,
    )
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = Parts(
        settings=settings,
        redis=client,
        reader=reader,
        keys=key_service,
        signup=Signup.build(settings, key_service, client),
        admission=Admission(client, address_limit=settings.address_limit),
        measuring=measuring,
        scanning=scanning,
        webhook_secrets=scan.secrets,
        exposition=Exposition(settings, client, scan.queue),
    )
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    # Hooks after a request run in the reverse order: limit headers, the drain, and the log line last.
    request_metrics.init_app(app)
    request_log.init_app(app)
    security_headers.init_app(app)
    draining.init_app(app)
    cors.init_app(app, settings.cors_origins)
    auth.init_app(app)
    error_responses.init_app(app)
    api = openapi.init_app(app)
    for blueprint in (health.bp, metrics_view.bp, measure.bp, keys.bp, pages.bp):
        api.register_blueprint(blueprint)
    app.register_blueprint(pages.files)
    if settings.playground == "on":
        api.register_blueprint(playground.bp)
    for name, prefix in scans.PREFIXES.items():
        api.register_blueprint(scans.bp, name=name, url_prefix=prefix)
    api.register_blueprint(webhook_secret.bp)
    return app
