"""`Beam.scan` and `Beam.watch` on a real service."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from beam_client import Beam, Measurement, Progress, ScanFailed, SourceError, TimedOut, UnusableVideo
from tests import videos
from tests.faults.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.services import Service

pytestmark = pytest.mark.integration


def test_a_video_is_scanned(beam: Beam, clip: Path) -> None:
    shares: list[float] = []
    result = beam.scan(clip, progress=lambda progress: shares.append(progress.share))
    assert result.heart_rate.value == pytest.approx(videos.RATE_BPM, abs=2)
    assert result.heart_rate.low < result.heart_rate.value < result.heart_rate.high
    assert result.respiration_rate.reason == "WINDOW_TOO_SHORT"
    assert result.data["respiratory_rate"] is None
    assert result.data["blood_pressure"] is None
    assert result.verdict
    assert shares == sorted(shares)


def test_a_scan_can_be_left_and_asked_for_later(beam: Beam, clip: Path) -> None:
    job = beam.scan(str(clip), wait=False)
    assert job.status == "processing"
    end = time.monotonic() + 90
    while job.status == "processing" and time.monotonic() < end:
        time.sleep(0.5)
        job = beam.scan_status(job.session_id)
    assert job.status == "completed"
    assert job.result.heart_rate.value == pytest.approx(videos.RATE_BPM, abs=2)
    with pytest.raises(TimedOut, match="scan_status") as caught:
        beam.scan(clip, timeout_ms=0)
    assert caught.value.session_id


def test_a_video_without_a_person_fails_with_the_reason(beam: Beam, tmp_path: Path) -> None:
    path = tmp_path / "room.mp4"
    path.write_bytes(videos.blank(6.0))
    with pytest.raises(ScanFailed, match="No face detected"):
        beam.scan(path)
    path.write_bytes(videos.blank(3.0))
    with pytest.raises(UnusableVideo):
        beam.scan(path)
    with pytest.raises(SourceError, match="can't be read"):
        beam.scan(tmp_path / "nowhere.mp4")


def test_an_upload_whose_answer_is_lost_is_not_refused_as_a_second_one(
    service: Service, make_key: Callable[..., str], clip: Path
) -> None:
    port = httpx.URL(service.url).port or 0
    with proxied(port) as proxy, Beam(f"http://127.0.0.1:{proxy.port}", make_key()) as client:
        proxy.manners.lose_reply_to = b"/video HTTP"
        proxy.manners.times = 1
        job = client.scan(clip, wait=False)
        assert proxy.manners.lost == 1
        assert job.status == "processing"


def test_a_session_is_watched_while_others_fill_it(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    key = make_key()
    seen: list[Progress | Measurement] = []

    def watch() -> None:
        with Beam(service.url, key) as client:
            for state in client.watch("clara", every_ms=50, timeout_ms=60_000):
                seen.append(state)
                if isinstance(state, Measurement):
                    return

    watcher = threading.Thread(target=watch)
    watcher.start()
    with Beam(service.url, key) as client:
        result = client.measure(frames, session_id="clara")
    watcher.join(30)
    assert isinstance(seen[-1], Measurement)
    assert seen[-1] == result
    states = [state for state in seen[:-1] if isinstance(state, Progress)]
    assert states
    assert [state.frames for state in states] == sorted(state.frames for state in states)


def test_watching_ends_when_nothing_happens(beam: Beam) -> None:
    assert list(beam.watch("nobody", every_ms=50, timeout_ms=200)) == []
