"""`/api/rppg` when an analysis fails or takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beam_api.services.windows import measuring
from rppg_core.face.reader import Frame
from tests import images

if TYPE_CHECKING:
    import pytest
    from flask import Flask
    from redis import Redis


from tests.beam_api.web.measuring import Post, batches, code

# --- the analyst fails


class Failing:
    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, trace: Any) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise ArithmeticError("a bug")
        from rppg_core import measure

        return measure(trace)


def fail(app: Flask, times: int) -> None:
    app.extensions["beam_api"].measuring._analyse = Failing(times)


def test_a_failed_analysis_is_a_500_and_the_retry_gets_the_measurement(
    app: Flask, post: Post, face_frames: list[Frame]
) -> None:
    fail(app, times=1)
    parts = list(batches(face_frames, 64))
    for part in parts[:2]:
        post(part, duration_ms=10_000)
    assert code(post(parts[2], duration_ms=10_000)) == "INTERNAL_ERROR"
    retry = post(parts[2], duration_ms=10_000)
    assert retry.status_code == 200
    assert "Idempotent-Replayed" not in retry.headers
    assert abs(retry.get_json()["data"]["heart_rate"] - 72) <= 2


def test_a_window_that_always_fails_ends_without_vitals_and_does_not_block_its_session(
    app: Flask, post: Post, face_frames: list[Frame]
) -> None:
    fail(app, times=99)
    parts = list(batches(face_frames, 64))
    answers = [post(part, duration_ms=10_000) for part in [*parts, parts[2], parts[2], parts[2]]]
    assert [answer.status_code for answer in answers] == [202, 202, 500, 500, 200, 200]
    data = answers[4].get_json()["data"]
    assert data["heart_rate"] is None
    assert set(data["withheld"].values()) == {"NOT_MEASURED"}
    assert answers[5].headers["Idempotent-Replayed"] == "true"


def test_a_retry_during_analysis_waits_and_then_says_progress_1(
    monkeypatch: pytest.MonkeyPatch, app: Flask, post: Post, face_frames: list[Frame]
) -> None:
    """The analyst dies as if killed: with its claim held."""
    monkeypatch.setattr(measuring, "PATIENCE_S", 0.1)
    use_case = app.extensions["beam_api"].measuring
    parts = list(batches(face_frames, 64))
    for part in parts[:2]:
        post(part, duration_ms=10_000)
    with monkeypatch.context() as killed:
        killed.setattr(use_case, "_complete", Failing(1))
        assert post(parts[2], duration_ms=10_000).status_code == 500
    waiting = post(parts[2], duration_ms=10_000)
    assert waiting.status_code == 202
    assert waiting.get_json()["data"]["progress"] == 1.0
    redis: Redis = app.extensions["beam_api"].redis
    (closed,) = [name for name in redis.scan_iter("*:closed:msr_*") if not name.endswith(b":samples")]
    redis.hset(closed, "lease", 1)
    later = Frame(face_frames[-1].time_us + 66_667, images.jpeg(images.still_face()))
    taken_over = post([later], duration_ms=10_000)
    assert taken_over.status_code == 200
    assert abs(taken_over.get_json()["data"]["heart_rate"] - 72) <= 2
    assert "Idempotent-Replayed" not in taken_over.headers
    for part in (parts[2], [later]):
        assert post(part, duration_ms=10_000).headers["Idempotent-Replayed"] == "true"
