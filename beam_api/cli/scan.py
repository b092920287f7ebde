"""`beam scan`: a video file through the scan API of a running service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beam_api.cli.common import json_option, key_option, print_json, url_option
from beam_api.cli.several import show_each
from beam_api.cli.show import progress_bar, show_vitals
from beam_client import Beam, ScanFailed
from beam_client import BeamError as ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {"respiratory_rate": "respiration_rate"}


@click.command()
@click.argument(
    "videos", metavar="VIDEO...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@url_option
@key_option
@json_option
def scan(videos: tuple[Path, ...], url: str, key: str | None, as_json: bool) -> None:
    """Upload a whole VIDEO to a service and print the vitals of the person in it. Exits 1 if it can't be measured."""

    def scanned(name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        answer = _scan(Path(name), url, key)
        if answer["status"] != "completed":
            raise click.ClickException(answer["error"])
        return answer, _as_measured(answer["vitals"])

    if len(videos) > 1:
        show_each(map(str, videos), scanned, as_json=as_json)
    elif as_json:
        answer = _scan(videos[0], url, key)
        print_json(answer)
        if answer["status"] != "completed":
            raise SystemExit(1)
    else:
        show_vitals(scanned(str(videos[0]))[1])


def _scan(video: Path, url: str, key: str | None) -> Mapping[str, Any]:
    """The service's last answer: `status` is "completed", with `vitals`, or "failed", with `error`."""
    try:
        with Beam(url, key) as client, progress_bar("Scanning") as advance:
            result = client.scan(video, progress=lambda progress: advance(progress.share))
            return client.scan_status(result.session_id).data
    except ScanFailed as error:
        return error.data
    except ClientError as error:
        raise click.ClickException(str(error)) from error


def _as_measured(vitals: Mapping[str, Any]) -> dict[str, Any]:
    """Vitals under the names of the measure API, which the table has."""

    def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
        return {_NAMES.get(name, name): value for name, value in values.items()}

    return {name: renamed(value) if isinstance(value, dict) else value for name, value in renamed(vitals).items()}
