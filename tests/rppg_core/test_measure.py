"""From a trace to vitals: right where the signal is there, silent where it isn't."""

import numpy as np
import pytest

from rppg_core import Trace, measure
from rppg_core.face.regions import CENTRES, N_REGIONS
from rppg_core.pulse.extract import find_pulse
from rppg_core.results import VITALS
from rppg_core.simulation.physiology import simulate_person, without_rhythm
from rppg_core.simulation.traces import capture_times, simulate_trace


def person_of(rate_bpm=72.0, seconds=30.0, **kwargs):
    calm = 30 * min(1.0, (75 / rate_bpm) ** 2)
    return simulate_person(
        **{"heart_rate_bpm": rate_bpm, "duration_s": seconds, "rmssd_ms": calm, "lf_ms": calm / 2, "seed": 1} | kwargs
    )


def trace_of(person, seconds=30.0, fps=30.0, times=None, seed=1, **scene):
    return simulate_trace(person, capture_times(seconds, fps) if times is None else times, seed=seed, **scene)


def check_complete(vitals):
    """Every vital has a value or a reason, never both, and a range only with a value."""
    values = dict(
        zip(
            VITALS,
            (
                vitals.heart_rate_bpm,
                vitals.rmssd_ms,
                vitals.spo2_percent,
                vitals.stress_index,
                vitals.respiration_rate_bpm,
            ),
            strict=True,
        )
    )
    assert {vital for vital, value in values.items() if value is None} == set(vitals.withheld)
    assert (vitals.heart_rate_bpm is None) == (vitals.confidence < 0.3)
    assert (vitals.confidence >= 0.7) == (vitals.quality.heart_rate >= 0.98)
    assert set(vitals.interval) == {v for v in VITALS if v != "spo2" and values[v] is not None}
    for vital in VITALS[1:]:
        assert values[vital] is None or getattr(vitals.quality, vital) >= 0.3


@pytest.mark.parametrize("rate_bpm", [45, 58, 72, 95, 130, 175, 210])
def test_the_heart_rate_is_found_from_slow_to_fast_without_octave_errors(rate_bpm):
    person = person_of(rate_bpm)

    vitals = measure(trace_of(person))

    check_complete(vitals)
    assert vitals.heart_rate_bpm == pytest.approx(person.truth().heart_rate_bpm, abs=1.0)


@pytest.mark.parametrize("fps", [10.0, 15.0, 24.0, 59.94])
def test_the_heart_rate_does_not_depend_on_the_frame_rate(fps):
    person = person_of(81)

    assert measure(trace_of(person, fps=fps)).heart_rate_bpm == pytest.approx(person.truth().heart_rate_bpm, abs=1.0)


def test_jittered_and_dropped_frames_and_a_gap_are_taken_as_they_are():
    person = person_of(66)
    times = capture_times(30, 30, jitter_s=0.006, dropped=0.08, gap_s=1.2, seed=3)

    vitals = measure(trace_of(person, times=times))

    check_complete(vitals)
    assert vitals.heart_rate_bpm == pytest.approx(person.truth().heart_rate_bpm, abs=1.5)


def test_any_epoch_gives_the_same_vitals():
    trace = trace_of(person_of())
    later = Trace(trace.times_s + 1.7e9, trace.colours, trace.pose, trace.frame_size)

    assert measure(later).heart_rate_bpm == pytest.approx(measure(trace).heart_rate_bpm, abs=0.01)


def test_variability_is_measured_to_some_milliseconds():
    errors = []
    for seed in range(6):
        person = person_of(68, rmssd_ms=20 + 8 * seed, seed=seed)
        vitals = measure(trace_of(person, amplitude=0.01, seed=seed))
        check_complete(vitals)
        errors.append(abs(vitals.rmssd_ms - person.truth().rmssd_ms))

    assert np.median(errors) < 4


