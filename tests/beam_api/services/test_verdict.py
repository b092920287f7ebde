"""One word on what to do with a measurement."""

import pytest

from beam_api.services.verdict import verdict
from rppg_core import measure
from tests.rppg_core.same_answers import face, photograph


@pytest.mark.parametrize(
    ("confidence", "withheld", "guidance", "expected"),
    [
        (0.7, {}, (), "release"),
        (0.99, {"hrv": "WINDOW_TOO_SHORT"}, ("SHORT_FOR_HRV",), "release"),
        (0.69, {}, ("TOO_DARK",), "retake"),
        (0.1, {"heart_rate": "LOW_SIGNAL", "hrv": "LOW_SIGNAL"}, ("NO_PULSE",), "no_pulse"),
        (0.1, {"heart_rate": "MOTION"}, ("MOTION", "NO_PULSE"), "no_pulse"),
        (0.2, {"heart_rate": "LOW_FRAME_RATE"}, ("EVENLY_SLOW_FRAMES",), "retake"),
        (0.9, {"heart_rate": "WINDOW_TOO_SHORT"}, (), "retake"),
        (None, {"heart_rate": "NOT_MEASURED"}, (), "retake"),
    ],
)
def test_what_to_do(confidence, withheld, guidance, expected):
    assert verdict(confidence, withheld, guidance) == expected


def test_a_photograph_has_no_pulse_and_a_person_has():
    still, alive = measure(photograph()), measure(face())

    assert verdict(still.confidence, still.withheld, still.guidance) == "no_pulse"
    assert verdict(alive.confidence, alive.withheld, alive.guidance) == "release"
