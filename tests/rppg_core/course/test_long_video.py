"""Long videos: the windows that they are cut into, what is held of them, and what becomes of the windows' vitals."""

import io
import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from rppg_core import measure, trace_of_video
from rppg_core.course.long_video import Window, starts_s, windows_of_video
from rppg_core.course.series import series
from rppg_core.course.whole_video import Measured, whole_of
from rppg_core.face.regions import N_REGIONS
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace
from tests import videos


@pytest.mark.parametrize(
    ("duration_s", "starts"),
    [
        (5, [0]),
        (300.5, [0]),
        (301, [0, 1]),
        (540, [0, 240]),
        (541, [0, 120, 241]),
        (3600, [i * 3300 // 14 for i in range(15)]),
    ],
)
def test_windows_cover_a_video_and_overlap(duration_s, starts):
    found = starts_s(duration_s)
    assert found == starts
    assert np.all(np.diff(found) <= 240 + 1)
    assert found[-1] + 300 <= duration_s + 1 or len(found) == 1


def test_a_short_video_is_one_window_with_looks_before(reader):
    data = videos.encoded()
    whole = trace_of_video(io.BytesIO(data), reader)
    *looks, last = windows_of_video(io.BytesIO(data), reader, look_s=0.1)
    assert (last.is_last, last.is_look) == (True, False)
    np.testing.assert_array_equal(last.trace.colours, whole.colours)
    np.testing.assert_array_equal(last.trace.times_s, whole.times_s)
    assert last.trace.bits_a_pixel == whole.bits_a_pixel
    assert looks == []  # with less than 10 s to go they are not worth it


def test_a_long_video_is_read_in_windows_that_hold_what_the_whole_does(reader):
    data, shares = videos.looped(25), []
    whole = trace_of_video(io.BytesIO(data), reader)
    cut = partial(windows_of_video, length_s=8.0, apart_s=6.0, look_s=3.0, on_progress=shares.append)
    found = list(cut(io.BytesIO(data), reader))
    looks, windows = [w for w in found if w.is_look], [w for w in found if not w.is_look]
    assert [round(look.end_s) for look in looks] == [4, 8]  # as whole batches are read
    assert [window.start_s for window in windows] == starts_s(25.0, 8.0, 6.0)
    assert [window.is_last for window in windows] == [False] * (len(windows) - 1) + [True]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=0.01)
    for window in windows:
        end_s = np.inf if window.is_last else window.end_s
        part = whole.part((whole.times_s >= window.start_s) & (whole.times_s < end_s))
        np.testing.assert_array_equal(window.trace.times_s, part.times_s)
        np.testing.assert_array_equal(window.trace.colours, part.colours)


def peak(seconds, reader):
    """Most bytes that reading so long a video takes at a time, and bytes of all its samples."""
    data, colours = io.BytesIO(videos.looped(seconds)), 0
    tracemalloc.start()
    try:
        for window in windows_of_video(data, reader, length_s=8.0, apart_s=6.0):
            colours += window.trace.colours.nbytes
            del window
        return tracemalloc.get_traced_memory()[1], colours
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_length(reader):
    peak(12, reader)
    (short, few), (long, many) = peak(20, reader), peak(48, reader)
    assert long - short < 0.2 * (many - few)


def measured(trace, start_s, length_s, *, last=False):
    chosen = (trace.times_s >= start_s) & (trace.times_s < start_s + length_s)
    window = Window(start_s, start_s + length_s, trace.part(chosen), is_last=last)
    return Measured.of(window, measure(window.trace), series(window.trace), after_s=start_s + 10.0 if start_s else -1)


@pytest.fixture(scope="module")
def windows():
    """Four windows of 30 s that overlap by 10 s, of a person at 66 bpm."""
    who = simulate_person(heart_rate_bpm=66, duration_s=90, seed=4)
    trace = simulate_trace(who, capture_times(90, 30.0), n_regions=N_REGIONS)
    return [measured(trace, start_s, 30.0) for start_s in (0.0, 20.0, 40.0, 60.0)]


def test_the_whole_has_the_mean_rate_and_the_median_variability(windows):
    whole = whole_of(windows)
    rates = [window.vitals.heart_rate_bpm for window in windows]
    # Each stands for the time in which its middle is nearest: 25, 20, 20 and 25 s.
    assert whole.vitals.heart_rate_bpm == pytest.approx(np.average(rates, weights=[25, 20, 20, 25]))
    given = [window.vitals.rmssd_ms for window in windows if window.vitals.rmssd_ms is not None]
    assert whole.vitals.rmssd_ms == (pytest.approx(np.median(given)) if given else None)
    for name, value in (("heart_rate", whole.vitals.heart_rate_bpm), ("hrv", whole.vitals.rmssd_ms)):
        if value is not None:
            low, high = whole.vitals.interval[name]
            assert low <= value <= high
    assert whole.frames == 90 * 30
    assert whole.vitals.confidence >= 0.7


def test_one_course_leads_through_all_windows(windows):
    course = whole_of(windows).series
    assert len(course.heart_rate_bpm) == 81  # from 5 s to 85 s
    own = [window.series.heart_rate_bpm for window in windows]
    expected = [*own[0][:20], *own[1][0:20], *own[2][0:20], *own[3]]
    assert np.isfinite(course.heart_rate_bpm).mean() > 0.8
    np.testing.assert_array_equal(course.heart_rate_bpm[:20], expected[:20])
    np.testing.assert_array_equal(course.heart_rate_bpm[-15:], own[3][-15:])


def with_vitals(window, **changes):
    return replace(window, vitals=replace(window.vitals, **changes))


def unsure(window, rate_bpm):
    quality = replace(window.vitals.quality, heart_rate=0.5)
    return with_vitals(window, heart_rate_bpm=rate_bpm, confidence=0.35, quality=quality)


def test_a_disturbed_window_is_left_out_if_the_others_are_sure(windows):
    disturbed = [*windows[:3], unsure(windows[3], 150.0)]
    assert whole_of(disturbed).vitals.heart_rate_bpm == pytest.approx(66, abs=2)
    assert whole_of(disturbed).vitals.confidence >= 0.7
    disturbed = [unsure(windows[0], 100.0), unsure(windows[1], 100.0), windows[2], unsure(windows[3], 100.0)]
    whole = whole_of(disturbed).vitals
    assert whole.heart_rate_bpm > 80
    assert whole.confidence < 0.7


def test_what_no_window_gives_is_withheld_for_their_reason(windows):
    reasons = {"hrv": "IRREGULAR_BEATS", "respiration_rate": "LOW_SIGNAL"}
    without = [with_vitals(w, rmssd_ms=None, respiration_rate_bpm=None, withheld=reasons) for w in windows]
    whole = whole_of(without).vitals
    assert (whole.rmssd_ms, whole.respiration_rate_bpm) == (None, None)
    assert {name: whole.withheld[name] for name in reasons} == reasons
    assert "hrv" not in whole.interval
    nothing = [with_vitals(w, heart_rate_bpm=None, withheld={"heart_rate": "LOW_SIGNAL"}) for w in windows]
    assert whole_of(nothing).vitals.heart_rate_bpm is None


def test_guidance_is_what_held_most_of_the_time(windows):
    moved = [
        with_vitals(windows[0], guidance=("MOTION",)),
        *(with_vitals(w, guidance=("TOO_DARK",)) for w in windows[1:]),
    ]
    assert whole_of(moved).vitals.guidance == ("TOO_DARK",)
