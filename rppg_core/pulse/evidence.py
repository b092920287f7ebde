"""Evidence for and against a pulse, and how it is gathered from what an extractor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.bands import RATE_HZ, STABILITY_HZ
from rppg_core.numerics import TINY
from rppg_core.pulse.asymmetry import asymmetry
from rppg_core.pulse.pulse_colour import PulseColour, phase_coherence
from rppg_core.pulse.rhythm_rate import rhythm_rate_bpm
from rppg_core.pulse.stability import stability
from rppg_core.pulse.surroundings import changes_with_face
from rppg_core.trace.motion import motion_at, nod_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.pulse.clean import CleanTrace
    from rppg_core.pulse.whole_picture import PictureEvidence
    from rppg_core.trace.traces import Trace
    from rppg_core.vital.beats import Beats
    from rppg_core.vital.heart_rate import HeartRate

_EDGE_HZ = 0.01  # a peak of a slope beyond the band lies within a step of the spectrum's grid from its end
_LOW_BPM, _LOWEST_BPM = 56.0, 46.0
_SWAY_HZ = 0.6  # heads wander more slowly than this without nodding
_STRETCH_S = 6.0  # holds four beats of the slowest rate
_SAME_HZ, _SAME_SHARE = 0.1, 0.08  # half the width of a tone in a stretch; what a fast heart's rhythm adds
FAR_WIDTHS = 4.0
"""How many widths of a tone from its rate the power of a heart without rhythm is looked for."""

_OVERLAP = 2  # stretches begin half of their length apart


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against a heart rate."""

    n_regions: int
    span_s: float
    at_edge: bool  # the peak lies at the end of the band: rather the slope of something beyond it
    snr_db: float  # of the fused pulse
    prominence_db: float  # of its peak over the next one
    agreement: float  # correlation, around the rate, of two pulses from two halves of the regions; -1 to 1
    concentration: float  # share (0-1) of what two halves of the regions have in common around the rate that lies at it
    stability: float  # share of short stretches that show the same rate
    hue: float  # cosine of the angle between the pulse's colour and that of blood, intensity apart; the worse of two
    pallor: float  # how much more the channels share than they would for blood
    phase_coherence: float  # share (0-1) of the regions' change of hue at the rate that is in step
    motion: float  # log10 of how far the head's motion stands out at the rate, or at half of it
    nod: float  # amplitude of that motion, as a share of the face's size
    mismatch_bpm: float  # between spectrum and beats
    kept_share: float  # of the intervals between beats
    jitter: float  # error of the beats' times, as a share of their interval
    unevenness: float  # median change from one interval to the next, as a share of the median interval
    bits_a_pixel: float | None  # that a video's codec spent; None for frames
    picture: PictureEvidence  # what the whole picture does at the rate
    lead_db: float = 0.0  # of the rate over the next candidate, by all that chose it; 0 where it has no candidates
    low_rate: float = 0.0  # see `low_rate`
    asymmetry: float = 0.0  # how far the wave rises quicker than it falls, -1 to 1
    counted_sigma_bpm: float | None = None  # error of the rate, where the beats of a heart without rhythm are counted
    off_count_bpm: float = 0.0  # of any other heart's rate from that of clear counted beats; 0 without them
    hue_at_best: float = 1.0  # the hue, three standard errors nearer to blood's
    with_surroundings: bool = False  # what is beside the face changes its colour at the rate as the face does


@dataclass(frozen=True, slots=True)
class SparseEvidence:
    """What speaks for and against the heart rate of a trace that is too sparse for an even grid. See `Evidence`."""

    n_regions: int
    at_edge: bool
    log_odds: float  # natural logarithm of the odds of the rate against every other, its aliases among them
    margin: float  # the same against the next best rate alone
    agreement: float
    hue: float
    pallor: float
    phase_coherence: float
    motion: float
    nod: float
    picture: float = 0.0  # log10 of how far the picture's detail stands out at the rate
    concentration: float = 1.0  # share of what two halves of the regions have in common that the rate explains
    rest_agreement: float = 0.0  # correlation of the two halves without the rate; -1 to 1
    span_s: float = 30.0  # of the longest part of the trace that is searched as one
    n_frames: int = 50  # of all parts
    low_rate: float = 0.0  # see `low_rate`
    asymmetry: float = 0.0  # how far the wave rises quicker than it falls, -1 to 1
    with_surroundings: bool = False  # see `Evidence`


@dataclass(frozen=True, slots=True, eq=False)
class SkinAtRate:
    """What the skin does at the rate of a pulse, as the spectra show it."""

    colours: tuple[PulseColour, ...]  # of the regions that make the pulse, and of the whole face
    regions: NDArray[np.complex128]  # (n_freqs, n_regions, 3) the colours' spectra at the rate
    pulse: NDArray[np.complex128]  # (n_freqs,) the pulse's there
    halves: NDArray[np.complex128]  # (m, 2) around the rate, two pulses from two halves of the regions; (m, 0): one
    concentration: float  # of the power that two halves of the regions share around the rate
    lead_db: float = 0.0  # of the rate over the next candidate, by all that chose it


