"""Sparse and uneven traces: the rate by least squares on the capture times themselves, with nothing put in between.

Frames at even times can't tell a rate from its aliases; at uneven ones an alias becomes noise. So rates far above half
the mean frame rate can be distinguished if the times are uneven, and the odds of each rate against all others say how
surely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dtrtrs

from rppg_core.bands import RATE_HZ
from rppg_core.face.skin import MIN_REGIONS, skin_regions
from rppg_core.numerics import TINY, peak_frequency, vertex
from rppg_core.pulse.evidence import SparseEvidence, at_edge
from rppg_core.pulse.least_squares import explained, fit, noise_root, waves_at, whitened
from rppg_core.pulse.pulse_colour import BLOOD_HUE, phase_coherence, pulse_colour
from rppg_core.trace.aliasing import known_margin
from rppg_core.trace.sampling import seen_colours
from rppg_core.trace.traces import PLACE, SIZE_PX, YAW, Trace
from rppg_core.trace.witnesses import DETAILS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SECTION_S = 60.0
"""A heart doesn't keep one rate for longer; longer windows are searched in parts of at most this length."""

_LEAST_FRAMES = 8
_LEAST_S = 2.0  # the peak of a shorter section is as wide as the range of rates
_MERGED_S = 1 / 15  # frames closer than this are averaged: a pulse changes less in that time than noise does
_STEPS = 8  # frequencies looked at in the width of a tone
_CHUNK = 128  # of which so many at a time
_DRIFT_HZ = 0.1  # slower changes of a region don't count as its noise
_LOBE = 1.5  # half width of a peak, over the section's length
_SAME_HZ = 0.05  # sections of one window may differ by this
_NO_SHARE, _STILL = 1e-9, 1e-12  # a share of power, and the power of a pose, that are nothing


@dataclass(frozen=True, slots=True, eq=False)
class SparsePulse:
    """The rate of a sparse trace and all that is known of it."""

    rate_bpm: float
    sigma_bpm: float  # standard error of the rate by the noise alone, aliases apart
    snr_db: float  # power of the rate and its first harmonic over that of the rest of the samples
    evidence: SparseEvidence


@dataclass(frozen=True, slots=True, eq=False)
class _Section:
    """One part of a trace, and how likely each rate is in it."""

    times_s: NDArray[np.float64]  # (n,)
    colours: NDArray[np.float64]  # (n, n_regions, 3), logarithms
    pose: NDArray[np.float64]  # (n, 5)
    details: NDArray[np.float64]  # (n, k)
    root: NDArray[np.float64]  # (n, n), lower Cholesky factor of the noise's covariance
    level: NDArray[np.float64]  # (n, 1), what every series may have: whitened and of unit length
    pulse: NDArray[np.float64]  # (n,) fused, whitened
    likelihood: NDArray[np.float64]  # (n_freqs,) logarithm of each rate's likelihood over that of no pulse


def find_sparse_pulse(trace: Trace) -> SparsePulse | None:
    """Find the rate of a face's trace that is too sparse or too full of gaps to be put on an even grid.

    The chrominance of the whole face is modelled as a pulse (its rate and first harmonic, fitted together), slow drift
    (an Ornstein-Uhlenbeck process), what follows the head's pose, and independent noise, their sizes being those of
    the greatest likelihood. The generalised least-squares spectrum [1]_ of the samples at their true times is the
    likelihood of each rate.

    Parameters
    ----------
    trace : Trace
        Of at least 5 s.

    Returns
    -------
    SparsePulse or None
        None without enough frames and regions of skin, or with nothing but short bursts far apart.

    References
    ----------
    .. [1] M. Zechmeister and M. Kuerster, "The generalised Lomb-Scargle periodogram", Astronomy & Astrophysics 496,
       2009. doi:10.1051/0004-6361:200811296
    """
    times, colours, pose, details = _merged(trace)
    colours, regions = seen_colours(times, colours)
    skin = skin_regions(trace.colours.shape[1], colours.mean(axis=0), regions, float(np.median(pose[:, YAW])))
    parts = list(_parts(times))
    if np.count_nonzero(skin) < MIN_REGIONS or not parts:
        return None
    size_px = float(np.median(pose[:, SIZE_PX]))
    length_s = max(times[part][-1] - times[part][0] for part in parts)
    if length_s < _LEAST_S:
        return None
    freqs = np.arange(RATE_HZ[0], RATE_HZ[1], 1 / (_STEPS * length_s))
    sections = [
        _section(times[part], np.log(colours[part][:, skin]), pose[part], details[part], freqs) for part in parts
    ]
    return _judge(sections, freqs, length_s, size_px)


