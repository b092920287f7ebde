"""Videos scanned through `beam serve` and its worker, by the clients that the documentation shows."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import simplejpeg
from click.testing import CliRunner, Result
from standardwebhooks import Webhook

from beam_api.cli import main
from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_api.store.scans import session_name
from rppg_core.media.video import read_video
from tests import videos
from tests.beam_api.services.scans.test_webhook_delivery import Receiver
from tests.processes import running, wait_until
from tests.thorough import rows, thorough

if TYPE_CHECKING:
    from tests.services import Service

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "docs" / "scans.md").read_text(), re.DOTALL | re.MULTILINE)
VITALS = {
    *("heart_rate", "respiratory_rate", "hrv", "blood_pressure", "confidence", "timestamp", "processing_time_ms"),
    *("signal_quality", "stress_index", "spo2", "quality", "withheld", "interval", "guidance", "frames", "duration_ms"),
    *("verdict", "hrv_details"),
}


class ScanService:
    """A service, and what a client of it needs."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.store = connect(running_url(service.data_dir))
        self.make_key = lambda: Keys(KeyStore(self.store)).create("t", tier="enterprise").key
        self.key = self.make_key()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.request(method, self.service.url + path, **{"headers": headers, "timeout": 60, **options})

    def begin(self, data: bytes, **body: str) -> str:
        made = self.ask("POST", "/api/v1/scan-session", **({"json": body} if body else {}))
        assert made.status_code == 201, made.text
        session: str = made.json()["session_id"]
        answer = self.ask("POST", f"/v1/scan-session/{session}/video", files={"file": ("v", data)})
        assert answer.status_code == 202, answer.text
        return session

    def vitals(self, session: str) -> dict:
        return self.ask("GET", f"/v1/scan-session/{session}/vitals").json()

    def end(self, session: str, seconds: float = 60.0) -> dict:
        found: dict = {}

        def ended() -> bool:
            found.update(self.vitals(session))
            time.sleep(0.1)
            return found["status"] in ("completed", "failed")

        assert wait_until(ended, seconds), found
        return self.vitals(session)

    def worker(self) -> int:
        """Process id of the video worker, once it is there."""
        assert wait_until(lambda: bool(self._workers()), 30)
        return self._workers()[0]

    def child(self, worker: int, session: str, tries: int = 1) -> int:
        """Process id of the worker's child that has begun this attempt at a video, stopped in its tracks."""
        found: list[int] = []

        def stopped() -> bool:
            if self.store.hget(session_name(session), "tries") != str(tries).encode():
                return False
            for child in filter(running, children(worker)):
                os.kill(child, signal.SIGSTOP)
                found.append(child)
            return bool(found)

        assert wait_until(stopped, 30)
        return found[0]

    def _workers(self) -> list[int]:
        found = [p for p, command in self.service.processes().items() if "beam_api.cli worker" in command]
        return [p for p in found if parent(p) == self.service.process.pid]

    def spooled(self) -> list[Path]:
        return list((self.service.data_dir / "spool").glob("*"))


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def scans(service: Service) -> ScanService:
    return ScanService(service)


