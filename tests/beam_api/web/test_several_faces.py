"""Two people before the camera: both are warned while the window fills, and when it is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rppg_core.face.company import PERIOD_US
from rppg_core.face.reader import Frame
from tests.beam_api.web.measuring import Post, batches
from tests.images import beside, jpeg, still_face

if TYPE_CHECKING:
    import numpy as np


def with_another(frame: Frame, other: np.ndarray) -> Frame:
    return Frame(frame.time_us, jpeg(beside(frame.image(), other, 0.7)))


def test_two_people_are_reported_in_each_answer_and_one_is_not(post: Post, face_frames: list[Frame]) -> None:
    other = still_face(skin=4, mirror=True)
    for session, frames in (
        ("one", face_frames),
        ("two", [with_another(frame, other) for frame in face_frames]),
    ):
        answers = [post(batch, duration_ms=10_000, session_id=session) for batch in batches(frames)]
        assert {answer.status_code for answer in answers} == {200, 202}
        for answer in answers:
            assert ("SEVERAL_FACES" in answer.get_json()["data"]["guidance"]) is (session == "two")
        (done,) = [answer.get_json()["data"] for answer in answers if answer.status_code == 200]
        assert abs(done["heart_rate"] - 72) <= 2  # of the larger face, which is followed


def test_who_joins_at_the_very_end_does_not_speak_for_the_window(post: Post, face_frames: list[Frame]) -> None:
    other = still_face(skin=4, mirror=True)
    shift = PERIOD_US - face_frames[140].time_us % PERIOD_US  # a look is due at the 140th frame
    frames = [Frame(frame.time_us + shift, frame.data) for frame in face_frames]
    frames = frames[:120] + [with_another(frame, other) for frame in frames[120:]]

    answers = [post(batch, duration_ms=10_000) for batch in batches(frames, 20)]

    reported = ["SEVERAL_FACES" in answer.get_json()["data"]["guidance"] for answer in answers]
    assert not any(reported[:6])
    assert reported[-1]
