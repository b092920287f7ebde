"""`beam measure`: the vitals in videos, saved traces or of who sits before a camera, by a service or here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import click
import httpx

from beam_api.cli.colours import measure_by_colours
from beam_api.cli.common import failures_as_messages, json_option, key_option, print_json, read_settings
from beam_api.cli.in_process import measure_here
from beam_api.cli.plot import plot_option, save_plot
from beam_api.cli.several import show_each
from beam_api.cli.show import progress_bar, show_vitals
from beam_api.cli.sources import DEFAULT_S, SHORTEST_S, Camera, TraceFile, VideoFile, open_source
from beam_api.cli.traces import save_trace_option
from beam_client import Beam
from beam_client import BeamError as ClientError
from rppg_core.errors import RppgError
from rppg_core.face.reader import FaceReader
from rppg_core.quality.extractors import DEFAULT, extraction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Pace = Literal["batch", "single"]


@dataclass(frozen=True, slots=True)
class _How:
    """How sources are measured: through `service` (address and key), or in this process by `chosen`."""

    service: tuple[str, str] | None
    method: str
    seconds: int | None
    pace: Pace
    with_raw: bool
    colours: bool
    save_to: Path | None

    def measure(self, name: str) -> Mapping[str, Any]:
        """Return the `data` of a measurement. Raises ClickException."""
        try:
            source = open_source(name)
            if not self.service:
                return measure_here(
                    source, self.seconds, self.method, all_frames=self.pace == "batch", save_to=self.save_to
                )
            if isinstance(source, TraceFile):
                raise click.ClickException(f"{name} is a saved trace, which is measured in this process: omit --url.")
            through = self._by_colours if self.colours else self._through
            return through(source, *self.service)
        except (RppgError, ClientError) as error:
            raise click.ClickException(str(error)) from error

    def _through(self, source: VideoFile | Camera, url: str, key: str) -> Mapping[str, Any]:
        with Beam(url, key) as client, progress_bar("Measuring") as advance:
            result = client.measure(
                source.name,
                duration_ms=round(1000 * self._seconds),
                pace=self.pace,
                include_raw=self.with_raw,
                progress=lambda progress: advance(progress.share),
            )
        return result.data

    def _by_colours(self, source: VideoFile | Camera, url: str, key: str) -> Mapping[str, Any]:
        with failures_as_messages():
            reader = FaceReader(read_settings().landmarks)
        duration_ms = max(round(1000 * SHORTEST_S), math.floor(1000 * source.seconds(self._seconds) + 1e-3))
        http = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60.0)
        with http, progress_bar("Measuring") as advance:
            return measure_by_colours(
                http, source.frames(), reader, duration_ms=duration_ms, with_raw=self.with_raw, advance=advance
            )

    @property
    def _seconds(self) -> float:
        return DEFAULT_S if self.seconds is None else self.seconds


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path())
@click.option("--url", help="A running service; without it, the measurement is made in this process.")
@key_option
@click.option(
    "--pace",
    type=click.Choice(["batch", "single"]),
    default="batch",
    show_default=True,
    help="All frames (of a file, at most 30 a second), a second of them in a request; or one frame per request, when "
    "the service asks for it (in this process: as with a sandbox key).",
)
@click.option(
    "--method",
    metavar="NAME",
    help="Find the pulse by this method, in this process: fused (the default), pos, chrom, green, lgi, omit, pbv, or "
    "one that another package brings.",
)
@click.option(
    "--seconds",
    type=click.IntRange(10, 300),
    help="Length of the window.  [default: 30; of a saved trace, all of it]",
)
@click.option(
    "--colours",
    is_flag=True,
    help="Read the face here and send the service (--url) colours alone: no image leaves this machine.",
)
@save_trace_option
@plot_option
@json_option
@click.option("--raw", "with_raw", is_flag=True, help="With --json: the waveforms and beats too.")
def measure(
    sources: tuple[str, ...],
    *,
    url: str | None,
    key: str | None,
    pace: str,
    method: str | None,
    seconds: int | None,
    colours: bool,
    save_trace: Path | None,
    plot: Path | None,
    as_json: bool,
    with_raw: bool,
) -> None:
    """Measure the vitals of the person in a video file, over its first 30 seconds, or before a camera.

    A SOURCE is a file, or the number of a camera: 0 is the first. Several are measured one after the other. A file is
    sent as fast as it is answered; with --pace single, those of its frames are sent that a camera would have taken.
    A file that --save-trace wrote gives the same vitals again.
    """
    _check_options(sources, url, key, method, plot)
    if save_trace and (url or len(sources) > 1):
        raise click.UsageError("--save-trace saves one measurement in this process: name one SOURCE and no --url.")
    if colours and (not url or pace == "single"):
        raise click.UsageError("--colours needs --url, and is for all frames (--pace batch).")
    try:
        extraction(method or DEFAULT)  # of no such name, before the video is read
    except RppgError as error:
        raise click.ClickException(str(error)) from error
    service = (url, key) if url and key else None
    how = _How(
        service, method or DEFAULT, seconds, cast("Pace", pace), with_raw or plot is not None, colours, save_trace
    )
    if len(sources) > 1:

        def measured(name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
            data = how.measure(name)
            return _printed(data, with_raw), data

        show_each(sources, measured, as_json=as_json)
        return
    data = how.measure(sources[0])
    if as_json:
        print_json(_printed(data, with_raw))
    else:
        show_vitals(data)
    if plot:
        save_plot(dict(data), plot)


def _check_options(
    sources: tuple[str, ...], url: str | None, key: str | None, method: str | None, plot: Path | None
) -> None:
    if url and not key:
        raise click.UsageError(
            "--url needs --key, or BEAM_API_KEY. `beam keys create --owner NAME` beside the service makes a key, and "
            f"so does {url.rstrip('/')}/keys."
        )
    if url and method:
        raise click.UsageError("--method is for measurements in this process; a service has its own.")
    if plot and len(sources) > 1:
        raise click.UsageError("--plot draws one measurement: name one SOURCE.")


def _printed(data: Mapping[str, Any], with_raw: bool) -> dict[str, Any]:
    """What --json prints: a waveform of hundreds of numbers only if it is wanted."""
    return {name: value for name, value in data.items() if with_raw or name != "raw"}