def test_variability_smaller_than_the_jitter_of_the_beats_is_withheld():
    vitals = measure(trace_of(person_of(60, rmssd_ms=4, lf_ms=1), amplitude=0.0006, jitter_px=0.4))

    assert vitals.rmssd_ms is None
    assert vitals.withheld["hrv"] == "LOW_SIGNAL"


def test_variability_is_known_to_be_small_where_beats_are_timed_more_exactly_than_its_tolerance():
    person = person_of(60, rmssd_ms=4, lf_ms=1)

    assert measure(trace_of(person, amplitude=0.0015, jitter_px=0.4)).rmssd_ms < 10


def test_a_heart_without_rhythm_has_the_mean_rate_of_its_beats_and_no_variability():
    answered = 0
    for seed in range(6):
        person = without_rhythm(person_of(68.0 + 4 * seed, seed=seed), 0.2, seed)
        vitals = measure(trace_of(person, seed=seed, light_drift=0.0))
        check_complete(vitals)
        if vitals.heart_rate_bpm is None:
            continue
        answered += 1
        true_bpm = person.truth(0, 30).heart_rate_bpm
        low, high = vitals.interval["heart_rate"]
        assert abs(vitals.heart_rate_bpm - true_bpm) <= 2.0
        assert low <= true_bpm <= high
        assert vitals.confidence < 0.7  # a beat may be missed
        assert vitals.withheld["hrv"] == vitals.withheld["respiration_rate"] == "IRREGULAR_BEATS"
        beats_s = vitals.waveform.beats_s
        assert 60 / np.mean(np.diff(beats_s)) == pytest.approx(vitals.heart_rate_bpm, abs=1.5)

    assert answered >= 4


@pytest.mark.parametrize("breaths_per_minute", [9, 15, 22])
def test_breathing_is_found_in_the_pulse(breaths_per_minute):
    person = person_of(75, respiration_rate_bpm=breaths_per_minute)

    vitals = measure(trace_of(person, amplitude=0.012))

    assert vitals.respiration_rate_bpm == pytest.approx(person.truth().respiration_rate_bpm, abs=1.0)


