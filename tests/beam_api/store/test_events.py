"""News of people and the log behind it, on every server and on a cluster."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from beam_api.exceptions import StoreUnavailable
from beam_api.store.events import BEGINNING, EventStore, Standing
from beam_api.store.window_values import Session
from tests.beam_api.store.people import EPOCH, ME, Person, batches, stream
from tests.beam_api.store.reference import SECOND

if TYPE_CHECKING:
    from redis import Redis

    from beam_api.store.events import News


def heard(news: News, count: int) -> list[tuple[str, bytes]]:
    """So many messages, or those that come within 5 s."""
    found: list[tuple[str, bytes]] = []
    end = time.monotonic() + 5
    while len(found) < count and time.monotonic() < end:
        found += news.wait(0.1)
    return found


def test_listeners_hear_of_measurements_rates_and_restarts_of_those_they_listen_to(
    person: Person, redis: Redis
) -> None:
    store, leo = EventStore(redis), Person(redis, Session("key2", "leo"))
    news = store.news()
    try:
        news.ensure([ME.channel])
        news.ensure([ME.channel, leo.session.channel])
        for part in batches(stream(10), 50):
            person.post(part)
        leo.store.note_partial(leo.session, b"72")
        person.post(stream(1, start=EPOCH - 60 * SECOND))
        assert sorted(heard(news, 3)) == sorted([(ME.channel, b""), (leo.session.channel, b"72"), (ME.channel, b"")])
        news.leave(ME.channel)
        person.post(stream(1, start=EPOCH - 120 * SECOND))
        leo.store.note_partial(leo.session, b"73")
        assert heard(news, 1) == [(leo.session.channel, b"73")]
    finally:
        news.close()


def test_a_connection_that_another_thread_closes_is_a_lost_one(redis: Redis) -> None:
    """As when the client is closed, or a cluster's nodes are looked up anew; redis-py raises a TypeError, mostly."""
    store = EventStore(redis)
    outcomes: list[type[Any] | None] = []
    for _ in range(20):
        news = store.news()
        news.ensure([ME.channel])
        list(news.wait(0.1))
        closing = threading.Timer(0.02, news._subscription.connection.disconnect)
        closing.start()
        try:
            list(news.wait(0.1))
            outcomes.append(None)
        except StoreUnavailable as error:
            outcomes.append(type(error.__cause__))
        closing.join()
        news.close()
    assert TypeError in outcomes, outcomes


def test_a_bug_is_not_taken_for_a_lost_connection(redis: Redis) -> None:
    news = EventStore(redis).news()
    try:
        news.ensure([ME.channel])
        with pytest.raises((TypeError, ValueError)):
            list(news.wait("soon"))  # type: ignore[arg-type]
    finally:
        news.close()


def test_after_a_lost_connection_one_listens_again(redis: Redis) -> None:
    store, person = EventStore(redis), Person(redis)
    news = store.news()
    try:
        for content in (b"1", b"2"):
            news.ensure([ME.channel])
            person.store.note_partial(ME, content)
            assert heard(news, 1) == [(ME.channel, content)]
            news.close()
    finally:
        news.close()


def test_the_log_holds_measurements_and_restarts_in_order_for_ten_minutes(person: Person, redis: Redis) -> None:
    store = EventStore(redis)
    assert (store.log(ME), store.newest(ME)) == ([], BEGINNING)
    for part in batches(stream(10), 50):
        person.post(part)
    person.post(stream(1, start=EPOCH - 60 * SECOND))
    first, second = store.log(ME)
    assert (first.measurement_id, second.measurement_id) == (person.completed[0].measurement_id, None)
    assert store.log(ME, after=first.place) == [second]
    assert store.log(ME, after=second.place) == []
    assert store.newest(ME) == second.place
    assert 590_000 < redis.pttl(ME.name("events")) <= 600_000
    person.store.forget(ME)
    assert store.log(ME) == []


def test_what_there_is_of_windows_is_seen_for_many_at_once(person: Person, redis: Redis) -> None:
    other = Session("key2", "nobody")
    store = EventStore(redis)
    assert store.standings([]) == []
    person.post(stream(1))
    last = stream(1)[-1][0]
    assert store.standings([ME, other]) == [Standing(last, False, None, False), Standing(None, False, None, False)]
    person.post([], stamped=False, final=True)
    assert store.standings([ME]) == [Standing(None, False, last, True)]
