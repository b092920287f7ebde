"""The commands and scripts of README.md and docs/clients.md run as printed: only address, key and path are replaced."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import requests

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests import videos

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PAGES = "".join((ROOT / page).read_text() for page in ("README.md", "docs/clients.md"))
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGES, re.DOTALL | re.MULTILINE)
SCENE = Scene(heart_rate_bpm=72.0, duration_s=31.0, fps=15.0, sway=0.01, frame_size=(360, 330), eyes_px=45.0, seed=4)


def blocks(language, containing=""):
    return [code for name, code in BLOCKS if name == language and containing in code]


@pytest.fixture(scope="module")
def face():
    return simulate_face(SCENE)


@pytest.fixture
def key(service):
    client = connect(running_url(service.data_dir))
    made = Keys(KeyStore(client)).create("reader of the README").key
    client.close()
    return made


@pytest.fixture
def folder(face, tmp_path):
    """Where a reader tries things: with a picture of a face."""
    (tmp_path / "frame.jpg").write_bytes(face.jpeg(0))
    return tmp_path


def run(command, folder, **options):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("BEAM_", "MAKE", "MFLAGS"))}
    return subprocess.run(
        command, cwd=folder, env=env | options.pop("env", {}), capture_output=True, text=True, timeout=120, check=False
    )


def printed(code, service, key):
    """A block with the reader's own address and key in it."""
    assert "http://localhost:8000" in code
    assert "beam_sk_your_key" in code
    return code.replace("http://localhost:8000", service.url).replace("beam_sk_your_key", key)


def test_the_pages_have_the_examples_that_are_tested_here():
    assert len(blocks("sh", "curl")) == 2
    assert len(blocks("python")) == 6  # one of them is the library's: tests/rppg_core/test_library.py
    assert len(blocks("javascript")) == 1


@pytest.mark.parametrize("code", blocks("sh", "curl"))
def test_a_curl_command_is_taken(code, service, key, folder):
    ended = run(["sh", "-ec", printed(code, service, key)], folder)
    assert ended.returncode == 0, ended.stderr
    assert '"status":"buffering"' in ended.stdout


def test_the_short_python_script_posts_a_frame(service, key, folder):
    (code,) = blocks("python", "def measure(path")
    ended = run([sys.executable, "-c", printed(code, service, key)], folder)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["buffering", "0.0", "None", "None"]


@pytest.mark.parametrize("code", blocks("python", "from beam_client import"))
def test_our_client_measures_a_video(code, service, key, folder):
    (folder / "face.mp4").write_bytes(videos.encoded())
    paths = f"{ROOT}{os.pathsep}{ROOT / 'clients' / 'python'}"
    ended = run([sys.executable, "-c", printed(code, service, key)], folder, env={"PYTHONPATH": paths})
    assert ended.returncode == 0, ended.stderr
    rate = re.match(r"(?:Heart rate: +)?(\d+) ", ended.stdout)
    assert rate, ended.stdout
    assert int(rate[1]) == pytest.approx(videos.RATE_BPM, abs=2)


def test_the_script_for_single_frames_is_answered_when_its_window_is_full(service, key, folder):
    """On a clock of its own that goes on by what is slept, and by 20 ms for each request."""
    (code,) = blocks("python", "def measure_slowly")
    clock = (
        "\nclock = [1.75e9]\ntime.time = lambda: clock[0]\n"
        "def sleep(seconds):\n    clock[0] += seconds + 0.02\ntime.sleep = sleep\n"
        "data = measure_slowly(lambda: open('frame.jpg', 'rb').read(), 'slow')\n"
        "print(data['status'], data['frames'], data['guidance'])"
    )
    ended = run([sys.executable, "-c", printed(code, service, key) + clock], folder)
    assert ended.returncode == 0, ended.stderr
    status, frames = ended.stdout.split()[:2]
    assert status == "complete"
    assert 80 <= int(frames) <= 95
    assert "EVENLY_SLOW_FRAMES" not in ended.stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_javascript_posts_a_frame(service, key, folder):
    (code,) = blocks("javascript")
    (folder / "measure.mjs").write_text(printed(code, service, key))
    ended = run(["node", "measure.mjs"], folder)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["buffering", "0", "null", "null"]


