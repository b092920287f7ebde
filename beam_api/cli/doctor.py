"""`beam doctor`: what the service needs, whether it is there, and what to mend."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click
from rich.console import Console
from rich.table import Table

from beam_api.cli.common import failures_as_messages, json_option, open_store, print_json, read_settings
from beam_api.config import Settings
from beam_api.machine import cores
from beam_api.redis_server import RedisNotRunning, find_binary
from beam_api.store.base import ping, store_errors, text

OPEN_FILES = 1024
FREE_BYTES = 256 * 1024 * 1024


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
    """Check models, Redis, decoders and limits, and say what to mend. Exits 1 if something must be."""
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
    except Exception as error:  # whatever is broken is to be told, not to end the examination
        found, mend = str(error) or type(error).__name__, "see the message"
    return Finding(what, not mend, found, mend)


def _redis(settings: Settings) -> tuple[str, str]:
    try:
        with open_store(settings) as client:
            ping(client)
            with store_errors():
                info = client.info()
    except RedisNotRunning as error:
        return str(error), "install redis-server, or set BEAM_REDIS_URL"
    where = "BEAM_REDIS_URL" if settings.redis_url else f"embedded, {find_binary().source}"
    found = f"{text(info['redis_version'])} ({where}), {text(info['used_memory_human'])} used"
    return found, "" if info["aof_enabled"] else "keys are lost when it restarts: set `appendonly yes`"


def _model(settings: Settings) -> tuple[str, str]:
    from rppg_core.reader import FaceReader

    FaceReader(settings.landmarks)
    return f"landmarks {settings.landmarks}", ""


def _decoders(settings: Settings) -> tuple[str, str]:
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

    from rppg_core.video import CODECS

    missing = []
    for codec in CODECS:
        try:
            av.Codec(codec, "r")
        except ValueError:  # unknown to this build
            missing.append(codec)
    found = f"PyAV {av.__version__}"
    return (f"{found} without {', '.join(missing)}", "reinstall av") if missing else (found, "")


def _data_dir(settings: Settings) -> tuple[str, str]:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free
    found = f"{settings.data_dir}, {free // 2**20} MiB free"
    if not os.access(settings.data_dir, os.W_OK | os.X_OK):
        return found, "not writable: set BEAM_DATA_DIR to a folder of this user"
    return found, "" if free >= FREE_BYTES else f"free {FREE_BYTES // 2**20} MiB, or set BEAM_DATA_DIR elsewhere"


def _open_files(_settings: Settings) -> tuple[str, str]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return f"{files} open files", "" if files >= OPEN_FILES else f"raise `ulimit -n` to {OPEN_FILES}"


def _workers(settings: Settings) -> tuple[str, str]:
    found = f"{settings.workers} workers on {cores()} cores"
    return found, "" if settings.workers <= 2 * cores() else "unset WEB_CONCURRENCY, or set it to the number of cores"


CHECKS: dict[str, Callable[[Settings], tuple[str, str]]] = {
    "Redis": _redis,
    "model": _model,
    "decoders": _decoders,
    "videos": _videos,
    "data": _data_dir,
    "files": _open_files,
    "workers": _workers,
}
