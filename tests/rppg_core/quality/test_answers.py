"""What is answered has a range that says something, within what is possible; what has none is withheld."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rppg_core import measure
from rppg_core.quality.answers import Answers
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.results import VITALS
from tests.rppg_core.same_answers import face, uneven

SAMPLES = {
    "grid": face,
    "sparse": lambda: uneven(72.0, 60.0, 1.6),
}


def with_half_width(vital: str, half: tuple[float, float, float]):
    return replace(CALIBRATION, half_width={**CALIBRATION.half_width, vital: half})


@pytest.mark.parametrize(
    ("vital", "value", "range_", "expected"),
    [
        ("heart_rate", 35.0, (26.0, 44.0), (30.0, 44.0)),
        ("heart_rate", 235.0, (226.0, 244.0), (226.0, 240.0)),
        ("heart_rate", 80.0, (70.0, 90.0), (70.0, 90.0)),
        ("respiration_rate", 5.0, (1.5, 8.5), (3.0, 8.5)),
        ("respiration_rate", 58.0, (55.0, 61.0), (55.0, 60.0)),
        ("hrv", 100.0, (80.0, 120.0), (80.0, 120.0)),
    ],
)
def test_a_range_ends_where_the_possible_ends(vital, value, range_, expected):
    answers = Answers(30.0)

    answers.put(vital, value, 0.9, None, range_=range_)

    assert answers.values[vital] == value
    assert answers.interval[vital] == expected
    assert not answers.withheld


@pytest.mark.parametrize(
    ("vital", "range_"),
    [
        ("heart_rate", (65.0, 85.1)),
        ("heart_rate", (25.0, 46.0)),  # clipping makes nothing surer
        ("respiration_rate", (9.0, 17.1)),
        ("hrv", (30.0, 70.1)),
        ("hrv", (0.0, math.inf)),
        ("hrv", (math.nan, math.nan)),
    ],
)
def test_a_range_that_is_too_wide_withholds_its_vital(vital, range_):
    answers = Answers(30.0)

    answers.put(vital, sum(range_) / 2, 0.9, None, range_=range_)

    assert answers.values[vital] is None
    assert answers.withheld == {vital: "LOW_SIGNAL"}
    assert vital not in answers.interval


@pytest.mark.parametrize(("kind", "row"), [("grid", "heart_rate"), ("sparse", "heart_rate_sparse")])
def test_nothing_is_answered_beside_a_heart_rate_that_is_too_vague(kind, row):
    trace = SAMPLES[kind]()
    usual = measure(trace)

    vague = measure(trace, calibration=replace(with_half_width(row, (1e4, 100.0, 0.0)), rate_range={}))

    assert usual.heart_rate_bpm is not None
    values = (vague.heart_rate_bpm, vague.rmssd_ms, vague.sdnn_ms, vague.spo2_percent, vague.stress_index)
    assert (*values, vague.respiration_rate_bpm) == (None,) * 6
    assert vague.withheld["heart_rate"] == "LOW_SIGNAL"
    assert set(vague.withheld) == set(VITALS)
    assert vague.confidence < 0.3  # null exactly below that
    assert vague.interval == {}
    assert "NO_PULSE" in vague.guidance


def test_a_vague_rmssd_takes_the_stress_index_with_it_and_nothing_else():
    trace = face()
    usual = measure(trace)

    vague = measure(trace, calibration=with_half_width("hrv", (0.0, 0.0, 0.99)))

    assert usual.rmssd_ms is not None
    assert (vague.rmssd_ms, vague.sdnn_ms, vague.stress_index) == (None, None, None)
    assert vague.withheld["hrv"] == vague.withheld["stress_index"] == "LOW_SIGNAL"
    assert vague.heart_rate_bpm == usual.heart_rate_bpm
    assert vague.respiration_rate_bpm == usual.respiration_rate_bpm


@pytest.mark.parametrize("noise", [0.002, 0.004, 0.006, 0.009, 0.013, 0.02])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_range_of_any_answer_is_wide_or_beyond_the_possible(noise, seed):
    vitals = measure(face(95.0, 20.0, noise=noise, amplitude=0.004, seed=seed))

    most = {"heart_rate": (20.0, 30.0, 240.0), "respiration_rate": (8.0, 3.0, 60.0), "hrv": (40.0, 0.0, math.inf)}
    for vital, (low, high) in vitals.interval.items():
        width, least, greatest = most[vital]
        assert high - low <= width
        assert least <= low <= high <= greatest
    assert (vitals.heart_rate_bpm is None) == (vitals.confidence < 0.3)
