"""`beam doctor`: what the service needs, whether it is there, and what to mend. It leaves everything as it finds it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from beam_api.adapters.job_queue import ScanQueue, connect_queue
from beam_api.adapters.spool import Spool
from beam_api.cli.common import failures_as_messages, json_option, print_json, read_settings
from beam_api.exceptions import StoreUnavailable
from beam_api.host.process import raise_open_files
from beam_api.host.resources import SERVICE_BYTES, WORKER_BYTES, cores, memory_limit_bytes
from beam_api.monitoring import slots
from beam_api.server.capacity import MOST_CONNECTIONS, RESERVED_FILES, connections_within
from beam_api.server.embedded_redis import EmbeddedRedis, RedisNotRunning, find_binary, running_url
from beam_api.store.client import connect, ping, servers, store_errors, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis

    from beam_api.config import Settings

OPEN_FILES = MOST_CONNECTIONS + RESERVED_FILES
FREE_BYTES = 256 * 1024 * 1024
COUNTS_BYTES = 16 * 1024 * 1024
CLOCKS_APART_S = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` says what to do when it is not well."""

    what: str
    well: bool
    found: str
    mend: str = ""


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check models, Redis, decoders and limits, and say what to mend. Exits 1 if something must be.

    It changes nothing: no folder is created, and no data is opened that a service has left.
    """
    with failures_as_messages():
        settings = read_settings()
    findings = [_look(what, check, settings) for what, check in CHECKS.items()]
    if as_json:
        print_json({"well": all(f.well for f in findings), "findings": [asdict(f) for f in findings]})
    else:
        table = Table("", "what", "found", "to mend it")
        for f in findings:
            table.add_row("[green]ok[/]" if f.well else "[red]bad[/]", f.what, f.found, f.mend)
        Console().print(table)
    raise SystemExit(0 if all(f.well for f in findings) else 1)


def _look(what: str, check: Callable[[Settings], tuple[str, str]], settings: Settings) -> Finding:
    """Do a check, which returns what it found and what to mend, if anything. A check that breaks is a finding too."""
    try:
        found, mend = check(settings)
    except Exception as error:  # report whatever is broken, and go on
        found, mend = str(error) or type(error).__name__, "see the message"
    return Finding(what, not mend, found, mend)


@contextmanager
def _store(settings: Settings) -> Iterator[Redis]:
    """The Redis that is set or runs; else the one that would be started, for a moment and on an empty folder."""
    try:
        url = settings.redis_url or running_url(settings.data_dir)
    except RedisNotRunning:
        with tempfile.TemporaryDirectory(prefix="beam-doctor-") as folder:
            server = EmbeddedRedis(Path(folder), announce=False)
            server.start()
            try:
                yield connect(server.url)
            finally:
                server.stop()
        return
    yield connect(url)


def _redis(settings: Settings) -> tuple[str, str]:
    try:
        with _store(settings) as client:
            ping(client)
            with store_errors():
                infos = servers(client)
    except RedisNotRunning as error:
        return str(error), "install redis-server, or set BEAM_REDIS_URL"
    where = "BEAM_REDIS_URL" if settings.redis_url else f"embedded, {find_binary().source}"
    several = f", {len(infos)} nodes" if len(infos) > 1 else ""
    findings = [_one_redis(info, where + several) for info in infos]
    return next((finding for finding in findings if finding[1]), findings[0])


def _one_redis(info: dict[str, Any], where: str) -> tuple[str, str]:
    found = f"{text(info['redis_version'])} ({where}), {text(info['used_memory_human'])} used"
    policy = text(info.get("maxmemory_policy", "noeviction"))
    if info.get("maxmemory") and policy != "noeviction":
        return f"{found}, {policy}", "it evicts keys when it is full: set `maxmemory-policy noeviction`"
    if "err" in (info.get("aof_last_write_status"), info.get("rdb_last_bgsave_status")):
        return f"{found}, its last write to the disk failed", "see its log, and the room on its disk"
    return found, "" if info["aof_enabled"] else "keys are lost when it restarts: set `appendonly yes`"


def _clock(settings: Settings) -> tuple[str, str]:
    """Limits go by the clocks of web machines, windows by that of Redis."""
    try:
        with _store(settings) as client, store_errors():
            before = time.time()
            seconds, micros = client.time()
            apart_s = abs(seconds + micros / 1e6 - (before + time.time()) / 2)
    except (RedisNotRunning, StoreUnavailable):
        return "not compared: no Redis", ""
    found = f"{apart_s:.2f} s from that of Redis"
    return found, "" if apart_s <= CLOCKS_APART_S else "keep both clocks in step by NTP"


def _queue(settings: Settings) -> tuple[str, str]:
    if settings.queue_redis_url is None:
        return "in the same Redis", ""
    state = ScanQueue(connect_queue(settings.queue_redis_url)).look()
    return f"{state.jobs} jobs, {state.workers} workers", ""


def _uploads(settings: Settings) -> tuple[str, str]:
    """One is written to an object store and deleted again: there is no other way to know."""
    spool = Spool(settings.spool_url or str(settings.data_dir / "spool"))
    try:
        where = spool.location("doctor")
        if "://" not in where:
            return _local_uploads(Path(where).parent, settings)
        with spool.create("doctor") as (name, file):
            file.write(b"1")
        spool.delete(name)
    except Exception as error:  # each kind of store has its own
        return f"can't be kept: {type(error.__cause__ or error).__name__}", "look at BEAM_SPOOL_URL and its credentials"
    return "can be kept", ""


def _local_uploads(folder: Path, settings: Settings) -> tuple[str, str]:
    if not _can_write(_existing(folder)):
        return f"can't be kept in {folder}", "look at BEAM_SPOOL_URL, and whose folder it is"
    return "can be kept" + ("" if settings.spool_url else ", in the data folder"), ""


def _existing(folder: Path) -> Path:
    """A folder, or what there is of it."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _can_write(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _counts(settings: Settings) -> tuple[str, str]:
    folder = slots.folder_of(settings.data_dir)
    there = _existing(folder)
    if not _can_write(there) or (there == folder and (folder.is_symlink() or folder.stat().st_uid != os.geteuid())):
        return f"{folder} is not a folder of this user", f"set {slots.VARIABLE}"
    processes, free = len(list(slots.processes(folder))), shutil.disk_usage(there).free
    found = f"{folder}, {processes} processes"
    return found, "" if free >= COUNTS_BYTES else f"free {COUNTS_BYTES // 2**20} MiB, or set PROMETHEUS_MULTIPROC_DIR"


