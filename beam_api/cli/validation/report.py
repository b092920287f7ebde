"""report.html: one file that needs nothing else, for the screen and for paper."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from beam_api.cli.validation import charts
from beam_api.cli.validation.study import CONFIDENCE_EDGES, VITALS, study
from beam_api.cli.validation.table import unpack_pulse
from beam_api.web.schemas.measure import measurement_meta
from rppg_core.trace.files import library_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beam_api.cli.validation.references import Reference, References
    from beam_api.cli.validation.study import VitalFigures
    from rppg_core.validation import Agreement, Estimate, ReliabilityBin

TEMPLATE = "report.html"
HEADS = ("recordings", "returned", "MAE", "RMSE", "bias", "limits of agreement", "r", "ranges that hold it")
_NOTHING = "–"


def render_report(
    rows: Sequence[dict[str, Any]], references: References, settings: Mapping[str, str], *, resamples: int = 2000
) -> str:
    """The page for a table of results and what is known of its recordings."""
    found = study(rows, references, resamples=resamples)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(TEMPLATE).render(
        study=found,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        heads=HEADS,
        bands=[f"{low:g} to {high:g}" for low, high in pairwise(CONFIDENCE_EDGES)],
        overall=[(figures.vital, table_row(figures.agreement)) for figures in found.vitals],
        sections=[_section(figures) for figures in found.vitals],
        returned=[
            (vital, found.returned[vital.column], _percent(_share(found.returned[vital.column], found.readable)))
            for vital in VITALS
        ],
        withheld=[(vital, found.withheld.get(vital.column, {})) for vital in VITALS],
        worst=[_worst_row(row, reference) for row, reference in found.worst],
        settings=dict(settings),
        versions=library_versions(),
        notice=measurement_meta()["notice"],
        resamples=resamples,
    )


def write_report(path: Path, page: str) -> None:
    """Write the page. Raises ClickException."""
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {error.strerror}.") from error


def table_row(found: Agreement) -> list[str]:
    """The figures of an agreement in the order of `HEADS`, as words with their confidence intervals."""
    figures = found.figures
    low, high = figures["lower_limit_of_agreement"], figures["upper_limit_of_agreement"]
    limits = _NOTHING if math.isnan(low.value) else f"{low.value:+.2f} to {high.value:+.2f}"
    return [
        f"{found.recordings} ({found.people} {'person' if found.people == 1 else 'people'})",
        Markup("{}, {}").format(found.returned, _percent_with_range(figures["return_rate"])),
        _with_range(figures["mean_absolute_error"], ".2f"),
        _with_range(figures["root_mean_square_error"], ".2f"),
        _with_range(figures["bias"], "+.2f"),
        limits,
        _with_range(figures["pearson_r"], ".3f"),
        _percent_with_range(figures["interval_coverage"]),
    ]


def _section(figures: VitalFigures) -> dict[str, Any]:
    vital = figures.vital
    columns = dict.fromkeys(group.column for group in figures.groups)
    return {
        "vital": vital,
        "row": table_row(figures.agreement),
        "right_of_all": _percent(figures.right_of_all),
        "right_of_returned": _percent(figures.right_of_returned),
        "charts": [
            chart
            for chart in (
                charts.bland_altman(figures),
                charts.scatter(figures),
                charts.reliability_chart(
                    figures.by_quality, f"{vital.label}: reliability of quality", "stated quality"
                ),
                charts.error_by_group(figures.groups, vital.unit, f"{vital.label}: error by group"),
            )
            if chart
        ],
        "confidence": [
            ("all", _by_confidence(figures.by_confidence)),
            *((f"{g.column}: {g.value}", _by_confidence(g.by_confidence)) for g in figures.groups),
        ]
        if vital.tolerance
        else [],
        "groups": [
            (column, [(g.value, table_row(g.agreement)) for g in figures.groups if g.column == column])
            for column in columns
        ],
    }


def _by_confidence(bins: Sequence[ReliabilityBin]) -> list[Markup | str]:
    """In each band: the mean absolute error, the share within tolerance, and the number of recordings."""
    found = {part.low: part for part in bins}
    cells: list[Markup | str] = []
    for low in CONFIDENCE_EDGES[:-1]:
        part = found.get(low)
        if part is None:
            cells.append(_NOTHING)
            continue
        words = _number(part.mean_absolute_error, ".2f"), _percent(part.right), part.count
        cells.append(Markup("{} <small>{} within, n = {}</small>").format(*words))
    return cells


def _worst_row(row: Mapping[str, Any], reference: Reference | None) -> dict[str, Any]:
    rate, low, high = (row.get(f"heart_rate_bpm{end}") for end in ("", "_low", "_high"))
    truth = reference.values.get("heart_rate_bpm") if reference else None
    reasons = [row["reason"], row.get("withheld_heart_rate"), *str(row["guidance"] or "").split()]
    return {
        "file": row["file"],
        "measured": _NOTHING if rate is None else f"{rate:.1f}",
        "range": "" if low is None or high is None else f"{low:.1f} to {high:.1f}",
        "reference": _NOTHING if truth is None else f"{truth:.1f}",
        "error": _NOTHING if rate is None or truth is None else f"{rate - truth:+.1f}",
        "confidence": _number(row["confidence"], ".2f"),
        "snr": _number(row["snr_db"], ".1f"),
        "reasons": ", ".join(dict.fromkeys(reason for reason in reasons if reason)) or "none stated",
        "groups": ", ".join(f"{name} {value}" for name, value in reference.groups.items()) if reference else "",
        "pulse": charts.pulse_line(unpack_pulse(row["pulse"] or "")),
    }


def _with_range(estimate: Estimate, form: str) -> Markup | str:
    if math.isnan(estimate.value):
        return _NOTHING
    if math.isnan(estimate.low):
        return format(estimate.value, form)
    return Markup("{} <small>{} to {}</small>").format(
        *(format(v, form) for v in (estimate.value, estimate.low, estimate.high))
    )


def _percent_with_range(estimate: Estimate) -> Markup | str:
    if math.isnan(estimate.value):
        return _NOTHING
    if math.isnan(estimate.low):
        return _percent(estimate.value)
    return Markup("{} <small>{} to {}</small>").format(
        *(_percent(v) for v in (estimate.value, estimate.low, estimate.high))
    )


def _percent(share: float) -> str:
    return _NOTHING if math.isnan(share) else f"{100 * share:.1f} %"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _number(value: float | None, form: str) -> str:
    return _NOTHING if value is None or math.isnan(value) else format(value, form)
