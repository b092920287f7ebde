"""A published method by itself as an extractor: no fusion, and nothing taken out of the colours beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.errors import SignalTooShort
from rppg_core.pulse.clean import CleanTrace, clean, without_drift
from rppg_core.pulse.evidence import FAR_WIDTHS, SkinAtRate, concentration, gather
from rppg_core.pulse.extract import Extractor, Pulse
from rppg_core.pulse.fusion import band_spectrum
from rppg_core.pulse.pulse_colour import pulse_colour
from rppg_core.vital.beats import find_beats
from rppg_core.vital.heart_rate import heart_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.methods import Method
    from rppg_core.trace.traces import Trace

_NEAR_HZ, _AROUND_HZ = 0.06, 0.15  # the spread that heart-rate variability gives a rate; and where halves are compared
_TONE = 2.0  # half width of a tone under Hann's window, over one over the length


def extractor_of(method: Method) -> Extractor:
    """Make an extractor of a method `method(traces, fs)`.

    The method is given the mean colour of the whole face, as papers do, and for the evidence those of two halves of
    its regions. What it makes of them is freed of drift alone; rate, beats and evidence are found as for any pulse.

    Parameters
    ----------
    method : Method
        Takes (n_frames, n_regions, 3) and the sampling rate in Hz; gives (n_frames, n_regions), which falls as blood
        volume rises.
    """

    def extract(trace: Trace) -> Pulse | None:
        skin = clean(trace)
        if skin is None:
            return None
        even = skin.even
        try:
            waves = without_drift(-method(_parts(even.colours), even.fs), even)
        except SignalTooShort:
            return None
        wave = waves[:, 0]
        if not np.all(np.isfinite(waves)) or not wave.std() > 0:
            return None
        rate = heart_rate(wave, even.fs)
        halves = waves[:, 1:] if waves.shape[1] > 1 else None
        beats = find_beats(wave, even.known, even.fs, rate.rate_bpm / 60, halves=halves)
        seen = _seen_at(skin, waves, rate.rate_bpm / 60)
        weights = np.full(skin.n_regions, 1 / skin.n_regions)
        evidence = gather(skin, seen, wave, rate, beats, trace=trace)
        return Pulse(even, wave, weights, seen.colours[0], rate, beats, evidence)

    return extract


def _parts(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean colours (n, 3, 3) of all regions (n, n_used, 3), and of every other one; or of a single region (n, 1, 3)."""
    if colours.shape[1] < 2:
        return colours
    return np.stack([colours.mean(axis=1), colours[:, ::2].mean(axis=1), colours[:, 1::2].mean(axis=1)], axis=1)


def _seen_at(skin: CleanTrace, waves: NDArray[np.float64], rate_hz: float) -> SkinAtRate:
    """What the regions do at the rate of the first wave; the others are of two halves of the regions."""
    fs, n = skin.even.fs, len(waves)
    freqs, pulses = band_spectrum(waves, fs)
    raw = band_spectrum(skin.changes.reshape(n, -1), fs)[1].reshape(len(freqs), -1, 3)
    width_hz = _TONE * fs / n
    at = np.abs(freqs - rate_hz) <= max(width_hz, _NEAR_HZ)
    off_hz = np.abs(freqs - rate_hz)
    around, far = off_hz <= max(1.5 * width_hz, _AROUND_HZ), off_hz <= FAR_WIDTHS * width_hz
    return SkinAtRate(
        colours=(pulse_colour(raw[at].mean(axis=1), pulses[at, 0]),),
        regions=raw[at],
        pulse=pulses[at, 0],
        halves=pulses[around, 1:],
        concentration=concentration(off_hz[far], pulses[far, 1:], width_hz),
    )
