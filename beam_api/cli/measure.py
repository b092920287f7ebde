"""`beam measure`: a video file's vitals, through a service or in this process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from beam_api.cli.common import failures_as_messages, json_option, print_json, read_settings
from beam_api.cli.show import progress_bar, show_vitals
from beam_api.client import BeamClient, ServiceRefused
from beam_api.schemas.measure import complete_data
from rppg_core.errors import RppgError
from rppg_core.footage import trace_of
from rppg_core.measure import measure as measure_trace
from rppg_core.reader import FaceReader
from rppg_core.video import read_video, span_s

SHORTEST_S = 10.0
LONGEST_S = 30.0
_QUALITY = 95  # the file's own compression has taken enough


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", help="A running service; without it, the measurement is made in this process.")
@click.option("--key", envvar="BEAM_API_KEY", help="The service's API key.  [env: BEAM_API_KEY]")
@json_option
def measure(file: Path, url: str | None, key: str | None, as_json: bool) -> None:
    """Measure the vitals of the person in a video FILE, over its first 30 seconds."""
    if url and not key:
        raise click.UsageError("--url needs --key.")
    try:
        seconds = min(span_s(file), LONGEST_S)
        if seconds < SHORTEST_S:
            raise click.ClickException(f"The video lasts {seconds:.1f} s; at least {SHORTEST_S:.0f} s are needed.")
        data = _through(url, key, file, seconds) if url and key else _here(file, seconds)
    except (RppgError, ServiceRefused) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json(data)
    else:
        show_vitals(data)


def _through(url: str, key: str, file: Path, seconds: float) -> dict[str, Any]:
    frames = (
        (time_us, simplejpeg.encode_jpeg(image, quality=_QUALITY, colorspace="RGB")) for time_us, image in _frames(file)
    )
    with BeamClient(url, key) as client, progress_bar("Measuring") as advance:
        answer = client.measure(
            frames,
            session_id=f"cli-{secrets.token_hex(6)}",
            duration_ms=int(1000 * seconds),
            on_progress=advance,
        )
    data: dict[str, Any] = answer["data"]
    return data


def _here(file: Path, seconds: float) -> dict[str, Any]:
    with failures_as_messages():
        reader = FaceReader(read_settings().landmarks)
    with progress_bar("Measuring") as advance:
        trace = trace_of(_up_to(seconds, file), reader, on_time=lambda time_s: advance(time_s / seconds))
    return complete_data(measure_trace(trace), trace)


def _up_to(seconds: float, file: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    first_s: float | None = None
    for time_s, image in read_video(file):
        first_s = time_s if first_s is None else first_s
        if time_s - first_s > seconds:
            return
        yield time_s, image


def _frames(file: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for time_s, image in read_video(file):
        yield max(0, round(time_s * 1e6)), image
