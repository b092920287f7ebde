"""Windows against the slow and obvious second implementation of their rules, on requests of any order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from beam_api.store.window_values import Session
from tests.beam_api.store.reference import SECOND, ReferenceWindow

if TYPE_CHECKING:
    from redis import Redis

from tests.beam_api.store.people import EPOCH, TEN_S, Person, frame
from tests.thorough import examples

timelines = st.lists(
    st.one_of(
        st.integers(8_700, 60_000),
        st.integers(30_000, 800_000),
        st.sampled_from([100_000, 33_333, 1_000_000]),
        st.integers(1_000_000, 5_600_000),
    ),
    min_size=1,
    max_size=150,
)


SERVERS = ("bundled", "cluster")
"""On the others `make test-redis` runs these."""


def thinned(times: list[int]) -> list[int]:
    """At most 60 a second, up to 8 ms early, counted anew after a silence."""
    kept: list[int] = []
    due = 0
    for at in times:
        if kept and at - kept[-1] > 5 * SECOND:
            due = 0
        if at >= due - 8000:
            kept.append(at)
            due = max(at, due) + 16_666
    return kept


@hypothesis_settings(
    max_examples=examples(30, in_all=60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(gaps=timelines, seed=st.integers(0, 2**32))
def test_splitting_permuting_and_duplicating_give_the_windows_of_the_reference(
    redis: Redis, gaps: list[int], seed: int
) -> None:
    draw = random.Random(seed)
    times = [EPOCH]
    for gap in gaps:
        times.append(times[-1] + gap)
    times = [
        at for at, nearest in zip(times, [None, *times], strict=False) if nearest is None or at - nearest >= 17_000
    ]
    frames = [frame(at) for at in times]
    reference = ReferenceWindow(TEN_S)
    for one in frames:
        reference.post([one])
    for way in range(3):
        redis.flushdb()
        person = Person(redis, Session("key1", f"way{way}"))
        at = 0
        outcome = None
        while at < len(frames):
            size = draw.randint(1, 64 if way else 3)
            part = frames[at : at + size]
            again = [draw.choice(part) for _ in range(draw.randint(0, 5))]
            part = part + again
            draw.shuffle(part)
            outcome = person.post(part)
            if draw.random() < 0.2:
                assert not person.post(part).restarted
            at += size
        person.drain()
        assert person.windows == reference.completed
        assert outcome is not None
        assert outcome.window.frames == len(reference.frames)


requests_of_any_order = st.lists(
    st.lists(st.tuples(st.integers(0, 260), st.sampled_from("aaaaaaab")), min_size=1, max_size=30), max_size=20
)


@hypothesis_settings(
    max_examples=examples(60, in_all=120), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests=requests_of_any_order)
def test_late_stale_and_conflicting_frames_do_what_the_reference_does(
    redis: Redis, requests: list[list[tuple[int, str]]]
) -> None:
    redis.flushdb()
    person, reference = Person(redis), ReferenceWindow(TEN_S)
    for request in requests:
        frames = [frame(EPOCH + step * 150_000, content) for step, content in dict(request).items()]
        outcome = person.post(frames)
        assert outcome.restarted is reference.post(frames)
        person.drain()
        assert person.windows == reference.completed
        assert outcome.window.frames == len(reference.frames)
