"""Saved traces: recordings without a face, from which the same vitals can be measured again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beam_api.web.schemas.measure import measurement_meta
from rppg_core.results import VITALS
from rppg_core.trace.files import SUFFIX, save_trace

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
    about = {"algorithm": measurement_meta()["algorithm"], "settings": dict(settings), "vitals": exact_vitals(vitals)}
    try:
        save_trace(file, trace, about=about)
    except OSError as error:
        raise click.ClickException(f"{file} can't be written: {error.strerror}.") from error


def exact_vitals(vitals: Vitals) -> dict[str, Any]:
    """Vitals with their units in their names, unrounded, as they are kept for comparison."""
    values = {
        "heart_rate_bpm": vitals.heart_rate_bpm,
        "rmssd_ms": vitals.rmssd_ms,
        "sdnn_ms": vitals.sdnn_ms,
        "respiration_rate_bpm": vitals.respiration_rate_bpm,
        "stress_index": vitals.stress_index,
        "spo2_percent": vitals.spo2_percent,
        "confidence": vitals.confidence,
        "snr_db": vitals.quality.snr_db,
    }
    return {
        **{name: None if value is None else float(value) for name, value in values.items()},
        "quality": {name: float(getattr(vitals.quality, name)) for name in VITALS},
        "interval": {name: [float(low), float(high)] for name, (low, high) in vitals.interval.items()},
        "withheld": dict(vitals.withheld),
        "guidance": list(vitals.guidance),
    }
