"""The programs on /docs run as printed: only the key is replaced."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys

import cv2
import httpx
import pytest

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests import videos

pytestmark = pytest.mark.integration

SCENE = Scene(heart_rate_bpm=72.0, duration_s=31.0, fps=15.0, sway=0.01, frame_size=(360, 330), eyes_px=45.0, seed=4)


@pytest.fixture(scope="module")
def face():
    return simulate_face(SCENE)


@pytest.fixture
def printed(service):
    """The code of an example as the page shows it, with the reader's own key in it."""
    page = httpx.get(f"{service.url}/docs").text
    client = connect(running_url(service.data_dir))
    key = Keys(KeyStore(client)).create("reader of the docs").key
    client.close()

    def find(name):
        (code,) = re.findall(rf'<code data-example="{re.escape(name)}">(.*?)</code>', page, re.DOTALL)
        assert service.url in code
        return html.unescape(re.sub(r"<[^>]+>", "", code)).replace("beam_sk_your_key", key)

    return find


@pytest.fixture
def folder(face, tmp_path):
    """Where a reader tries things: with two pictures of a face."""
    for index in range(2):
        (tmp_path / f"frame-{index}.jpg").write_bytes(face.jpeg(index))
    return tmp_path


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_shell_gets_a_key(printed, folder):
    ended = run(["sh", "-ec", printed("key.sh")], folder)
    assert ended.returncode == 0, ended.stderr
    assert re.search(r'"key":"beam_sk_\w{59}"', ended.stdout)


def test_the_shell_posts_two_frames(printed, folder):
    ended = run(["sh", "-ec", printed("measure.sh")], folder)
    assert ended.returncode == 0, ended.stderr
    assert '"status":"buffering"' in ended.stdout
    assert '"frames":2' in ended.stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_javascript_posts_two_frames(printed, folder):
    (folder / "measure.mjs").write_text(printed("measure.mjs"))
    ended = run(["node", "measure.mjs"], folder)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split()[:2] == ["buffering", "2"]


@pytest.mark.parametrize(
    ("name", "command"), [("scan.sh", ["sh", "-e"]), ("scan.py", [sys.executable]), ("scan.mjs", ["node"])]
)
def test_a_video_is_scanned(printed, folder, name, command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    (folder / "face.mp4").write_bytes(videos.encoded())
    (folder / name).write_text(printed(name))
    ended = run([*command, name], folder)
    assert ended.returncode == 0, ended.stderr
    rate = re.search(r"^Heart rate: +(\d+)|\"heart_rate\":(\d+)|^completed (\d+)", ended.stdout, re.MULTILINE)
    assert rate, ended.stdout
    assert int(next(filter(None, rate.groups()))) == pytest.approx(videos.RATE_BPM, abs=2)


def test_our_client_measures_a_video(printed, folder):
    (folder / "face.mp4").write_bytes(videos.encoded())
    (folder / "client.py").write_text(printed("client.py"))
    ended = run([sys.executable, "client.py"], folder)
    assert ended.returncode == 0, ended.stderr
    rate = re.match(r"Heart rate: +(\d+) bpm", ended.stdout)
    assert rate, ended.stdout
    assert int(rate[1]) == pytest.approx(videos.RATE_BPM, abs=2)


def test_python_measures_the_simulated_pulse(printed, folder, face):
    video = folder / "face.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), SCENE.fps, SCENE.frame_size)
    for i in range(len(face)):
        writer.write(cv2.cvtColor(face.image(i), cv2.COLOR_RGB2BGR))
    writer.release()
    (folder / "measure.py").write_text(printed("measure.py"))

    ended = run([sys.executable, "measure.py", video.name], folder)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    reported = dict(line.split(" ", 1) for line in ended.stdout.splitlines())
    assert int(reported["heart_rate"]) == pytest.approx(face.person.truth(0, 30).heart_rate_bpm, abs=2)
    assert set(reported) == {"heart_rate", "hrv", "respiration_rate", "stress_index", "spo2"}
