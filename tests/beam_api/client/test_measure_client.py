"""The client obeys the service's pace, on a recording and on a live source. The service is the real app."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

from beam_api.cli.sources import Camera, now
from beam_api.client.measure import BeamClient, ServiceRefused
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.scenes import Scene
from tests import images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask

    from beam_api.web.context import Parts

STEP_US = 33_333


@pytest.fixture
def connect(app: Flask) -> Callable[[str], BeamClient]:
    """Make a client that reaches the app without a network."""

    def make(key: str) -> BeamClient:
        client = BeamClient("http://beam", key)
        client._http = httpx.Client(
            transport=httpx.WSGITransport(app), base_url="http://beam", headers={"X-API-Key": key}
        )
        return client

    return make


@pytest.fixture(scope="module")
def still() -> bytes:
    return images.jpeg(images.still_face(eyes_px=40.0, frame_size=(240, 220)))


def recording(
    still: bytes, seconds: float, taken: list[int] | None = None
) -> Iterator[tuple[int, Callable[[], bytes]]]:
    """30 frames a second; the times of those that are wanted go to `taken`."""
    for i in range(round(30 * seconds)):

        def picture(at: int = i * STEP_US) -> bytes:
            if taken is not None:
                taken.append(at)
            return still

        yield i * STEP_US, picture


def ignore(_: float) -> None:
    """Show no progress."""


def test_a_recording_is_thinned_to_the_pace_and_only_those_frames_are_made(
    connect: Callable[[str], BeamClient], api_key: str, still: bytes
) -> None:
    taken: list[int] = []
    progress: list[float] = []
    with connect(api_key) as client:
        answer = client.measure(
            recording(still, 14, taken),
            session_id="a",
            duration_ms=10_000,
            on_progress=progress.append,
            pace="single",
        )
    assert answer["data"]["frames"] == len(taken)
    assert len(taken) == pytest.approx(15, abs=3)
    assert len(set(np.diff(taken))) > 5
    assert progress == sorted(progress)


def test_the_last_frame_of_a_recording_may_fill_the_window(
    connect: Callable[[str], BeamClient], api_key: str, still: bytes
) -> None:
    with connect(api_key) as client:
        answer = client.measure(
            recording(still, 10.0), session_id="a", duration_ms=10_000, on_progress=ignore, pace="single"
        )
    assert answer["data"]["duration_ms"] >= 9_999


def test_frames_without_a_face_are_paced_too(connect: Callable[[str], BeamClient], api_key: str, still: bytes) -> None:
    wall = images.jpeg(images.wall((240, 220)))
    taken: list[int] = []
    frames = ((at, (lambda p=picture: p() and wall)) for at, picture in recording(still, 10, taken))
    with connect(api_key) as client, pytest.raises(ServiceRefused, match="frames ended"):
        client.measure(frames, session_id="a", duration_ms=10_000, on_progress=ignore, pace="single")
    assert len(taken) == pytest.approx(15, abs=5)


def test_a_live_source_is_asked_when_the_service_says_so(
    connect: Callable[[str], BeamClient], parts: Parts, still: bytes
) -> None:
    """Its clock goes on by a frame at every look, and by 50 ms for each answer's way back."""
    clock_us = [0]
    taken: list[int] = []

    def camera() -> Iterator[tuple[int, Callable[[], bytes]]]:
        while clock_us[0] < 20_000_000:
            clock_us[0] += STEP_US
            at = clock_us[0]
            yield at, lambda at=at: taken.append(at) or still

    with connect(parts.keys.create("t", tier="scan").key) as client:
        client.measure(
            camera(),
            session_id="a",
            duration_ms=10_000,
            on_progress=ignore,
            pace="single",
            clock=lambda: clock_us[0] + 50_000,
        )
    # 0.9 of 60 a minute and a network of 50 ms
    assert np.mean(np.diff(taken)) == pytest.approx(1_160_000, rel=0.25)


def test_batches_hold_every_frame(connect: Callable[[str], BeamClient], api_key: str, still: bytes) -> None:
    taken: list[int] = []
    with connect(api_key) as client:
        answer = client.measure(recording(still, 11, taken), session_id="a", duration_ms=10_000, on_progress=ignore)
    assert answer["data"]["frames"] == 300
    assert len(taken) == 300


def test_a_camera_gives_frames_with_the_times_at_which_they_came(tmp_path: Path) -> None:
    """A film in the place of a device: the same decoder reads it, as fast as it can."""
    path = tmp_path / "camera.mp4"
    film(simulate_face(Scene(duration_s=1.0, fps=15.0, frame_size=(240, 220), eyes_px=40.0)), path)
    start = now()
    frames = list(Camera(str(path)).frames())
    assert len(frames) == 16
    assert frames[0][1].shape == (220, 240, 3)
    assert frames[0][1][..., 0].mean() > frames[0][1][..., 2].mean()  # RGB: skin is more red than blue
    times = [at for at, _ in frames]
    assert times == sorted(times)
    assert start <= times[0] <= times[-1] <= time.time_ns() // 1000
