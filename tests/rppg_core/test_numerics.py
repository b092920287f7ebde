"""A peak is found between the points of a grid."""

import numpy as np
import pytest

from rppg_core.numerics import peak_frequency, vertex


@pytest.mark.parametrize("at", [9.6, 10.0, 10.3])
def test_a_parabola_is_found_exactly(at):
    x = np.arange(20.0)
    values = 5.0 - 0.2 * (x - at) ** 2
    top = int(np.argmax(values))

    shift, rise = vertex(*values[top - 1 : top + 2])

    assert top + shift == pytest.approx(at)
    assert values[top] + rise == pytest.approx(5.0)
    assert peak_frequency(x / 4, values, top) == pytest.approx(at / 4)


def test_a_gaussian_is_found_exactly_by_its_logarithm():
    x = np.arange(20.0)
    power = np.exp(-0.5 * (x - 8.3) ** 2)

    assert peak_frequency(x, power, 8, logarithmic=True) == pytest.approx(8.3)
    assert peak_frequency(x, power, 8) != pytest.approx(8.3, abs=0.01)


def test_what_does_not_bend_down_and_what_lies_at_the_end_stays_on_the_grid():
    assert [float(part) for part in vertex(1.0, 1.0, 1.0)] == [0.0, 0.0]
    assert peak_frequency(np.arange(5.0), np.arange(5.0), 4) == 4.0
    assert peak_frequency(np.arange(5.0), -np.arange(5.0), 0) == 0.0
