"""What `data` holds: its fields against the documented schemas, for answers with and without the service."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from beam_api.services.windows.measure_result import Buffering, Rejected, Running
from beam_api.web.schemas.measure import (
    BufferingSchema,
    MeasurementSchema,
    complete_data,
    measurement_meta,
    write_buffering,
)
from rppg_core import measure
from rppg_core.results import VITALS
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace

WINDOW = Buffering(
    session_id="anna",
    progress=0.25,
    frames=7,
    rejected=(Rejected(0, "NO_FACE_DETECTED"),),
    restarted=True,
    duration_ms=7500,
    at_us=1_778_855_400_999_999,
    guidance=("TOO_DARK",),
    face=None,
    next_frame_in_ms=33.3,
)


@pytest.fixture(scope="module")
def trace():
    person = simulate_person(heart_rate_bpm=72.0, duration_s=20.0, seed=4)
    return simulate_trace(person, capture_times(20.0, 25.0), seed=4)


@pytest.fixture(scope="module")
def data(trace):
    return complete_data(measure(trace), trace)


def test_a_trace_measured_without_the_service_reads_like_an_answer_of_it(data):
    assert MeasurementSchema().validate(data) == {}
    assert set(data) == set(MeasurementSchema().fields) - {"results", "series"}
    json.dumps(data, allow_nan=False)


def test_the_simulated_truth_is_in_it(data):
    assert data["status"] == "complete"
    assert data["heart_rate"] == pytest.approx(72, abs=2)
    assert data["frames"] == 500
    assert data["duration_ms"] == 20_000
    assert data["frame_rate"] == pytest.approx(25, rel=0.01)


def test_every_vital_has_a_value_or_a_reason(trace, data):
    blank = complete_data(
        replace(measure(trace), heart_rate_bpm=None, withheld=dict.fromkeys(VITALS, "LOW_SIGNAL")), trace
    )
    assert blank["heart_rate"] is None
    assert blank["withheld"]["heart_rate"] == "LOW_SIGNAL"
    for name in VITALS:
        assert (data[name] is None) == (name in data["withheld"])


def test_the_raw_signals_cover_the_window(data):
    raw = data["raw"]
    assert len(raw["ppg"]) / raw["sampling_rate"] == pytest.approx(20, abs=0.1)
    assert np.diff(raw["beats_ms"]) == pytest.approx(60_000 / 72, rel=0.3)


def test_a_window_that_fills_has_every_vital_and_all_are_null():
    written = write_buffering(WINDOW)
    assert BufferingSchema().validate(written) == {}
    assert set(written) == set(BufferingSchema().fields)
    assert {written[name] for name in (*VITALS, "confidence")} == {None}
    assert written["rejected"] == [{"index": 0, "code": "NO_FACE_DETECTED"}]


def test_the_time_is_the_servers_in_whole_seconds_of_utc():
    at = datetime.fromtimestamp(WINDOW.at_us // 10**6, UTC).replace(tzinfo=None)
    assert write_buffering(WINDOW)["timestamp"] == at.isoformat() + "Z"


@pytest.mark.parametrize(
    ("next_ms", "spent_ms", "expected"), [(None, 5.0, None), (33.3, 0.0, 34), (33.3, 10.0, 24), (33.3, 900.0, 0)]
)
def test_who_waited_for_the_answer_has_waited_that_long_already(next_ms, spent_ms, expected):
    assert write_buffering(replace(WINDOW, next_frame_in_ms=next_ms), spent_ms)["next_frame_in_ms"] == expected


def test_a_running_rate_is_reported_as_documented():
    running = Running(heart_rate=None, confidence=0.1, ppg=(), sampling_rate=30.0)
    written = write_buffering(replace(WINDOW, partial=running))
    assert BufferingSchema().validate(written) == {}
    assert written["partial"]["heart_rate"] is None


def test_the_meta_of_one_answer_is_not_that_of_the_next():
    measurement_meta()["notice"] = "changed"
    assert measurement_meta()["notice"].startswith("Not a medical device")
