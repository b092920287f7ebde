"""Frames without timestamps, which take the time of the store; and the sessions of a key that are active."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from beam_api.exceptions import InvalidParameter
from beam_api.store.window_values import Session
from beam_api.store.windows import ACTIVE_MS, WindowStore
from tests.beam_api.store.reference import SECOND

if TYPE_CHECKING:
    from redis import Redis

from tests.beam_api.store.people import EPOCH, ME, Person, active_sessions, arrive, batches, frame, stream


def test_frames_with_and_without_timestamps_dont_share_a_window(person: Person) -> None:
    person.post(stream(3))
    now = arrive(person.store, untimed=1).first_us
    with pytest.raises(InvalidParameter, match="timestamp_ms"):
        person.post([frame(now)], stamped=False)
    assert person.post([frame(EPOCH + 3 * SECOND)]).window.frames == 31


def test_after_a_silence_on_the_servers_clock_the_other_kind_may_begin(person: Person, redis: Redis) -> None:
    person.post(stream(3))
    redis.hincrby(ME.name("window"), "at", -5 * SECOND - 1)
    outcome = person.post([frame(arrive(person.store, untimed=1).first_us)], stamped=False)
    assert outcome.restarted
    assert outcome.window.frames == 1


# --- arrival times


def test_a_single_frame_takes_the_stores_clock_and_no_two_the_same_time(person: Person, redis: Redis) -> None:
    seconds, micros = redis.time()
    arrivals = [arrive(person.store, untimed=1) for _ in range(5)]
    assert 0 <= arrivals[0].first_us - (seconds * SECOND + micros) < SECOND
    assert all(b.first_us - a.first_us >= 1000 for a, b in pairwise(arrivals))


def test_a_batch_ends_now_and_the_next_one_continues_it(person: Person) -> None:
    first = arrive(person.store, untimed=30, interval_us=SECOND / 30)
    assert first.first_us + round(29 * SECOND / 30) == pytest.approx(first.now_us, abs=1)
    second = arrive(person.store, untimed=15, interval_us=SECOND / 30)
    assert second.first_us - first.first_us == pytest.approx(SECOND, abs=2)


def test_a_batch_that_would_run_ahead_of_the_clock_by_a_second_ends_now(person: Person) -> None:
    arrive(person.store, untimed=30, interval_us=SECOND / 30)
    ahead = arrive(person.store, untimed=45, interval_us=SECOND / 30)
    assert ahead.first_us + round(44 * SECOND / 30) == pytest.approx(ahead.now_us, abs=1)


def test_the_active_sessions_of_a_key_are_counted_and_those_of_another_are_not(redis: Redis) -> None:
    store = WindowStore(redis)
    assert [active_sessions(store, Session("key1", name)) for name in ("a", "b", "a", "c")] == [1, 2, 2, 3]
    assert active_sessions(store, Session("key2", "a")) == 1
    redis.zincrby(ME.siblings, -ACTIVE_MS - 1, "b")
    assert active_sessions(store, Session("key1", "a")) == 2
    store.forget(Session("key1", "c"))
    assert active_sessions(store, Session("key1", "a")) == 1


def test_a_session_that_has_been_measured_leaves_its_share_to_others(person: Person) -> None:
    arrive(person.store)
    for part in batches(stream(10), 50):
        person.post(part)
    assert active_sessions(person.store, Session("key1", "next")) == 1
