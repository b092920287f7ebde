"""Recordings whose truth is known to a table: errors, return rates and ranges, by source and codec."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rppg_core import measure
from rppg_core.quality.extractors import DEFAULT, extraction
from rppg_core.vital.variability import variability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rppg_core.results import Vitals
    from rppg_core.simulation.physiology import Truth
    from rppg_core.trace.traces import Trace

_SURE, _TOLERANCE_BPM = 0.7, 2.0
_THIRDS = 3


HEAD = (
    "| | recordings | heart rate answered | error, bpm | beyond 2 bpm, confidence ≥ 0.7 | RMSSD answered "
    "| raw beats: bias, ms | median error | answered: bias | median error | ranges hold it | SDNN: bias "
    "| median error |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


class Known(Protocol):
    """A recording with its truth."""

    @property
    def face(self) -> str:
        """Whose face it is."""

    @property
    def codec(self) -> str:
        """How the frames were compressed."""

    @property
    def dark(self) -> bool:
        """Whether the skin is dark."""

    @property
    def truth(self) -> Truth:
        """The true pulse."""

    @property
    def trace(self) -> Trace | None:
        """What was read; None if nothing was."""


@dataclass(frozen=True, slots=True)
class Score:
    """One recording, measured; `raw_ms` is RMSSD of the beats as they are found."""

    of: Known
    vitals: Vitals
    raw_ms: float | None

    @property
    def heart_rate_error(self) -> float:
        """In bpm; NaN where none was answered."""
        rate = self.vitals.heart_rate_bpm
        return float("nan") if rate is None else rate - self.of.truth.heart_rate_bpm

    def error_ms(self, answered: float | None, true: float | None) -> float:
        """NaN where none was answered."""
        return float("nan") if answered is None or true is None else answered - true


def score(one: Known) -> Score | None:
    """Measure a recording as the service does; None without a trace."""
    if one.trace is None:
        return None
    pulse = extraction(DEFAULT).extract(one.trace)
    return Score(one, measure(one.trace), variability(pulse.beats).raw_ms if pulse else None)


def table(done: Sequence[Known]) -> str:
    """The whole report, as Markdown."""
    scores = [s for s in map(score, done) if s]
    cuts: list[tuple[str, Callable[[Score], bool]]] = [("all", lambda _: True)]
    cuts += [(f"face: {name}", lambda s, n=name: s.of.face == n) for name in sorted({s.of.face for s in scores})]
    cuts += [(f"sent as {name}", lambda s, n=name: s.of.codec == n) for name in sorted({s.of.codec for s in scores})]
    cuts += [("light skin or light", lambda s: not s.of.dark), ("dark", lambda s: s.of.dark)]
    parts = {name: [s for s in scores if chosen(s)] for name, chosen in cuts}
    return "\n".join([_overview(parts, len(done) - len(scores)), _by_third(scores), _rows(scores)])


def _overview(parts: dict[str, list[Score]], faceless: int) -> str:
    lines = [f"| {name} | {len(part)} | " + " | ".join(figures(part)) + " |" for name, part in parts.items() if part]
    return HEAD + "\n".join(lines) + (f"\n\nNo face seen in {faceless}.\n" if faceless else "\n")


def figures(part: Sequence[Score]) -> list[str]:
    """Columns of one row of the table."""
    rate = np.array([s.heart_rate_error for s in part])
    sure_and_wrong = sum(s.vitals.confidence >= _SURE and abs(s.heart_rate_error) > _TOLERANCE_BPM for s in part)
    raw = np.array([s.error_ms(s.raw_ms, s.of.truth.rmssd_ms) for s in part if s.vitals.rmssd_ms is not None])
    answered = np.array([s.error_ms(s.vitals.rmssd_ms, s.of.truth.rmssd_ms) for s in part])
    sdnn = np.array([s.error_ms(s.vitals.sdnn_ms, s.of.truth.sdnn_ms) for s in part])
    held = [
        low <= s.of.truth.rmssd_ms <= high
        for s in part
        if "hrv" in s.vitals.interval and s.of.truth.rmssd_ms is not None
        for low, high in [s.vitals.interval["hrv"]]
    ]
    return [
        f"{np.isfinite(rate).mean():.0%}", _typical(np.abs(rate), "{:.2f}"), str(sure_and_wrong),
        f"{np.isfinite(answered).mean():.0%}", _mean(raw), _typical(np.abs(raw)), _mean(answered),
        _typical(np.abs(answered)),
        f"{np.mean(held):.0%} of {len(held)}" if held else "", _mean(sdnn), _typical(np.abs(sdnn)),
    ]  # fmt: skip


def _by_third(scores: Sequence[Score]) -> str:
    true = np.array([s.of.truth.rmssd_ms or np.nan for s in scores])
    if np.isfinite(true).sum() < _THIRDS:
        return ""
    edges = np.nanquantile(true, np.linspace(0, 1, _THIRDS + 1))
    parts = {
        f"RMSSD {low:.0f}–{high:.0f} ms": [s for s in scores if low <= (s.of.truth.rmssd_ms or np.nan) <= high]
        for low, high in pairwise(edges)
    }
    return _overview(parts, 0)


def _rows(scores: Sequence[Score]) -> str:
    """RMSSD of each recording: true, of the raw beats, and answered."""
    head = (
        "| face | sent as | | bpm, true | answered | RMSSD, true | raw beats | answered | range |\n"
        + "|---" * 9
        + "|\n"
    )
    lines = [
        f"| {s.of.face} | {s.of.codec} | {'dark' if s.of.dark else ''} | {s.of.truth.heart_rate_bpm:.1f} "
        f"| {_shown(s.vitals.heart_rate_bpm)} | {_shown(s.of.truth.rmssd_ms)} | {_shown(s.raw_ms)} "
        f"| {_shown(s.vitals.rmssd_ms) or s.vitals.withheld.get('hrv', '')} "
        f"| {'–'.join(_shown(end) for end in s.vitals.interval.get('hrv', ()))} |"
        for s in scores
    ]
    return head + "\n".join(lines) + "\n"


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _typical(values: np.ndarray, form: str = "{:.1f}") -> str:
    return form.format(float(np.nanmedian(values))) if np.isfinite(values).any() else ""


def _mean(values: np.ndarray) -> str:
    return f"{float(np.nanmean(values)):+.1f}" if np.isfinite(values).any() else ""
