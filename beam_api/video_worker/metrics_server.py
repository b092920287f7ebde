"""/metrics of a machine that has video workers and no web processes: a small server beside `beam worker`.

A process of its own: the worker forks for every job, and threads don't survive a fork.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from flask import Flask, Response, abort

from beam_api.adapters.job_queue import ScanQueue, connect_queue
from beam_api.config import Settings
from beam_api.host.process import die_with_parent
from beam_api.monitoring import counters
from beam_api.services.exposition import CONTENT_TYPE, Exposition
from beam_api.store.client import connect
from beam_api.web.views.metrics import may_read


def start(host: str, port: int, redis_url: str) -> subprocess.Popen[bytes]:
    """Start the server. It ends with this process, from whose main thread it must be started."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "beam_api.video_worker.metrics_server", host, str(port)],
        env=os.environ | {"BEAM_REDIS_URL": redis_url},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509
    )


def create_app(settings: Settings) -> Flask:
    """An app that has this one page. `settings` name the Redis."""
    client = connect(settings.redis_url or "")
    queue = ScanQueue(connect_queue(settings.queue_redis_url) if settings.queue_redis_url else client)
    exposition = Exposition(settings, client, queue)
    app = Flask(__name__, static_folder=None)

    @app.get("/metrics")
    def answer() -> Response:
        if not may_read(settings.metrics_token):
            abort(404)
        return Response(exposition.text(), content_type=CONTENT_TYPE)

    return app


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = 10.0  # for a client that says nothing

    def log_message(self, format: str, *_: object) -> None:
        """Log nothing."""


def main(host: str, port: int) -> None:
    """Serve until the process is ended."""
    counters.slot.begin("metrics")
    make_server(host, port, create_app(Settings.from_environment()), _Server, _Handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
