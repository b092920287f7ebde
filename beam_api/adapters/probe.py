"""Look at an upload before it is accepted, in a process of its own: whatever it does to a demuxer, that dies alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from math import floor
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from beam_api.adapters.job_queue import TIME_LIMIT_S
from beam_api.adapters.probe_child import TIME_S
from beam_api.exceptions import InvalidParameter, StoreUnavailable, Unprocessable

SHORTEST_S, LONGEST_S = 5.0, 3600.0
WINDOW_S = 300.0
"""Up to here an analysis takes no more than `TIME_LIMIT_S`; a longer video's own limit grows with it."""

_EXACT_S, _LATE_S = 1e-3, 0.5  # how exactly times are stored; how exactly recorders stop
LONGEST_PREDICTED_S = 80.0  # of the 100 s that an analysis may take: the prediction is rough
_ROOM = 4.0  # of a long video's limit over the prediction: nobody waits beside it, and the machine may be slow or busy
_START_S = 25.0  # a busy machine may take that long to begin
_CHILD = Path(__file__).with_name("probe_child.py")


class Probed(NamedTuple):
    """A video that can be measured: most seconds that an attempt at it may take, and how many are predicted."""

    limit_s: float
    predicted_s: float


def probe_upload(location: str, *, most_s: float = LONGEST_PREDICTED_S) -> Probed:
    """Make sure that an upload is a video that can be measured.

    `location` is a path or a URL that fsspec opens. `most_s` is how long the analysis of a video of more than five
    minutes may be predicted to take.

    Raises
    ------
    InvalidParameter
        If it is no video.
    Unprocessable
        If it is a video, but has no picture that can be measured, is too short or too long, or would take longer to
        analyse than an analysis may.
    StoreUnavailable
        If an object store has it and is unavailable.
    """
    found = _ask_child(location)
    if "unavailable" in found:
        structlog.get_logger().error("object store unavailable", reason=found["unavailable"])
        raise StoreUnavailable
    if error := found.get("error"):
        raise Unprocessable(error) if found["unusable"] else InvalidParameter("file", _as_rule(error))
    duration_s = found["duration_s"]
    if duration_s < SHORTEST_S - _EXACT_S:
        raise Unprocessable(
            f"The video lasts {floor(100 * duration_s) / 100:.2f} s; at least {SHORTEST_S:.0f} s are needed."
        )
    if duration_s > LONGEST_S + _LATE_S:
        raise Unprocessable(f"The video lasts {duration_s:.0f} s; at most {LONGEST_S:.0f} s are taken.")
    is_long = duration_s > WINDOW_S + _LATE_S
    if found["predicted_s"] > (most_s if is_long else LONGEST_PREDICTED_S):
        what = f"{duration_s:.0f} s of {found['width']}x{found['height']} pixels in {found['frames']} frames"
        raise Unprocessable(
            f"The video would take too long to analyse: {what} ({found['codec']}), some {found['predicted_s']:.0f} s. "
            "Upload a shorter part (10 to 30 s are best), or a smaller picture or a lower frame rate."
        )
    limit_s = max(TIME_LIMIT_S, _ROOM * found["predicted_s"]) if is_long else TIME_LIMIT_S
    return Probed(limit_s, found["predicted_s"])


def _ask_child(location: str) -> dict[str, Any]:
    command = [sys.executable, "-P", str(_CHILD), location, str(os.getpid())]
    try:
        child = subprocess.run(  # noqa: S603 - our own file
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_START_S + TIME_S, check=True
        )
    except subprocess.SubprocessError as error:
        structlog.get_logger().warning("probe failed", exit_code=getattr(error, "returncode", None))
        return {"error": "The file can't be read as a video.", "unusable": False}
    found: dict[str, Any] = json.loads(child.stdout)
    return found


def _as_rule(sentence: str) -> str:
    """A sentence as the message of a parameter: its beginning is the parameter's name."""
    return f"must be a video: {sentence[0].lower()}{sentence[1:].rstrip('.')}"
