"""The cost of the core depends on the number of frames alone, whatever their times are."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rppg_core import measure
from rppg_core.errors import InvalidTraces
from rppg_core.pulse.sparse import SECTION_S, _parts
from rppg_core.rolling import partial
from rppg_core.trace.aliasing import alias_strength, is_evenly_slow
from rppg_core.trace.sampling import resample
from rppg_core.trace.traces import MOST_TIME_S, Trace
from rppg_core.vital.hrv import stress_index

MOST_BYTES = 64_000_000


def trace_at(times_s, n_regions: int = 30) -> Trace:
    times = np.asarray(times_s, dtype=np.float64)
    rng = np.random.default_rng(1)
    colours = 120 + rng.normal(0, 0.5, (len(times), n_regions, 3))
    pose = np.tile([320.0, 240.0, 90.0, 0.0, 0.0], (len(times), 1)) + rng.normal(0, 0.1, (len(times), 5))
    return Trace(times, colours, pose, (640, 480))


def peak_bytes(call) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


GAPS_S = st.one_of(
    st.sampled_from([1e-6, 1e-3, 1 / 30, 0.2, 1.0, 4.9, 5.1, 61.0, 1e5, 1e8, 2e9]),
    st.floats(1e-6, 2e9, allow_nan=False),
)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.tuples(GAPS_S, st.integers(1, 60)), min_size=1, max_size=6))
def test_no_mixture_of_times_costs_more_memory_than_its_frames(runs):
    gaps = np.concatenate([np.full(count, gap) for gap, count in runs])
    times = np.unique(np.concatenate([[0.0], np.cumsum(gaps)]))
    trace = trace_at(times)

    def everything() -> None:
        measure(trace)
        partial(trace)
        is_evenly_slow(times)
        alias_strength(times)

    assert peak_bytes(everything) < MOST_BYTES


@pytest.mark.parametrize("last_s", [1e5, 1e6, 6e6, 9e9])
def test_one_late_frame_costs_the_pace_nothing(last_s):
    times = [*np.arange(30) * 0.6, last_s]
    assert peak_bytes(lambda: (alias_strength(times), is_evenly_slow(times))) < 1_000_000


def test_an_even_slow_pace_is_seen_after_a_silence_of_years():
    assert is_evenly_slow([0.0, *(1e9 + np.arange(30) * 0.6)])
    assert not is_evenly_slow([0.0, *(1e9 + np.arange(30) / 30)])


def test_bursts_of_microseconds_give_no_grid_of_microseconds():
    """More than half of the intervals are 1 us, and the trace lasts 40 s."""
    times = np.sort(np.concatenate([k * 0.12 + np.arange(3) * 1e-6 for k in range(330)]))
    even = resample(trace_at(times, 2))
    assert len(even.times_s) <= 4 * len(times) + 1
    assert peak_bytes(lambda: measure(trace_at(times))) < 4 * MOST_BYTES


@pytest.mark.parametrize("span_s", [8.0, 60.0, 61.0, 119.9, 300.0])
def test_parts_are_those_of_an_even_division(span_s):
    """Beside the obvious way: all edges, then the parts that hold enough frames."""
    times = np.unique(np.append(np.random.default_rng(2).uniform(0, span_s, 400), [0.0, span_s]))
    edges = np.searchsorted(times, np.linspace(0, span_s, int(np.ceil(span_s / SECTION_S - 1e-6)) + 1))
    edges[-1] = len(times)
    assert list(_parts(times)) == [slice(int(a), int(b)) for a, b in pairwise(edges) if b - a >= 8]


def test_parts_of_a_silence_of_centuries_are_not_counted_one_by_one():
    times = np.concatenate([np.arange(40) * 0.5, 9e9 + np.arange(40) * 0.5])
    assert peak_bytes(lambda: list(_parts(times))) < 100_000
    assert sum(part.stop - part.start for part in _parts(times)) == 80


def test_stress_index_ignores_the_empty_bins_of_a_long_pause():
    assert peak_bytes(lambda: stress_index([0.8, 0.81, 0.82, 1e9])) < 100_000


@pytest.mark.parametrize("last_s", [2 * MOST_TIME_S, 1e300])
def test_times_that_a_float_cannot_resolve_are_refused(last_s):
    with pytest.raises(InvalidTraces, match="within"):
        trace_at([0.0, 0.1, last_s])
