"""/metrics of a running service: the counts of all its processes, whichever of them is asked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest

from beam_api.monitoring import slots
from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_client import Beam
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests import videos
from tests.processes import wait_until
from tests.scrapes import Scrape

pytestmark = pytest.mark.integration

TOKEN = "of-the-monitoring"
VITALS = ("heart_rate", "hrv", "spo2", "stress_index", "respiration_rate")


@pytest.fixture(scope="module")
def counted(start_service, tmp_path_factory):
    """A service that has measured a face and scanned a video, and has lost a web process in between."""
    folder = tmp_path_factory.mktemp("metrics")
    service = start_service(folder / "data", BEAM_METRICS_TOKEN=TOKEN, PROMETHEUS_MULTIPROC_DIR=str(folder / "counts"))
    service.key = Keys(KeyStore(connect(running_url(service.data_dir)))).create("t", tier="enterprise").key
    face = simulate_face(Scene(duration_s=11.0, fps=15.0, seed=5))
    with Beam(service.url, service.key) as client:
        frames = [(1000 * at, face.jpeg(i)) for i, at in enumerate(face.times_s)]
        client.measure(frames, session_id="anna-7", duration_ms=10_000)
    before = scrape(service)
    web = [p for p, command in service.processes().items() if "-m gunicorn" in command]
    os.kill(max(web), signal.SIGKILL)
    assert wait_until(lambda: scrape(service).get("beam_processes", role="web") == 2, 20)
    made = httpx.post(f"{service.url}/v1/scan-session", headers={"X-API-Key": service.key}, timeout=30)
    path = f"{service.url}/v1/scan-session/{made.json()['session_id']}/video"
    sent = httpx.post(
        path, headers={"X-API-Key": service.key}, files={"file": ("v.mp4", videos.encoded(), "video/mp4")}, timeout=60
    )
    assert sent.status_code == 202, sent.text
    assert wait_until(lambda: scrape(service).get("beam_scan_seconds_count") == 1, 60)
    assert wait_until(lambda: scrape(service)("beam_scans_open") == 0, 20)
    return service, before


def scrape(service) -> Scrape:
    try:
        answer = httpx.get(service.url + "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
    except httpx.TransportError:  # it was with the process that has just been killed
        return Scrape("")
    assert answer.status_code == 200
    return Scrape(answer.text)


def test_a_measurement_is_reported_whole_whichever_process_is_asked(counted):
    service, _ = counted
    for _ in range(6):
        now = scrape(service)
        assert now("beam_frames_total") == 150  # the sixth request was not needed
        assert now("beam_windows_total", event="completed") == now("beam_confidence_count") == 1
        assert now("beam_analysis_seconds_count") == 1
        assert [now("beam_vitals_total", vital=vital) for vital in VITALS] == [1] * 5
        assert now("beam_vitals_total", vital="hrv", outcome="WINDOW_TOO_SHORT") == 1
        assert now("beam_requests_total", route="/api/rppg/measure", method="POST", status="202") == 4


def test_what_a_killed_process_had_counted_is_not_lost(counted):
    service, before = counted
    now = scrape(service)
    for sample in before.samples:
        if sample.name.endswith(("_total", "_count", "_bucket")):
            assert now(sample.name, **sample.labels) >= sample.value, sample


def test_the_video_worker_counts_too_and_its_children_leave_no_files_behind(counted):
    service, _ = counted
    now = scrape(service)
    assert now("beam_scans_total") == 1
    assert now("beam_video_workers") == 1
    assert now("beam_queue_jobs") == 0
    assert now("beam_processes", role="master") == now("beam_processes", role="video") == 1
    files = {p.name for p in (service.data_dir.parent / "counts").glob("counter_*.db")}
    assert len(files) <= 6  # a master, two web processes, a killed one's successor, a video worker and its child


def test_it_contains_no_person_key_or_path(counted):
    service, _ = counted
    text = httpx.get(service.url + "/metrics", timeout=20).text
    assert "anna-7" not in text
    assert service.key.split("_")[2][:8] not in text
    assert str(service.data_dir) not in text


def test_a_proxy_on_the_same_machine_gets_nothing_without_the_token(counted):
    service, _ = counted
    assert httpx.get(service.url + "/metrics", timeout=20).status_code == 200
    for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Host": "beam.example"}, {"Via": "1.1 p"}):
        assert httpx.get(service.url + "/metrics", headers=headers, timeout=20).status_code == 404
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as raw:
        raw.sendall(f"GET /metrics HTTP/1.0\r\nHost: {address.netloc}\r\n\r\n".encode())
        assert b" 404 " in raw.recv(1000)


def test_without_a_folder_named_it_has_one_for_its_data_directory(service):
    assert list(slots.folder_of(service.data_dir).glob("counter_*.db"))


def test_a_service_that_has_ended_leaves_no_counts_behind(counted):
    service, _ = counted
    counts = service.data_dir.parent / "counts"
    assert list(counts.glob("*.db"))
    assert service.end() == 0
    assert not counts.exists()


def test_a_worker_without_web_processes_answers_itself(redis_server, redis, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = os.environ | {
        "BEAM_REDIS_URL": redis_server.url,
        "BEAM_DATA_DIR": str(tmp_path),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"),
        "BEAM_METRICS_TOKEN": TOKEN,
    }
    command = [sys.executable, "-m", "beam_api.cli", "worker", "--metrics-port", str(port)]
    worker = subprocess.Popen(command, env=env)
    url = f"http://127.0.0.1:{port}/metrics"
    try:

        def reported() -> Scrape:
            try:
                return Scrape(httpx.get(url, timeout=20).text)
            except httpx.TransportError:
                return Scrape("")

        assert wait_until(lambda: reported().get("beam_video_workers") == 1, 60)
        now = reported()
        assert now("beam_processes", role="video") == now("beam_processes", role="metrics") == 1
        assert now("beam_scans_total", outcome="completed") == 0
        proxied = {"X-Forwarded-For": "1.2.3.4"}
        assert httpx.get(url, headers=proxied, timeout=20).status_code == 404
        assert httpx.get(url, headers=proxied | {"Authorization": f"Bearer {TOKEN}"}, timeout=20).status_code == 200
    finally:
        worker.terminate()
        worker.wait(40)
    assert wait_until(lambda: list(slots.processes(tmp_path / "counts")) == [], 20)
