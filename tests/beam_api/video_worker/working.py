"""A session whose video waits, and a worker that does what is queued."""

import os
import signal

import pytest

from beam_api.services.scans.video_analysis import VideoAnalysis
from beam_api.video_worker import jobs
from beam_api.video_worker.worker import VideoWorker, limit_process
from beam_api.wiring import ScanParts
from rppg_core import measure
from tests import videos

SESSION = "sess_20261026123456_abc"


@pytest.fixture
def scan_parts(settings, redis):
    return ScanParts.build(settings, redis)


@pytest.fixture
def begin(scan_parts):
    """A session whose video has just been accepted."""

    def begin(data=None, webhook_url="", limit_s=100.0, **options):
        about = {"key_id": "key1", "owner": "o", "created_at": "", "webhook_url": webhook_url}
        scan_parts.scans.create(SESSION, **about, **options)
        with scan_parts.spool.create(SESSION) as (name, file):
            file.write(data if data is not None else videos.encoded())
        assert scan_parts.scans.accept(SESSION, name, limit_s) == ("accepted", 0)
        scan_parts.lifecycle.enqueue(SESSION, 0)

    return begin


@pytest.fixture
def work(scan_parts, settings, reader):
    """Let a worker do what is queued, and end."""

    def work(analyse=measure, seconds=None, **options):
        def limit(left_s):
            limit_process(seconds or left_s)

        parts = scan_parts
        analysing = VideoAnalysis(
            parts.scans, parts.spool, parts.lifecycle, reader, analyse=analyse, limit=limit, **options
        )
        jobs.install(jobs.Work(lambda: analysing, parts.delivering))
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
        try:
            VideoWorker(parts, settings.queue_redis_url or settings.redis_url).work(
                burst=True, logging_level="CRITICAL"
            )
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    return work


def die():
    """Crash as native code does; not by way of pytest's own handler, which would print the stack."""
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


def uploads(settings):
    return list((settings.data_dir / "spool").iterdir())


def status(scan_parts):
    record = scan_parts.scans.get(SESSION)
    return record.status, record.error
