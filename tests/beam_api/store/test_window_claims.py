"""Retries, and who analyses a full window: each is measured once, whichever process dies or races."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from beam_api.store.window_values import Session
from tests.beam_api.store.reference import SECOND, is_full

if TYPE_CHECKING:
    from redis import Redis

from tests.beam_api.store.people import (
    EPOCH,
    ME,
    TEN_S,
    Person,
    active_sessions,
    arrive,
    batches,
    frame,
    let_the_lease_expire,
    stream,
)

SERVERS = ("bundled", "cluster")
"""On the others `make test-redis` runs these."""


def test_a_server_that_has_lost_the_scripts_gets_them_again(person: Person, redis: Redis) -> None:
    redis.script_flush()
    assert active_sessions(person.store, ME) == 1


# --- retries


def test_a_retry_changes_nothing_and_a_new_grouping_of_old_frames_neither(person: Person) -> None:
    frames = stream(4)
    for part in batches(frames, 10):
        person.post(part)
    for part in [*batches(frames, 10), *batches(frames, 7)]:
        outcome = person.post(part)
        assert outcome.window.frames == 40
        assert not outcome.restarted


def test_the_retry_of_a_completing_request_names_the_window_it_completed(person: Person) -> None:
    frames = stream(12)
    person.post(frames[:60])
    first = person.post(frames[60:])
    again = person.post(frames[60:])
    assert first.claim is not None
    assert again.taken == first.claim.measurement_id
    assert again.claim is None
    assert again.window.frames == first.window.frames == 20


def test_an_old_request_changes_nothing_even_after_a_restarted_clock(person: Person) -> None:
    old = stream(3)
    person.post(old)
    person.post(stream(2, start=EPOCH - 100 * SECOND))
    outcome = person.post(old)
    assert not outcome.restarted
    assert outcome.window.frames == 20


def test_frames_without_timestamps_are_never_a_retry(person: Person) -> None:
    picture = frame(0)[1]
    for count in range(1, 4):
        at = arrive(person.store, untimed=1).first_us
        time.sleep(0.02)
        assert person.post([(at, picture)], stamped=False).window.frames == count


# --- claims


def test_a_claim_is_held_by_one_and_the_session_goes_on_meanwhile(person: Person) -> None:
    frames = stream(12)
    person.post(frames[:60], save=False)
    mine = person.post(frames[60:110], save=False)
    other = person.post(frames[110:], save=False)
    retry = person.post(frames[60:110], save=False)
    assert mine.claim is not None
    assert other.claim is None
    assert other.window.frames == 20
    assert retry.taken == mine.claim.measurement_id


def test_when_the_analyst_dies_the_next_request_takes_over(person: Person, redis: Redis) -> None:
    frames = stream(12)
    person.post(frames[:60], save=False)
    dead = person.post(frames[60:110], save=False).claim
    assert dead is not None
    let_the_lease_expire(redis, dead.measurement_id)
    outcome = person.post(frames[110:], save=False)
    assert outcome.claim is not None
    assert outcome.window.frames == 20
    assert outcome.claim.measurement_id == dead.measurement_id
    assert outcome.claim.records == dead.records
    assert outcome.claim.token > dead.token
    # both requests are now answered by that window
    assert person.save(outcome.claim) == "saved"
    for part in (frames[60:110], frames[110:]):
        assert person.post(part).taken == dead.measurement_id


def test_a_stale_analyst_cant_save_and_nobody_can_twice(person: Person, redis: Redis) -> None:
    frames = stream(11)
    person.post(frames[:60], save=False)
    stale = person.post(frames[60:], save=False).claim
    assert stale is not None
    let_the_lease_expire(redis, stale.measurement_id)
    newer = person.post(frames[60:], save=False).claim
    assert newer is not None
    assert person.save(stale, b"stale") == "stale"
    assert person.save(newer, b"newer") == "saved"
    assert person.save(stale, b"stale") == "exists"
    assert person.results.get(ME, newer.measurement_id) == b"newer"


def test_a_released_window_is_claimed_by_the_next_request(person: Person) -> None:
    frames = stream(11)
    person.post(frames[:60], save=False)
    claim = person.post(frames[60:], save=False).claim
    assert claim is not None
    person.store.release(ME, claim)
    again = person.post([frame(EPOCH + 11 * SECOND)], save=False).claim
    assert again is not None
    assert again.measurement_id == claim.measurement_id
    person.store.release(ME, claim)  # the token is stale: the newer claim stays
    assert person.post([frame(EPOCH + 11 * SECOND + 100_000)]).claim is None


def test_the_same_frames_in_another_session_are_another_measurement(redis: Redis) -> None:
    ids = set()
    for session in (ME, Session("key1", "other"), Session("key2", "default")):
        person = Person(redis, session)
        person.post(stream(10)[:50])
        claim = person.post(stream(10)[50:]).claim
        assert claim is not None
        ids.add(claim.measurement_id)
    assert len(ids) == 3


def test_a_result_is_found_by_its_key_only(person: Person) -> None:
    person.post(stream(10)[:50])
    claim = person.post(stream(10)[50:]).claim
    assert claim is not None
    person.results.point(ME, claim.measurement_id)
    assert person.results.find("key1", claim.measurement_id) == b"result"
    assert person.results.find("key2", claim.measurement_id) is None
    assert person.results.find("key1", "msr_unknown") is None
    assert person.results.last_id(ME) == claim.measurement_id


def test_racing_clients_complete_each_window_once(redis: Redis) -> None:
    """8 threads send one stream, a fifth of it twice; each stands for a process with a client of its own."""
    frames = stream(200)
    draw = random.Random(3)
    requests = [part for part in batches(frames, 5) for _ in range(draw.choice([1, 1, 1, 1, 2]))]
    waiting, outcomes = iter(requests), []
    lock = threading.Lock()

    def work() -> None:
        person = Person(redis)
        while True:
            with lock:
                part = next(waiting, None)
            if part is None:
                return
            outcomes.append(person.post(part))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claimed = [outcome.claim for outcome in outcomes if outcome.claim]
    assert len(claimed) == len({claim.measurement_id for claim in claimed})
    assert len(claimed) >= 15  # of 20: a part that comes after the window it belongs to was closed is dropped
    times = [at for claim in claimed for at, _ in claim.records]
    assert len(times) == len(set(times))
    for claim in claimed:
        assert is_full([at for at, _ in claim.records], TEN_S)
        assert not is_full([at for at, _ in claim.records[:-1]], TEN_S)
