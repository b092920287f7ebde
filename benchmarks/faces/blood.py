"""A pulse whose beats are known, as skin shows it: upstroke locked to the beat, diastole as long as it has to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import PchipInterpolator

from rppg_core.simulation.physiology import Physiology, Truth, simulate_person

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Green absorbs most; what red and blue have beside it varies with skin, lamp and camera around these (the "blood
# volume pulse signature" of G. de Haan and A. van Leest, Physiol. Meas. 35, 2014, doi:10.1088/0967-3334/35/9/1913).
_RED, _BLUE = (0.25, 0.55), (0.5, 0.85)
_SYSTOLE_S = (0.30, 0.36)  # from the foot to the notch; it hardly changes with the rate
_RISE_S = (0.11, 0.16)
_CADENCE = (50.0, 110.0)
_WIDEST_MS, _LEAST_MS = 80.0, 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Blood:
    """One pulse: the heart and lungs behind it, its shape, and how skin shows it.

    `colour` (3,) is the relative change of R, G, B from foot to crest, `baseline` the breath's share of it.
    """

    person: Physiology
    colour: NDArray[np.float64]
    baseline: float
    systole: PchipInterpolator  # of seconds since the foot
    diastole: PchipInterpolator  # of the share of diastole that is over
    systole_s: float

    def at(self, t_s: ArrayLike) -> NDArray[np.float64]:
        """Blood volume at any times, 0 at the foot and 1 at the crest of a mean beat, breath in its baseline."""
        t = np.asarray(t_s, dtype=np.float64)
        beats, heights = self.person.beats_s, self.person.beat_heights
        beat = np.clip(np.searchsorted(beats, t, side="right") - 1, 0, len(beats) - 2)
        since, whole = t - beats[beat], beats[beat + 1] - beats[beat]
        # A beat so early that systole isn't over cuts it short; no heart without disease comes that early.
        systole = np.minimum(self.systole_s, 0.75 * whole)
        over = (since - systole) / (whole - systole)
        shape = np.where(since < systole, self.systole(since), self.diastole(np.clip(over, 0.0, 1.0)))
        return np.asarray(heights[beat] * shape + self.baseline * self.person.baseline(t))

    def truth(self, start_s: float, end_s: float) -> Truth:
        """The vitals between two times."""
        return self.person.truth(start_s, end_s)


def blood(seed: int, *, depth: tuple[float, float], duration_s: float) -> Blood:
    """A pulse by chance; `depth` is the range of green's change from foot to crest."""
    rng = np.random.default_rng([61, seed])
    rate = float(rng.uniform(*_CADENCE))
    rmssd_ms = float(rng.uniform(_LEAST_MS, _WIDEST_MS) * min(1.0, 80.0 / rate))  # a fast heart is a regular one
    person = simulate_person(
        heart_rate_bpm=rate,
        duration_s=duration_s,
        rmssd_ms=rmssd_ms,
        lf_ms=float(rng.uniform(0.2, 0.8)) * rmssd_ms,
        rsa_share=float(rng.uniform(0.3, 0.8)),
        respiration_rate_bpm=float(rng.uniform(9, 22)),
        amplitude_depth=float(rng.uniform(0.03, 0.15)),
        seed=seed,
    )
    rise_s, systole_s = float(rng.uniform(*_RISE_S)), float(rng.uniform(*_SYSTOLE_S))
    notch, second = float(rng.uniform(0.35, 0.6)), float(rng.uniform(0.0, 0.08))
    # From the foot, slowly, then steeply; after the crest down to the notch, a second wave, and out to the next foot.
    up = PchipInterpolator(
        [0.0, 0.2 * rise_s, 0.5 * rise_s, 0.8 * rise_s, rise_s, 0.6 * rise_s + 0.4 * systole_s, systole_s],
        [0.0, 0.08, 0.5, 0.92, 1.0, 0.5 + 0.5 * notch + 0.1, notch],
    )
    out = PchipInterpolator([0.0, 0.15, 0.5, 0.8, 1.0], [notch, notch + second, 0.45 * notch, 0.15 * notch, 0.0])
    colour = np.array([rng.uniform(*_RED), 1.0, rng.uniform(*_BLUE)]) * rng.uniform(*depth)
    return Blood(person, colour, float(rng.uniform(0.2, 0.6)), up, out, systole_s)
