"""Saved traces: recordings without a face, from which the same vitals can be measured again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beam_api.services import saved_traces
from rppg_core.trace.files import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace


def _checked(context: click.Context, parameter: click.Parameter, file: Path | None) -> Path | None:
    """Refuse, before anything is measured, a file that could not be written."""
    if file is None or context.resilient_parsing:
        return file
    if file.suffix.lower() != SUFFIX:
        raise click.BadParameter(f"{file} does not end in {SUFFIX}.", context, parameter)
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise click.BadParameter(f"{file} can't be written.", context, parameter)
    return file


save_trace_option = click.option(
    "--save-trace",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_checked,
    metavar="PATH",
    help="Save the skin colours and head poses, without any picture, as a .beam file that can be measured again.",
)


def save_measured(file: Path, trace: Trace, vitals: Vitals, settings: Mapping[str, Any]) -> None:
    """Save a trace with the vitals that this version found in it. Raises ClickException if it can't be written."""
    try:
        saved_traces.save_measured(file, trace, vitals, settings)
    except OSError as error:
        raise click.ClickException(f"{file} can't be written: {error.strerror}.") from error
