"""What `beam watch` shows: the running rate, the last measurement, and the course of both."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from beam_client import Measurement
from beam_client.results import Partial, Restarted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from beam_client import Event, Vital

_BLOCKS = "▁▂▃▄▅▆▇█"
_POINTS = 60
_LEAST_SPAN_BPM = 10.0  # a steady heart is a level line, not noise over the whole height
_ROWS = (
    ("Heart rate", "heart_rate"),
    ("HRV (RMSSD)", "hrv"),
    ("Respiration", "respiration_rate"),
    ("Stress index", "stress_index"),
    ("SpO2 (estimate)", "spo2"),
)


def sparkline(values: Iterable[float | None]) -> str:
    """Return values as bars of eight heights; a value that is not known leaves a gap."""
    points = list(values)
    known = [value for value in points if value is not None]
    if not known:
        return ""
    span = max(max(known) - min(known), _LEAST_SPAN_BPM)
    lowest = (max(known) + min(known) - span) / 2
    top = len(_BLOCKS) - 1
    return "".join(" " if v is None else _BLOCKS[min(top, int((v - lowest) / span * len(_BLOCKS)))] for v in points)


def as_line(event: Event) -> str:
    """Return an event as one line of text."""
    if isinstance(event, Partial):
        if event.heart_rate is None:
            return "running: no rate"
        return f"running: {event.heart_rate:.0f} bpm (confidence {event.confidence or 0:.2f})"
    if isinstance(event, Measurement):
        vitals = ", ".join(f"{label} {getattr(event, name)}" for label, name in _ROWS)
        advice = f", {', '.join(event.guidance)}" if event.guidance else ""
        return f"measured: {vitals}, confidence {event.confidence:.2f}{advice}"
    return "restarted: a new window began" if isinstance(event, Restarted) else "expired: no frame has come for 120 s"


class LiveView:
    """Collects events, and renders what they come to."""

    def __init__(self, session: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._session, self._clock = session, clock
        self._running: deque[float | None] = deque(maxlen=_POINTS)
        self._measured: deque[float | None] = deque(maxlen=_POINTS)
        self._last: Measurement | None = None
        self._partial: Partial | None = None
        self._note = "waiting for frames"
        self._heard_s: float | None = None

    def take(self, event: Event) -> None:
        """Take the next event."""
        self._heard_s = self._clock()
        self._note = ""
        if isinstance(event, Partial):
            self._partial = event
            self._running.append(event.heart_rate)
        elif isinstance(event, Measurement):
            self._last = event
            self._measured.append(event.heart_rate.value)
        else:
            self._partial, self._note = None, as_line(event)

    def render(self) -> Group:
        """Return the picture of this moment."""
        table = Table("", "value", "90 % range", "quality", "withheld", title=Text(f"Session {self._session}"))
        for label, name in _ROWS:
            table.add_row(label, *(_cells(getattr(self._last, name)) if self._last else ("-", "", "", "")))
        return Group(table, *(Text(line, no_wrap=True, overflow="ellipsis") for line in self._lines() if line))

    def _lines(self) -> Iterable[str]:
        if self._partial:
            yield f"Now      {as_line(self._partial).removeprefix('running: ')}"
        yield _course("Running ", self._running)
        yield _course("Measured", self._measured)
        if self._last:
            yield f"Last measurement: {self._last.timestamp}, confidence {self._last.confidence:.2f}"
            if self._last.guidance:
                yield f"Guidance: {', '.join(self._last.guidance)}"
        since = "" if self._heard_s is None else f"last event {self._clock() - self._heard_s:.0f} s ago"
        yield ", ".join(part for part in (self._note, since, "Ctrl-C ends") if part)


def _cells(vital: Vital) -> tuple[str, str, str, str]:
    return (
        "-" if vital.value is None else f"{vital.value:g} {vital.unit}".strip(),
        "" if vital.low is None or vital.high is None else f"{vital.low:g} to {vital.high:g}",
        "" if vital.quality is None else f"{vital.quality:.2f}",
        vital.reason or "",
    )


def _course(label: str, rates: Iterable[float | None]) -> str:
    known = [rate for rate in rates if rate is not None]
    return f"{label} {sparkline(rates)} {min(known):.0f} to {max(known):.0f} bpm" if known else ""
