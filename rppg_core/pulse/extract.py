"""A trace to its pulse, the library's own way: published methods fused for the likeliest rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.face.skin import MIN_REGIONS
from rppg_core.methods import METHODS
from rppg_core.numerics import over_channels
from rppg_core.pulse.clean import CleanTrace, clean
from rppg_core.pulse.evidence import FAR_WIDTHS, Evidence, SkinAtRate, concentration, gather
from rppg_core.pulse.fusion import (
    Candidate,
    Spectra,
    band_spectrum,
    candidates,
    common_weights,
    mix_for_wave,
    near,
    spectra_of,
)
from rppg_core.pulse.pulse_colour import BLOOD_HUE, PulseColour, pulse_colour
from rppg_core.pulse.timed_wave import timed_waves
from rppg_core.trace.traces import Trace
from rppg_core.vital.beats import FINE_HZ, Beats, find_beats
from rppg_core.vital.heart_rate import HeartRate, heart_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.pulse.whole_picture import PictureEvidence, WholePicture
    from rppg_core.trace.sampling import EvenTrace

FUSED_METHODS = ("pos", "chrom", "pbv")
"""The methods whose pulses are fused; the others of the registry add no more than time to these."""

_WHITE = np.ones(3)
# What a candidate loses for not having blood's colour. Set by hand, not fitted; cameras differ in white balance, so
# pallor counts only from half above blood's.
_WRONG_HUE_DB, _PALLOR_DB, _USUAL_PALLOR = 3.0, 1.0, 1.5
_COMB_SHARE, _CHANCE_COMB_DB = 0.5, 6.0  # and for each dB by which the whole picture jumps at its rate
_BLACK = 4.0  # level (of 255) below which a channel holds noise alone
_AROUND_HZ, _AROUND_WIDTHS = 0.15, 1.5  # two halves are compared over the spread of a variable rhythm, or of a tone
# Share of normal intervals from which beats give the rate: they are exact where a variable rhythm spreads the spectrum.
_SURE_OF_BEATS = 0.85
_ALL_KEPT = 0.97  # from which no beat was missed or doubled, in a window of 30 s
_SURE_OF_RHYTHM, _SPREADS = 0.9, 1.5  # from which beats may lie as far off as their own rates differ, this many times
_FAR_BPM, _NEAR_BPM, _ONE_BEAT = 6.0, 4.0, 300.0  # how far beats may be from the spectrum; the last over the rate


@dataclass(frozen=True, slots=True, eq=False)
class Pulse:
    """The pulse of a trace and all that is known of it."""

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
        reach = _FAR_BPM if self.beats.normal_share > _ALL_KEPT else min(_NEAR_BPM, _ONE_BEAT / by_spectrum)
        if self.beats.normal_share >= _SURE_OF_RHYTHM:
            reach = max(reach, _SPREADS * self.beats.rate_spread_bpm)
        sound = self.beats.normal_share >= _SURE_OF_BEATS and abs(by_beats - by_spectrum) <= reach
        return by_beats if sound else by_spectrum


Extractor = Callable[[Trace], Pulse | None]
"""Finds the pulse in a trace of at least 8 frames a second and 5 s; None where there is none to be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """The candidate that was chosen, its colour, and the share of each region in it."""

    best: Candidate
    colour: PulseColour
    region_weights: NDArray[np.float64]  # (n_used,), their sum is 1


def find_pulse(trace: Trace, *, fine_hz: float = FINE_HZ, rhythm: bool = True) -> Pulse | None:
    """Clean the colours, run the methods, fuse them for the likeliest rate, and time the beats to `fine_hz`.

    Without `rhythm` the beats serve the rate alone: nothing is learnt of how exact their times are.
    """
    skin = clean(trace)
    if skin is None:
        return None
    even = skin.even
    pulses = _pulses(even.colours.mean(axis=0), skin.changes, even.fs)
    freqs, values = band_spectrum(pulses, even.fs)
    raw = _colour_spectra(skin, values)
    spectra = spectra_of(freqs, values, 2 * even.fs / len(pulses))
    chosen = _choose(spectra, raw, skin.picture)
    if chosen is None:
        return None
    wave = pulses @ mix_for_wave(spectra, chosen.best.rate_hz).weights
    rate = heart_rate(wave, even.fs, near_hz=chosen.best.rate_hz)
    halves = None
    if skin.is_face:
        waves = timed_waves(wave, _components(skin, wave), even.fs, rate.rate_bpm / 60, halves=rhythm)
        wave, halves = waves[:, 0], waves[:, 1:] if rhythm else None
    beats = find_beats(wave, even.known, even.fs, rate.rate_bpm / 60, halves=halves, fine_hz=fine_hz)
    evidence = gather(skin, _seen_at(spectra, raw, chosen, rate.rate_bpm / 60), wave, rate, beats)
    return Pulse(even, wave, chosen.region_weights, chosen.colour, rate, beats, evidence)


