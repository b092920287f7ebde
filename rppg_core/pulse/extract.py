"""A trace to its pulse, the library's own way: published methods fused for the likeliest rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.face.skin import MIN_REGIONS
from rppg_core.methods import METHODS
from rppg_core.methods._pbv import SIGNATURE
from rppg_core.numerics import over_channels, over_regions
from rppg_core.pulse.clean import CleanTrace, clean
from rppg_core.pulse.evidence import FAR_WIDTHS, Evidence, SkinAtRate, concentration, gather
from rppg_core.pulse.fusion import (
    Candidate,
    MatchedFilter,
    Spectra,
    band_spectrum,
    candidates,
    common_weights,
    near,
    odd_and_even,
    spectra_of,
    weighed,
    weights_for_wave,
)
from rppg_core.pulse.pulse_colour import BLOOD_HUE, PulseColour, pulse_colour
from rppg_core.pulse.rhythm_rate import rhythm_rate_bpm
from rppg_core.pulse.timed_wave import timed_waves
from rppg_core.trace.traces import Trace
from rppg_core.vital.beats import FINE_HZ, Beats, find_beats
from rppg_core.vital.heart_rate import HeartRate, heart_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.pulse.whole_picture import PictureEvidence, WholePicture
    from rppg_core.trace.sampling import EvenTrace
    from rppg_core.vital.upstrokes import CountedBeats

FUSED_METHODS = ("pos", "chrom", "pbv")
"""The methods whose pulses are fused; the others of the registry add no more than time to these."""

_WHITE = np.ones(3)
# What a candidate loses for not having blood's colour. Set by hand, not fitted; cameras differ in white balance, so
# pallor counts only from half above blood's.
_WRONG_HUE_DB, _PALLOR_DB, _USUAL_PALLOR = 3.0, 1.0, 1.5
_COMB_SHARE, _CHANCE_COMB_DB = 0.5, 6.0  # and for each dB by which the whole picture jumps at its rate
_MATCHED_SHARE = 0.7  # of the matched filter in the choice of a candidate (`benchmarks.calibrate` recordings)
_CLOSELY = 6  # candidates whose regions are weighed by how they follow each
_MOST_LEAD_DB = 10.0  # of a candidate that has no other beside it
_LEAST_COLOUR = (
    0.1  # of a region's level: methods take no colour that isn't positive, as one is that turns dark at once
)
_BLACK = 4.0  # level (of 255) below which a channel holds noise alone
_AROUND_HZ, _AROUND_WIDTHS = 0.15, 1.5  # two halves are compared over the spread of a variable rhythm, or of a tone


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
    def counted(self) -> CountedBeats | None:
        """The beats of a heart without rhythm, which have its rate; None for any other."""
        return None if self.evidence.counted_sigma_bpm is None else self.beats.counted

    @property
    def rate_bpm(self) -> float:
        """By the beats where they are sound; else by the spectrum, whose peak a variable rhythm spreads.

        A heart without rhythm has the rate of its counted beats.
        """
        return self.counted.rate_bpm if self.counted else rhythm_rate_bpm(self.rate, self.beats)


Extractor = Callable[[Trace], Pulse | None]
"""Finds the pulse in a trace of at least 8 frames a second and 5 s; None where there is none to be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """The candidate that was chosen, its colour, and the share of each region in it."""

    best: Candidate
    colour: PulseColour
    region_weights: NDArray[np.float64]  # (n_used,), their sum is 1
    lead_db: float = 0.0  # of its score over that of the next rate


