"""Which of the spectrum and the beats has the rate of a rhythm."""

from dataclasses import dataclass

import pytest

from rppg_core.pulse.evidence import low_rate
from rppg_core.pulse.rhythm_rate import rhythm_rate_bpm


@dataclass(frozen=True)
class Spectrum:
    rate_bpm: float


@dataclass(frozen=True)
class Beats:
    rate_bpm: float
    normal_share: float
    rate_spread_bpm: float = 0.0


@pytest.mark.parametrize(
    ("beats", "rate_bpm"),
    [
        (Beats(73.0, 1.0), 73.0),  # none was missed
        (Beats(73.0, 0.9), 72.0),  # one may have been: both err, apart from each other
        (Beats(73.0, 0.8), 71.0),  # too many were
        (Beats(80.0, 1.0), 71.0),  # farther off than a rhythm spreads its spectrum
        (Beats(80.0, 1.0, rate_spread_bpm=7.0), 80.0),  # but for one that varies widely
    ],
)
def test_beats_have_the_rate_as_far_as_they_are_sound(beats, rate_bpm):
    assert rhythm_rate_bpm(Spectrum(71.0), beats) == rate_bpm  # type: ignore[arg-type]


def test_a_rate_is_low_below_those_of_most_hearts():
    assert [low_rate(bpm / 60) for bpm in (90.0, 56.0, 51.0, 46.0, 40.0)] == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])