def test_a_video_is_scanned_from_pending_to_completed(scans: ScanService) -> None:
    session = scans.begin(videos.encoded())
    seen = []
    while (found := scans.vitals(session))["status"] == "processing":
        seen.append(found["progress"])
        time.sleep(0.02)
    assert seen == sorted(seen)
    assert found["status"] == "completed", found
    assert found.keys() == {"status", "session_id", "vitals"}
    vitals = found["vitals"]
    assert vitals.keys() == VITALS
    assert vitals["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert vitals["signal_quality"].keys() == {"snr", "stability", "periodicity"}
    assert all(0 <= vitals["signal_quality"][name] <= 1 for name in ("stability", "periodicity"))
    assert vitals["hrv"] is None
    assert vitals["withheld"]["hrv"] == "WINDOW_TOO_SHORT"
    assert vitals["respiratory_rate"] is None
    assert vitals["withheld"]["respiratory_rate"] == "WINDOW_TOO_SHORT"
    assert vitals["quality"].keys() == {"heart_rate", "respiratory_rate", "hrv", "spo2", "stress_index"}
    assert vitals["blood_pressure"] is None
    assert vitals["duration_ms"] == pytest.approx(10_533, abs=5)
    assert scans.spooled() == []


def test_a_video_gives_what_its_frames_give(scans: ScanService) -> None:
    """The same pictures through both APIs; the measure API rounds to whole beats, and its pictures are JPEGs."""
    data = videos.encoded()
    scanned = scans.end(scans.begin(data))["vitals"]["heart_rate"]
    frames = list(read_video(io.BytesIO(data)))
    for at in range(0, len(frames), 30):
        part = frames[at : at + 30]
        files = [("frame", ("f", simplejpeg.encode_jpeg(image, quality=95, colorspace="RGB"))) for _, image in part]
        times = {"timestamp_ms": [repr(1000 * time_s) for time_s, _ in part], "duration_ms": "10500"}
        answer = scans.ask("POST", "/api/rppg/measure", files=files, data=times)
    assert answer.status_code == 200
    assert abs(scanned - answer.json()["data"]["heart_rate"]) <= 1.0


@pytest.mark.parametrize("turned", rows([90, 270], [90]))
def test_a_phone_s_portrait_video_is_scanned(scans: ScanService, turned: int) -> None:
    found = scans.end(scans.begin(videos.encoded("mov", turned=turned)))
    assert found["vitals"]["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)


@thorough  # the same analysis reads uneven times in rppg_core/face/test_footage.py
def test_a_video_of_uneven_rate_is_scanned(scans: ScanService) -> None:
    times = videos.face().times_s
    kept = np.flatnonzero(np.random.default_rng(5).random(len(times)) > 0.15)
    data = videos.encode([videos.pictures()[i] for i in kept], times[kept], container="matroska")
    assert scans.end(scans.begin(data))["vitals"]["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)


@thorough  # the same analysis measures it in rppg_core/face/test_footage.py
@pytest.mark.skipif(not videos.FACE_1.is_file(), reason="the real clip is not beside the checkout")
def test_a_real_face_has_the_rate_of_its_contact_sensor(scans: ScanService) -> None:
    found = scans.end(scans.begin(videos.FACE_1.read_bytes()))
    assert found["vitals"]["heart_rate"] == pytest.approx(videos.FACE_1_BPM, abs=2)


def test_a_room_without_anybody_fails_with_the_reason(scans: ScanService) -> None:
    found = scans.end(scans.begin(videos.blank(6)))
    assert found.keys() == {"status", "session_id", "error"}
    assert found["error"] == "No face detected in video"
    assert scans.spooled() == []


def test_a_killed_worker_ends_no_session_and_leaves_no_child(scans: ScanService) -> None:
    worker = scans.worker()
    session = scans.begin(videos.encoded())
    child = scans.child(worker, session)
    os.kill(worker, signal.SIGKILL)
    assert wait_until(lambda: not running(child))
    found = scans.end(session, 60)
    assert found["status"] == "completed", found
    assert wait_until(lambda: scans.spooled() == [])
    assert scans.worker() != worker


def test_a_crash_costs_its_session_alone(scans: ScanService) -> None:
    worker = scans.worker()
    session = scans.begin(videos.encoded())
    for tries in (1, 2):
        child = scans.child(worker, session, tries)
        os.kill(child, signal.SIGSEGV)
        os.kill(child, signal.SIGCONT)
        assert wait_until(lambda child=child: not running(child))
    found = scans.end(session)
    assert (found["status"], "crashed" in found["error"]) == ("failed", True)
    assert scans.spooled() == []
    assert scans.worker() == worker
    assert scans.end(scans.begin(videos.encoded()))["status"] == "completed"


def test_another_worker_joins_and_ends_when_it_is_asked_to(scans: ScanService) -> None:
    scans.worker()
    env = os.environ | {"BEAM_DATA_DIR": str(scans.service.data_dir), "PYTHONPATH": str(ROOT)}
    other = subprocess.Popen([sys.executable, "-m", "beam_api.cli", "worker"], env=env, stderr=subprocess.DEVNULL)
    try:
        named = str(other.pid).encode()
        assert wait_until(
            lambda: any(scans.store.hget(key, "pid") == named for key in scans.store.smembers("rq:workers")), 30
        )
        other.terminate()
        assert other.wait(20) == 0
    finally:
        other.kill()
        other.wait()


def test_a_large_body_without_a_length_is_refused_and_the_client_sees_it(scans: ScanService) -> None:
    session = scans.ask("POST", "/v1/scan-session").json()["session_id"]
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="v"\r\n\r\n\0\0\0\x18ftypisom'
    path, kind = f"/v1/scan-session/{session}/video", {"Content-Type": "multipart/form-data; boundary=b"}
    for length in ({}, {"Content-Length": str(len(head) + 110 * 2**20)}):

        def body():
            yield head
            for _ in range(110):
                yield bytes(2**20)

        headers = {"Authorization": f"Bearer {scans.key}", **kind, **length}
        answer = scans.ask("POST", path, content=body(), headers=headers)
        assert (answer.status_code, set(answer.json())) == (413, {"detail"})
    assert scans.spooled() == []


def test_webhooks_report_the_end_until_they_arrive(scans: ScanService) -> None:
    receiver = Receiver()
    try:
        receiver.answers = [(500, {}), (204, {})]
        session = scans.begin(videos.blank(6), webhook_url=receiver.url())
        ended = scans.end(session)
        assert wait_until(lambda: len(receiver.received) == 2, 60)
        secret = scans.ask("GET", "/api/keys/me/webhook-secret").json()["data"]["secret"]
        (_, first, _), (_, second, body) = receiver.received
        assert first["webhook-id"] == second["webhook-id"]
        message = Webhook(secret).verify(body, second)
        assert message["type"] == "scan.failed"
        assert message["data"] == ended

        def logged() -> list:
            return scans.ask("GET", f"/api/v1/scan-session/{session}/deliveries").json()["deliveries"]

        assert wait_until(lambda: len(logged()) == 2)
        one, two = logged()
        assert (one["status"], one["attempt"], one["id"]) == (500, 1, first["webhook-id"])
        assert one["next_at"] > one["at"]
        assert (two["status"], two["attempt"], two["next_at"]) == (204, 2, None)

        session = scans.begin(videos.encoded(), webhook_url=receiver.url("/done"))
        ended = scans.end(session)
        assert wait_until(lambda: len(receiver.received) == 3, 30)
        path, headers, body = receiver.received[2]
        assert path == "/done"
        assert Webhook(secret).verify(body, headers) == {
            "type": "scan.completed",
            "timestamp": json.loads(body)["timestamp"],
            "data": ended,
        }
    finally:
        receiver.shutdown()
        receiver.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader tries things: with a video of a face."""
    (tmp_path / "video.mp4").write_bytes(videos.encoded())
    return tmp_path


def run(scans: ScanService, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("BEAM_")}
    env["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'clients' / 'python'}"
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def example(scans: ScanService, language: str, containing: str) -> str:
    (code,) = [code for name, code in BLOCKS if name == language and containing in code]
    assert "http://localhost:8000" in code
    assert "rppg_live_your_key" in code
    return code.replace("http://localhost:8000", scans.service.url).replace("rppg_live_your_key", scans.make_key())


def test_the_documented_shell_commands_scan_a_video(scans: ScanService, folder: Path) -> None:
    ended = run(scans, ["sh", "-ec", example(scans, "sh", "curl")], folder)
    assert ended.returncode == 0, ended.stderr
    assert '"status":"completed"' in ended.stdout


def test_the_documented_python_scans_a_video(scans: ScanService, folder: Path) -> None:
    ended = run(scans, [sys.executable, "-c", example(scans, "python", "def scan")], folder)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout.split()[0]) == pytest.approx(videos.RATE_BPM, abs=2)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_documented_javascript_scans_a_video(scans: ScanService, folder: Path) -> None:
    (folder / "scan.mjs").write_text(example(scans, "javascript", "scan"))
    ended = run(scans, ["node", "scan.mjs"], folder)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout.split()[0]) == pytest.approx(videos.RATE_BPM, abs=2)


def test_the_documented_receiver_verifies_a_message(scans: ScanService) -> None:
    (code,) = [code for name, code in BLOCKS if name == "python" and "def verified" in code]
    scope: dict = {}
    exec(compile(code, "scans.md", "exec"), scope)
    assert callable(scope["verified"])


def test_beam_scan_prints_a_table_or_json(scans: ScanService, folder: Path) -> None:
    def beam(key: str, *more: str) -> Result:
        command = ["scan", str(folder / "video.mp4"), "--url", scans.service.url, "--key", key, *more]
        return CliRunner().invoke(main, command)

    table = beam(scans.key)
    assert table.exit_code == 0, table.stderr
    assert "Heart rate" in table.stdout
    assert json.loads(beam(scans.key, "--json").stdout)["vitals"]["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    refused = beam("wrong")
    assert (refused.exit_code, "401" in refused.stderr) == (1, True)
    (folder / "video.mp4").write_bytes(videos.blank(6))
    failed = beam(scans.key)
    assert (failed.exit_code, "No face detected in video" in failed.stderr) == (1, True)
