"""Scans that take a while, through `beam serve` and its worker: their vitals so far, and their end on request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests import videos
from tests.integration.test_scanning import ScanService
from tests.processes import running, wait_until
from tests.services import services
from tests.thorough import thorough

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.services import Service

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def scans(service: Service) -> ScanService:
    return ScanService(service)


def test_vitals_of_the_first_minute_are_there_while_the_scan_goes_on(scans: ScanService) -> None:
    session, seen = scans.begin(videos.a_while()), []
    end_s = time.monotonic() + 120
    while (found := scans.vitals(session))["status"] == "processing" and time.monotonic() < end_s:
        seen.append(found)
        time.sleep(0.02)
    assert found["status"] == "completed", found
    assert "partial" not in found
    partials = [answer["partial"] for answer in seen if "partial" in answer]
    assert partials
    assert partials[0]["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert 60_000 <= partials[0]["duration_ms"] <= 64_000
    assert found["vitals"]["duration_ms"] == pytest.approx(80_000, abs=200)
    shown = [answer["progress"] for answer in seen]
    assert shown == sorted(shown)
    assert shown[-1] > 0.5


def test_a_scan_under_way_ends_when_it_is_deleted(scans: ScanService) -> None:
    worker = scans.worker()
    session = scans.begin(videos.looped(60))
    child = scans.child(worker, session)  # stopped in its tracks, as a decoder that hangs
    assert scans.ask("DELETE", f"/v1/scan-session/{session}").status_code == 204
    assert scans.spooled() == []
    assert wait_until(lambda: not running(child), 20)
    assert scans.ask("GET", f"/v1/scan-session/{session}/vitals").status_code == 404
    assert scans.ask("DELETE", f"/v1/scan-session/{session}").status_code == 404
    assert scans.end(scans.begin(videos.encoded()))["status"] == "completed"
    assert scans.worker() == worker


@thorough  # each step of it is in beam_api/web/test_scan_budget.py and test_scan_cancel.py, without a service
def test_a_scan_is_charged_to_its_key_and_what_was_not_analysed_given_back(tmp_path: Path) -> None:
    with services() as start:
        scans = ScanService(start(tmp_path / "data", BEAM_SCAN_BUDGET_S="60"))
        worker, video = scans.worker(), videos.looped(60)

        def upload() -> tuple[str, httpx.Response]:
            session = scans.ask("POST", "/v1/scan-session").json()["session_id"]
            return session, scans.ask("POST", f"/v1/scan-session/{session}/video", files={"file": ("v", video)})

        first, answer = upload()
        child = scans.child(worker, first)  # stopped in its tracks; the others wait
        while answer.status_code == 202:
            left_s = int(answer.headers["X-Beam-Scan-Remaining"])
            _, answer = upload()
        assert answer.status_code == 429
        assert "budget of scans is used up" in answer.json()["detail"]
        assert 0 < int(answer.headers["Retry-After"]) <= 3600
        assert scans.ask("DELETE", f"/v1/scan-session/{first}").status_code == 204
        _, answer = upload()
        assert answer.status_code == 202
        assert int(answer.headers["X-Beam-Scan-Remaining"]) <= left_s + 2  # 1 s in a minute comes back by itself
        assert wait_until(lambda: not running(child), 20)
