"""How gunicorn runs the service. `beam serve` uses it; so can `gunicorn -c python:beam_api.server.gunicorn_conf`."""

from __future__ import annotations

import gc
import os
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

# One thread a process for numerics: the processes are the parallelism. Read when the libraries load, so set before.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from beam_api.config import Settings  # noqa: E402
from beam_api.host.process import die_with_parent, end_quickly, raise_open_files, return_large_memory  # noqa: E402
from beam_api.monitoring import slots  # noqa: E402
from beam_api.monitoring.logs import stdlib_logging  # noqa: E402
from beam_api.server import detaching  # noqa: E402
from beam_api.server.balancing import Balancing  # noqa: E402
from beam_api.server.capacity import connections_within  # noqa: E402
from beam_api.server.embedded_redis import RedisNotRunning  # noqa: E402

if TYPE_CHECKING:
    from flask import Flask

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would put images on the disk

end_quickly()

_settings = Settings.from_environment()

wsgi_app = "beam_api.server.gunicorn_conf:load()"
bind = "127.0.0.1:8000"
workers = _settings.workers  # dlib holds the GIL: processes scale
worker_class = (
    "beam_api.server.gunicorn_worker.WebWorker"  # gthread: sync has no keep-alive, and clients come every second
)
worker_connections = connections_within(raise_open_files())
threads = 8  # they overlap the reading of bodies and the waiting for Redis; few of them read frames at a time
preload_app = True  # the model's memory is shared
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 # a heartbeat must not wait for a disk
keepalive = 30  # longer than the pause between two requests of one measurement
timeout = 60
graceful_timeout = 30
forwarder_headers = ""  # BEAM_TRUSTED_PROXIES alone decides which proxies are trusted
secure_scheme_headers: dict[str, str] = {}
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
control_socket_disable = True  # unused, and it would lie in the home directory
accesslog = None  # beam_api.web.request_log logs each request
logconfig_dict = stdlib_logging(_settings.log_level)

# Made here, in the master: a worker must know who its parent was.
_die_with_master = die_with_parent(signal.SIGKILL)


def load() -> Flask:
    """Create the app. If it can't start, gunicorn prints one line, the message of a RuntimeError."""
    gc.disable()  # nothing that is loaded is garbage
    slots.prepare(_settings.data_dir)  # before what counts is imported
    from beam_api import create_app
    from beam_api.monitoring import counters
    from rppg_core.errors import ModelUnavailable

    counters.slot.begin("master")
    try:
        return create_app()
    except (RedisNotRunning, ModelUnavailable) as error:
        raise RuntimeError(str(error)) from None
    finally:
        gc.freeze()  # what all workers share stays shared: their garbage collectors would write to each object
        gc.enable()


def post_fork(_server: Any, _worker: Any) -> None:
    """Let the worker die with the master, however that dies, and keep OpenCV to one thread."""
    import cv2

    slots.prepare(_settings.data_dir)  # done already, unless somebody has set preload_app to False
    from beam_api.monitoring import counters

    _die_with_master()
    return_large_memory()
    cv2.setNumThreads(1)
    counters.slot.begin("web")


def post_worker_init(worker: Any) -> None:
    """Let streams go on without threads, and report to `beam serve` that this worker serves."""
    worker.offer_detaching()
    worker.handover.say_ready()


def worker_exit(_server: Any, _worker: Any) -> None:
    """End the streams that are left as they should end."""
    detaching.end_all()


_balancing = Balancing()  # of each worker its own, from the fork on


def pre_request(_worker: Any, request: Any) -> None:
    """Count it, and let its connection move to another worker if this one is crowded."""
    _balancing.begin(request)


def post_request(_worker: Any, _request: Any, _environ: Any, _response: Any) -> None:
    """It is answered, or given up."""
    _balancing.end()
