"""The rate of a pulse whose rhythm spreads its spectrum."""

import pytest

from rppg_core.pulse.extract import find_pulse
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace


@pytest.mark.parametrize("seed", [0, 4, 7, 9])
def test_a_fast_and_variable_heart_has_the_rate_of_its_beats(seed):
    """The spectrum of the first three peaks 7 to 9 beats a minute too low."""
    person = simulate_person(heart_rate_bpm=105, rmssd_ms=58, lf_ms=30, duration_s=30, seed=seed)

    pulse = find_pulse(simulate_trace(person, capture_times(30, 30), seed=seed))

    assert pulse is not None
    assert pulse.rate_bpm == pytest.approx(person.truth(0, 30).heart_rate_bpm, abs=1.0)
