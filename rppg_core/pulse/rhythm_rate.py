"""The heart rate of a rhythm: by its beats as far as they are sound, else by the spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rppg_core.vital.beats import Beats
    from rppg_core.vital.heart_rate import HeartRate

# Share of normal intervals from which beats give the rate: they are exact where a variable rhythm spreads the spectrum.
_SURE_OF_BEATS = 0.85
_ALL_KEPT = 0.97  # from which no beat was missed or doubled, in a window of 30 s
_SURE_OF_RHYTHM, _SPREADS = 0.9, 1.5  # from which beats may lie as far off as their own rates differ, this many times
_FAR_BPM, _NEAR_BPM, _ONE_BEAT = 6.0, 4.0, 300.0  # how far beats may be from the spectrum; the last over the rate


def rhythm_rate_bpm(rate: HeartRate, beats: Beats) -> float:
    """60 over the mean interval of the beats where these are sound, else the spectrum's rate, in beats a minute.

    Where a beat may have been missed or doubled, the mean of both is taken, since they err apart: of 1307 tuning
    windows that are answered, 31 instead of 37 are then off by more than 2 bpm.
    """
    by_spectrum, by_beats = rate.rate_bpm, beats.rate_bpm
    all_kept = beats.normal_share > _ALL_KEPT
    # A fast heart is a regular one: there, one beat missed or doubled explains more than the rhythm does.
    reach = _FAR_BPM if all_kept else min(_NEAR_BPM, _ONE_BEAT / by_spectrum)
    if beats.normal_share >= _SURE_OF_RHYTHM:
        reach = max(reach, _SPREADS * beats.rate_spread_bpm)
    if beats.normal_share < _SURE_OF_BEATS or abs(by_beats - by_spectrum) > reach:
        return by_spectrum
    return by_beats if all_kept else (by_beats + by_spectrum) / 2