def _merged(
    trace: Trace,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Times from 0, colours, pose and detail, with frames that follow closely averaged."""
    times = trace.times_s - trace.times_s[0]
    details = _details(trace)
    if np.diff(times).min() >= _MERGED_S:
        return times, trace.colours, trace.pose, details
    bins = np.floor(times / _MERGED_S + 1e-9)
    starts = np.flatnonzero(np.diff(bins, prepend=-1.0))
    counts = np.diff(np.append(starts, len(times)))
    seen = np.all(np.isfinite(trace.colours), axis=2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        colours = np.add.reduceat(np.where(seen, trace.colours, 0.0), starts) / np.add.reduceat(
            seen.astype(float), starts
        )
    return (
        np.add.reduceat(times, starts) / counts,
        colours,
        np.add.reduceat(trace.pose, starts) / counts[:, None],
        np.add.reduceat(details, starts) / counts[:, None],
    )


def _details(trace: Trace) -> NDArray[np.float64]:
    """The picture's detail in all frames, (n, k) of what every frame has; k may be 0."""
    if trace.witness is None:
        return np.zeros((len(trace.times_s), 0))
    details = trace.witness[:, DETAILS]
    return details[:, np.isfinite(details).all(axis=0)]


def _parts(times: NDArray[np.float64]) -> Iterator[slice]:
    """Parts of equal length, none above `SECTION_S`; those with hardly a frame are left out."""
    count = int(np.ceil(times[-1] / SECTION_S - 1e-6))
    length_s = times[-1] / count
    # Only parts near a frame are looked at: after a silence of years there are more parts than memory.
    near = np.floor(times / length_s)[:, None] + (-1.0, 0.0, 1.0)
    part = np.unique(np.clip(near, 0, count - 1))
    starts = np.searchsorted(times, part * length_s)
    ends = np.where(part == count - 1, len(times), np.searchsorted(times, (part + 1) * length_s))
    for start, end in zip(starts, ends, strict=True):
        if end - start >= _LEAST_FRAMES:
            yield slice(int(start), int(end))


def _section(
    times: NDArray[np.float64],
    colours: NDArray[np.float64],
    pose: NDArray[np.float64],
    details: NDArray[np.float64],
    freqs: NDArray[np.float64],
) -> _Section:
    fused = -(colours @ BLOOD_HUE) @ _region_weights(times, colours)
    root = noise_root(times, fused, pose)
    level = dtrtrs(root, np.ones((len(times), 1)), lower=1)[0]
    level /= np.linalg.norm(level)
    pulse = whitened(fused[:, None], root, level)[:, 0]
    share = np.concatenate([explained(times, pulse[:, None], root, level, part)[:, 0] for part in _chunks(freqs)])
    return _Section(
        times_s=times,
        colours=colours,
        pose=pose,
        details=details,
        root=root,
        level=level,
        pulse=pulse,
        likelihood=-0.5 * len(times) * np.log1p(-np.minimum(share, 1 - 1e-9)),
    )


def _chunks(freqs: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(freqs), _CHUNK):
        yield freqs[start : start + _CHUNK]


def _region_weights(times: NDArray[np.float64], colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """One over each region's variance beside its drift; their sum is 1."""
    length_s = times[-1] - times[0]
    waves = np.arange(int(2 * length_s * _DRIFT_HZ) + 1)
    drift = np.linalg.qr(np.cos(np.pi * np.outer((times - times[0]) / length_s, waves)))[0]
    flat = colours.reshape(len(times), -1)
    rest = (flat - drift @ (drift.T @ flat)).reshape(colours.shape)
    weights = 1 / (rest.var(axis=0).mean(axis=1) + 1e-12)
    return np.asarray(weights / weights.sum())


def _judge(sections: list[_Section], freqs: NDArray[np.float64], length_s: float, size_px: float) -> SparsePulse:
    """The likeliest rate of all sections together, and what speaks for it."""
    found = _joint_peak(sections, freqs)
    apart_hz = _LOBE / length_s + found.reach_hz
    lobe = np.abs(freqs - found.rate_hz) <= apart_hz
    times = np.concatenate([one.times_s for one in sections])
    margin = known_margin(_margin(found.likelihood, lobe), times, found.rate_hz, apart_hz=apart_hz)
    frames = sum(len(section.times_s) for section in sections)
    # Of the samples' power, slow drift apart, what the pulse explains.
    share = 1 - np.exp(-2 * found.likelihood.max() / frames)
    seen = [_seen_at(section, own_hz, freqs, size_px) for section, own_hz in zip(sections, found.rates_hz, strict=True)]
    weights = _region_weights(sections[0].times_s, sections[0].colours)
    return SparsePulse(
        rate_bpm=60 * found.rate_hz,
        sigma_bpm=float(60 * np.sqrt(3 * (1 - share) / (share + _NO_SHARE) / frames) / (np.pi * length_s)),
        snr_db=float(10 * np.log10(share / (1 - share) + TINY)),
        evidence=_gathered(seen, found, lobe, weights, margin),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Peak:
    """The likeliest rate of all sections: `likelihood` (n_freqs,) is the logarithm of that of all together."""

    rate_hz: float
    rates_hz: list[float]  # each section's own, which may differ by `reach_hz`
    reach_hz: float
    likelihood: NDArray[np.float64]


def _joint_peak(sections: list[_Section], freqs: NDArray[np.float64]) -> _Peak:
    step = freqs[1] - freqs[0]
    reach = 0 if len(sections) == 1 else max(1, round(_SAME_HZ / step))
    near = [_highest_near(section.likelihood, reach) for section in sections]
    joint = np.sum([section.likelihood[index] for section, index in zip(sections, near, strict=True)], axis=0)
    top = int(np.argmax(joint))
    rates = [
        peak_frequency(freqs, section.likelihood, int(index[top]))
        for section, index in zip(sections, near, strict=True)
    ]
    return _Peak(float(np.mean(rates)), rates, reach * step, joint)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What a section does at a rate and its double: complex amplitudes, of noise that is white.

    `pulse` (2,), `regions` (2, n_regions, 3) of the colours, `halves` (2, 2) of the pulses of every other region, and
    of those between. `motion`: logarithm (10) of how far the head's stands out. `nod`: its amplitude, as a share of
    the face's size.
    """

    pulse: NDArray[np.complex128]
    regions: NDArray[np.complex128]
    halves: NDArray[np.complex128]
    motion: float
    nod: float
    picture: float


def _gathered(
    seen: list[_Seen], found: _Peak, lobe: NDArray[np.bool_], weights: NDArray[np.float64], margin: float
) -> SparseEvidence:
    """Evidence of all sections together; `lobe` are the frequencies of the peak."""
    pulse, regions = np.concatenate([one.pulse for one in seen]), np.concatenate([one.regions for one in seen])
    whole = pulse_colour(regions.mean(axis=1), pulse)
    chosen = pulse_colour(np.einsum("frc,r->fc", regions, weights), pulse)
    odd, even = np.concatenate([one.halves for one in seen]).T
    return SparseEvidence(
        n_regions=regions.shape[1],
        at_edge=at_edge(found.rate_hz),
        log_odds=_log_odds(found.likelihood, lobe),
        margin=margin,
        agreement=float(np.sum(odd * even.conj()).real / (np.linalg.norm(odd) * np.linalg.norm(even) + TINY)),
        hue=min(whole.hue, chosen.hue),
        pallor=max(whole.pallor, chosen.pallor),
        phase_coherence=phase_coherence(regions, pulse),
        motion=max(one.motion for one in seen),
        nod=max(one.nod for one in seen),
        picture=max(one.picture for one in seen),
    )


def _highest_near(likelihood: NDArray[np.float64], reach: int) -> NDArray[np.intp]:
    """For each frequency the index of the highest likelihood within `reach` of it."""
    around = np.arange(-reach, reach + 1)
    index = np.clip(np.arange(len(likelihood))[:, None] + around, 0, len(likelihood) - 1)
    return np.asarray(index[np.arange(len(likelihood)), np.argmax(likelihood[index], axis=1)])


def _margin(joint: NDArray[np.float64], lobe: NDArray[np.bool_]) -> float:
    """How far the peak stands above the highest other one, both taken between the grid's points."""
    heights = joint.copy()
    before, here, after = joint[:-2], joint[1:-1], joint[2:]
    crest = (here >= before) & (here > after)
    heights[1:-1] += np.where(crest, vertex(before, here, after)[1], 0.0)
    return float(heights[lobe].max() - heights[~lobe].max())


def _log_odds(joint: NDArray[np.float64], lobe: NDArray[np.bool_]) -> float:
    """Logarithm of the odds of a peak against every other rate, all being as likely beforehand."""
    top = joint.max()
    inside, outside = np.exp(joint[lobe] - top).sum(), np.exp(joint[~lobe] - top).sum()
    return float(np.log(inside + TINY) - np.log(outside + TINY))


def _seen_at(section: _Section, rate_hz: float, freqs: NDArray[np.float64], size_px: float) -> _Seen:
    """What the pulse, every region's colours, two halves of the regions, and the head do at a rate."""
    n = len(section.times_s)
    chroma = -(section.colours @ BLOOD_HUE)
    halves = np.stack([chroma[:, ::2].mean(axis=1), chroma[:, 1::2].mean(axis=1)], axis=1)
    series = np.concatenate([section.colours.reshape(n, -1), halves], axis=1)
    white = np.concatenate([section.pulse[:, None], whitened(series, section.root, section.level)], axis=1)
    waves = waves_at(section.times_s, section.root, section.level, np.array([rate_hz]))
    coefficients = fit(waves, white)[0][0]
    amplitude = coefficients[[0, 2]] - 1j * coefficients[[1, 3]]
    return _Seen(
        amplitude[:, 0],
        amplitude[:, 1:-2].reshape(2, -1, 3),
        amplitude[:, -2:],
        *_beside_skin(section, waves, freqs, size_px),
    )


def _beside_skin(
    section: _Section, waves: NDArray[np.float64], freqs: NDArray[np.float64], size_px: float
) -> tuple[float, float, float]:
    """How far the head's motion stands out at the rate of the waves, its amplitude, and how far the picture's detail.

    As `_Seen` has them; the last is 0 for a picture without detail.
    """
    pose = section.pose.shape[1]
    series = whitened(np.concatenate([section.pose, section.details], axis=1), section.root, section.level)
    gain, explained_here = fit(waves, series)
    stands_out = _stand_out(section, series, explained_here[0], freqs)
    nod = float(np.linalg.norm(gain[0, :2, PLACE]) / size_px)
    motion, detail = (float(np.max(part, initial=0.0)) for part in (stands_out[:pose], stands_out[pose:]))
    return motion, nod, detail


def _stand_out(
    section: _Section, series: NDArray[np.float64], here: NDArray[np.float64], freqs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logarithm (10), from 0, of what a rate explains (k,) of whitened series (n, k) over what rates usually do."""
    power = np.sum(series**2, axis=0)
    some = freqs[:: max(1, len(freqs) // _CHUNK)]
    usual = np.median(explained(section.times_s, series, section.root, section.level, some), axis=0)
    over = here / (power + TINY) / (usual + _NO_SHARE)
    return np.log10(np.maximum(np.where(power > _STILL, over, 1.0), 1.0))
