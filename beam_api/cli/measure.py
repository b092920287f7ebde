"""`beam measure`: the vitals of a video file or of who sits before a camera, through a service or in this process."""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, cast

import click
import httpx
import simplejpeg

from beam_api.cli.colours import measure_by_colours
from beam_api.cli.common import failures_as_messages, json_option, print_json, read_settings
from beam_api.cli.plot import plot_option, save_plot
from beam_api.cli.show import progress_bar, show_vitals
from beam_api.cli.sources import SHORTEST_S, Camera, Frames, VideoFile, now, open_source
from beam_api.client.measure import BeamClient, FramesEnded, Pace, ServiceRefused
from beam_api.services.keys import TIERS
from beam_api.services.pacing import interval_ms, mean_interval_ms
from beam_api.store.window_values import Session
from beam_api.web.schemas.measure import complete_data
from rppg_core import measure as measure_trace
from rppg_core.errors import RppgError
from rppg_core.face.footage import trace_of
from rppg_core.face.reader import FaceReader
from rppg_core.quality.extractors import DEFAULT, Extraction, calibration_of, extraction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_QUALITY = 95  # the file's own compression has taken enough
_ATTEMPTS, _STEP_MS = 4, 40  # at a window that frames fill; how much shorter each is than what was filled
_SHORTEST_MS = round(1000 * SHORTEST_S)


@click.command()
@click.argument("source")
@click.option("--url", help="A running service; without it, the measurement is made in this process.")
@click.option("--key", envvar="BEAM_API_KEY", help="The service's API key.  [env: BEAM_API_KEY]")
@click.option(
    "--pace",
    type=click.Choice(["batch", "single"]),
    default="batch",
    show_default=True,
    help="All frames (of a file, at most 30 a second), 30 in a request; or one frame per request, when the service "
    "asks for it (in this process: as with a sandbox key).",
)
@click.option(
    "--method",
    metavar="NAME",
    help="Find the pulse by this method, in this process: fused (the default), pos, chrom, green, lgi, omit, pbv, or "
    "one that another package brings.",
)
@click.option("--seconds", type=click.IntRange(10, 300), default=30, show_default=True, help="Length of the window.")
@click.option(
    "--colours",
    is_flag=True,
    help="Read the face here and send the service (--url) colours alone: no image leaves this machine.",
)
@plot_option
@json_option
def measure(
    source: str,
    *,
    url: str | None,
    key: str | None,
    pace: str,
    method: str | None,
    seconds: int,
    colours: bool,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure the vitals of the person in a video file, over its first 30 seconds, or before a camera.

    SOURCE is a file, or the number of a camera: 0 is the first. A file is sent as fast as it is answered; with --pace
    single, those of its frames are sent that a camera would have taken.
    """
    if url and not key:
        raise click.UsageError("--url needs --key.")
    if colours and (not url or pace == "single"):
        raise click.UsageError("--colours needs --url, and is for all frames (--pace batch).")
    if url and method:
        raise click.UsageError("--method is for measurements in this process; a service has its own.")
    try:
        chosen = extraction(method or DEFAULT)
        found = open_source(source)
        window_s = found.seconds(seconds)
        how = cast("Pace", pace)
        if url and key and colours:
            data = _by_colours(url, key, found, window_s, with_raw=plot is not None)
        elif url and key:
            data = _through(url, key, found, window_s, how, with_raw=plot is not None)
        else:
            data = _here(found, window_s, how, chosen)
    except (RppgError, ServiceRefused) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json(data)
    else:
        show_vitals(data)
    if plot:
        save_plot(data, plot)


def _through(
    url: str, key: str, source: VideoFile | Camera, window_s: float, pace: Pace, *, with_raw: bool
) -> dict[str, Any]:
    duration_ms = _whole_ms(window_s)
    with BeamClient(url, key) as client, progress_bar("Measuring") as advance:
        for attempt in range(_ATTEMPTS):
            try:
                answer = client.measure(
                    ((time_us, partial(_jpeg, image)) for time_us, image in source.frames()),
                    session_id=f"cli-{secrets.token_hex(6)}",
                    duration_ms=duration_ms,
                    on_progress=advance,
                    pace=pace,
                    clock=now if source.live else None,
                    include_raw=with_raw,
                )
            except FramesEnded as ended:
                if source.live:
                    raise
                # A face that comes late or leaves early fills less than the file lasts: measure what there is of it.
                duration_ms = ended.filled_ms - attempt * _STEP_MS
                if duration_ms < _SHORTEST_MS:
                    seen_s, least_s = duration_ms / 1000, _SHORTEST_MS // 1000
                    raise ServiceRefused(
                        f"The face was seen for {seen_s:.1f} s; at least {least_s} s are needed."
                    ) from ended
            else:
                data: dict[str, Any] = answer["data"]
                return data
    raise ServiceRefused("The frames ended before the window was full.")


def _by_colours(url: str, key: str, source: VideoFile | Camera, window_s: float, *, with_raw: bool) -> dict[str, Any]:
    with failures_as_messages():
        reader = FaceReader(read_settings().landmarks)
    http = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60.0)
    with http, progress_bar("Measuring") as advance:
        return measure_by_colours(
            http, source.frames(), reader, duration_ms=_whole_ms(window_s), with_raw=with_raw, advance=advance
        )


def _whole_ms(seconds: float) -> int:
    """Milliseconds of a window that frames of so many seconds fill."""
    return max(_SHORTEST_MS, math.floor(1000 * seconds + 1e-3))


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    encoded: bytes = simplejpeg.encode_jpeg(image, quality=_QUALITY, colorspace="RGB")
    return encoded


def _here(source: VideoFile | Camera, window_s: float, pace: Pace, chosen: Extraction) -> dict[str, Any]:
    with failures_as_messages():
        reader = FaceReader(read_settings().landmarks)
    frames = source.frames()
    with progress_bar("Measuring") as advance:
        trace = trace_of(_window(frames if pace == "batch" else _as_paced(frames), window_s, advance), reader)
    trace = replace(trace, bits_a_pixel=source.bits_a_pixel(trace.frame_size))
    vitals = measure_trace(trace, extract=chosen.extract, calibration=calibration_of(chosen))
    return complete_data(vitals, trace)


def _window(
    frames: Frames, window_s: float, advance: Callable[[float], None]
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """The first frames that fill `window_s` by the service's rule, with their times in seconds."""
    first_s = last_s = None
    intervals: list[float] = []
    for time_us, image in frames:
        time_s = time_us / 1e6
        if first_s is None or last_s is None:
            first_s = time_s
        else:
            intervals.append(time_s - last_s)
        last_s = time_s
        yield time_s, image
        passed_s = time_s - first_s
        advance(min(1.0, passed_s / window_s))
        if passed_s > 0.5 * window_s and passed_s + median(intervals) >= window_s - 1e-3:
            return


def _as_paced(frames: Frames) -> Frames:
    """The frames that a client would send whose key is a sandbox one."""
    mean_ms, session = mean_interval_ms(TIERS["sandbox"], 1), Session("here", "default")
    count, due_us = 0, 0.0
    for time_us, image in frames:
        if time_us >= due_us:
            count += 1
            due_us = time_us + 1000 * interval_ms(session, count, mean_ms)
            yield time_us, image
