"""Restarts, stragglers, coarse clocks, batches side by side: what frames out of order do to a window."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from beam_api.store.window_values import Session
from tests.beam_api.store.reference import SECOND

if TYPE_CHECKING:
    from redis import Redis

from tests.beam_api.store.people import EPOCH, ME, TEN_S, Frames, Person, arrive, batches, frame, stream

SERVERS = ("bundled", "cluster")
"""On the others `make test-redis` runs these."""

# --- restarts, silence, stragglers


def test_a_silence_of_more_than_five_seconds_restarts(person: Person) -> None:
    person.post(stream(3))
    newest = stream(3)[-1][0]
    assert not person.post([frame(newest + 5 * SECOND)]).restarted
    outcome = person.post([frame(newest + 10 * SECOND + 1)])
    assert outcome.restarted
    assert outcome.window.frames == 1


def test_a_buffered_time_with_other_bytes_restarts(person: Person) -> None:
    person.post(stream(3))
    outcome = person.post(stream(2, content="other"))
    assert outcome.restarted
    assert outcome.window.frames == 20


def test_frames_more_than_five_seconds_older_than_the_window_restart_it(person: Person) -> None:
    person.post(stream(3))
    assert not person.post([frame(EPOCH - 5 * SECOND)]).restarted
    outcome = person.post(stream(1, start=EPOCH - 10 * SECOND - 1))
    assert outcome.restarted
    assert outcome.window.frames == 10


def test_a_straggler_of_a_completed_window_is_dropped_and_an_older_frame_restarts(person: Person) -> None:
    frames = stream(11)
    for part in batches(frames, 55):
        person.post(part)
    end = frames[99][0]
    straggler = person.post([frame(end - 5 * SECOND + 1, "late")])
    assert not straggler.restarted
    assert straggler.window.frames == 10
    older = person.post([frame(end - 5 * SECOND - 1, "older")])
    assert older.restarted
    assert older.window.frames == 1


def test_frames_of_the_last_window_sent_again_in_other_company_change_nothing(person: Person) -> None:
    frames = stream(12)
    for part in batches(frames, 60):
        person.post(part)
    again = person.post([*frames[:7], *frames[95:105]])
    assert not again.restarted
    assert again.window.frames == 20
    assert len(person.completed) == 1
    other = person.post([*frames[:7], frame(frames[7][0], "other")])
    assert other.restarted


def test_late_frames_take_their_places(person: Person) -> None:
    frames = stream(10)
    parts = batches(frames, 20)
    for part in (parts[0], parts[2], parts[1], parts[3]):
        person.post(part)
    outcome = person.post(parts[4])
    assert outcome.claim is not None
    assert person.windows == [[at for at, _ in frames]]


def test_a_frame_within_a_millisecond_of_another_is_not_taken_and_the_rest_is(person: Person) -> None:
    person.post(stream(3))
    for count, at in enumerate((EPOCH + 999, EPOCH - 999, EPOCH, stream(3)[-1][0] + 999), start=31):
        outcome = person.post([frame(at, "other"), frame(EPOCH + (count - 1) * 100_000)])
        assert outcome.twins == {at}
        assert (outcome.window.frames, outcome.restarted) == (count, False)
    assert person.post([frame(EPOCH + 1000 + 9000)]).window.frames == 35


@pytest.mark.parametrize("size", [1, 2, 30])
def test_a_coarse_clock_never_restarts_the_window(person: Person, size: int) -> None:
    stamps = [EPOCH + at // SECOND * SECOND for at, _ in stream(8, fps=15, start=0)]
    for part in batches([frame(at, str(i)) for i, at in enumerate(stamps)], size):
        outcome = person.post(list({at: (at, digest) for at, digest in reversed(part)}.values()))
        assert not outcome.restarted
    assert outcome.window.frames == 8


@pytest.mark.parametrize("size", [1, 5, 20])
def test_a_clock_that_runs_anew_over_the_same_times_is_a_restart(person: Person, size: int) -> None:
    person.post(stream(3))
    outcomes = [person.post(part) for part in batches(stream(2, content="other"), size)]
    assert sum(outcome.restarted for outcome in outcomes) == 1
    assert outcomes[-1].window.frames == (18 if size == 1 else 20)


# --- requests side by side


def in_any_order(redis: Redis, name: str, frames: Frames, size: int, seed: int) -> list[list[int]]:
    person, parts = Person(redis, Session("key1", name)), batches(frames, size)
    random.Random(seed).shuffle(parts)
    held = False
    for part in parts:
        arrive(person.store, person.session, digest=b"the rest")
        held = person.post(part, patient=True).held or held
    if held and (claim := person.store.append(person.session, (), duration_us=TEN_S).claim):
        person.save(claim)
    person.drain()
    return person.windows


@pytest.mark.parametrize("size", [5, 12, 25])
def test_batches_side_by_side_all_count_in_any_order(redis: Redis, size: int) -> None:
    for seed in range(12):
        frames = stream(30)
        windows = in_any_order(redis, f"side{size}-{seed}", frames, size, seed)
        assert windows == [[at for at, _ in frames[i : i + 100]] for i in (0, 100, 200)], seed


def test_what_a_jump_drops_is_reported_at_once_by_a_client_that_sends_in_order(person: Person) -> None:
    person.post(stream(3), patient=True)
    outcome = person.post(stream(1, start=EPOCH + 9 * SECOND), patient=True)
    assert (outcome.restarted, outcome.window.frames) == (True, 10)
    assert person.post(stream(1, start=EPOCH + 10 * SECOND), patient=True).window.frames == 20


def test_a_jump_beside_other_requests_is_reported_when_nothing_came_to_fill_it(person: Person, redis: Redis) -> None:
    person.post(stream(3), patient=True)
    arrive(person.store, digest=b"the rest")
    assert not person.post(stream(1, start=EPOCH + 9 * SECOND), patient=True).restarted
    redis.delete(ME.name("parked"))  # as its end of life does
    outcome = person.post(stream(1, start=EPOCH + 10 * SECOND), patient=True)
    assert (outcome.restarted, outcome.window.frames) == (True, 20)
    assert not person.post(stream(1, start=EPOCH + 11 * SECOND), patient=True).restarted


def test_what_is_put_aside_is_bounded_and_expires(person: Person, redis: Redis) -> None:
    for jump in range(12):
        for part in batches(stream(5, fps=50, start=EPOCH + jump * 100 * SECOND), 64):
            person.post(part, patient=True)
    assert redis.llen(ME.name("parked")) == 2000
    assert 0 < redis.pttl(ME.name("parked")) <= 20_000


def test_only_one_request_waits_for_a_full_window_and_a_gap_is_kept_in_the_end(person: Person) -> None:
    frames = stream(4) + stream(6, start=EPOCH + 6 * SECOND)
    outcomes = [person.post(part, patient=True) for part in batches(frames, 10)]
    extra = person.post(stream(1, start=EPOCH + 12 * SECOND), patient=True)
    assert [outcome.held for outcome in (*outcomes, extra)].count(True) == 1
    outcome = person.store.append(ME, (), duration_us=TEN_S, digest=b"anything", patient=True)
    assert outcome.held
    time.sleep(1.6)
    outcome = person.store.append(ME, (), duration_us=TEN_S, digest=b"anything", patient=True)
    assert outcome.claim
    assert [at for at, _ in outcome.claim.records] == [at for at, _ in frames[:80]]