def _model(settings: Settings) -> tuple[str, str]:
    from rppg_core.face.reader import FaceReader

    return f"landmarks {settings.landmarks}, by {FaceReader(settings.landmarks).landmarks_by}", ""


def _decoders(_settings: Settings) -> tuple[str, str]:
    """A picture of each kind must come back as it went in."""
    import cv2
    import numpy as np
    import simplejpeg

    grey = np.full((16, 16, 3), 128, np.uint8)
    jpeg = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(grey))
    png = cv2.imdecode(cv2.imencode(".png", grey)[1], cv2.IMREAD_COLOR)
    if png is None or np.abs(jpeg.astype(int) - grey).max() > 2 or (png != grey).any():
        return "a picture came back changed", "reinstall simplejpeg and opencv-python-headless"
    return f"JPEG: simplejpeg {simplejpeg.__version__}; PNG: OpenCV {cv2.__version__}", ""


def _videos(_settings: Settings) -> tuple[str, str]:
    import av

    from rppg_core.media.video import CODECS

    missing = []
    for codec in CODECS:
        try:
            av.Codec(codec, "r")
        except ValueError:  # unknown to this build
            missing.append(codec)
    found = f"PyAV {av.__version__}"
    return (f"{found} without {', '.join(missing)}", "reinstall av") if missing else (found, "")


def _data_dir(settings: Settings) -> tuple[str, str]:
    there = _existing(settings.data_dir)
    free = shutil.disk_usage(there).free
    found = f"{settings.data_dir}, {free // 2**20} MiB free" + ("" if there == settings.data_dir else ", not made yet")
    if not _can_write(there):
        return found, "not writable: set BEAM_DATA_DIR to a folder of this user"
    return found, "" if free >= FREE_BYTES else f"free {FREE_BYTES // 2**20} MiB, or set BEAM_DATA_DIR elsewhere"


def _open_files(_settings: Settings) -> tuple[str, str]:
    files = raise_open_files()  # as the service does
    found = f"{files} open files, for {connections_within(files)} connections a web process"
    return found, "" if files >= OPEN_FILES else f"raise the hard limit to {OPEN_FILES}: `ulimit -Hn`, or LimitNOFILE="


def _workers(settings: Settings) -> tuple[str, str]:
    limit, needed = memory_limit_bytes(), SERVICE_BYTES + settings.workers * WORKER_BYTES
    found = f"{settings.workers} workers on {cores()} cores"
    if limit is not None:
        found += f", with {limit // 2**20} MiB"
        if limit < needed:
            return found, f"unset WEB_CONCURRENCY, or allow {needed // 2**20} MiB"
    return found, "" if settings.workers <= 2 * cores() else "unset WEB_CONCURRENCY, or set it to the number of cores"


CHECKS: dict[str, Callable[[Settings], tuple[str, str]]] = {
    "Redis": _redis,
    "clock": _clock,
    "queue": _queue,
    "uploads": _uploads,
    "counts": _counts,
    "model": _model,
    "decoders": _decoders,
    "videos": _videos,
    "data": _data_dir,
    "files": _open_files,
    "workers": _workers,
}
