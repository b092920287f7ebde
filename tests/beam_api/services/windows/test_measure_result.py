"""A measurement as it is kept: what rounding may do, what isn't finite, and the way to JSON and back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_api.services.rounding import ranges
from beam_api.services.scans.scan_result import scan_vitals
from beam_api.services.windows.measure_result import Measurement, Raw, Rejected, Running, SeenFace, span_us
from rppg_core.course.whole_video import Measured
from rppg_core.quality.regularity import Regularity
from rppg_core.results import HRV_DETAILS, VITALS, HrvDetails, Quality, Vitals, Waveform
from rppg_core.rolling import Partial

NAN = float("nan")
WAVE = Waveform(
    fs=30.0, ppg=np.array([0.123456789, NAN, -2e-7]), respiration=np.array([1.0]), beats_s=np.array([0.5, 1.2345678])
)
GOOD = Vitals(
    heart_rate_bpm=71.6,
    rmssd_ms=34.56,
    sdnn_ms=40.0,
    spo2_percent=97.4,
    stress_index=101.25,
    respiration_rate_bpm=14.5001,
    confidence=0.69999,
    quality=Quality(heart_rate=0.97999, hrv=0.5, spo2=NAN, stress_index=0.25, respiration_rate=1.0, snr_db=3.14159),
    withheld={},
    interval={"heart_rate": (70.04, 73.16)},
    guidance=("TOO_DARK",),
    frame_rate_hz=29.9704,
    waveform=WAVE,
    hrv_details=HrvDetails(
        {**dict.fromkeys(HRV_DETAILS, 12.3456), "sd2_ms": NAN, "lf_ms2": None, "lf_hf": 1.239}, {"lf_ms2": "LOW_SIGNAL"}
    ),
)
ABOUT: dict[str, Any] = {
    "session_id": "anna",
    "measurement_id": "m1",
    "rejected": (Rejected(3, "NO_FACE_DETECTED"),),
    "at_us": 1_700_000_000_000_000,
    "guidance": (),
    "face": SeenFace((0.1, 0.2, 0.3, 0.4), ((0.5, 0.6),), 5.25),
}
TIMES = [0, 40_000, 80_000, 130_000]


def test_vitals_are_reported_in_the_digits_of_the_contract():
    made = Measurement.of(GOOD, TIMES, with_raw=False, **ABOUT)
    assert (made.heart_rate, made.hrv, made.spo2, made.stress_index, made.respiration_rate) == (72, 34.6, 97, 101.2, 15)
    assert (made.frames, made.duration_ms, made.frame_rate) == (4, 170, 29.97)
    assert made.interval == {"heart_rate": (70.0, 73.2)}
    assert made.raw is None


def test_each_detail_of_variability_is_a_number_or_has_its_reason():
    made = Measurement.of(GOOD, TIMES, with_raw=False, **ABOUT)
    given = {name: value for name, value in made.hrv_details.items() if value is not None}
    assert given == dict.fromkeys(set(HRV_DETAILS) - {"sd2_ms", "lf_ms2", "lf_hf"}, 12.3) | {"lf_hf": 1.24}
    assert made.withheld == {"hrv_details.sd2_ms": "LOW_SIGNAL", "hrv_details.lf_ms2": "LOW_SIGNAL"}
    window = Measured(0.0, 0.17, 0.0, 0.17, 4, 4, GOOD, Regularity(1.0, 1.0))
    scan = scan_vitals([window], processing_time_ms=1, with_series=False)
    assert not isinstance(scan, str)
    assert (scan.frames, scan.duration_ms, scan.windows) == (4, 170, None)
    assert (scan.hrv_details, scan.withheld) == (made.hrv_details, made.withheld)


def test_a_measurement_of_a_version_that_knew_no_details_is_read():
    made = Measurement.of(GOOD, TIMES, with_raw=True, **ABOUT)
    old = json.loads(made.to_json())
    del old["hrv_details"]
    old["withheld"] = {"spo2": "LOW_SIGNAL"}

    back = Measurement.from_json(json.dumps(old).encode())

    assert back.hrv_details == dict.fromkeys(HRV_DETAILS)
    details = {f"hrv_details.{name}": "NOT_MEASURED" for name in HRV_DETAILS}
    assert back.withheld == {"spo2": "LOW_SIGNAL"} | details
    assert back.heart_rate == made.heart_rate


def test_no_score_passes_a_threshold_by_rounding():
    made = Measurement.of(GOOD, TIMES, with_raw=False, **ABOUT)
    assert made.confidence == 0.6999
    assert made.quality["heart_rate"] == 0.9799
    assert made.quality["spo2"] == 0.0  # what isn't finite is no evidence
    assert made.quality["snr_db"] == 3.14


@pytest.mark.parametrize("missing", [None, NAN, float("inf")])
def test_what_is_missing_or_not_finite_is_null(missing):
    names = ("heart_rate_bpm", "rmssd_ms", "spo2_percent", "stress_index", "respiration_rate_bpm")
    made = Measurement.of(replace(GOOD, **dict.fromkeys(names, missing)), TIMES, with_raw=True, **ABOUT)
    assert {getattr(made, name) for name in VITALS} == {None}
    assert made.raw
    assert made.raw.ppg[1] is None
    json.loads(made.to_json())


@pytest.mark.parametrize("with_raw", [False, True])
@pytest.mark.parametrize("face", [None, ABOUT["face"]])
def test_a_measurement_is_kept_and_read_back_as_it_was(with_raw, face):
    for made in (
        Measurement.of(GOOD, TIMES, with_raw=with_raw, **{**ABOUT, "face": face}),
        Measurement.nothing(TIMES, with_raw=with_raw, **{**ABOUT, "face": face}),
    ):
        back = Measurement.from_json(made.to_json())
        assert json.loads(json.dumps(asdict(back))) == json.loads(json.dumps(asdict(made)))
        assert back.rejected == made.rejected
        assert back.to_json() == made.to_json()


@pytest.mark.parametrize("times", [[], [5], TIMES])
def test_nothing_measured_is_no_vital_and_a_reason_for_each(times):
    made = Measurement.nothing(times, with_raw=True, **ABOUT)
    assert {getattr(made, name) for name in VITALS} == {None}
    assert made.withheld == dict.fromkeys((*VITALS, *(f"hrv_details.{name}" for name in HRV_DETAILS)), "NOT_MEASURED")
    assert made.confidence == 0.0
    assert made.raw == Raw(0.0, (), (), ())


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=30, unique=True).map(sorted), st.integers(0, 10**12))
def test_a_span_is_longer_than_from_first_to_last_and_no_matter_of_the_clocks_zero(times, shift):
    span = span_us(times)
    assert times[-1] - times[0] < span <= 2 * (times[-1] - times[0])
    assert span_us([at + shift for at in times]) == span


@pytest.mark.parametrize(("fps", "count"), [(10, 2), (25, 100), (40, 7)])
def test_the_span_of_even_frames_is_the_time_that_they_stand_for(fps, count):
    assert span_us([i * 1_000_000 // fps for i in range(count)]) == count * 1_000_000 / fps


def test_a_running_pulse_is_drawn_to_a_height_of_one_and_a_flat_one_stays_flat():
    seen = Partial(heart_rate_bpm=61.26, confidence=0.5, ppg=np.array([0.0, 0.002, -0.004]), fs=30.0)
    assert Running.of(seen) == Running(61.3, 0.5, (0.0, 0.5, -1.0), 30.0)
    assert Running.of(replace(seen, heart_rate_bpm=None, ppg=np.zeros(2))).ppg == (0.0, 0.0)


def test_a_range_holds_its_vital_as_it_is_answered() -> None:
    narrow = replace(
        GOOD, heart_rate_bpm=79.42, interval={"heart_rate": (79.13, 79.71), "respiration_rate": (14.5, 15)}
    )
    assert ranges(narrow) == {"heart_rate": (79.0, 79.7), "respiration_rate": (14.5, 15.0)}
    assert ranges(replace(narrow, heart_rate_bpm=79.6))["heart_rate"] == (79.1, 80.0)