@pytest.mark.parametrize(
    "scene",
    [
        {},
        {"noise": 0.004},
        {"talking": 0.01},
        {"jitter_px": 0.6},
        {"nod_px": 8.0},
        {"nod_px": 3.0, "shading": 0.006},
        {"flicker": 0.01, "flicker_hz": 1.3},
        {"flicker": 0.004, "flicker_hz": 1.1, "flicker_rgb": (1.0, 0.93, 0.9)},
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_photograph_has_no_pulse_whatever_light_and_motion_do(scene, seed):
    vitals = measure(trace_of(None, seconds=15, seed=seed, **scene))

    check_complete(vitals)
    assert vitals.heart_rate_bpm is None
    assert "NO_PULSE" in vitals.guidance


def test_a_nodding_person_is_not_given_the_rate_of_the_nods():
    person = person_of(95, seconds=20)

    vitals = measure(trace_of(person, seconds=20, nod_px=6, nod_hz=1.2, shading=0.004))

    assert vitals.heart_rate_bpm is None or vitals.heart_rate_bpm == pytest.approx(95, abs=3)


def test_a_short_window_withholds_what_needs_longer():
    vitals = measure(trace_of(person_of(seconds=10), seconds=10))

    check_complete(vitals)
    assert vitals.heart_rate_bpm is not None
    assert {vitals.withheld[v] for v in ("hrv", "stress_index", "respiration_rate")} == {"WINDOW_TOO_SHORT"}
    assert "SHORT_FOR_HRV" in vitals.guidance


@pytest.mark.parametrize("frames", [0, 1, 2, 30])
def test_a_window_too_short_for_anything_says_so(frames):
    trace = trace_of(person_of(), times=np.arange(frames) / 30)

    vitals = measure(trace)

    check_complete(vitals)
    assert set(vitals.withheld.values()) == {"WINDOW_TOO_SHORT"}


def test_evenly_slow_frames_are_withheld_for_their_pace():
    vitals = measure(trace_of(person_of(), times=np.arange(90) / 3))

    check_complete(vitals)
    assert vitals.withheld["heart_rate"] == "LOW_FRAME_RATE"
    assert "EVENLY_SLOW_FRAMES" in vitals.guidance


def test_regions_that_are_hidden_or_show_no_skin_do_not_win():
    person = person_of(77)
    trace = trace_of(person)
    colours = trace.colours.copy()
    colours[:, :6] = np.nan
    colours[200:260, 7] = np.nan
    wild = np.random.default_rng(0).normal(1, 0.1, (len(colours), 4, 3))
    colours[:, 10:14] *= wild

    vitals = measure(Trace(trace.times_s, colours, trace.pose, trace.frame_size))

    assert vitals.heart_rate_bpm == pytest.approx(person.truth().heart_rate_bpm, abs=1.0)


def test_a_trace_in_which_no_region_is_seen_has_no_pulse():
    trace = trace_of(None)

    vitals = measure(Trace(trace.times_s, np.full_like(trace.colours, np.nan), trace.pose, trace.frame_size))

    check_complete(vitals)
    assert vitals.withheld["heart_rate"] == "LOW_SIGNAL"


def test_a_perfectly_still_picture_has_no_pulse():
    times = np.arange(450) / 30
    trace = Trace(times, np.full((450, 24, 3), 120.0), np.tile([320.0, 240, 80, 0, 0], (450, 1)), (640, 480))

    vitals = measure(trace)

    check_complete(vitals)
    assert vitals.heart_rate_bpm is None


def test_one_region_is_enough_for_a_strong_pulse():
    person = person_of(84, 60.0)  # in half of that the range of a single region is too wide
    trace = trace_of(person, 60.0, n_regions=1, amplitude=0.03, jitter_px=0.0, shading=0.0)

    assert measure(trace).heart_rate_bpm == pytest.approx(person.truth().heart_rate_bpm, abs=1.0)


def test_beats_are_timed_to_a_fraction_of_a_frame():
    person = person_of(70)
    beats = measure(trace_of(person, amplitude=0.015)).waveform.beats_s
    truth = person.beats_s[(person.beats_s > -1) & (person.beats_s < 31)]
    crests = truth + 0.2  # about when the systolic crest follows
    delays = np.array([beat - truth[np.argmin(np.abs(crests - beat))] for beat in beats])

    assert len(beats) >= len(truth) - 3
    assert np.std(delays) < 0.008
    assert np.ptp(delays) < 0.05


def test_the_picture_of_the_pulse_rises_with_blood_volume():
    person = person_of(70)
    trace = trace_of(person, amplitude=0.012)
    wave = measure(trace).waveform

    assert np.corrcoef(wave.ppg, person.blood_volume(np.arange(len(wave.ppg)) / wave.fs))[0, 1] > 0.8
    assert len(wave.respiration) == len(wave.ppg)


@pytest.mark.parametrize("side", [-1, 1])
def test_the_far_cheek_of_a_turned_head_is_left_out(side):
    trace = trace_of(person_of(), n_regions=N_REGIONS)
    turned = trace.pose.copy()
    turned[:, 4] += 0.25 * side

    used = find_pulse(Trace(trace.times_s, trace.colours, turned, trace.frame_size)).even.regions

    assert np.max(side * CENTRES[used, 0]) < 0.5
    assert np.min(side * CENTRES[used, 0]) < -0.5
    assert len(find_pulse(trace).even.regions) == N_REGIONS


@pytest.mark.parametrize(("fps", "reason"), [(8.5, "LOW_FRAME_RATE"), (12.0, None)])
def test_frames_too_slow_to_time_beats_give_no_variability(fps, reason):
    vitals = measure(trace_of(person_of(70.0), fps=fps))

    assert vitals.heart_rate_bpm == pytest.approx(70, abs=2)
    assert vitals.withheld.get("hrv") == vitals.withheld.get("stress_index") == reason
