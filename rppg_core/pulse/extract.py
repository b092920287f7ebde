"""A trace to its pulse: cleaned, fused for the likeliest rate, timed beat by beat, and what speaks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rppg_core.bands import RATE_HZ
from rppg_core.face.skin import MIN_REGIONS, skin_regions
from rppg_core.methods import METHODS
from rppg_core.pulse.evidence import Evidence
from rppg_core.pulse.fusion import (
    Candidate,
    Spectra,
    band_spectrum,
    candidates,
    common_weights,
    mix_for_wave,
    near,
    refined_wave,
    spectra_of,
)
from rppg_core.pulse.pulse_colour import BLOOD_HUE, PulseColour, pulse_colour, unison
from rppg_core.pulse.whole_picture import WholePicture, whole_picture
from rppg_core.trace.flicker import remove_flicker
from rppg_core.trace.motion import motion_at, nod_at, remove_motion
from rppg_core.trace.sampling import EvenTrace, resample, slow_part
from rppg_core.trace.traces import Trace
from rppg_core.vital.beats import FINE_HZ, Beats, find_beats
from rppg_core.vital.heart_rate import HeartRate, heart_rate

FUSED_METHODS = ("pos", "chrom", "pbv")
"""The methods whose pulses are fused; the others of the registry add no more than time to these."""

_WHITE = np.ones(3)
_WRONG_HUE_DB, _PALLOR_DB = 3.0, 1.0  # what a candidate loses for not having blood's colour
_COMB_SHARE, _CHANCE_COMB_DB = 0.5, 6.0  # and for each dB by which the whole picture jumps at its rate
_EDGE_HZ = 0.01
_BLACK = 4.0  # level below which a channel holds noise alone
_PULSE_CUTOFF_HZ = 0.45
_SWAY_HZ = 0.6  # heads wander more slowly than this without nodding
_SURE_OF_BEATS = 0.85  # share of intervals kept from which beats give the rate, being exact where a spectrum is spread
_ALL_KEPT = 0.97


@dataclass(frozen=True, slots=True, eq=False)
class Pulse:
    """The fused pulse of a trace and all that is known of it."""

    even: EvenTrace
    wave: NDArray[np.float64]  # (n,) rising with blood volume
    region_weights: NDArray[np.float64]  # (n_used,)
    colour: PulseColour
    rate: HeartRate
    beats: Beats
    evidence: Evidence

    @property
    def rate_bpm(self) -> float:
        """By the beats where they are sound; else by the spectrum, whose peak a variable rhythm spreads."""
        by_spectrum, by_beats = self.rate.rate_bpm, self.beats.rate_bpm
        # A fast heart is a regular one: there, one beat missed or doubled explains more than the rhythm does.
        reach = 6.0 if self.beats.kept_share > _ALL_KEPT else min(4.0, 300 / by_spectrum)
        sound = self.beats.kept_share >= _SURE_OF_BEATS and abs(by_beats - by_spectrum) <= reach
        return by_beats if sound else by_spectrum


def find_pulse(trace: Trace, *, fine_hz: float = FINE_HZ) -> Pulse | None:
    """Clean the colours, run the methods, fuse them for the likeliest rate, and time the beats to `fine_hz`."""
    even = _skin_alone(resample(trace), trace.colours.shape[1])
    n, n_used = len(even.times_s), len(even.regions)
    if not n_used:
        return None
    series = np.concatenate([np.log(even.colours).reshape(n, -1), even.pose], axis=1)
    fast = series - slow_part(series, even.known, even.fs, _PULSE_CUTOFF_HZ)
    fast[~even.known] = 0.0
    pose = fast[:, -even.pose.shape[1] :]
    changes = remove_motion(fast[:, : 3 * n_used], pose, even.fs).reshape(n, n_used, 3)
    if n_used >= MIN_REGIONS:
        changes = remove_flicker(changes, even.fs)
    changes = np.maximum(changes, -0.9)  # a colour stays positive
    pulses = _pulses(even.colours.mean(axis=0), changes, even.fs)
    spectra = spectra_of(pulses, even.fs)
    _, raw = band_spectrum(changes.reshape(n, -1), even.fs)
    raw = raw.reshape(len(raw), n_used, 3)
    picture = whole_picture(trace, even)
    best, colour, by_region = _choose(spectra, raw, picture)
    if best is None or colour is None:
        return None
    # The regions that were chosen may have been chosen for their noise; the whole face must have blood's colour too.
    whole = pulse_colour(raw[near(spectra, best.rate_hz)].mean(axis=1), best.fused[near(spectra, best.rate_hz)])
    wave = pulses @ mix_for_wave(spectra, best.rate_hz).weights
    rate = heart_rate(wave, even.fs, near_hz=best.rate_hz)
    rate_hz = rate.rate_bpm / 60
    if n_used >= MIN_REGIONS:
        wave = refined_wave(wave, _components(changes, wave), even.fs, rate_hz)
    beats = find_beats(wave, even.known, even.fs, rate_hz, fine_hz=fine_hz)
    moves = [hz for hz in (rate_hz, rate_hz / 2) if hz >= _SWAY_HZ]
    evidence = Evidence(
        n_regions=n_used,
        span_s=float(even.times_s[-1] - even.times_s[0]),
        at_edge=not RATE_HZ[0] + _EDGE_HZ <= rate_hz <= RATE_HZ[1] - _EDGE_HZ,
        snr_db=rate.snr_db,
        prominence_db=rate.prominence_db,
        agreement=_agreement(spectra, best, n_used),
        stability=_stability(wave, even.fs, rate_hz),
        hue=min(colour.hue, whole.hue),
        pallor=max(colour.pallor, whole.pallor),
        unison=unison(raw[near(spectra, rate_hz)], best.fused[near(spectra, rate_hz)]),
        motion=float(np.log10(max(1.0, *(motion_at(pose, even.fs, hz) for hz in moves)))),
        nod=max(nod_at(pose, float(np.median(even.pose[:, 2])), even.fs, hz) for hz in moves),
        mismatch_bpm=abs(beats.rate_bpm - rate.rate_bpm),
        kept_share=beats.kept_share,
        jitter=beats.timing_sigma_s * rate_hz,
        bits_a_pixel=trace.bits_a_pixel,
        unevenness=beats.unevenness,
        picture=picture.against(rate_hz),
    )
    return Pulse(even, wave, by_region, colour, rate, beats, evidence)


def _components(changes: NDArray[np.float64], wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness, blood's hue and the hue across it, of every region, shape (n, 3 * n_used), rising with blood volume.

    Cameras mix colours in ways of their own, so all three are kept; light and shade lie in the first alone.
    """
    across = np.cross(_WHITE, BLOOD_HUE)
    across *= np.sign((changes @ across).mean(axis=1) @ -wave) or 1.0
    axes = [axis / np.linalg.norm(axis) for axis in (_WHITE, BLOOD_HUE, across)]
    return np.concatenate([-changes @ axis for axis in axes], axis=1)