def _colour_spectra(skin: CleanTrace, values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Spectra (n_freqs, n_used, 3) of the regions' colours. Of a face they are in those of the pulses."""
    if skin.is_face:
        bare = -values[:, -3 * skin.n_regions :].reshape(len(values), 3, -1)
        return np.ascontiguousarray(np.moveaxis(bare, 1, 2))
    _, raw = band_spectrum(skin.changes.reshape(len(skin.changes), -1), skin.even.fs)
    return raw.reshape(len(raw), -1, 3)


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
        colours = level * (1 + changes - over_channels(changes)[:, :, None])
        return np.concatenate(
            [*(-METHODS[name](colours, fs) for name in FUSED_METHODS), *np.moveaxis(bare, 2, 0)], axis=1
        )
    shown = np.where(level > _BLACK, 1.0, 0.0)
    return np.concatenate(list(np.moveaxis(bare * shown, 2, 0)), axis=1)


def _choose(spectra: Spectra, raw: NDArray[np.complex128], picture: WholePicture) -> _Choice | None:
    """The clearest candidate whose colour is a pulse's. `raw` (n_freqs, n_used, 3): spectra of the regions' colours."""
    choice, best_score = None, -np.inf
    for candidate in candidates(spectra):
        share = np.maximum(candidate.weights, 0).reshape(-1, raw.shape[1]).sum(axis=0)
        if not share.any():
            continue
        share = share / share.sum()
        at = near(spectra, candidate.rate_hz) | near(spectra, 2 * candidate.rate_hz)
        colour = pulse_colour(np.einsum("frc,r->fc", raw[at], share), candidate.fused[at])
        score = candidate.snr_db
        if raw.shape[1] >= MIN_REGIONS:  # a fingertip on a lit lens has colours of its own
            score -= _colour_penalty_db(colour) + _comb_penalty_db(picture.against(candidate.rate_hz))
        if score > best_score:
            choice, best_score = _Choice(candidate, colour, share), score
    return choice


def _comb_penalty_db(against: PictureEvidence) -> float:
    """What a candidate loses for a whole picture that jumps at its rate."""
    return _COMB_SHARE * max(max(against.comb_db, against.sharp_comb_db) - _CHANCE_COMB_DB, 0.0)


def _colour_penalty_db(colour: PulseColour) -> float:
    """What a candidate loses for its colour."""
    return _WRONG_HUE_DB * (1 - colour.hue) + _PALLOR_DB * max(colour.pallor - _USUAL_PALLOR, 0.0)


def _components(skin: CleanTrace, wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness, blood's hue and the hue across it, of every region, twice: with the head's motion and freed of it.

    Cameras mix colours in ways of their own, so all three are kept; light and shade lie in the first alone. What frees
    a region of motion brings in the error of the landmarks, the same one everywhere: which is the lesser evil depends
    on the face. Shape (6, n, n_used), rising with blood volume.
    """
    across = np.cross(_WHITE, BLOOD_HUE)
    across *= np.sign((skin.changes @ across).mean(axis=1) @ -wave) or 1.0
    axes = [axis / np.linalg.norm(axis) for axis in (_WHITE, BLOOD_HUE, across)]
    return np.stack([rises @ axis for rises in (-skin.changes, -skin.moving) for axis in axes])


def _seen_at(spectra: Spectra, raw: NDArray[np.complex128], chosen: _Choice, rate_hz: float) -> SkinAtRate:
    """What the regions do at the rate that was found for the candidate."""
    best, at = chosen.best, near(spectra, rate_hz)
    # The regions that were chosen may have been chosen for their noise; the whole face must have blood's colour too.
    whole_at = near(spectra, best.rate_hz)
    whole = pulse_colour(raw[whole_at].mean(axis=1), best.fused[whole_at])
    return SkinAtRate(
        colours=(chosen.colour, whole),
        regions=raw[at],
        pulse=best.fused[at],
        halves=_halves(spectra, best.rate_hz, raw.shape[1], max(_AROUND_WIDTHS * spectra.width_hz, _AROUND_HZ)),
        concentration=_concentration(spectra, best.rate_hz, raw.shape[1]),
    )


def _concentration(spectra: Spectra, rate_hz: float, n_used: int) -> float:
    halves = _halves(spectra, rate_hz, n_used, FAR_WIDTHS * spectra.width_hz)
    off_hz = np.abs(spectra.freqs - rate_hz)
    return concentration(off_hz[off_hz <= FAR_WIDTHS * spectra.width_hz], halves, spectra.width_hz)


def _halves(spectra: Spectra, rate_hz: float, n_used: int, reach_hz: float) -> NDArray[np.complex128]:
    """Around the rate, two pulses, each from every other region; weighed by noise only, not by fit."""
    at = np.abs(spectra.freqs - rate_hz) <= reach_hz
    if n_used < 2:
        return np.zeros((np.count_nonzero(at), 0), dtype=complex)
    weights = common_weights(spectra)
    odd = (np.arange(len(weights)) % n_used) % 2 == 1
    return np.stack([spectra.values[at][:, half] @ weights[half] for half in (odd, ~odd)], axis=1)
