"""A request that closes the window: what it closes, and what its retries get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from beam_api.exceptions import NotFound
from tests.beam_api.store.reference import SECOND

if TYPE_CHECKING:
    from redis import Redis

from tests.beam_api.store.people import (
    EPOCH,
    ME,
    TEN_S,
    Frames,
    Person,
    batches,
    let_the_lease_expire,
    stream,
)


def times(frames: Frames) -> list[int]:
    return [at for at, _ in frames]


@pytest.fixture
def person(redis: Redis) -> Person:
    return Person(redis, duration_us=30 * SECOND)


def test_a_final_request_closes_a_window_of_any_length_with_its_own_frames(person: Person) -> None:
    frames = stream(12)
    person.post(frames[:60])
    outcome = person.post(frames[60:], final=True)
    assert outcome.claim is not None
    assert outcome.window.frames == 0
    assert person.windows == [times(frames)]
    person.post(stream(1, start=EPOCH + 13 * SECOND), final=True)
    assert person.windows[1:] == [times(stream(1, start=EPOCH + 13 * SECOND))]


def test_no_frame_is_needed_and_a_retry_is_answered_by_the_same_window(person: Person) -> None:
    frames = stream(12)
    person.post(frames)
    closing = person.post([], stamped=False, final=True)
    assert closing.claim is not None
    again = person.post([], stamped=False, final=True)
    assert again.taken == closing.claim.measurement_id
    assert again.claim is None


def test_two_windows_in_a_row_are_not_confused(person: Person) -> None:
    ids = []
    for start in (EPOCH, EPOCH + 6 * SECOND):
        person.post(stream(4, start=start))
        for _ in range(2):
            outcome = person.post([], stamped=False, final=True)
            ids.append(outcome.claim.measurement_id if outcome.claim else outcome.taken)
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert len(person.windows) == 2


def test_nothing_buffered_is_nothing_to_close(person: Person) -> None:
    with pytest.raises(NotFound):
        person.post([], stamped=False, final=True)
    for part in batches(stream(30), 50):  # full: answered already
        person.post(part)
    assert len(person.windows) == 1
    with pytest.raises(NotFound):
        person.post([], stamped=False, final=True)


def test_when_the_analyst_of_a_closed_window_dies_a_retry_takes_over(person: Person, redis: Redis) -> None:
    person.post(stream(12))
    dead = person.post([], stamped=False, save=False, final=True).claim
    assert dead is not None
    let_the_lease_expire(redis, dead.measurement_id)
    taken_over = person.post([], stamped=False, final=True).claim
    assert taken_over is not None
    assert (taken_over.measurement_id, taken_over.token) == (dead.measurement_id, dead.token + 1)
    assert taken_over.records == dead.records


def test_the_last_frames_once_more_close_the_window_and_count_once(person: Person) -> None:
    frames = stream(12)
    person.post(frames[:60])
    person.post(frames[60:])
    outcome = person.post(frames[60:], final=True, digest_of="final")
    assert outcome.claim is not None
    assert person.windows == [times(frames)]
    assert person.post(frames[60:], final=True, digest_of="final").taken == outcome.claim.measurement_id


def test_a_retry_from_long_ago_does_not_close_the_next_window(person: Person, redis: Redis) -> None:
    frames = stream(12)
    assert person.post(frames, final=True).claim is not None
    redis.delete(ME.name("done"))  # its 10 minutes are over; that it was sent is known for up to 20
    person.post(stream(1, start=EPOCH + 13 * SECOND))
    outcome = person.post(frames, final=True)
    assert (outcome.due, outcome.window.frames) == ((), 10)


def test_what_waited_for_late_frames_is_closed_at_once(person: Person) -> None:
    person.post(stream(10, start=EPOCH + 20 * SECOND), patient=True)
    person.post(stream(12), patient=True)  # earlier by a jump: the first ones are put aside
    person.post(stream(8, start=EPOCH + 12 * SECOND), patient=True, duration_us=30 * SECOND, save=False)
    outcome = person.post([], stamped=False, final=True)
    assert outcome.claim is not None
    assert times(stream(30)) == person.windows[-1]


def test_a_full_window_is_the_answer_and_a_short_rest_is_dropped(redis: Redis) -> None:
    person = Person(redis)
    frames = stream(13)
    person.post(frames[:90])
    outcome = person.post(frames[90:], final=True)
    assert outcome.claim is not None
    assert person.windows == [times(frames[:100])]
    assert outcome.window.frames == 0
    assert person.post(stream(1, start=EPOCH + 14 * SECOND)).window.frames == 10


def test_what_an_older_analyst_left_is_answered_too(redis: Redis) -> None:
    person = Person(redis)
    frames = stream(12)
    dead = None
    for part in batches(frames[:100], 50):
        dead = person.post(part, save=False).claim
    assert dead is not None
    person.post(frames[100:])
    let_the_lease_expire(redis, dead.measurement_id)
    outcome = person.post([], stamped=False, final=True)
    assert [type(due).__name__ for due in outcome.due] == ["Claim", "Claim"]
    assert person.windows == [times(frames[:100]), times(frames[100:])]


def test_frames_of_a_closed_window_that_come_later_are_stragglers(person: Person) -> None:
    frames = stream(12)
    person.post(frames[:100])
    person.post(frames[110:], final=True)
    late = person.post(frames[100:110])
    assert (late.window.frames, late.restarted) == (0, False)


@pytest.mark.parametrize("duration_us", [TEN_S, 30 * SECOND])
def test_a_final_request_names_a_window_as_any_other_does(redis: Redis, duration_us: int) -> None:
    ids = set()
    for size, final in ((50, False), (20, duration_us > TEN_S)):
        redis.flushdb()
        person = Person(redis, duration_us=TEN_S if not final else duration_us)
        parts = batches(stream(10), size)
        for part in parts[:-1]:
            person.post(part)
        claim = person.post(parts[-1], final=final).claim
        assert claim is not None
        ids.add(claim.measurement_id)
    assert len(ids) == 1
