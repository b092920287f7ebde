"""`Beam.scan` on a real service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from beam_client import Beam, NotFound, ScanFailed, SourceError, TimedOut, UnusableVideo, _scanning
from tests import videos
from tests.faults.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from beam_client._exchange import Manners
    from beam_client._http import Flow
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


def test_a_scan_is_cancelled(beam: Beam, clip: Path) -> None:
    job = beam.scan(clip, wait=False)
    job.cancel()
    with pytest.raises(NotFound):
        beam.scan_status(job.session_id)
    beam.cancel_scan(job.session_id)  # one that is gone is no error


def test_an_interrupted_wait_cancels_the_scan(beam: Beam, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: list[str] = []
    cancel = _scanning.cancel

    def interrupt(progress: object) -> None:
        raise KeyboardInterrupt

    def noted(session_id: str, manners: Manners) -> Flow[None]:
        cancelled.append(session_id)
        return cancel(session_id, manners)

    monkeypatch.setattr(_scanning, "cancel", noted)
    with pytest.raises(KeyboardInterrupt):
        beam.scan(clip, progress=interrupt)
    with pytest.raises(NotFound):
        beam.scan_status(*cancelled)