def _skin_alone(even: EvenTrace, trace_regions: int) -> EvenTrace:
    skin = skin_regions(trace_regions, even.colours.mean(axis=0), even.regions, float(np.median(even.pose[:, -1])))
    return replace(even, colours=even.colours[:, skin], regions=even.regions[skin])


def _choose(
    spectra: Spectra, raw: NDArray[np.complex128], picture: WholePicture
) -> tuple[Candidate | None, PulseColour | None, NDArray[np.float64]]:
    """The clearest candidate whose colour is a pulse's, its colour, and the share of each region in it.

    `raw` (n_freqs, n_used, 3) are the spectra of the regions' colours.
    """
    n_used = raw.shape[1]
    best, best_colour, best_score, best_share = None, None, -np.inf, np.zeros(n_used)
    for candidate in candidates(spectra):
        share = np.maximum(candidate.weights, 0).reshape(-1, n_used).sum(axis=0)
        if not share.any():
            continue
        share = share / share.sum()
        at = near(spectra, candidate.rate_hz) | near(spectra, 2 * candidate.rate_hz)
        colour = pulse_colour(np.einsum("frc,r->fc", raw[at], share), candidate.fused[at])
        score = candidate.snr_db
        if n_used >= MIN_REGIONS:  # a fingertip on a lit lens has other colours
            score -= _WRONG_HUE_DB * (1 - colour.hue) + _PALLOR_DB * max(colour.pallor - 1.5, 0.0)
            against = picture.against(candidate.rate_hz)
            score -= _COMB_SHARE * max(against.comb_db - _CHANCE_COMB_DB, against.sharp_comb_db - _CHANCE_COMB_DB, 0.0)
        if score > best_score:
            best, best_colour, best_score, best_share = candidate, colour, score, share
    return best, best_colour, best_share


