import numpy as np
import pytest

from rppg_core.errors import InvalidTraces
from rppg_core.face.regions import N_REGIONS
from rppg_core.rolling import SPAN_S, TAIL_S, partial
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace
from rppg_core.trace.traces import Sample, Trace


def person(rate_bpm=72.0):
    """A fast heart is a regular one."""
    rmssd_ms = 20.0 * min(1.0, (75 / rate_bpm) ** 2)
    return simulate_person(heart_rate_bpm=rate_bpm, duration_s=30.0, rmssd_ms=rmssd_ms, seed=4)


def trace(who, seconds, fps=30.0, **options):
    return simulate_trace(who, capture_times(seconds, fps), n_regions=N_REGIONS, **options)


SHORT_S = 6.0  # a few beats can't be as sure


@pytest.mark.parametrize("rate_bpm", [52.0, 72.0, 110.0, 165.0])
@pytest.mark.parametrize(("seconds", "fps"), [(5.0, 30.0), (8.0, 15.0), (20.0, 30.0), (12.0, 59.94)])
def test_the_running_rate_is_that_of_the_newest_seconds(rate_bpm, seconds, fps):
    who = person(rate_bpm)
    seen = partial(trace(who, seconds, fps))
    truth = who.truth(max(0.0, seconds - SPAN_S), seconds).heart_rate_bpm
    assert seen.heart_rate_bpm == pytest.approx(truth, abs=2.0)
    assert seen.confidence >= (0.7 if seconds > SHORT_S else 0.6)


def test_the_pulse_is_reported_for_the_newest_seconds_and_rises_with_blood():
    who = person()
    seen = partial(trace(who, 20.0))
    assert len(seen.ppg) == round(TAIL_S * seen.fs)
    times = 20.0 - (np.arange(len(seen.ppg), 0, -1) - 0.5) / seen.fs
    blood = np.array([float(who.blood_volume(t)) for t in times])
    assert np.corrcoef(seen.ppg, blood)[0, 1] > 0.8


def test_nothing_is_reported_for_less_than_five_seconds():
    assert partial(trace(person(), 4.5)) is None
    assert partial(trace(person(), 1 / 30)) is None


@pytest.mark.parametrize(
    "made",
    [
        lambda: trace(None, 12.0, sway_px=6.0),
        lambda: trace(person(), 30.0, fps=1.5),
        lambda: simulate_trace(person(), capture_times(12.0, 30.0, gap_s=2.5), n_regions=N_REGIONS),
    ],
    ids=["a photo", "evenly slow", "a long pause"],
)
def test_what_can_not_be_believed_has_no_rate_and_no_pulse(made):
    seen = partial(made())
    assert seen.heart_rate_bpm is None
    assert seen.confidence < 0.3
    assert len(seen.ppg) == 0


def test_frames_one_by_one_at_uneven_times_have_a_running_rate_and_no_wave():
    who = person()
    slots = np.arange(48)
    times = (slots + np.random.default_rng(2).uniform(0.05, 0.95, len(slots))) / 1.6

    seen = partial(simulate_trace(who, times, n_regions=N_REGIONS))

    assert seen.heart_rate_bpm == pytest.approx(who.truth(0.0, 30.0).heart_rate_bpm, abs=2.0)
    assert len(seen.ppg) == 0


def test_a_region_that_comes_and_goes_is_no_pulse():
    whole = trace(person(), 12.0)
    colours = whole.colours.copy()
    colours[::7, 3] = np.nan
    colours[:, 20] = np.nan
    seen = partial(Trace(whole.times_s, colours, whole.pose, whole.frame_size))
    assert seen.heart_rate_bpm == pytest.approx(person().truth(2.0, 12.0).heart_rate_bpm, abs=2.0)


def test_few_regions_are_judged_as_they_are():
    seen = partial(simulate_trace(person(), capture_times(12.0, 30.0), n_regions=2))
    assert seen is not None


def test_packed_samples_make_the_same_trace_as_one_by_one():
    rng = np.random.default_rng(3)
    samples = [
        Sample(rng.uniform(0, 255, (30, 3)).astype(np.float32), rng.normal(size=5).astype(np.float32)) for _ in range(9)
    ]
    samples[4].colours[7] = np.nan
    packed = [sample.to_bytes() for sample in samples]
    at_once = Trace.of_packed(np.arange(9.0), packed, (1, 2))
    singly = Trace.of(np.arange(9.0), [Sample.from_bytes(p) for p in packed], (1, 2))
    for name in ("times_s", "colours", "pose"):
        np.testing.assert_array_equal(getattr(at_once, name), getattr(singly, name))
    for bad in ([], [packed[0], packed[0][:-6]], [b"x" * 20]):
        with pytest.raises(InvalidTraces):
            Trace.of_packed(np.arange(float(len(bad))), bad, (1, 2))


@pytest.mark.parametrize("seconds", [10.0, 25.0])
def test_bursts_with_little_between_are_slow_frames(seconds):
    """19 frames within 18 ms, each second: their rate is high, and an even grid would be made up."""
    starts = np.arange(0.0, seconds, 0.94)
    times = np.sort((starts[:, None] + 0.001 * np.arange(19)).ravel())
    seen = partial(simulate_trace(person(), times, n_regions=N_REGIONS))
    assert not len(seen.ppg)
    assert (seen.heart_rate_bpm is None) == (seen.confidence < 0.3)