def find_pulse(trace: Trace, *, fine_hz: float = FINE_HZ, rhythm: bool = True) -> Pulse | None:
    """Clean the colours, run the methods, fuse them for the likeliest rate, and time the beats to `fine_hz`.

    Without `rhythm` the beats serve the rate alone: nothing is learnt of how exact their times are.
    """
    skin = clean(trace)
    if skin is None:
        return None
    even = skin.even
    pulses = _pulses(even.colours.mean(axis=0), skin.changes, even.fs)
    seen = band_spectrum(pulses, even.fs)
    raw = _colour_spectra(skin, seen[1])
    spectra = spectra_of(*seen, 2 * even.fs / len(pulses))
    blood = MatchedFilter.of(spectra, np.repeat(SIGNATURE, skin.n_regions)) if skin.is_face else None
    chosen = _choose(spectra, blood, raw, skin.picture)
    if chosen is None:
        return None
    wave = _wave(pulses, spectra, blood, chosen.best.rate_hz)
    rate = heart_rate(wave, even.fs, near_hz=chosen.best.rate_hz)
    halves = None
    if skin.is_face:
        waves = timed_waves(wave, _components(skin, wave), even.fs, rate.rate_bpm / 60, halves=rhythm)
        wave, halves = waves[:, 0], waves[:, 1:] if rhythm else None
    beats = find_beats(wave, even.known, even.fs, rate.rate_bpm / 60, halves=halves, fine_hz=fine_hz)
    evidence = gather(skin, _seen_at(spectra, blood, raw, chosen, rate.rate_bpm / 60), wave, rate, beats, trace=trace)
    return Pulse(even, wave, chosen.region_weights, chosen.colour, rate, beats, evidence)


def _wave(
    pulses: NDArray[np.float64], spectra: Spectra, blood: MatchedFilter | None, rate_hz: float
) -> NDArray[np.float64]:
    """The mix of the pulses (n, k) whose beats are timed."""
    weights = blood.for_wave(rate_hz) if blood else weights_for_wave(spectra, rate_hz)
    return np.asarray(pulses[:, -len(weights) :] @ weights)


