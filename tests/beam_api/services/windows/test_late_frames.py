"""A full window waits for late frames, in few requests at a time: each of them holds a thread of the web process."""

import pytest

from beam_api.services.windows.completed import Completed
from beam_api.services.windows.measure_request import Post
from beam_api.services.windows.measuring import WAITING
from beam_api.store.window_values import Session
from tests import images

START_US = 1_750_000_000_000_000


@pytest.fixture(scope="module")
def jpeg():
    return images.jpeg(images.still_face(eyes_px=40.0, frame_size=(240, 220)))


@pytest.fixture
def fill(parts, jpeg, monkeypatch):
    """Fill a window whose second half comes first; the answer, and how often the store was asked to append."""
    asked = []
    append = parts.measuring._windows.append
    monkeypatch.setattr(
        parts.measuring._windows.__class__,
        "append",
        lambda _self, *args, **options: asked.append(options) or append(*args, **options),
    )

    def run():
        for seconds in (range(5, 11), range(5)):
            asked.clear()
            times = tuple(START_US + 1_000_000 * second for second in seconds)
            answer = parts.measuring.post(
                Post(Session("key", "anna"), (jpeg,) * len(times), times, None, 10_000_000, False)
            )
        return answer, len(asked)

    return run


def test_a_full_window_waits_for_late_frames(fill):
    answer, asked = fill()
    assert isinstance(answer, Completed)
    assert asked > 2  # the frames, then again and again until no frame has come for a while


def test_when_enough_requests_wait_a_full_window_closes_at_once(parts, fill):
    for _ in range(WAITING):
        parts.measuring._waiting.acquire()
    answer, asked = fill()
    assert isinstance(answer, Completed)
    assert asked == 2  # the frames, and to close
    assert not parts.measuring._waiting.acquire(blocking=False)  # it gave back no place that it did not have
