"""One word on what to do with a measurement."""

import pytest

from beam_api.services.verdict import verdict


@pytest.mark.parametrize(
    ("confidence", "withheld", "expected"),
    [
        (0.7, {}, "release"),
        (0.99, {"hrv": "WINDOW_TOO_SHORT"}, "release"),
        (0.69, {}, "retake"),
        (0.0, {"heart_rate": "NO_PULSE", "hrv": "NO_PULSE"}, "no_pulse"),
        (0.9, {"heart_rate": "WINDOW_TOO_SHORT"}, "retake"),
        (None, {"heart_rate": "NOT_MEASURED"}, "retake"),
    ],
)
def test_what_to_do(confidence, withheld, expected):
    assert verdict(confidence, withheld) == expected
