"""The oxygen law and the confidence score, exactly as they are written down."""

import numpy as np
import pytest

from rppg_core.quality.probability import confidence
from rppg_core.vital.oxygen import Coefficients, oxygen

ERROR = np.full(3, 0.01)


def test_the_law_is_linear_in_the_ratio_of_red_to_blue():
    assert oxygen(np.array([0.3, 1.0, 0.5]), ERROR).spo2_percent == pytest.approx(101.6 - 5.834 * 0.6)
    law = Coefficients(offset=110.0, slope=20.0)
    assert oxygen(np.array([0.3, 1.0, 0.5]), ERROR, law).spo2_percent == pytest.approx(98.0)


@pytest.mark.parametrize(
    ("strength", "law"),
    [
        ([0.02, 1.0, 0.5], Coefficients()),  # red drowns in its error
        ([0.3, 1.0, -0.5], Coefficients()),
        ([0.05, 1.0, 0.5], Coefficients()),  # 101: impossible, and not clamped
        ([0.3, 1.0, 0.5], Coefficients(110.0, 70.0)),
    ],
)
def test_a_reading_that_is_unclear_or_impossible_is_withheld(strength, law):
    assert oxygen(np.array(strength), ERROR, law).spo2_percent is None


def test_confidence_rises_with_quality_and_passes_its_marks_where_it_should():
    qualities = np.linspace(0, 1, 2001)
    scores = np.array([confidence(quality) for quality in qualities])

    assert np.all(np.diff(scores) > 0)
    assert np.array_equal(scores >= 0.7, qualities >= 0.98)
    assert scores[-1] == pytest.approx(1.0)
