"""Sparse and uneven traces: the rate by least squares on the capture times themselves, with nothing put in between.

Frames at even times can't tell a rate from its aliases; at uneven ones an alias becomes noise. So rates far above half
the mean frame rate can be told apart if the times are uneven, and the odds of each rate against all others say how
surely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from rppg_core.bands import RATE_HZ
from rppg_core.face.skin import MIN_REGIONS, skin_regions
from rppg_core.face.witnesses import DETAILS
from rppg_core.pulse.evidence import SparseEvidence
from rppg_core.pulse.least_squares import explained, fit, noise_root, waves_at, whitened
from rppg_core.pulse.pulse_colour import BLOOD_HUE, pulse_colour, unison
from rppg_core.trace.aliasing import is_evenly_slow
from rppg_core.trace.sampling import seen_colours
from rppg_core.trace.traces import Trace

SECTION_S = 60.0
"""A heart doesn't keep one rate for longer; longer windows are searched in parts of at most this length."""

_LEAST_FRAMES = 8
_MERGED_S = 1 / 15  # frames closer than this are averaged: a pulse changes less in that time than noise does
_STEPS = 8  # frequencies looked at in the width of a tone
_CHUNK = 128  # of which so many at a time
_DRIFT_HZ = 0.1  # slower changes of a region don't count as its noise
_LOBE = 1.5  # half width of a peak, over the section's length
_SAME_HZ = 0.05  # sections of one window may differ by this
_AT_EDGE_HZ = 0.01
_EVEN_MARGIN = 0.5  # what drift and harmonics may wrongly tell two aliases of even times apart by


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
        None without enough frames and regions of skin.

    References
    ----------
    .. [1] M. Zechmeister and M. Kuerster, "The generalised Lomb-Scargle periodogram", Astronomy & Astrophysics 496,
       2009. doi:10.1051/0004-6361:200811296
    """
    times, colours, pose, details = _merged(trace)
    colours, regions = seen_colours(times, colours)
    skin = skin_regions(trace.colours.shape[1], colours.mean(axis=0), regions, float(np.median(pose[:, -1])))
    parts = list(_parts(times))
    if np.count_nonzero(skin) < MIN_REGIONS or not parts:
        return None
    size_px = float(np.median(pose[:, 2]))
    length_s = max(times[part][-1] - times[part][0] for part in parts)
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
    edges = np.searchsorted(times, np.linspace(0, times[-1], count + 1))
    edges[-1] = len(times)
    for start, end in pairwise(edges):
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
    level = solve_triangular(root, np.ones((len(times), 1)), lower=True)
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
    reach = 0 if len(sections) == 1 else max(1, round(_SAME_HZ / (freqs[1] - freqs[0])))
    near = [_highest_near(section.likelihood, reach) for section in sections]
    joint = np.sum([section.likelihood[index] for section, index in zip(sections, near, strict=True)], axis=0)
    top = int(np.argmax(joint))
    rates = [_summit(freqs, section.likelihood, int(index[top])) for section, index in zip(sections, near, strict=True)]
    rate = float(np.mean(rates))

    times = np.concatenate([section.times_s for section in sections])
    lobe = np.abs(freqs - rate) <= _LOBE / length_s + reach * (freqs[1] - freqs[0])
    frames = sum(len(section.times_s) for section in sections)
    share = 1 - np.exp(-2 * joint[top] / frames)  # of the samples' power, slow drift apart, that the pulse explains
    pulses, colours, halves, motions, nods, pictures = [], [], [], [], [], []
    for section, own in zip(sections, rates, strict=True):
        fitted, halved, moved, nodded = _seen_at(section, own, freqs, size_px)
        pulses.append(fitted[:, 0])
        colours.append(fitted[:, 1:].reshape(2, -1, 3))
        halves.append(halved)
        motions.append(moved)
        nods.append(nodded)
        pictures.append(_picture_at(section, own, freqs))
    pulse, regions = np.concatenate(pulses), np.concatenate(colours)
    weights = _region_weights(sections[0].times_s, sections[0].colours)
    whole = pulse_colour(regions.mean(axis=1), pulse)
    chosen = pulse_colour(np.einsum("frc,r->fc", regions, weights), pulse)
    odd, even = np.concatenate(halves).T
    return SparsePulse(
        rate_bpm=60 * rate,
        sigma_bpm=float(60 * np.sqrt(3 * (1 - share) / (share + 1e-9) / frames) / (np.pi * length_s)),
        snr_db=float(10 * np.log10(share / (1 - share) + 1e-30)),
        evidence=SparseEvidence(
            n_regions=regions.shape[1],
            at_edge=not RATE_HZ[0] + _AT_EDGE_HZ <= rate <= RATE_HZ[1] - _AT_EDGE_HZ,
            log_odds=_log_odds(joint, lobe),
            margin=_margin(joint, lobe) - (_EVEN_MARGIN if is_evenly_slow(times) else 0.0),
            agreement=float(np.sum(odd * even.conj()).real / (np.linalg.norm(odd) * np.linalg.norm(even) + 1e-30)),
            hue=min(whole.hue, chosen.hue),
            pallor=max(whole.pallor, chosen.pallor),
            unison=unison(regions, pulse),
            motion=max(motions),
            nod=max(nods),
            picture=max(pictures),
        ),
    )


def _highest_near(likelihood: NDArray[np.float64], reach: int) -> NDArray[np.intp]:
    """For each frequency the index of the highest likelihood within `reach` of it."""
    around = np.arange(-reach, reach + 1)
    index = np.clip(np.arange(len(likelihood))[:, None] + around, 0, len(likelihood) - 1)
    return np.asarray(index[np.arange(len(likelihood)), np.argmax(likelihood[index], axis=1)])


def _summit(freqs: NDArray[np.float64], values: NDArray[np.float64], top: int) -> float:
    """Frequency of a peak, between the grid's points by a parabola."""
    if not 0 < top < len(values) - 1:
        return float(freqs[top])
    before, here, after = values[top - 1 : top + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(freqs[top] + np.clip(shift, -0.5, 0.5) * (freqs[1] - freqs[0]))


def _margin(joint: NDArray[np.float64], lobe: NDArray[np.bool_]) -> float:
    """How far the peak stands above the highest other one, both taken between the grid's points."""
    heights = joint.copy()
    before, here, after = joint[:-2], joint[1:-1], joint[2:]
    crest = (here >= before) & (here > after)
    bend = np.where(crest, before - 2 * here + after, -1.0)
    heights[1:-1] += np.where(crest, -((before - after) ** 2) / (8 * bend), 0.0)
    return float(heights[lobe].max() - heights[~lobe].max())


def _log_odds(joint: NDArray[np.float64], lobe: NDArray[np.bool_]) -> float:
    """Logarithm of the odds of a peak against every other rate, all being as likely beforehand."""
    top = joint.max()
    inside, outside = np.exp(joint[lobe] - top).sum(), np.exp(joint[~lobe] - top).sum()
    return float(np.log(inside + 1e-30) - np.log(outside + 1e-30))


def _seen_at(
    section: _Section, rate_hz: float, freqs: NDArray[np.float64], size_px: float
) -> tuple[NDArray[np.complex128], NDArray[np.complex128], float, float]:
    """What the pulse, every region's colours, two halves of the regions, and the head do at a rate.

    Returns
    -------
    ndarray, shape (2, 1 + 3 * n_regions)
        Complex amplitude at the rate and its double: of the pulse, and of the colours.
    ndarray, shape (2, 2)
        The same of the pulses of every other region, and of those between.
    float
        Logarithm (10) of how far the head's motion stands out at the rate.
    float
        Amplitude of that motion, as a share of the face's size.
    """
    n = len(section.times_s)
    chroma = -(section.colours @ BLOOD_HUE)
    halves = np.stack([chroma[:, ::2].mean(axis=1), chroma[:, 1::2].mean(axis=1)], axis=1)
    series = np.concatenate([section.colours.reshape(n, -1), halves], axis=1)
    white = np.concatenate([section.pulse[:, None], whitened(series, section.root, section.level)], axis=1)
    waves = waves_at(section.times_s, section.root, section.level, np.array([rate_hz]))
    coefficients = fit(waves, white)[0][0]
    amplitude = coefficients[[0, 2]] - 1j * coefficients[[1, 3]]
    pose = whitened(section.pose, section.root, section.level)
    gain = fit(waves, pose)[0]
    moved = _stands_out(section, pose, waves, freqs)
    nodded = float(np.linalg.norm(gain[0, :2, :2]) / size_px)
    return amplitude[:, :-2], amplitude[:, -2:], moved, nodded


def _picture_at(section: _Section, rate_hz: float, freqs: NDArray[np.float64]) -> float:
    """Logarithm (10) of how far the picture's detail stands out at a rate; 0 without any."""
    if not section.details.shape[1]:
        return 0.0
    waves = waves_at(section.times_s, section.root, section.level, np.array([rate_hz]))
    return _stands_out(section, whitened(section.details, section.root, section.level), waves, freqs)


def _stands_out(
    section: _Section, series: NDArray[np.float64], waves: NDArray[np.float64], freqs: NDArray[np.float64]
) -> float:
    """Logarithm (10) of what a rate explains of whitened series (n, k) over what rates usually do: the largest."""
    power = np.sum(series**2, axis=0)
    moving = power > 1e-12
    usual = np.median(
        explained(section.times_s, series, section.root, section.level, freqs[:: max(1, len(freqs) // _CHUNK)]), axis=0
    )
    here = fit(waves, series)[1][0] / (power + 1e-30)
    return float(np.log10(max(1.0, np.max(here[moving] / (usual[moving] + 1e-9), initial=1.0))))
