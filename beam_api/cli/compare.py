"""`beam compare`: saved traces measured by this version, beside what the version that saved them had found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from beam_api.cli.common import json_option, print_json
from beam_api.cli.in_process import measured
from beam_api.cli.sources import TraceFile
from beam_api.services.saved_traces import exact_vitals
from rppg_core.errors import RppgError
from rppg_core.quality.extractors import DEFAULT, extraction
from rppg_core.trace.files import library_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

_VITALS = (
    ("heart_rate_bpm", "Heart rate, bpm"),
    ("rmssd_ms", "RMSSD, ms"),
    ("sdnn_ms", "SDNN, ms"),
    ("respiration_rate_bpm", "Respiration, /min"),
    ("stress_index", "Stress index"),
    ("spo2_percent", "SpO2, %"),
    ("confidence", "Confidence"),
    ("snr_db", "SNR, dB"),
)


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--method", metavar="NAME", help="Measure by this method now.  [default: that of the file]")
@json_option
def compare(files: tuple[Path, ...], *, method: str | None, as_json: bool) -> None:
    """Measure saved traces (.beam) and show each vital beside what the version that saved it had found.

    Exits 1 if any of them differs in its last digit, or a file can't be read.
    """
    answers: list[dict[str, Any]] = []
    failed = False
    for file in files:
        try:
            answers.append(_compared(file, method))
        except (click.ClickException, RppgError) as error:
            message = error.format_message() if isinstance(error, click.ClickException) else str(error)
            answers.append({"source": str(file), "error": message})
            click.echo(f"{file}: {message}", err=True)
            failed = True
            continue
        if not as_json:
            _show(answers[-1])
    if as_json:
        print_json(answers)
    if failed or any(answer.get("differs") for answer in answers):
        raise SystemExit(1)


def _compared(file: Path, method: str | None) -> dict[str, Any]:
    """What is found now and what was found then. Raises ClickException and UnknownExtractor."""
    source = TraceFile(file)
    about = source.recording().about
    before, settings = _mapping(about.get("vitals")), _mapping(about.get("settings"))
    used = method or str(settings.get("method", DEFAULT))
    now = exact_vitals(measured(source.trace(), extraction(used)))
    then = {name: before.get(name) for name, _ in _VITALS}
    differs = [name for name, _ in _VITALS if before and now[name] != then[name]]
    return {
        "source": str(file),
        "method": used,
        "saved_by": _mapping(about.get("versions")),
        "measured_by": library_versions(),
        "before": then if before else None,
        "now": {name: now[name] for name, _ in _VITALS},
        "withheld_before": _mapping(before.get("withheld")),
        "withheld_now": now["withheld"],
        "differs": differs,
    }


def _mapping(value: object) -> dict[str, Any]:
    """A mapping as it is in a file that anybody may have written; empty for anything else."""
    return value if isinstance(value, dict) else {}


def _show(answer: Mapping[str, Any]) -> None:
    saved_by, now_by = _version(answer["saved_by"]), _version(answer["measured_by"])
    table = Table("", f"saved by {saved_by}", f"measured by {now_by}", "difference", title=escape(answer["source"]))
    for name, label in _VITALS:
        before, now = (answer["before"] or {}).get(name), answer["now"][name]
        difference = ""
        if name in answer["differs"]:
            numbers = isinstance(before, int | float) and now is not None
            difference = f"{now - before:+.3g}" if numbers else "changed"
        table.add_row(label, _number(before), _number(now), difference)
    console = Console()
    console.print(table)
    if answer["before"] is None:
        console.print("The file holds no vitals to compare with.")
    elif not answer["differs"]:
        console.print("The same to the last digit.")
    changed = {name: by for name, by in answer["saved_by"].items() if answer["measured_by"].get(name) != by}
    if changed:
        differing = [f"{name} {str(by)[:20]} → {answer['measured_by'].get(name)}" for name, by in changed.items()]
        console.print(escape("Versions that differ: " + ", ".join(differing[:12])))


def _version(versions: Mapping[str, Any]) -> str:
    return escape(f"Beam {str(versions.get('beam-rppg', 'of an unknown version'))[:20]}")


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else "-"
