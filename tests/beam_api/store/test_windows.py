"""The window in Redis, against the rules of the contract: when it is full, what it keeps, what it costs."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from beam_api.exceptions import InvalidParameter
from beam_api.store.cluster import as_cluster
from beam_api.store.window_values import Entry, LastFace, Session
from beam_api.store.windows import WindowStore
from tests.beam_api.store.reference import SECOND, is_full

if TYPE_CHECKING:
    from redis import Redis

from tests.beam_api.store.people import EPOCH, ME, TEN_S, Person, arrive, batches, frame, stream

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


# --- images and samples


def test_a_window_of_samples_has_every_rule_of_stamped_frames_and_says_what_it_holds(person: Person) -> None:
    frames = stream(12)
    outcomes = [person.post(part, source="samples") for part in batches(frames, 64)]
    assert person.windows == [[at for at, _ in frames[:100]]]
    assert [claim.source for claim in person.completed] == ["samples"]
    twin = person.post([frame(frames[-1][0] + 300, "other")], source="samples")
    assert twin.twins == {frames[-1][0] + 300}
    assert outcomes[-1].window.frames == twin.window.frames == 20


@pytest.mark.parametrize(("first", "second"), [("images", "samples"), ("samples", "images")])
def test_images_and_samples_share_no_window(person: Person, redis: Redis, first: str, second: str) -> None:
    frames = stream(4)
    person.post(frames[:20], source=first)
    with pytest.raises(InvalidParameter, match=f"holds {first}"):
        person.post(frames[20:30], source=second)
    assert person.store.peek(ME)[1].frames == 20
    redis.hset(ME.name("window"), "at", 0)  # it has been silent
    anew = person.post(frames[20:30], source=second)
    assert (anew.window.frames, anew.restarted) == (10, True)


def test_parked_frames_never_join_a_window_of_another_kind(person: Person, redis: Redis) -> None:
    frames = stream(30)
    person.post(frames[:20], patient=True)
    person.post(frames[80:100], patient=True)  # a jump: the first ones are put aside
    assert person.post(frames[100:180]).claim
    assert redis.exists(ME.name("parked")) == 1
    joined = person.post([frame(frames[40][0], "sample")], source="samples", patient=True)
    assert joined.window.frames == 1


def test_256_entries_are_taken_in_one_step(person: Person) -> None:
    frames = stream(9, fps=30)[:256]
    assert person.post(frames[::-1], source="samples").window.frames == 256
    assert person.post(frames, source="samples").window.frames == 256


def test_many_late_frames_cost_little_more_than_a_few(redis: Redis) -> None:
    """Counted in the server's own time for the script: each in its place, but all moved into it together.

    The machine may let the server wait for a core, so one try in which it doesn't is enough: one by one they would cost
    fifteen times as much in each.
    """

    def costs(session: Session) -> list[int]:
        person, spent = Person(redis, session), []
        frames = stream(290, fps=59)
        holes = frames[500:1012:2]
        rest = [one for one in frames if one not in set(holes)]
        for part in batches(rest, 256):
            person.post(part, duration_us=300 * SECOND)
        cluster = as_cluster(redis)
        node = {"target_nodes": cluster.get_node_from_key(session.name("window"))} if cluster else {}
        for late in (holes[:16], holes[16:]):
            before = redis.info("commandstats", **node)["cmdstat_evalsha"]["usec"]
            outcome = person.post(late, duration_us=300 * SECOND)
            spent.append(redis.info("commandstats", **node)["cmdstat_evalsha"]["usec"] - before)
        assert outcome.window.frames == len(frames)
        return spent

    assert any(many < 3 * few for few, many in (costs(Session("key1", f"late{i}")) for i in range(5)))
