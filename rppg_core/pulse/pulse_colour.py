"""The colour of a pulse: what tells blood from light, motion and screens that also beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.methods._pbv import SIGNATURE
from rppg_core.numerics import TINY

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOOD_HUE = SIGNATURE - SIGNATURE.mean()
"""Blood's pulse in R, G, B, what all channels share taken out; a change of colour along it is blood's, or looks it."""

_HUE_NORM = math.hypot(*BLOOD_HUE.tolist())
_TINT = float(_HUE_NORM / SIGNATURE.mean())  # how coloured blood's pulse is
_HUE = BLOOD_HUE.tolist()
_PALEST = 10.0
_LESS_SHARED, _OPPOSED = 0.55, 2.5
_DOUBT = np.linspace(-3.0, 3.0, 5)  # standard errors


@dataclass(frozen=True, slots=True, eq=False)
class PulseColour:
    """AC/DC of a pulse in R, G, B with its standard error (on one arbitrary scale), beside blood's."""

    strength: NDArray[np.float64]  # (3,)
    error: NDArray[np.float64]  # (3,)

    @property
    def hue(self) -> float:
        """Cosine between the pulse's colour and blood's, what all channels share taken out of both: 1 for blood."""
        along, across = self._coloured
        return float(along / (across * _HUE_NORM + TINY))

    @property
    def hue_at_best(self) -> float:
        """The hue, of the colours within three standard errors in red and blue, that is nearest to blood's."""
        red, green, blue = self.strength.tolist()
        reds, blues = np.meshgrid(red + _DOUBT * self.error[0], blue + _DOUBT * self.error[2])
        shared = (reds + green + blues) / 3
        seen = np.stack([reds - shared, green - shared, blues - shared])
        along = np.tensordot(BLOOD_HUE, seen, axes=1)
        return float((along / (np.linalg.norm(seen, axis=0) * _HUE_NORM + TINY)).max())

    @property
    def pallor(self) -> float:
        """How much more the channels share than they would for blood: 0 for blood, large for a lamp.

        Cameras differ in how far red and blue follow green, so sharing less counts only where red moves against it.
        """
        along, _ = self._coloured
        tint = abs(along) / _HUE_NORM / _TINT
        excess = sum(self.strength.tolist()) / 3 / (tint + TINY) - 1
        return float(min(max(excess, _OPPOSED * (-excess - _LESS_SHARED), 0.0), _PALEST))

    @property
    def _coloured(self) -> tuple[float, float]:
        """What the channels don't share: its product with blood's, and its own norm. Plain sums: there are three."""
        red, green, blue = self.strength.tolist()
        shared = (red + green + blue) / 3
        seen = (red - shared, green - shared, blue - shared)
        return sum(s * h for s, h in zip(seen, _HUE, strict=True)), math.hypot(*seen)


def pulse_colour(colours: NDArray[np.complex128], pulse: NDArray[np.complex128]) -> PulseColour:
    """Regress colours on a pulse.

    Parameters
    ----------
    colours : ndarray, shape (n, 3)
        Spectrum of the relative colour changes at the frequencies that belong to the pulse's rate.
    pulse : ndarray, shape (n,)
        Spectrum of the pulse, rising with blood volume, at the same frequencies.
    """
    power = float(np.vdot(pulse, pulse).real) + TINY
    slope = (colours.T @ pulse.conj()).real / power
    left = colours - np.outer(pulse, slope)
    error = np.sqrt(np.sum(np.abs(left) ** 2, axis=0) / max(2 * len(pulse) - 1, 1) / power)
    return PulseColour(strength=-slope, error=error)


def phase_coherence(colours: NDArray[np.complex128], pulse: NDArray[np.complex128]) -> float:
    """How far all regions change their hue in step at the rate: 1 for blood, less where some pale as others redden.

    Parameters
    ----------
    colours : ndarray, shape (n, n_regions, 3)
        Spectra of the regions' relative colour changes at the frequencies that belong to the rate.
    pulse : ndarray, shape (n,)
        Spectrum of the pulse there.
    """
    steps = np.einsum("frc,c,f->r", colours, BLOOD_HUE, pulse.conj())
    return float(np.abs(steps.sum()) / (np.abs(steps).sum() + TINY))
