"""The window in Redis, against the rules of the contract; samples are opaque to it."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from beam_api.exceptions import InvalidParameter
from beam_api.store.cluster import as_cluster
from beam_api.store.results import ResultStore
from beam_api.store.windows import ACTIVE_MS, Appended, Arrival, Claim, Entry, LastFace, Session, WindowStore
from tests.beam_api.store.reference import SECOND, ReferenceWindow, is_full

if TYPE_CHECKING:
    from redis import Redis

ME = Session("key1", "default")
TEN_S = 10 * SECOND
EPOCH = 1_750_000_000 * SECOND

Frames = list[tuple[int, bytes]]


def frame(time_us: int, content: str = "") -> tuple[int, bytes]:
    return time_us, hashlib.blake2b(f"{time_us}{content}".encode(), digest_size=8).digest()


def stream(seconds: float, fps: float = 10.0, start: int = EPOCH, content: str = "") -> Frames:
    return [frame(start + round(i * SECOND / fps), content) for i in range(round(seconds * fps))]


def batches(frames: Frames, size: int) -> list[Frames]:
    return [frames[i : i + size] for i in range(0, len(frames), size)]


def arrive(store: WindowStore, session: Session = ME, **more: object) -> Arrival:
    return store.ask(*store.arriving(session, **more))[0]  # type: ignore[arg-type]


def active_sessions(store: WindowStore, session: Session) -> int:
    """How many are active, after a request of this one."""
    return store.ask(*store.arriving(session))[1]


class Person:
    """A client of the store that analyses at once whatever it may claim."""

    def __init__(self, redis: Redis, session: Session = ME, duration_us: int = TEN_S) -> None:
        self.store, self.session, self.duration_us = WindowStore(redis), session, duration_us
        self.results = ResultStore(redis)
        self.completed: list[Claim] = []

    def post(self, frames: Frames, *, save: bool = True, stamped: bool = True, **more: object) -> Appended:
        unique = list(dict.fromkeys(frames))
        entries = [Entry(at, digest, b"sample at %d" % at) for at, digest in unique]
        digest = hashlib.blake2b(repr(sorted(unique)).encode(), digest_size=8).digest() if stamped else b""
        options: dict[str, object] = {"duration_us": self.duration_us, "frame_size": (640, 480), **more}
        outcome = self.store.append(self.session, entries, digest=digest, **options)  # type: ignore[arg-type]
        if outcome.claim and save:
            self.save(outcome.claim)
        return outcome

    def save(self, claim: Claim, result: bytes = b"result") -> str:
        self.completed.append(claim)
        return self.store.save(self.session, claim, result)

    def drain(self) -> None:
        while claim := self.store.append(self.session, [], duration_us=TEN_S).claim:
            self.save(claim)

    @property
    def windows(self) -> list[list[int]]:
        return [[at for at, _ in claim.records] for claim in self.completed]


@pytest.fixture
def person(redis: Redis) -> Person:
    return Person(redis)


def let_the_lease_expire(redis: Redis, measurement_id: str) -> None:
    redis.hset(ME.name(f"closed:{measurement_id}"), "lease", 1)


# --- full, and where it is cut


def test_a_window_is_full_when_its_span_with_one_interval_reaches_the_duration(person: Person) -> None:
    frames = stream(12)
    for one in frames[:99]:
        assert person.post([one]).claim is None
    outcome = person.post([frames[99]])
    assert outcome.claim is not None
    assert outcome.claim.records == [(at, b"sample at %d" % at) for at, _ in frames[:100]]
    assert outcome.claim.frame_size == (640, 480)
    assert outcome.window.frames == 0


def test_the_share_that_is_filled_never_falls_however_uneven_the_pace(redis: Redis) -> None:
    for seed in range(20):
        person, draw = Person(redis, Session("key1", f"pace{seed}"), 60 * SECOND), random.Random(seed)
        times = [EPOCH + round((i + draw.random()) * SECOND / 1.5) for i in range(85)]
        shares = [person.post([frame(at)]).window.share for at in times]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx((times[-1] - times[0]) / (60 * SECOND), abs=0.02)


def test_a_window_may_lack_one_millisecond_and_no_more(person: Person) -> None:
    almost = [*stream(9.9), frame(EPOCH + 9_898_999)]
    assert is_full([at for at, _ in almost], TEN_S) is False
    assert all(person.post(part).claim is None for part in batches(almost, 50))
    other = Person(person.results._redis, Session("key1", "other"))
    enough = [*stream(9.9), frame(EPOCH + 9_899_000)]
    assert other.post(enough[:50]).claim is None
    assert other.post(enough[50:]).claim is not None


def test_frames_after_the_cut_open_the_next_window(person: Person) -> None:
    frames = stream(12)
    outcomes = [person.post(part) for part in batches(frames, 64)]
    assert person.windows == [[at for at, _ in frames[:100]]]
    assert outcomes[-1].window.frames == 20
    assert outcomes[-1].window.first_us == frames[100][0]
    assert not any(outcome.restarted for outcome in outcomes)


def test_one_request_may_complete_two_windows_and_the_next_request_takes_the_second(person: Person) -> None:
    frames = stream(24, fps=2.5)
    first = person.post(frames[:60])
    second = person.post([frame(frames[59][0] + 400_000)])
    assert first.claim is not None
    assert second.claim is not None
    assert person.windows == [[at for at, _ in frames[:25]], [at for at, _ in frames[25:50]]]


def test_the_next_window_takes_the_duration_of_the_request_that_opens_it(person: Person) -> None:
    frames = stream(12)
    person.post(frames[:64])
    outcome = person.post(frames[64:], duration_us=20 * SECOND)
    assert outcome.claim is not None
    assert outcome.window.duration_us == 20 * SECOND


def test_a_window_keeps_the_duration_of_its_first_request(person: Person) -> None:
    frames = stream(10)
    person.post(frames[:50], duration_us=TEN_S)
    assert person.post(frames[50:], duration_us=300 * SECOND).claim is not None


def test_raw_is_kept_if_any_request_of_the_window_asked(person: Person) -> None:
    frames = stream(20)
    person.post(frames[:40])
    person.post(frames[40:70], raw=True)
    person.post(frames[70:130])
    person.post(frames[130:190])
    person.post(frames[190:])
    person.post(stream(30)[200:250])
    person.post(stream(30)[250:], raw=True)
    assert [claim.raw for claim in person.completed] == [True, False, True]


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


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@hypothesis_settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


# --- thinning, memory, time


def test_above_sixty_frames_a_second_they_are_thinned_however_they_are_split(redis: Redis) -> None:
    counts = set()
    for way, size in enumerate((1, 7, 64)):
        person = Person(redis, Session("key1", f"way{way}"))
        for part in batches(stream(10.5, fps=120), size):
            person.post(part)
            assert not person.post(part).restarted
        assert len(person.windows) == 1
        counts.add(tuple(person.windows[0]))
    (times,) = counts
    assert 598 <= len(times) <= 601


@pytest.mark.parametrize("fps", [59.94, 60.0])
def test_sixty_frames_a_second_are_kept_though_they_jitter(person: Person, fps: float) -> None:
    draw = random.Random(1)
    frames = [frame(at + draw.randint(-3000, 3000)) for at, _ in stream(9.9, fps=fps)]
    for part in batches(frames, 60):
        outcome = person.post(part)
    assert outcome.window.frames == len(frames)


def test_the_newest_face_wins(person: Person) -> None:
    frames = stream(3)
    person.post(frames[10:20], face=LastFace(frames[19][0], b"newest"))
    outcome = person.post(frames[:10], face=LastFace(frames[9][0], b"older"))
    assert outcome.window.face == LastFace(frames[19][0], b"newest")
    assert arrive(person.store).face == outcome.window.face
    sent_again = person.post([frames[18], frames[19]], face=LastFace(frames[19][0], b"followed once more"))
    assert sent_again.window.face == outcome.window.face
    restarted = person.post(
        stream(1, start=EPOCH - 60 * SECOND), face=LastFace(EPOCH - 60 * SECOND, b"after the restart")
    )
    assert restarted.window.face == LastFace(EPOCH - 60 * SECOND, b"after the restart")


def test_all_of_a_session_is_forgotten_and_nothing_of_another(person: Person, redis: Redis) -> None:
    other = Person(redis, Session("key1", "other"))
    for one in (person, other):
        one.post(stream(10)[:50], face=LastFace(EPOCH, b"face"))
        claim = one.post(stream(21)[50:110]).claim
        assert claim is not None
        one.results.point(one.session, claim.measurement_id)
        one.post(stream(21)[110:170])
        one.post(stream(21)[170:], save=False)
        arrive(one.store, one.session, untimed=1)
    before = {name for name in redis.scan_iter() if b"other" in name}
    person.results.unpoint(person.store.forget(ME))
    shared = {ME.siblings.encode()}
    assert {name for name in redis.scan_iter() if b":measurement" not in name} == before | shared
    assert redis.zrange(ME.siblings, 0, -1) == [b"other"]
    assert len(list(redis.scan_iter("*:measurement"))) == 1
    assert person.store.peek(ME)[1] is None


def test_every_key_expires(person: Person, redis: Redis) -> None:
    person.post(stream(10)[:50], face=LastFace(EPOCH, b"face"))
    arrive(person.store, untimed=1)
    person.post(stream(12)[50:], save=False)
    for name in redis.scan_iter():
        assert 0 < redis.pttl(name) <= 1_200_000, name
    assert 110_000 < redis.pttl(ME.name("window")) <= 120_000
    assert 110_000 < redis.pttl(ME.name("samples")) <= 120_000


def test_a_window_that_half_expired_is_an_empty_one(person: Person, redis: Redis) -> None:
    person.post(stream(3))
    redis.delete(ME.name("index"))
    outcome = person.post([frame(EPOCH + 3 * SECOND)])
    assert outcome.window.frames == 1


@pytest.mark.parametrize("size", [1, 30])
def test_thirty_seconds_at_thirty_frames_cost_at_most_250_kb(redis: Redis, size: int) -> None:
    store = WindowStore(redis)
    frames = stream(29.9, fps=30)
    for part in batches(frames, size):
        entries = [Entry(at, digest, random.Random(at).randbytes(172)) for at, digest in part]
        store.append(
            ME,
            entries,
            digest=part[0][1],
            duration_us=30 * SECOND,
            frame_size=(640, 480),
            face=LastFace(part[-1][0], bytes(120)),
        )
    assert store.peek(ME)[1].frames == len(frames)
    assert sum(redis.memory_usage(name) or 0 for name in redis.scan_iter()) <= 250_000


def test_a_request_costs_the_same_however_full_the_window_is(person: Person) -> None:
    """Counted in the server's own time for the script, medians of 60 requests: early in a long window and late."""
    frames = stream(299, fps=59)
    person.post([], duration_us=300 * SECOND)  # so that the script is known
    redis, costs = person.results._redis, []
    cluster = as_cluster(redis)
    node = {"target_nodes": cluster.get_node_from_key(ME.name("window"))} if cluster else {}
    for part in batches(frames, 30):
        before = redis.info("commandstats", **node)["cmdstat_evalsha"]["usec"]
        person.post(part, duration_us=300 * SECOND)
        costs.append(redis.info("commandstats", **node)["cmdstat_evalsha"]["usec"] - before)
    early, late = sorted(costs[5:65])[30], sorted(costs[-65:-5])[30]
    assert person.post([frame(frames[-1][0] + 17_000)]).window.frames == len(frames) + 1
    assert late < 2 * early
