"""`beam demo`: the whole service, tried on a face whose pulse is known."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import httpx

from beam_api.cli.common import json_option, print_json, write_key
from beam_api.cli.show import progress_bar, show_vitals
from beam_api.host.process import die_with_parent
from beam_api.server.embedded_redis import RedisNotRunning, running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_client import Beam
from beam_client import BeamError as ClientError
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_S = 30.0
_KEY_FILE = "demo-key"
_SCENE = Scene(heart_rate_bpm=72.0, rmssd_ms=38.0, respiration_rate_bpm=15.0, sway=0.015, duration_s=31.0, seed=7)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--once", is_flag=True, help="End after the measurement instead of staying up.")
@json_option
def demo(port: int, once: bool, as_json: bool) -> None:
    """Start everything, post a simulated face through HTTP as a client would, and print its vitals."""
    with _service(port) as (url, key, folder):
        if not as_json:
            click.echo(f"Posting {_SCENE.duration_s:.0f} s of a simulated face to {url}")
        try:
            data = _measure(url, key)
        except ClientError as error:
            raise click.ClickException(str(error)) from error
        truth = simulate_face(_SCENE).person.truth(0.0, data["duration_ms"] / 1000)
        if as_json:
            print_json({"measured": data, "simulated": {"heart_rate": truth.heart_rate_bpm, "hrv": truth.rmssd_ms}})
        else:
            show_vitals(data)
            click.echo(
                f"The simulation had {truth.heart_rate_bpm:.1f} bpm, RMSSD {truth.rmssd_ms or 0:.0f} ms and "
                f"{truth.respiration_rate_bpm:.0f} breaths a minute."
            )
        if not once:
            _say_where(url, key, folder / _KEY_FILE, err=as_json)
            _wait_for_a_signal()


def _say_where(url: str, key: str, path: Path, *, err: bool) -> None:
    """Show the key on a terminal. Anything else that takes our output may keep it, so there it goes to a file."""
    if sys.stdout.isatty() and (not err or sys.stderr.isatty()):
        click.echo(f"The service stays up on {url} with the key {key}. Ctrl-C ends it.", err=err)
    else:
        write_key(path, lambda: key)
        click.echo(f"The service stays up on {url} with the key in the file {path}. Ctrl-C ends it.", err=err)
    click.echo(f"Measure yourself: {url}/playground", err=err)


def _measure(url: str, key: str) -> dict[str, Any]:
    face, start_ms = simulate_face(_SCENE), time.time_ns() / 1e6
    with Beam(url, key) as client, progress_bar("Measuring") as advance:
        result = client.measure(
            ((start_ms + 1000 * at, face.jpeg(i)) for i, at in enumerate(face.times_s)),
            session_id="demo",
            duration_ms=30_000,
            progress=lambda progress: advance(progress.share),
        )
    return dict(result.data)


@contextmanager
def _service(port: int) -> Iterator[tuple[str, str, Path]]:
    """A service on a data folder of its own: its address, a key, and the folder. All gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="beam-demo-"))
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "beam_api.cli", "serve", "--port", str(port)],
        env={**_environment(), "BEAM_DATA_DIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - forked from the main thread, like all of them
    )
    try:
        url = _address(process)
        _wait_until_ready(process, url)
        try:
            redis = connect(running_url(folder))
        except RedisNotRunning as error:
            raise click.ClickException(str(error)) from error
        yield url, Keys(KeyStore(redis)).create("demo").key, folder
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    """Ours, without the settings of a service that is no demo."""
    return {name: value for name, value in os.environ.items() if name != "BEAM_REDIS_URL"} | {
        "BEAM_LOG_LEVEL": "WARNING",
        "BEAM_PLAYGROUND": "on",
    }


def _address(process: subprocess.Popen[str]) -> str:
    """The address that `beam serve` prints first."""
    line = process.stdout.readline() if process.stdout else ""
    if " http" not in line:
        raise click.ClickException("The service did not start.")
    return line.split()[-1]


def _wait_until_ready(process: subprocess.Popen[str], url: str) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/ready", timeout=2.0).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise click.ClickException("The service did not get ready.")


def _wait_for_a_signal() -> None:
    """Until Ctrl-C or SIGTERM; either way what was started is ended by the caller's `with`."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
