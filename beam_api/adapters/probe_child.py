"""What looks at an upload, as a process of its own that is run by this file's path: it imports no more than it needs.

`probe_child.py UPLOAD PARENT` writes one line of JSON. It limits its own memory, processor time and wall time, writes
no file, and dies with its parent.
"""

from __future__ import annotations

import json
import math
import resource
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, cast

TIME_S = 10  # an hour of 60 frames a second takes a second or two
_MEMORY_BYTES = 1024 * 1024 * 1024


def main(upload: str, parent: int) -> None:
    """Probe an upload, a path or a URL that fsspec opens."""
    sys.path.insert(0, str(Path(__file__).parents[2]))  # where the packages are
    from beam_api.host.process import die_with

    die_with(parent, signal.SIGKILL)
    from rppg_core.errors import InvalidVideo, UnusableVideo
    from rppg_core.media.video import probe
    from rppg_core.media.video_cost import predicted_s

    found: dict[str, Any]
    try:
        file = _open(upload)  # before there are limits: an object store's client takes a while to load
        _limit()
        with file:
            info = probe(file)
        found = {**asdict(info), "predicted_s": predicted_s(info)}
    except InvalidVideo as error:
        found = {"error": str(error), "unusable": isinstance(error, UnusableVideo)}
    except Exception as error:
        if "://" not in upload:
            raise
        found = {"unavailable": type(error).__name__}  # whatever else happens on the way is the object store's
    sys.stdout.write(json.dumps(found))


def _open(upload: str) -> BinaryIO:
    if "://" not in upload:
        return open(upload, "rb")
    import fsspec

    return cast("BinaryIO", fsspec.open(upload, "rb").open())


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    cpu_s = TIME_S + math.ceil(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    if sys.platform == "linux":
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = held + _MEMORY_BYTES if most == resource.RLIM_INFINITY else min(held + _MEMORY_BYTES, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    signal.setitimer(signal.ITIMER_REAL, TIME_S)  # nobody handles its signal, so it ends even a demuxer that hangs


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