def gather(
    skin: CleanTrace, seen: SkinAtRate, wave: NDArray[np.float64], rate: HeartRate, beats: Beats, *, trace: Trace
) -> Evidence:
    """Gather what speaks for and against a rate.

    Parameters
    ----------
    skin : CleanTrace
        What the pulse was extracted from.
    seen : SkinAtRate
        What the regions do at the rate.
    wave : ndarray, shape (n,)
        The pulse, on the grid of `skin`.
    rate : HeartRate
        By the spectrum.
    beats : Beats
        Of the wave.
    trace : Trace
        What `skin` was cleaned from.
    """
    fs, rate_hz = skin.even.fs, rate.rate_bpm / 60
    moves = [hz for hz in (rate_hz, rate_hz / 2) if hz >= _SWAY_HZ]
    clear = beats.counted if beats.counted and beats.counted.is_clear else None
    counted = clear if clear and clear.is_without_rhythm(seen.concentration) else None
    return Evidence(
        n_regions=skin.n_regions,
        span_s=float(skin.even.times_s[-1] - skin.even.times_s[0]),
        at_edge=at_edge(rate_hz),
        low_rate=low_rate(rate_hz),
        asymmetry=asymmetry(wave, fs, rate_hz),
        snr_db=rate.snr_db,
        prominence_db=rate.prominence_db,
        agreement=agreement(*seen.halves.T) if seen.halves.shape[1] else 0.0,
        concentration=seen.concentration,
        lead_db=seen.lead_db,
        stability=_stability(wave, fs, rate_hz),
        hue=min(colour.hue for colour in seen.colours),
        hue_at_best=seen.colours[0].hue_at_best,
        pallor=max(colour.pallor for colour in seen.colours),
        phase_coherence=phase_coherence(seen.regions, seen.pulse),
        motion=float(np.log10(max(1.0, motion_at(skin.pose, fs, *moves)))),
        nod=max(nod_at(skin.pose, skin.size_px, fs, hz) for hz in moves),
        mismatch_bpm=abs(beats.rate_bpm - rate.rate_bpm),
        kept_share=beats.kept_share,
        jitter=beats.timing_sigma_s * rate_hz,
        unevenness=beats.unevenness,
        bits_a_pixel=skin.bits_a_pixel,
        picture=skin.picture.against(rate_hz),
        counted_sigma_bpm=counted.sigma_bpm if counted else None,
        with_surroundings=changes_with_face(trace, rate_hz),
        off_count_bpm=abs(clear.rate_bpm - rhythm_rate_bpm(rate, beats)) if clear and not counted else 0.0,
    )


def at_edge(rate_hz: float) -> bool:
    """Whether a peak lies at the end of the band."""
    return not RATE_HZ[0] + _EDGE_HZ <= rate_hz <= RATE_HZ[1] - _EDGE_HZ


def low_rate(rate_hz: float) -> float:
    """How far (0-1) a rate lies below those of most hearts: hands, lamps and codecs change a picture slowly.

    Of 3080 windows of photographs sent through codecs ten looked like a pulse, nine of them below 56 a minute.
    """
    return float(np.clip((_LOW_BPM - 60 * rate_hz) / (_LOW_BPM - _LOWEST_BPM), 0.0, 1.0))


def agreement(one: NDArray[np.complex128], other: NDArray[np.complex128]) -> float:
    """Correlation of two spectra, -1 to 1."""
    power = np.sqrt(np.sum(np.abs(one) ** 2) * np.sum(np.abs(other) ** 2))
    return float(np.sum(one * other.conj()).real / (power + TINY))


def concentration(off_hz: NDArray[np.float64], halves: NDArray[np.complex128], width_hz: float) -> float:
    """The share (0-1) at a rate of the power that two halves of the regions have in common around it.

    It separates a heart without rhythm, whose power is spread, from a steady one in noise: two halves share no noise.

    Parameters
    ----------
    off_hz : ndarray, shape (m,)
        How far from the rate each frequency lies, up to `FAR_WIDTHS` of a tone's width.
    halves : ndarray, shape (m, 2) or (m, 0)
        Spectra of the two halves; without them all power is at the rate.
    width_hz : float
        Half width of a tone.
    """
    if not halves.shape[1]:
        return 1.0
    common = np.real(halves[:, 0] * halves[:, 1].conj())
    at = max(float(common[off_hz <= width_hz].sum()), 0.0)
    return at / max(float(common.sum()), at, TINY)


def _stability(wave: NDArray[np.float64], fs: float, rate_hz: float) -> float:
    width = min(int(_STRETCH_S * fs), len(wave))
    starts = np.linspace(0, len(wave) - width, max(1, round(_OVERLAP * len(wave) / width) - 1)).astype(int)
    stretches = np.stack([wave[s : s + width] for s in starts], axis=1)
    reach = max(_SAME_HZ, _SAME_SHARE * rate_hz)
    return stability(stretches, fs, rate_hz, n_fft=4 * width, band_hz=STABILITY_HZ, within_hz=reach)