def test_the_script_for_a_video_measures_the_simulated_pulse(service, key, folder, face):
    video = folder / "face.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), SCENE.fps, SCENE.frame_size)
    for i in range(len(face)):
        writer.write(cv2.cvtColor(face.image(i), cv2.COLOR_RGB2BGR))
    writer.release()
    (code,) = blocks("python", "FRAMES_PER_REQUEST")
    (folder / "vitals.py").write_text(printed(code, service, key))

    ended = run([sys.executable, "vitals.py", video.name], folder)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    rate = re.search(r"^heart_rate: (\d+) bpm$", ended.stdout, re.MULTILINE)
    assert rate, ended.stdout
    assert int(rate[1]) == pytest.approx(face.person.truth(0, 30).heart_rate_bpm, abs=2)
    assert len(re.findall(r"^\d+%  picture: good$", ended.stdout, re.MULTILINE)) >= 10
    for vital in ("hrv", "respiration_rate", "stress_index", "spo2", "confidence"):
        assert re.search(rf"^{vital}: ", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("broken", "said"), [(b"no picture", "400 UNSUPPORTED_IMAGE"), (b"", "The frames ended before the window was full")]
)
def test_the_script_for_a_video_ends_with_a_sentence(broken, said, service, key, folder):
    """What the camera sees is replaced by thirty frames of a file's bytes, or by none."""
    (code,) = blocks("python", "FRAMES_PER_REQUEST")
    stub = f"\nframes = lambda source: [(1000.0 + 33 * i, {broken!r}) for i in range(30 if {broken!r} else 0)]\n"
    ended = run([sys.executable, "-c", printed(code, service, key).replace("\nmain(sys", stub + "\nmain(sys")], folder)
    assert ended.returncode == 1
    assert said in ended.stderr


def test_the_script_for_a_video_waits_when_it_is_asked_to(service, folder):
    """A key with one request a minute: the second batch gets 429, and its Retry-After is honoured."""
    client = connect(running_url(service.data_dir))
    key = Keys(KeyStore(client)).create("in no hurry", tier="enterprise", limit_per_minute=1).key
    client.close()
    requests.get(f"{service.url}/api/rppg/sessions/nobody", headers={"X-API-Key": key}, timeout=10)
    (code,) = blocks("python", "FRAMES_PER_REQUEST")
    stub = (
        "\nframes = lambda source: [(1000.0, open('frame.jpg', 'rb').read())] * 30\n"
        "def patient(seconds):\n    sys.exit(f'told to wait {seconds:.0f} s')\ntime.sleep = patient\n"
    )
    ended = run([sys.executable, "-c", printed(code, service, key).replace("\nmain(sys", stub + "\nmain(sys")], folder)
    waited = re.search(r"told to wait (\d+) s", ended.stderr)
    assert waited, ended.stderr
    assert 50 <= int(waited[1]) <= 61


def test_the_beam_commands_work_beside_the_service(service, folder):
    shim = folder / ".venv" / "bin" / "beam"
    shim.parent.mkdir(parents=True)
    shim.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}:{ROOT}/clients/python" exec "{sys.executable}" -m beam_api.cli "$@"\n'
    )
    shim.chmod(0o700)
    (code,) = blocks("sh", "beam keys create")
    ended = run(["sh", "-ec", code], folder, env={"BEAM_DATA_DIR": str(service.data_dir)})
    assert ended.returncode == 0, ended.stderr
    assert "my clinic app: starter, 1000 requests a minute" in ended.stdout


@pytest.mark.parametrize("target", ["run", "test", "demo", "bench"])
def test_every_make_target_of_the_readme_exists(target):
    text = (ROOT / "README.md").read_text()
    assert f"make {target}" in text
    ended = run(["make", "--dry-run", target], ROOT)
    assert ended.returncode == 0, ended.stderr


def test_a_client_of_the_published_api_runs_unchanged_in_python(service, key, folder):
    """Written for the API as published: one frame, no timestamp, and every vital read from the answer at once."""

    def measure_vitals(frame_path):
        headers = {"X-API-Key": key}
        with open(frame_path, "rb") as f:
            resp = requests.post(
                service.url + "/api/rppg/measure", headers=headers, files={"frame": ("frame.jpg", f, "image/jpeg")}
            )
        resp.raise_for_status()
        data = resp.json()["data"]
        return [f"{name}: {data[name]}" for name in ("heart_rate", "hrv", "spo2", "confidence")]

    assert measure_vitals(folder / "frame.jpg") == ["heart_rate: None", "hrv: None", "spo2: None", "confidence: None"]


def test_a_client_of_the_published_api_runs_unchanged_in_a_shell(service, key, folder):
    address = service.url + "/api/rppg/measure"
    form = ["-F", "frame=@./frame.jpg", "-F", "duration_ms=30000"]
    ended = run(["curl", "-X", "POST", address, "-H", f"X-API-Key: {key}", *form], folder)
    assert ended.returncode == 0, ended.stderr
    assert '"success":true' in ended.stdout
    assert '"heart_rate":null' in ended.stdout
