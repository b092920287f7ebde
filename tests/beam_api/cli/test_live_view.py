"""What `beam watch` draws from events."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from beam_api.cli.live_view import LiveView, as_line, sparkline
from beam_client.results import Expired, Partial, Restarted, measurement


def measured(rate: float | None, **more: Any):
    data = {
        "heart_rate": rate, "hrv": None, "respiration_rate": 14.0, "stress_index": None, "spo2": 97.0,
        "confidence": 0.9, "quality": {"heart_rate": 0.99}, "withheld": {"hrv": "MOTION"},
        "interval": {"heart_rate": [70.0, 74.0]}, "guidance": ["HOLD_STILL"], **more,
    }  # fmt: skip
    return measurement({"data": data})


def drawn(view: LiveView, width: int = 80) -> str:
    drawn = io.StringIO()
    Console(file=drawn, width=width).print(view.render())
    return drawn.getvalue()


def test_a_sparkline_rises_with_its_values_and_leaves_gaps() -> None:
    assert sparkline([60, 70, None, 80, 100]) == "▁▃ ▅█"
    assert len(set(sparkline([71.8, 72.0, 72.2]))) <= 2
    assert sparkline([]) == sparkline([None]) == ""


def test_the_view_shows_the_last_measurement_and_the_course() -> None:
    now = 100.0
    view = LiveView("anna[red]", clock=lambda: now)
    assert "waiting for frames" in drawn(view)
    view.take(Partial(71.0, 0.8))
    view.take(measured(72.0))
    view.take(Partial(75.0, 0.8))
    now = 103.0
    text = drawn(view)
    for expected in ("anna[red]", "72 bpm", "70 to 74", "0.99", "MOTION", "75 bpm", "HOLD_STILL", "3 s ago"):
        assert expected in text, text
    assert "71 to 75 bpm" in text
    view.take(Expired("anna"))
    assert "no frame has come" in drawn(view)
    assert max(map(len, drawn(view, 60).splitlines())) <= 60


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Partial(71.4, 0.8), "running: 71 bpm (confidence 0.80)"),
        (Partial(None, None), "running: no rate"),
        (Restarted("a"), "restarted: a new window began"),
    ],
)
def test_an_event_is_a_line(event, said: str) -> None:
    assert as_line(event) == said


def test_a_measurement_is_a_line_with_its_reasons() -> None:
    line = as_line(measured(72.0))
    assert "\n" not in line
    assert "Heart rate 72 bpm (70 to 74)" in line
    assert "HRV (RMSSD) withheld: MOTION" in line