def _pulses(level: NDArray[np.float64], changes: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Candidate pulses, rising with blood volume, shape (n, k * n_used), in blocks of the regions.

    A face is lit from outside, and methods that set its chrominance against its brightness hold off motion and lamps,
    at the price of the camera's noise, which they amplify. The bare channels are there for where that noise is the
    greater evil: skin that is dark or dimly lit. One or a few spots (a fingertip on a lit lens) have channels that are
    black or saturated, which methods would divide by; there each channel that isn't black counts for itself.
    """
    bare = -changes

    if level.shape[0] >= MIN_REGIONS:
        # What all channels share is light and shade; taken out first, a method can't take a flicker for a pulse.
        colours = level * (1 + changes - changes.mean(axis=2, keepdims=True))
        return np.concatenate(
            [*(-METHODS[name](colours, fs) for name in FUSED_METHODS), *np.moveaxis(bare, 2, 0)], axis=1
        )
    shown = np.where(level > _BLACK, 1.0, 0.0)
    return np.concatenate(list(np.moveaxis(bare * shown, 2, 0)), axis=1)


def _agreement(spectra: Spectra, best: Candidate, n_used: int) -> float:
    """Correlation around the rate of two pulses, each from every other region; weighed by noise only, not by fit."""
    if n_used < 2:
        return 0.0
    weights = common_weights(spectra)
    odd = (np.arange(len(weights)) % n_used) % 2 == 1
    at = np.abs(spectra.freqs - best.rate_hz) <= max(1.5 * spectra.width_hz, 0.15)
    a, b = spectra.values[at][:, odd] @ weights[odd], spectra.values[at][:, ~odd] @ weights[~odd]
    power = np.sqrt(np.sum(np.abs(a) ** 2) * np.sum(np.abs(b) ** 2))
    return float(np.sum(a * b.conj()).real / (power + 1e-30))


def _stability(wave: NDArray[np.float64], fs: float, rate_hz: float) -> float:
    """Share of stretches of 6 s whose own strongest peak is within 6 bpm (or 8 %) of the rate."""
    width = min(int(6 * fs), len(wave))
    starts = np.linspace(0, len(wave) - width, max(1, round(2 * len(wave) / width) - 1)).astype(int)
    stretches = np.stack([wave[s : s + width] for s in starts], axis=1)
    n_fft = 4 * width
    freqs = np.fft.rfftfreq(n_fft, 1 / fs)
    stretches = stretches - stretches.mean(axis=0)
    power = np.abs(np.fft.rfft(stretches * np.hanning(width)[:, None], n_fft, axis=0)) ** 2
    band = (freqs >= 0.6) & (freqs <= 3.75)
    tops = freqs[band][np.argmax(power[band], axis=0)]
    return float(np.mean(np.abs(tops - rate_hz) <= max(0.1, 0.08 * rate_hz)))
