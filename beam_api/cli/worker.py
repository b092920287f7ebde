"""`beam worker`."""

from __future__ import annotations

import os
import sys

import click

from beam_api.cli.common import failures_as_messages, read_settings

# One thread a process for numerics, as in the web processes. Read when the libraries load, so set before.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


@click.command()
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Answer /metrics there; without it, nowhere.")
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="Address to do so; 0.0.0.0 for every one.")
def worker(metrics_port: int | None, metrics_host: str) -> None:
    """Analyse uploaded videos, beside the one worker that `beam serve` runs, on this machine or on others.

    It needs the service's Redis (BEAM_REDIS_URL, or BEAM_DATA_DIR on the same machine) and its uploads: the same
    BEAM_DATA_DIR, or a BEAM_SPOOL_URL that both reach. SIGTERM ends it after the video in hand.

    Web processes on the same machine, with the same BEAM_DATA_DIR, report its counts at their /metrics. Where there are
    none, --metrics-port has it answer itself: on this machine, or to who sends BEAM_METRICS_TOKEN.
    """
    from beam_api.host.process import raise_open_files
    from beam_api.monitoring import slots
    from beam_api.server.embedded_redis import running_url
    from rppg_core.errors import ModelUnavailable

    with failures_as_messages():
        settings = read_settings(quiet=False)
        raise_open_files()
        slots.prepare(settings.data_dir)  # before `worker` is imported, which counts
        from beam_api.video_worker.worker import run

        redis_url = settings.redis_url or running_url(settings.data_dir)
        if metrics_port:
            from beam_api.video_worker import metrics_server

            metrics_server.start(metrics_host, metrics_port, redis_url)  # ends with this process
        try:
            sys.exit(run(settings, redis_url))
        except ModelUnavailable as error:
            raise click.ClickException(str(error)) from error
