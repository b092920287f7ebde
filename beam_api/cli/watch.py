"""`beam watch`: a person's vital signs in the terminal while others send the frames."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live

from beam_api.cli.common import key_option, url_option
from beam_api.cli.live_view import LiveView, as_line
from beam_client import Beam, Measurement
from beam_client import BeamError as ClientError
from beam_client.results import Expired, Partial, Restarted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beam_client import Event

_NAMES = {Partial: "partial", Measurement: "measurement", Restarted: "restarted", Expired: "expired"}


@click.command()
@click.argument("session")
@url_option
@key_option
@click.option("--after", metavar="ID", help="Begin after this measurement instead of with the last one.")
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), help="End when nothing has happened for so long.  [default: never]"
)
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
def watch(session: str, url: str, key: str | None, *, after: str | None, seconds: float | None, as_json: bool) -> None:
    """Show the vital signs of the person SESSION as a service measures them, until Ctrl-C.

    In a terminal: a table and the course of the heart rate. Elsewhere a line for each event. A connection that is cut
    is opened again, and no measurement of the last 10 minutes is missed.
    """
    try:
        with Beam(url, key) as client:
            events = client.watch(session, after=after, timeout_ms=None if seconds is None else 1000 * seconds)
            if as_json:
                _print(events, as_json=True)
            elif sys.stdout.isatty():
                _show(session, events)
            else:
                _print(events, as_json=False)
    except ClientError as error:
        raise click.ClickException(str(error)) from error


def _print(events: Iterator[Event], *, as_json: bool) -> None:
    for event in events:
        click.echo(_as_json(event) if as_json else f"{time.strftime('%H:%M:%S')} {as_line(event)}")
        sys.stdout.flush()  # a pipe is a reader who waits


def _as_json(event: Event) -> str:
    shown: dict[str, object] = {"event": _NAMES[type(event)]}
    if isinstance(event, Measurement):
        shown |= {"id": event.measurement_id, "data": event.data}
    else:
        shown["data"] = event.data if isinstance(event, Partial) else {"session_id": event.session_id}
    return json.dumps(shown, separators=(",", ":"))


def _show(session: str, events: Iterator[Event]) -> None:
    view = LiveView(session)
    with Live(get_renderable=view.render, console=Console(), refresh_per_second=2) as live:
        for event in events:
            view.take(event)
            live.refresh()
