"""What speaks for and against the rate of a sparse trace: what its sections do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rppg_core.numerics import TINY
from rppg_core.pulse.asymmetry import quadrature
from rppg_core.pulse.evidence import SparseEvidence, at_edge, low_rate
from rppg_core.pulse.least_squares import explained, fit, waves_at, whitened
from rppg_core.pulse.pulse_colour import BLOOD_HUE, phase_coherence, pulse_colour
from rppg_core.pulse.surroundings import changes_with_face
from rppg_core.trace.traces import PLACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.trace.traces import Trace

_USUAL_RATES = 128  # that what is usual is learnt from, at least
_STILL = 1e-12  # the power of a pose that stands still
NO_SHARE = 1e-9
"""A share of power that is nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One part of a trace, and how likely each rate is in it."""

    times_s: NDArray[np.float64]  # (n,)
    colours: NDArray[np.float64]  # (n, n_regions, 3), logarithms
    pose: NDArray[np.float64]  # (n, 5)
    details: NDArray[np.float64]  # (n, k)
    root: NDArray[np.float64]  # (n, n), lower Cholesky factor of the noise's covariance
    level: NDArray[np.float64]  # (n, 1), what every series may have: whitened and of unit length
    pulse: NDArray[np.float64]  # (n,) fused, whitened
    likelihood: NDArray[np.float64]  # (n_freqs,) logarithm of each rate's likelihood over that of no pulse


class _Common(NamedTuple):
    """Of two halves of the regions: their product, the same without the rate, and the power of each without it."""

    whole: float
    rest: float
    one: float
    other: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a section does at a rate and its double: complex amplitudes, of noise that is white.

    `pulse` (2,), `regions` (2, n_regions, 3) of the colours, `halves` (2, 2) of the pulses of every other region, and
    of those between. `motion`: logarithm (10) of how far the head's stands out. `nod`: its amplitude, as a share of
    the face's size.
    """

    pulse: NDArray[np.complex128]
    regions: NDArray[np.complex128]
    halves: NDArray[np.complex128]
    common: _Common
    motion: float
    nod: float
    picture: float
    span_s: float
    n_frames: int


def gathered(
    seen: list[Seen], rate_hz: float, weights: NDArray[np.float64], log_odds: float, margin: float, *, trace: Trace
) -> SparseEvidence:
    """Evidence of all sections together, for a rate with its odds against all others, and against the next best."""
    pulse, regions = np.concatenate([one.pulse for one in seen]), np.concatenate([one.regions for one in seen])
    whole = pulse_colour(regions.mean(axis=1), pulse)
    chosen = pulse_colour(np.einsum("frc,r->fc", regions, weights), pulse)
    odd, even = np.concatenate([one.halves for one in seen]).T
    first, second = np.stack([one.halves for one in seen], axis=1)
    common = _Common(*np.sum([one.common for one in seen], axis=0))
    return SparseEvidence(
        n_regions=regions.shape[1],
        at_edge=at_edge(rate_hz),
        low_rate=low_rate(rate_hz),
        with_surroundings=changes_with_face(trace, rate_hz),
        asymmetry=quadrature(first.ravel(), second[:, ::-1].ravel()),
        log_odds=log_odds,
        margin=margin,
        agreement=float(np.sum(odd * even.conj()).real / (np.linalg.norm(odd) * np.linalg.norm(even) + TINY)),
        hue=min(whole.hue, chosen.hue),
        pallor=max(whole.pallor, chosen.pallor),
        phase_coherence=phase_coherence(regions, pulse),
        motion=max(one.motion for one in seen),
        nod=max(one.nod for one in seen),
        picture=max(one.picture for one in seen),
        span_s=max(one.span_s for one in seen),
        n_frames=sum(one.n_frames for one in seen),
        concentration=float(np.clip(1 - common.rest / max(common.whole, TINY), 0.0, 1.0)),
        rest_agreement=float(common.rest / (np.sqrt(common.one * common.other) + TINY)),
    )


def seen_at(section: Section, rate_hz: float, freqs: NDArray[np.float64], size_px: float) -> Seen:
    """What the pulse, every region's colours, two halves of the regions, and the head do at a rate."""
    n = len(section.times_s)
    chroma = -(section.colours @ BLOOD_HUE)
    halves = np.stack([chroma[:, ::2].mean(axis=1), chroma[:, 1::2].mean(axis=1)], axis=1)
    series = np.concatenate([section.colours.reshape(n, -1), halves], axis=1)
    white = np.concatenate([section.pulse[:, None], whitened(series, section.root, section.level)], axis=1)
    waves = waves_at(section.times_s, section.root, section.level, np.array([rate_hz]))
    coefficients = fit(waves, white)[0][0]
    amplitude = coefficients[[0, 2]] - 1j * coefficients[[1, 3]]
    return Seen(
        amplitude[:, 0],
        amplitude[:, 1:-2].reshape(2, -1, 3),
        amplitude[:, -2:],
        _common(white[:, -2:], waves[0]),
        *_beside_skin(section, waves, freqs, size_px),
        float(section.times_s[-1] - section.times_s[0]),
        n,
    )


def _common(halves: NDArray[np.float64], waves: NDArray[np.float64]) -> _Common:
    """What two halves (n, 2) of the regions have in common with the waves (n, 4) of the rate, and without them."""
    basis = np.linalg.qr(waves)[0]
    rest = halves - basis @ (basis.T @ halves)
    products = rest.T @ rest * (len(waves) - 1) / max(len(waves) - 1 - waves.shape[1], 1)  # the fit takes its share
    return _Common(float(halves[:, 0] @ halves[:, 1]), products[0, 1], products[0, 0], products[1, 1])


def _beside_skin(
    section: Section, waves: NDArray[np.float64], freqs: NDArray[np.float64], size_px: float
) -> tuple[float, float, float]:
    """How far the head's motion stands out at the rate of the waves, its amplitude, and how far the picture's detail.

    As `Seen` has them; the last is 0 for a picture without detail.
    """
    pose = section.pose.shape[1]
    series = whitened(np.concatenate([section.pose, section.details], axis=1), section.root, section.level)
    gain, explained_here = fit(waves, series)
    stands_out = _stand_out(section, series, explained_here[0], freqs)
    nod = float(np.linalg.norm(gain[0, :2, PLACE]) / size_px) if size_px > 0 else 0.0  # 0 without poses, as `nod_at`
    motion, detail = (float(np.max(part, initial=0.0)) for part in (stands_out[:pose], stands_out[pose:]))
    return motion, nod, detail


def _stand_out(
    section: Section, series: NDArray[np.float64], here: NDArray[np.float64], freqs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logarithm (10), from 0, of what a rate explains (k,) of whitened series (n, k) over what rates usually do."""
    power = np.sum(series**2, axis=0)
    some = freqs[:: max(1, len(freqs) // _USUAL_RATES)]
    usual = np.median(explained(section.times_s, series, section.root, section.level, some), axis=0)
    over = here / (power + TINY) / (usual + NO_SHARE)
    return np.log10(np.maximum(np.where(power > _STILL, over, 1.0), 1.0))
