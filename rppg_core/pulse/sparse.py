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
from rppg_core.pulse.least_squares import explained, noise_root, whitened
from rppg_core.pulse.pulse_colour import BLOOD_HUE
from rppg_core.pulse.sparse_evidence import NO_SHARE, Section, gathered, seen_at
from rppg_core.trace.aliasing import known_margin
from rppg_core.trace.sampling import seen_colours
from rppg_core.trace.traces import SIZE_PX, YAW, Trace
from rppg_core.trace.witnesses import DETAILS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rppg_core.pulse.evidence import SparseEvidence

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


@dataclass(frozen=True, slots=True, eq=False)
class SparsePulse:
    """The rate of a sparse trace and all that is known of it."""

    rate_bpm: float
    sigma_bpm: float  # standard error of the rate by the noise alone, aliases apart
    snr_db: float  # power of the rate and its first harmonic over that of the rest of the samples
    evidence: SparseEvidence


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
    return _judge(trace, sections, freqs, length_s, size_px)


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
) -> Section:
    fused = -(colours @ BLOOD_HUE) @ _region_weights(times, colours)
    root = noise_root(times, fused, pose)
    level = dtrtrs(root, np.ones((len(times), 1)), lower=1)[0]
    level /= np.linalg.norm(level)
    pulse = whitened(fused[:, None], root, level)[:, 0]
    share = np.concatenate([explained(times, pulse[:, None], root, level, part)[:, 0] for part in _chunks(freqs)])
    return Section(
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


def _judge(
    trace: Trace, sections: list[Section], freqs: NDArray[np.float64], length_s: float, size_px: float
) -> SparsePulse:
    """The likeliest rate of all sections together, and what speaks for it."""
    found = _joint_peak(sections, freqs)
    apart_hz = _LOBE / length_s + found.reach_hz
    lobe = np.abs(freqs - found.rate_hz) <= apart_hz
    times = np.concatenate([one.times_s for one in sections])
    margin = known_margin(_margin(found.likelihood, lobe), times, found.rate_hz, apart_hz=apart_hz)
    frames = sum(len(section.times_s) for section in sections)
    # Of the samples' power, slow drift apart, what the pulse explains.
    share = 1 - np.exp(-2 * found.likelihood.max() / frames)
    seen = [seen_at(section, own_hz, freqs, size_px) for section, own_hz in zip(sections, found.rates_hz, strict=True)]
    weights = _region_weights(sections[0].times_s, sections[0].colours)
    return SparsePulse(
        rate_bpm=60 * found.rate_hz,
        sigma_bpm=float(60 * np.sqrt(3 * (1 - share) / (share + NO_SHARE) / frames) / (np.pi * length_s)),
        snr_db=float(10 * np.log10(share / (1 - share) + TINY)),
        evidence=gathered(seen, found.rate_hz, weights, _log_odds(found.likelihood, lobe), margin, trace=trace),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Peak:
    """The likeliest rate of all sections: `likelihood` (n_freqs,) is the logarithm of that of all together."""

    rate_hz: float
    rates_hz: list[float]  # each section's own, which may differ by `reach_hz`
    reach_hz: float
    likelihood: NDArray[np.float64]


def _joint_peak(sections: list[Section], freqs: NDArray[np.float64]) -> _Peak:
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
