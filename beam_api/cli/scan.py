"""`beam scan`: a video file through the scan API of a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from beam_api.cli.common import json_option, print_json
from beam_api.cli.show import progress_bar, show_vitals
from beam_api.client.measure import ServiceRefused
from beam_api.client.scans import ScanClient

_NAMES = {"respiratory_rate": "respiration_rate"}


@click.command()
@click.argument("video", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", default="http://localhost:8000", show_default=True, help="A running service.")
@click.option("--key", envvar="BEAM_API_KEY", required=True, help="The service's API key.  [env: BEAM_API_KEY]")
@json_option
def scan(video: Path, url: str, key: str, as_json: bool) -> None:
    """Upload a whole VIDEO to a service and print the vitals of the person in it. Exits 1 if it can't be measured."""
    try:
        with ScanClient(url, key) as client, progress_bar("Scanning") as advance:
            answer = client.scan(video, on_progress=advance)
    except ServiceRefused as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json(answer)
    elif answer["status"] == "completed":
        show_vitals(_as_measured(answer["vitals"]))
    else:
        raise click.ClickException(answer["error"])
    if answer["status"] != "completed":
        raise SystemExit(1)


def _as_measured(vitals: dict[str, Any]) -> dict[str, Any]:
    """Vitals under the names of the measure API, which the table has."""

    def renamed(values: dict[str, Any]) -> dict[str, Any]:
        return {_NAMES.get(name, name): value for name, value in values.items()}

    return {name: renamed(value) if isinstance(value, dict) else value for name, value in renamed(vitals).items()}
