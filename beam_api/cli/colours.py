"""`beam measure --colours`: read the face here, and send the service what is left of each frame. No image leaves."""

from __future__ import annotations

import gzip
import json
import math
import secrets
import time
from itertools import islice, pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import click
import httpx

from rppg_core.errors import NoFaceDetected
from rppg_core.face.exchange import SAMPLE_VERSION, write_sample
from rppg_core.face.reader import FaceReader, FaceState, Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

BATCH = 30
_TRIES, _LONGEST_WAIT_S, _ANALYSIS_S = 5, 61.0, 0.5
_SHORTEST_MS = 10_000

Batch = tuple[tuple[int, int], list[dict[str, Any]]]
"""The size of the frames, and their samples."""


def measure_by_colours(
    http: httpx.Client,
    frames: Iterable[tuple[int, NDArray[np.uint8]]],
    reader: FaceReader,
    *,
    duration_ms: int,
    with_raw: bool,
    advance: Callable[[float], None],
) -> dict[str, Any]:
    """Measure through the service whose client `http` is, from frames that are read here.

    Parameters
    ----------
    http : httpx.Client
        With the service's address and a key or token in its headers.
    frames : iterable of (int, ndarray)
        Capture times in microseconds, and upright RGB pixels.
    reader : FaceReader
        Reads them.
    duration_ms : int
        Length of the window. Frames that end sooner are measured as long as they are, from 10 s on.
    with_raw : bool
        Whether the answer is to hold the signals.
    advance : callable
        Is called with the share of the window that is filled, 0-1.

    Returns
    -------
    dict
        The `data` of the answer.

    Raises
    ------
    ClickException
        If the service refuses, or the face is seen for less than 10 s.
    """
    sent: list[Batch] = []
    about: dict[str, Any] = {"session_id": f"cli-{secrets.token_hex(6)}", "duration_ms": duration_ms}
    about |= {"include_raw": with_raw, "include_partial": False}  # nobody reads the running rate
    for batch in _read(frames, reader):
        sent.append(batch)
        if done := _post(http, batch, about, advance):
            return done
    about |= {"session_id": f"{about['session_id']}-again", "duration_ms": _filled_ms(sent)}
    for batch in sent:
        if done := _post(http, batch, about, advance):
            return done
    raise click.ClickException("The frames ended before the window was full.")


def _read(frames: Iterable[tuple[int, NDArray[np.uint8]]], reader: FaceReader) -> Iterator[Batch]:
    """The samples of the frames that show a face, a second at a time."""
    source, last = iter(frames), None
    while batch := list(islice(source, BATCH)):
        readings = reader.read([Frame(time_us, image) for time_us, image in batch], last)
        wrong = next((r.error for r in readings if r.error and not isinstance(r.error, NoFaceDetected)), None)
        if wrong is not None:
            raise wrong
        seen = [r for r in readings if r.sample and r.face]
        if seen and seen[-1].face:
            last = max((r.face for r in seen if r.face), key=_time_of)
            rows = [write_sample(r.time_us, r.sample, r.face if r is seen[-1] else None) for r in seen if r.sample]
            yield last.frame_size, rows


def _time_of(face: FaceState) -> int:
    return face.time_us


def _filled_ms(sent: list[Batch]) -> int:
    """Length of the window that these samples fill. Raises ClickException if it is too short."""
    times = sorted(row["timestamp_ms"] for _, rows in sent for row in rows)
    gaps = [b - a for a, b in pairwise(times)]
    filled_ms = math.floor(times[-1] - times[0] + median(gaps)) if gaps else 0
    if filled_ms < _SHORTEST_MS:
        raise click.ClickException(f"The face was seen for {filled_ms / 1000:.1f} s; at least 10 s are needed.")
    return filled_ms


def _post(
    http: httpx.Client, batch: Batch, about: dict[str, Any], advance: Callable[[float], None]
) -> dict[str, Any] | None:
    """The measurement, if this request filled the window. The same body is sent again until it is answered."""
    size, rows = batch
    body = {**about, "sample_version": SAMPLE_VERSION, "frame_size": list(size), "samples": rows}
    content = gzip.compress(json.dumps(body, separators=(",", ":")).encode(), 9)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for attempt in range(_TRIES):
        try:
            response = http.post("/api/rppg/samples", content=content, headers=headers)
        except httpx.TransportError as error:
            if attempt == _TRIES - 1:
                raise click.ClickException(f"The service can't be reached: {type(error).__name__}.") from error
            time.sleep(0.2 * 2**attempt)
            continue
        if response.status_code in {429, 503}:
            time.sleep(min(float(response.headers.get("Retry-After", 1)), _LONGEST_WAIT_S))
            continue
        data = _data(response)
        if data["status"] == "complete":
            return data
        if data["progress"] < 1.0:
            advance(data["progress"])
            return None
        time.sleep(_ANALYSIS_S)  # the first try of this request filled the window
    raise click.ClickException("The service has no room for these requests.")


def _data(response: httpx.Response) -> dict[str, Any]:
    try:
        body: dict[str, Any] = response.json()
    except ValueError as error:
        raise click.ClickException(f"No Beam answers there (status {response.status_code}).") from error
    if response.is_success and "data" in body:
        data: dict[str, Any] = body["data"]
        return data
    failure = body.get("error", {})
    raise click.ClickException(f"{response.status_code} {failure.get('code')}: {failure.get('message')}")
