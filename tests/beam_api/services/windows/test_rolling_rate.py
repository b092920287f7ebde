"""`partial` in the 202: found every other second, by whichever process, and shown until the next one."""

import pytest

from beam_api.services.windows.completed import Completed
from beam_api.services.windows.measure_request import Post
from beam_api.services.windows.measuring import Measuring
from beam_api.store.results import ResultStore
from beam_api.store.window_values import Session
from beam_api.store.windows import WindowStore
from rppg_core import measure
from rppg_core.guidance import advise
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

FPS = 15.0


@pytest.fixture(scope="module")
def frames():
    """12 s of a face at 72 bpm: (capture time in us, JPEG)."""
    face = simulate_face(Scene(duration_s=12.0, fps=FPS, rmssd_ms=20.0, frame_size=(320, 300), eyes_px=42, seed=5))
    return [(1_750_000_000_000_000 + round(1e6 * at), face.jpeg(i)) for i, at in enumerate(face.times_s)]


@pytest.fixture
def send(parts):
    """Post frames of a person with the service of this app, or another one on the same store."""

    def send(batch, session="anna", measuring=parts.measuring, duration_s=60):
        times, images = zip(*batch, strict=True)
        return measuring.post(Post(Session("key", session), images, times, None, duration_s * 1_000_000, False))

    return send


def batches(frames, size):
    return [frames[at : at + size] for at in range(0, len(frames), size)]


def test_from_five_seconds_on_each_request_gives_the_running_rate(send, frames):
    answers = [send(batch) for batch in batches(frames, 15)]
    assert [a.partial is not None for a in answers[:12]] == [False] * 4 + [True] * 8
    for answer in answers[4:12]:
        running = answer.partial
        assert running.heart_rate == pytest.approx(72, abs=3)
        assert running.confidence >= 0.3
        assert len(running.ppg) == pytest.approx(5 * running.sampling_rate, abs=1)
        assert max(abs(value) for value in running.ppg) == 1.0


def test_it_is_not_sought_for_a_request_that_does_not_want_it(parts, send, frames, monkeypatch):
    asked = []
    monkeypatch.setattr("beam_api.services.windows.rolling_rate.partial", lambda trace: asked.append(trace.times_s[-1]))
    for batch in batches(frames, 15)[:7]:
        times, images = zip(*batch, strict=True)
        post = Post(Session("key", "anna"), images, times, None, 60_000_000, False, include_partial=False)
        assert parts.measuring.post(post).partial is None
    assert not asked
    monkeypatch.undo()
    assert send(frames[105:120]).partial is not None  # the next request that wants one has it


@pytest.mark.parametrize("size", [1, 4, 32])
def test_it_is_sought_every_other_second_however_frames_are_sent(send, frames, size, monkeypatch):
    asked = []
    monkeypatch.setattr("beam_api.services.windows.rolling_rate.partial", lambda trace: asked.append(trace.times_s[-1]))
    for batch in batches(frames, size):
        send(batch)
    assert 4 <= len(asked) <= 5  # at 5 s, and at 6, 8, 10 and 12 s or soon after


def test_processes_that_share_a_window_and_retries_do_not_look_twice(send, frames, redis, reader, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "beam_api.services.windows.rolling_rate.partial", lambda trace: asked.append(len(trace.times_s))
    )
    other = Measuring(WindowStore(redis), ResultStore(redis), reader, analyse=measure, advise=advise)
    whole = batches(frames[:105], 15)
    for batch in whole:
        send(batch)
    send(whole[-1])  # again
    assert len(asked) == 2
    send(frames[105:119])
    assert len(asked) == 2
    send([frames[120]], measuring=other)
    send([frames[119]])  # late, in the same second
    assert len(asked) == 3


def test_to_look_asks_the_store_for_nothing_more_and_notes_what_it_found(send, frames, sent_commands):
    for batch in batches(frames[:89], 15):
        send(batch)
    sent_commands.clear()
    assert send(frames[89:90]).partial is not None
    assert sent_commands == [["EVALSHA", "EVALSHA"], ["EVALSHA"], ["EVALSHA"]]
    sent_commands.clear()
    assert send(frames[91:92]).partial is not None
    assert sent_commands == [["EVALSHA", "EVALSHA"], ["EVALSHA"]]


def test_until_the_next_look_all_requests_show_what_was_found_last(send, frames):
    answers = [send(batch) for batch in batches(frames[:150], 5)]
    shown = [answer.partial for answer in answers]
    first = next(i for i, partial in enumerate(shown) if partial)
    assert all(shown[first:])
    assert len(set(shown[first:])) == 4  # found at 5, 6, 8 and 10 s


def test_a_new_window_of_the_same_person_begins_anew(send, frames):
    shift = 60_000_000
    for batch in batches(frames[:120], 15):
        send(batch)
    later = [(at + shift, image) for at, image in frames[:90]]
    answers = [send(batch) for batch in batches(later, 15)]
    assert answers[0].restarted
    assert [a.partial is not None for a in answers] == [False] * 4 + [True] * 2


def test_a_failure_of_the_extra_costs_nobody_an_answer(send, frames, monkeypatch):
    def fail(_trace):
        raise RuntimeError("as it happens")

    monkeypatch.setattr("beam_api.services.windows.rolling_rate.partial", fail)
    answers = [send(batch, duration_s=10) for batch in batches(frames, 15)]
    assert {a.partial for a in answers if not isinstance(a, Completed)} == {None}
    assert sum(isinstance(a, Completed) for a in answers) == 1


def test_a_window_without_a_pulse_has_a_confidence_and_no_rate(send):
    face = simulate_face(Scene(duration_s=7.0, fps=FPS, pulse=0.0, recoil=0.0, frame_size=(320, 300), eyes_px=42))
    photo = [(round(1e6 * at), face.jpeg(i)) for i, at in enumerate(face.times_s)]
    running = [send(batch).partial for batch in batches(photo, 15)][5]
    assert (running.heart_rate, running.ppg) == (None, ())
    assert 0 <= running.confidence < 0.3