def _colour_spectra(skin: CleanTrace, values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Spectra (n_freqs, 3, n_used) of the regions' colours. Of a face they are in those of the pulses."""
    if skin.is_face:
        return np.asarray(-values[:, -3 * skin.n_regions :]).reshape(len(values), 3, -1)
    _, raw = band_spectrum(skin.changes.reshape(len(skin.changes), -1), skin.even.fs)
    return np.moveaxis(raw.reshape(len(raw), -1, 3), 1, 2)


def _pulses(level: NDArray[np.float64], changes: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Candidate pulses, rising with blood volume, shape (n, k * n_used), in blocks of the regions.

    A face is lit from outside, and methods that set its chrominance against its brightness hold off motion and lamps,
    at the price of the camera's noise, which they amplify. The bare channels are there for where that noise is the
    greater evil: skin that is dark or dimly lit. One or a few spots (a fingertip on a lit lens) have channels that are
    black or saturated, which methods would divide by; there each channel that isn't black counts for itself.
    """
    n, n_used = changes.shape[:2]
    bare = np.moveaxis(changes, 2, 1)
    if level.shape[0] >= MIN_REGIONS:
        # What all channels share is light and shade; taken out first, a method can't take a flicker for a pulse.
        colours = level * np.maximum(1 + changes - over_channels(changes)[:, :, None], _LEAST_COLOUR)
        pulses = np.empty((n, len(FUSED_METHODS) + 3, n_used))
        for block, name in enumerate(FUSED_METHODS):
            np.negative(METHODS[name](colours, fs), out=pulses[:, block])
        np.negative(bare, out=pulses[:, -3:])
        return pulses.reshape(n, -1)
    return np.asarray(-bare * np.where(level > _BLACK, 1.0, 0.0).T).reshape(n, -1)


def _choose(
    spectra: Spectra, blood: MatchedFilter | None, raw: NDArray[np.complex128], picture: WholePicture
) -> _Choice | None:
    """The clearest candidate whose colour is a pulse's. `raw` (n_freqs, 3, n_used): spectra of the regions' colours."""
    rates_hz, filtered = _promising(spectra, blood)
    if not rates_hz:  # nothing changes, as in a picture that stands still
        return None
    scored, jumps = [], picture.against_each(rates_hz)
    for candidate, matched, against in zip(weighed(spectra, rates_hz), filtered, jumps, strict=True):
        seen = _with_colour(candidate, spectra, raw)
        if seen is None:
            continue
        score = seen.best.snr_db
        if matched is not None:  # a fingertip on a lit lens has colours of its own
            again = _with_colour(matched, spectra, raw) or seen
            score -= _colour_penalty_db(seen.colour)
            score += _MATCHED_SHARE * (matched.snr_db - _colour_penalty_db(again.colour) - score)
            score -= _comb_penalty_db(against)
        scored.append((score, seen))
    if not scored:
        return None
    best_score, best = max(scored, key=lambda pair: pair[0])
    others = [score for score, seen in scored if abs(seen.best.rate_hz - best.best.rate_hz) > 2 * spectra.width_hz]
    return replace(best, lead_db=best_score - max(others, default=best_score - _MOST_LEAD_DB))


def _promising(spectra: Spectra, blood: MatchedFilter | None) -> tuple[list[float], list[Candidate | None]]:
    """Rates to look at closely, with what the matched filter shows of each: of a face those that it shows best."""
    rates_hz = candidates(spectra, blood)
    if blood is None or not rates_hz:
        return rates_hz, [None] * len(rates_hz)
    best = sorted(blood.at(rates_hz), key=lambda candidate: -candidate.snr_db)[:_CLOSELY]
    return [candidate.rate_hz for candidate in best], [*best]


def _with_colour(candidate: Candidate, spectra: Spectra, raw: NDArray[np.complex128]) -> _Choice | None:
    """A candidate, its colour and its regions; None if no region is in it."""
    share = np.maximum(candidate.weights, 0).reshape(-1, raw.shape[2]).sum(axis=0)
    if not share.any():
        return None
    share = share / share.sum()
    at = near(spectra, candidate.rate_hz) | near(spectra, 2 * candidate.rate_hz)
    return _Choice(candidate, pulse_colour(raw[at] @ share, candidate.fused[at]), share)


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
    on the face. Shape (n, 6, n_used), rising with blood volume.
    """
    across = np.cross(_WHITE, BLOOD_HUE)
    across *= np.sign(-wave @ over_regions(skin.changes) @ across) or 1.0
    axes = -np.stack([axis / np.linalg.norm(axis) for axis in (_WHITE, BLOOD_HUE, across)])
    return np.concatenate([axes @ np.moveaxis(changes, 2, 1) for changes in (skin.changes, skin.moving)], axis=1)


def _seen_at(
    spectra: Spectra, blood: MatchedFilter | None, raw: NDArray[np.complex128], chosen: _Choice, rate_hz: float
) -> SkinAtRate:
    """What the regions do at the rate that was found for the candidate."""
    best, at = chosen.best, near(spectra, rate_hz)
    whole_at = near(spectra, best.rate_hz)
    if blood:
        halves = blood.halves(best.rate_hz, raw.shape[2])
        colours: tuple[PulseColour, ...] = (_colour_across(raw[whole_at], halves[whole_at]),)
    else:
        halves = _halves(spectra, raw.shape[2])
        # The regions that were chosen may have been chosen for their noise; all of them must have blood's colour too.
        colours = (chosen.colour, pulse_colour(raw[whole_at].mean(axis=2), best.fused[whole_at]))
    off_hz = np.abs(spectra.freqs - best.rate_hz)
    around = off_hz <= max(_AROUND_WIDTHS * spectra.width_hz, _AROUND_HZ)
    far = off_hz <= FAR_WIDTHS * spectra.width_hz
    return SkinAtRate(
        colours=colours,
        regions=np.moveaxis(raw[at], 1, 2),
        pulse=best.fused[at],
        halves=halves[around],
        concentration=concentration(off_hz[far], halves[far], spectra.width_hz),
        lead_db=chosen.lead_db,
    )


def _colour_across(regions: NDArray[np.complex128], halves: NDArray[np.complex128]) -> PulseColour:
    """The colour of each half of the regions (n_freqs, 3, n_used) by the pulse of the other: they share no noise."""
    n_regions = regions.shape[2]
    colours = np.concatenate([regions[..., half].mean(axis=2) for half in odd_and_even(n_regions, n_regions)])
    return pulse_colour(colours, np.concatenate([halves[:, 1], halves[:, 0]]))


def _halves(spectra: Spectra, n_used: int) -> NDArray[np.complex128]:
    """Two pulses, each from every other of a few spots; weighed by noise only, not by fit. Shape (n_freqs, 2 or 0)."""
    if n_used < 2:
        return np.zeros((len(spectra.freqs), 0), dtype=complex)
    weights = common_weights(spectra)
    halves = odd_and_even(len(weights), n_used)
    return spectra.mixed(np.stack([np.where(half, weights, 0.0) for half in halves], axis=1))
