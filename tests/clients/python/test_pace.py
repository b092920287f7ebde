"""The client obeys the service's pace, on a recording and on a live source. The service is the real app."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import simplejpeg

from beam_api.web import request_log
from beam_client import Beam, FramesEnded, Measurement, NoFace, camera
from beam_client._exchange import Manners
from beam_client._http import Blocking
from beam_client._measuring import Wanted, measure
from beam_client._sources import Frame, Source, open_source
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.scenes import Scene
from tests import images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask

    from beam_api.web.context import Parts

STEP_MS = 1000 / 30


@pytest.fixture
def connect(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Beam]:
    """Make a client that reaches the app without a network.

    Answers take no time by the recording's clock, which stands still meanwhile.
    """
    monkeypatch.setattr(request_log, "elapsed_ms", lambda: 0.0)
    return lambda key: Beam("http://beam", key, http=httpx.Client(transport=httpx.WSGITransport(app)))


@pytest.fixture(scope="module")
def still() -> bytes:
    return images.jpeg(images.still_face(eyes_px=40.0, frame_size=(240, 220)))


def recording(still: bytes, seconds: float, taken: list[float] | None = None) -> Iterator[Frame]:
    """30 frames a second; the times of those that are wanted go to `taken`."""
    for i in range(round(30 * seconds)):

        def picture(at: float = i * STEP_MS) -> bytes:
            if taken is not None:
                taken.append(at)
            return still

        yield i * STEP_MS, picture


def test_a_recording_is_thinned_to_the_pace_and_only_those_frames_are_made(
    connect: Callable[[str], Beam], api_key: str, still: bytes
) -> None:
    taken: list[float] = []
    shares: list[float] = []
    with connect(api_key) as client:
        result = client.measure(
            recording(still, 14, taken),
            duration_ms=10_000,
            pace="single",
            progress=lambda progress: shares.append(progress.share),
        )
    assert result.frames == len(taken)
    assert len(taken) == pytest.approx(15, abs=3)
    assert len(set(np.diff(taken).round())) > 5
    assert shares == sorted(shares)


def test_the_last_frame_of_a_recording_may_fill_the_window(
    connect: Callable[[str], Beam], api_key: str, still: bytes
) -> None:
    with connect(api_key) as client:
        result = client.measure(recording(still, 10.0), duration_ms=10_000, pace="single")
    assert result.duration_ms >= 9_999


def test_frames_without_a_face_are_paced_too(connect: Callable[[str], Beam], api_key: str, still: bytes) -> None:
    wall = images.jpeg(images.wall((240, 220)))
    taken: list[float] = []
    frames = ((at, (lambda p=picture: p() and wall)) for at, picture in recording(still, 10, taken))
    with connect(api_key) as client, pytest.raises(NoFace):
        client.measure(frames, duration_ms=10_000, pace="single")
    assert len(taken) == pytest.approx(15, abs=5)


def test_a_live_source_is_asked_when_the_service_says_so(app: Flask, parts: Parts, still: bytes) -> None:
    """Its clock goes on by a frame at every look, and by 50 ms for each answer's way back."""
    clock_ms = [0.0]
    taken: list[float] = []

    def taking() -> Iterator[Frame]:
        while clock_ms[0] < 20_000:
            clock_ms[0] += STEP_MS
            at = clock_ms[0]
            yield at, lambda at=at: taken.append(at) or still

    http = Blocking(
        httpx.Client(transport=httpx.WSGITransport(app)), "http://beam", parts.keys.create("t", tier="scan").key
    )
    source = Source(taking, live=True, clock=lambda: clock_ms[0] + 50)
    http.run(measure(source, Wanted("a", 10_000, pace="single"), Manners("http://beam")))
    # 0.9 of 60 a minute and a network of 50 ms
    assert np.mean(np.diff(taken)) == pytest.approx(1160, rel=0.25)


def test_batches_hold_every_frame(connect: Callable[[str], Beam], api_key: str, still: bytes) -> None:
    taken: list[float] = []
    with connect(api_key) as client:
        result = client.measure(recording(still, 11, taken), duration_ms=10_000)
    assert result.frames == 300
    assert 300 <= len(taken) <= 331


def test_frames_that_are_being_taken_get_the_times_at_which_they_come(
    connect: Callable[[str], Beam], api_key: str, still: bytes
) -> None:
    def taking() -> Iterator[bytes]:
        for _ in range(12):
            time.sleep(0.05)
            yield still

    states = []
    with connect(api_key) as client, pytest.raises(FramesEnded):
        client.measure(taking(), live=True, duration_ms=10_000, progress=states.append)
    assert states[-1].frames == 12
    assert 0.04 <= states[-1].share < 0.9


def test_what_a_live_source_raises_is_raised(connect: Callable[[str], Beam], api_key: str) -> None:
    def taking() -> Iterator[bytes]:
        raise RuntimeError("unplugged")
        yield b""

    with connect(api_key) as client, pytest.raises(RuntimeError, match="unplugged"):
        client.measure(taking(), live=True)


def test_a_camera_gives_frames_with_the_times_at_which_they_came(tmp_path: Path) -> None:
    """A film in the place of a device: the same decoder reads it, as fast as it can."""
    path = tmp_path / "camera.mp4"
    film(simulate_face(Scene(duration_s=1.0, fps=15.0, frame_size=(240, 220), eyes_px=40.0)), path)
    start = camera.now_ms()
    for read in (camera.opened, camera.opened_by_pyav):
        with read(str(path)) as frames:
            found = list(frames)
        assert len(found) == 16
        times = [at for at, _ in found]
        assert times == sorted(times)
        assert start <= times[0] <= times[-1] <= camera.now_ms()
        pixels = simplejpeg.decode_jpeg(found[0][1]) if isinstance(found[0][1], bytes) else found[0][1]
        assert pixels.shape == (220, 240, 3)
        assert pixels[..., 0].mean() > pixels[..., 2].mean()  # RGB: skin is more red than blue


def test_a_live_source_loses_no_frame_while_an_answer_is_awaited(still: bytes) -> None:
    source = open_source(iter([(float(i), still) for i in range(100)]), live=True)
    frames: Any = source.start()
    assert next(frames) == (0.0, still)
    time.sleep(0.1)
    assert [at for at, _ in frames] == [float(i) for i in range(1, 100)]


def test_results_are_values(connect: Callable[[str], Beam], api_key: str, still: bytes) -> None:
    with connect(api_key) as client:
        result = client.measure(recording(still, 10.5), duration_ms=10_000)
    assert isinstance(result, Measurement)
    assert result.heart_rate.value is None  # a photo has no pulse
    assert result.heart_rate.reason
    assert str(result.heart_rate) == f"withheld: {result.heart_rate.reason}"
    with pytest.raises(AttributeError):
        result.frames = 3
