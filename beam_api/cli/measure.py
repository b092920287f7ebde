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
from rppg_core.measure import measure as measure_trace
from rppg_core.reader import FaceReader, FaceState, Frame
from rppg_core.traces import Sample, Trace
from rppg_core.video import read_video, span_s

SHORTEST_S = 10.0
LONGEST_S = 30.0
_QUALITY = 95  # the file's own compression has taken enough
_BATCH = 30


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
    times: list[float] = []
    samples: list[Sample] = []
    size = (0, 0)
    state: FaceState | None = None
    first_us: int | None = None
    batch: list[Frame] = []

    def read(batch: list[Frame]) -> None:
        nonlocal state, size
        for reading in reader.read(batch, state):
            if reading.sample is None or reading.face is None:
                continue
            times.append(reading.time_us / 1e6)
            samples.append(reading.sample)
            state = reading.face
            size = state.frame_size

    with progress_bar("Measuring") as advance:
        for time_us, image in _frames(file):
            first_us = time_us if first_us is None else first_us
            passed_s = (time_us - first_us) / 1e6
            if passed_s > seconds:
                break
            batch.append(Frame(time_us, image))
            if len(batch) == _BATCH:
                read(batch)
                batch = []
                advance(passed_s / seconds)
        read(batch)
    if not samples:
        raise click.ClickException("No face was found in the video.")
    trace = Trace.of(times, samples, size)
    return complete_data(measure_trace(trace), trace)


def _frames(file: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for time_s, image in read_video(file):
        yield max(0, round(time_s * 1e6)), image
