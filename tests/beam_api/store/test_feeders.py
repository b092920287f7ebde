"""Who feeds a window: another connection is noticed, and a client that opens one for each request is no crowd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from beam_api.store.window_values import Session
from tests.beam_api.store.people import ME, Person, arrive, stream

if TYPE_CHECKING:
    from redis import Redis

A, B, C = b"\x00connecA", b"\xffconnecB", b"connec C"


@pytest.fixture
def filling(person: Person) -> Person:
    """A window is open."""
    person.post(stream(2.0))
    return person


def shared(person: Person, *feeders: bytes, session: Session = ME) -> list[bool]:
    return [arrive(person.store, session, feeder=feeder).shared for feeder in feeders]


def pass_time(redis: Redis, seconds: float) -> None:
    """Make what was sent so much older."""
    name = ME.name("feeders")
    for feeder, value in redis.hgetall(name).items():
        at, count = map(int, value.split())
        redis.hset(name, feeder, f"{at - round(1e6 * seconds)} {count}")


def test_one_connection_is_alone(filling: Person) -> None:
    assert shared(filling, A, A, A) == [False] * 3


def test_two_that_take_turns_are_noticed_from_the_first_request_of_the_second_on(filling: Person) -> None:
    assert shared(filling, A, B, A, B) == [False, True, True, True]
    assert shared(filling, C, A) == [True, True]


def test_a_connection_for_each_request_is_noticed_once_and_no_more(filling: Person, redis: Redis) -> None:
    seen = []
    for i in range(40):
        seen += shared(filling, b"once %3d" % i)
        pass_time(redis, 3.0)

    assert seen == [False, True] + [False] * 38
    assert redis.hlen(ME.name("feeders")) <= 16


def test_a_client_that_connects_anew_is_noticed_once(filling: Person) -> None:
    assert shared(filling, A, A, A, B, B, B) == [False, False, False, True, False, False]


def test_who_was_silent_for_five_seconds_feeds_no_more(filling: Person, redis: Redis) -> None:
    assert shared(filling, A, A) == [False, False]
    pass_time(redis, 5.1)
    assert shared(filling, B, B) == [False, False]


def test_without_a_window_there_is_nothing_to_share(person: Person) -> None:
    assert shared(person, A, B, A) == [False] * 3


def test_a_request_of_no_connection_leaves_no_trace(filling: Person, redis: Redis) -> None:
    assert shared(filling, A, b"", b"") == [False] * 3
    assert redis.hkeys(ME.name("feeders")) == [A]
    assert shared(filling, b"", session=Session("key1", "anna")) == [False]
    assert not redis.exists(Session("key1", "anna").name("feeders"))


def test_they_are_forgotten_in_a_minute_and_with_the_person(filling: Person, redis: Redis) -> None:
    shared(filling, A)
    assert 0 < redis.pttl(ME.name("feeders")) <= 60_000
    filling.store.forget(ME)
    assert not redis.exists(ME.name("feeders"))
