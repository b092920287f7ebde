"""A window that slides: measured once for each stride, from samples that all its measurements share."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from beam_api.services.windows.rolling_rate import LOOK
from beam_api.store.window_values import Claim, Entry, Session
from beam_api.store.windows import WindowStore
from tests.beam_api.store.reference import SECOND, SlidingReference, is_full

if TYPE_CHECKING:
    from redis import Redis

from tests.beam_api.store.people import (
    EPOCH,
    ME,
    TEN_S,
    Frames,
    Person,
    batches,
    frame,
    let_the_lease_expire,
    stream,
)

STRIDE = 2 * SECOND


class Monitored(Person):
    """A client whose window slides."""

    def __init__(self, redis: Redis, session: Session = ME, duration_us: int = TEN_S, stride_us: int = STRIDE) -> None:
        super().__init__(redis, session, duration_us)
        self.stride_us = stride_us

    def post(self, frames: Frames, **more: object):
        return super().post(frames, **{"stride_us": self.stride_us, **more})  # type: ignore[arg-type]


@pytest.fixture
def person(redis: Redis) -> Monitored:
    return Monitored(redis)


def times(frames: Frames) -> list[int]:
    return [at for at, _ in frames]


# --- what is measured


def test_after_the_first_full_window_the_newest_part_is_measured_each_stride(person: Monitored) -> None:
    frames = stream(17)
    outcomes = [person.post([one]) for one in frames]
    assert [i for i, outcome in enumerate(outcomes) if outcome.claim] == [99, 119, 139, 159]
    assert person.windows == [times(frames[i : i + 100]) for i in (0, 20, 40, 60)]
    assert len({claim.measurement_id for claim in person.completed}) == 4
    assert not any(outcome.restarted for outcome in outcomes)


def test_a_request_that_passes_several_strides_gets_them_all_the_newest_last(person: Monitored) -> None:
    frames = stream(20)
    person.post(frames[:90])
    outcome = person.post(frames[90:])
    assert person.windows == [times(frames[i : i + 100]) for i in range(0, 101, 20)]
    assert [due.measurement_id for due in outcome.due] == [claim.measurement_id for claim in person.completed]
    again = person.post(frames[90:])
    assert list(again.due) == [claim.measurement_id for claim in person.completed]


def test_a_stride_as_long_as_the_window_is_no_stride(redis: Redis) -> None:
    person = Monitored(redis, stride_us=TEN_S)
    for part in batches(stream(25), 10):
        outcome = person.post(part)
    assert person.windows == [times(stream(25)[:100]), times(stream(25)[100:200])]
    assert outcome.window.frames == 50


def test_one_frame_that_passes_several_strides_is_one_measurement(person: Monitored) -> None:
    frames = stream(10)
    for part in batches(frames, 50):
        person.post(part)
    outcome = person.post([frame(EPOCH + round(14.6 * SECOND))])
    assert len(outcome.due) == 1
    assert len(person.windows) == 2
    assert [len(person.post([frame(EPOCH + round(at * SECOND))]).due) for at in (15.8, 16.0)] == [0, 1]  # 9.9 + 6


def test_a_window_keeps_the_stride_of_its_first_request(person: Monitored) -> None:
    frames = stream(16)
    for part in batches(frames, 10):
        person.post(part, **({} if part[0] == frames[0] else {"stride_us": None, "duration_us": 60 * SECOND}))
    assert person.windows == [times(frames[i : i + 100]) for i in (0, 20, 40, 60)]


def test_what_is_shown_is_the_newest_part(person: Monitored) -> None:
    frames = stream(19)
    for part in batches(frames, 10):
        outcome = person.post(part)
    assert outcome.window.frames == 100
    assert outcome.window.span_us == pytest.approx(TEN_S, abs=2)
    assert outcome.window.share == pytest.approx(0.5, abs=0.01)  # of the way to the next stride
    assert person.store.peek(ME)[1] == outcome.window


def test_asked_once_signals_and_series_come_with_every_part(person: Monitored) -> None:
    for part in batches(stream(15), 10):
        person.post(part, raw=part[0] == stream(15)[20], series=part[0] == stream(15)[110])
    assert [claim.raw for claim in person.completed] == [True] * 3
    assert [claim.series for claim in person.completed] == [False, True, True]


@pytest.mark.parametrize("stride_us", [STRIDE, 5 * SECOND, TEN_S])
def test_the_newest_samples_are_given_every_other_second_however_long_it_lasts(redis: Redis, stride_us: int) -> None:
    person = Monitored(redis, stride_us=stride_us)
    frames = stream(45.5)
    looks = []
    for number, part in enumerate(batches(frames, 5)):
        outcome = person.post(part, look=LOOK)
        if outcome.newest:
            looks.append((number + 1) // 2)
            newest = [at for at, _ in outcome.newest]
            seconds = min(10, (number + 1) / 2)
            sent = times(frames[: 5 * (number + 1)])
            assert newest == sent[-len(newest) :]
            assert len(newest) >= 10 * seconds
        else:
            assert outcome.partial or looks[:1] == [] or outcome.due
        if outcome.newest:
            person.store.note_partial(ME, b"noted")
    assert len({second // 2 for second in looks}) == len(looks)  # never twice in two seconds
    assert len(looks) >= 19  # of 21: not in those whose request was answered with a measurement


gaps_of_a_stream = st.lists(
    st.one_of(st.integers(17_000, 60_000), st.integers(30_000, 800_000), st.sampled_from([100_000, 33_333, 1_000_000])),
    min_size=30,
    max_size=150,
)


@hypothesis_settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gaps=gaps_of_a_stream, stride_ms=st.integers(1000, 9999), seed=st.integers(0, 2**32))
def test_splitting_permuting_and_duplicating_give_the_parts_of_the_reference(
    redis: Redis, gaps: list[int], stride_ms: int, seed: int
) -> None:
    draw, at, frames = random.Random(seed), EPOCH, []
    for gap in gaps:
        frames.append(frame(at))
        at += gap
    reference = SlidingReference(TEN_S, 1000 * stride_ms)
    for one in frames:
        reference.post(one[0])
    for way in range(2):
        redis.flushdb()
        person, at = Monitored(redis, Session("key1", f"way{way}"), stride_us=1000 * stride_ms), 0
        while at < len(frames):
            size = draw.randint(1, 64 if way else 3)
            part = frames[at : at + size] + [draw.choice(frames[at : at + size]) for _ in range(draw.randint(0, 3))]
            draw.shuffle(part)
            person.post(part)
            if draw.random() < 0.2:
                assert not person.post(part).restarted
            at += size
        assert person.windows == reference.windows
        for window in person.windows:
            assert is_full(window, TEN_S)


# --- late frames, restarts, the end


def test_late_frames_since_the_last_stride_are_taken_and_older_ones_are_stragglers(person: Monitored) -> None:
    frames = stream(13)
    person.post(frames[:95])
    person.post(frames[95:105])
    person.post(frames[110:115])
    late = person.post(frames[105:110])
    assert late.window.frames == 100
    person.post(frames[115:])
    assert person.windows == [times(frames[:100]), times(frames[20:120])]
    straggler = person.post([frame(frames[118][0] + 50_000)])
    assert (straggler.restarted, straggler.window.frames) == (False, 100)


def test_frames_in_the_window_sent_again_in_other_company_change_nothing(person: Monitored) -> None:
    frames = stream(15)
    for part in batches(frames, 10):
        person.post(part)
    for part in batches(frames[60:], 7):
        outcome = person.post(part)
        assert (outcome.restarted, outcome.due) == (False, ())


def test_silence_or_a_clock_set_back_begins_a_new_window_that_must_fill_first(person: Monitored) -> None:
    for start in (EPOCH, EPOCH + 40 * SECOND, EPOCH - 40 * SECOND):
        frames = stream(13, start=start)
        outcomes = [person.post(part) for part in batches(frames, 10)]
        assert outcomes[0].restarted is (start != EPOCH)
        assert person.windows[-2:] == [times(frames[:100]), times(frames[20:120])]
    assert len(person.windows) == 6


def test_a_final_request_measures_the_newest_part_and_ends_it(person: Monitored) -> None:
    frames = stream(13)
    person.post(frames[:64])
    person.post(frames[64:])
    closing = person.post([], stamped=False, final=True)
    assert person.windows == [times(frames[:100]), times(frames[20:120]), times(frames[30:130])]
    assert closing.window.frames == 0
    again = person.post([], stamped=False, final=True)
    assert again.taken == person.completed[-1].measurement_id


def test_a_final_request_with_nothing_new_is_answered_with_the_last_part(person: Monitored) -> None:
    for part in batches(stream(12), 60):
        person.post(part)
    closing = person.post([], stamped=False, final=True)
    assert closing.taken == person.completed[-1].measurement_id
    assert person.post(stream(1, start=EPOCH + 13 * SECOND)).window.frames == 10


# --- claims


def unsaved(person: Monitored, until_s: float, redis: Redis) -> Claim:
    """The claim of a killed analyst on the first part, in a window of so many seconds whose lease has run out."""
    dead = None
    for part in batches(stream(10), 50):
        dead = person.post(part, save=False).claim
    assert dead is not None
    for part in batches(stream(until_s)[100:], 10):
        person.post(part)
    let_the_lease_expire(redis, dead.measurement_id)
    return dead


@pytest.mark.parametrize("until_s", [11, 24, 60])
def test_the_samples_of_a_killed_analyst_are_still_there(person: Monitored, redis: Redis, until_s: float) -> None:
    dead = unsaved(person, until_s, redis)
    count = len(person.windows)
    taken_over = person.post([frame(EPOCH + round(until_s * SECOND))], save=False).due
    assert next(due.measurement_id for due in taken_over if isinstance(due, Claim)) == dead.measurement_id
    assert isinstance(taken_over[0], Claim)
    assert taken_over[0].records == dead.records
    assert person.save(taken_over[0]) == "saved"
    assert len(person.windows) == count + 1


def test_they_outlive_a_restart_and_the_end_of_the_window(person: Monitored, redis: Redis) -> None:
    for end in ("restart", "final", "expiry"):
        redis.flushdb()
        dead = unsaved(person, 11.5, redis)
        redis.hset(ME.name(f"closed:{dead.measurement_id}"), "lease", 2**53)
        if end == "expiry":
            redis.delete(ME.name("window"), ME.name("index"))  # as 120 s do it
        elif end == "final":
            person.post([], stamped=False, final=True)
        person.post(stream(3, start=EPOCH - 100 * SECOND))
        let_the_lease_expire(redis, dead.measurement_id)
        (taken_over,) = person.post([], stamped=False, save=False).due
        assert isinstance(taken_over, Claim)
        assert taken_over.records == dead.records, end


def test_while_a_part_waits_for_its_result_its_samples_live_as_long(person: Monitored, redis: Redis) -> None:
    dead = unsaved(person, 11, redis)
    assert redis.pttl(ME.name("samples")) > 500_000
    person.save(person.post([], stamped=False, save=False).due[0])
    assert 0 < redis.pttl(ME.name("samples")) <= redis.pttl(ME.name("window")) + 100
    redis.flushdb()
    dead = unsaved(person, 11, redis)
    claim = person.post([], stamped=False, save=False).due[0]
    redis.delete(ME.name("window"), ME.name("index"))
    person.save(claim)
    assert claim.measurement_id == dead.measurement_id
    assert not redis.exists(ME.name("samples"))


def test_a_stale_analyst_cant_save_and_nobody_can_twice(person: Monitored, redis: Redis) -> None:
    dead = unsaved(person, 11, redis)
    newer = person.post([], stamped=False, save=False).due[0]
    assert isinstance(newer, Claim)
    assert [person.save(claim) for claim in (dead, newer, newer)] == ["stale", "saved", "exists"]


def test_racing_clients_get_each_stride_once(redis: Redis) -> None:
    """8 threads send one stream, a third of it twice, at most 3 s of it at a time; each stands for a process."""
    draw = random.Random(3)
    requests = [part for part in batches(stream(60), 3) for _ in range(draw.choice([1, 1, 2]))]
    people = [Monitored(redis, stride_us=SECOND) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        rounds = (requests[at : at + 8] for at in range(0, len(requests), 8))
        outcomes = [one for part in rounds for one in pool.map(lambda p, r: p.post(r), people, part)]
    assert not any(outcome.restarted for outcome in outcomes)
    due = [one for outcome in outcomes for one in outcome.due]
    claims = [one for one in due if isinstance(one, Claim)]
    ids = [claim.measurement_id for claim in claims]
    assert len(ids) == len(set(ids))
    assert {one for one in due if isinstance(one, str)} <= set(ids)
    cuts = sorted(claim.records[-1][0] for claim in claims)
    grid = [(cut - cuts[0]) // SECOND for cut in cuts]
    assert len(grid) == len(set(grid))
    assert len(grid) >= 25  # of the 51 s from 9.9 s on: one frame may pass several


# --- what it costs


@pytest.mark.parametrize(("duration_s", "stride_s"), [(10, 1), (30, 1), (30, 5), (30, 15), (60, 45)])
def test_a_sliding_window_takes_little_more_memory_than_one_window(
    redis: Redis, duration_s: int, stride_s: int
) -> None:
    def entries(frames: Frames) -> list[Entry]:
        return [Entry(at, digest, digest * 45) for at, digest in frames]  # 360 bytes, as a sample

    def memory(session: Session) -> int:
        names = redis.scan_iter(f"{session.name('')}*")
        return sum(redis.memory_usage(name, samples=0) for name in names)

    store, single, sliding = WindowStore(redis), Session("key1", "single"), Session("key1", "sliding")
    most = 0
    for number, part in enumerate(batches(stream(3.2 * duration_s, fps=30), 30)):
        digest = b"%08d" % number
        duration_us = SECOND * duration_s
        if len(part) == 30 and number < duration_s - 1:
            store.append(single, entries(part), duration_us=duration_us, digest=digest)
        outcome = store.append(
            sliding, entries(part), duration_us=duration_us, digest=digest, stride_us=stride_s * SECOND
        )
        for claim in outcome.due:
            assert isinstance(claim, Claim)
            store.save(sliding, claim, b"")
        most = max(most, memory(sliding))
    one = memory(single) * duration_s / (duration_s - 1)
    assert most <= 1.3 * one, (most, one)
