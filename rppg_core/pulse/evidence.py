"""Evidence for and against a pulse."""

from __future__ import annotations

from dataclasses import dataclass

from rppg_core.pulse.whole_picture import PictureEvidence


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against a heart rate."""

    n_regions: int
    span_s: float
    at_edge: bool  # the peak lies at the end of the band: rather the slope of something beyond it
    snr_db: float  # of the fused pulse
    prominence_db: float  # of its peak over the next one
    agreement: float  # correlation, around the rate, of two pulses from two halves of the regions; -1 to 1
    stability: float  # share of short stretches that show the same rate
    hue: float  # cosine of the angle between the pulse's colour and that of blood, intensity apart; the worse of two
    pallor: float  # how much more the channels share than they would for blood
    unison: float  # share (0-1) of the regions' change of hue at the rate that is in step
    motion: float  # log10 of how far the head's motion stands out at the rate, or at half of it
    nod: float  # amplitude of that motion, as a share of the face's size
    mismatch_bpm: float  # between spectrum and beats
    kept_share: float  # of the intervals between beats
    jitter: float  # error of the beats' times, as a share of their interval
    unevenness: float  # median change from one interval to the next, as a share of the median interval
    bits_a_pixel: float | None  # that a video's codec spent; None for frames
    picture: PictureEvidence  # what the whole picture does at the rate


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
    unison: float
    motion: float
    nod: float
    picture: float = 0.0  # log10 of how far the picture's detail stands out at the rate
