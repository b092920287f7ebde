"""`beam measure` and `beam demo`, as a person runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from beam_api.cli import main
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.scenes import Scene
from tests import videos
from tests.thorough import rows

if TYPE_CHECKING:
    from tests.services import Service

pytestmark = pytest.mark.integration


def beam_in_a_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "beam_api.cli", *arguments]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )


def beam(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same without a process of its own, of which most of the time is spent on imports."""
    done = CliRunner().invoke(main, arguments, env=environment)
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """11 s at 80 bpm."""
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    film(simulate_face(Scene(heart_rate_bpm=80, duration_s=11.0, fps=15.0, seed=3)), path, crf=18)
    return path


def test_a_video_is_measured_the_same_with_and_without_a_service(service: Service, clip: Path) -> None:
    key = service.make_key("sandbox")
    here = json.loads(beam_in_a_process("measure", str(clip), "--json").stdout)
    there = json.loads(beam("measure", str(clip), "--json", "--url", service.url, "--key", key).stdout)
    assert abs(here["heart_rate"] - 80) <= 2
    assert abs(there["heart_rate"] - here["heart_rate"]) <= 1
    table = beam("measure", str(clip)).stdout
    assert "Heart rate" in table
    assert "WINDOW_TOO_SHORT" in table


def test_several_videos_are_scanned_and_those_that_cannot_be_are_named(
    service: Service, clip: Path, tmp_path: Path
) -> None:
    key = service.make_key("sandbox")
    environment = {"BEAM_URL": service.url, "BEAM_API_KEY": key}
    room = tmp_path / "room.mp4"
    room.write_bytes(videos.blank(6.0))
    several = beam_in_a_process("scan", str(clip), str(room), "--json", **environment)
    assert several.returncode == 1
    good, bad = json.loads(several.stdout)
    assert abs(good["vitals"]["heart_rate"] - 80) <= 2
    assert bad == {"source": str(room), "error": "No face detected in video"}
    alone = beam("scan", str(clip), **environment)
    assert alone.returncode == 0, alone.stderr
    assert "Heart rate" in alone.stdout
    failed = beam("scan", str(room), "--json", **environment)
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["status"] == "failed"


@pytest.fixture(scope="module")
def seventeen_seconds() -> list[np.ndarray]:
    """A face at 80 bpm, small, at 15 frames a second."""
    face = simulate_face(Scene(heart_rate_bpm=80, duration_s=17.0, fps=15.0, seed=3, frame_size=(320, 300)))
    return [face.image(i) for i in range(len(face))]


PARTS = ["comes late", "leaves early", "is hidden by an edit list"]


@pytest.mark.parametrize("part", rows(PARTS, [PARTS[0], PARTS[2]]))
def test_less_face_than_file_shortens_the_window_of_a_service(
    service: Service, seventeen_seconds: list[np.ndarray], tmp_path: Path, part: str
) -> None:
    empty = [np.full_like(seventeen_seconds[0], 90)] * 22
    kept = seventeen_seconds[:166]
    images = {"comes late": empty + kept, "leaves early": kept + empty}.get(part, seventeen_seconds[:240])
    clip = tmp_path / "face.mp4"
    data = videos.encode(images, [i / 15 for i in range(len(images))])
    clip.write_bytes(videos.beginning_later(data, 4.5) if part == "is hidden by an edit list" else data)
    key = service.make_key("sandbox")
    here = beam("measure", str(clip), "--json")
    there = beam("measure", str(clip), "--json", "--url", service.url, "--key", key)
    for measured in (here, there):
        assert measured.returncode == 0, measured.stderr
        assert abs(json.loads(measured.stdout)["heart_rate"] - 80) <= 2


@pytest.mark.parametrize("key_tier", ["sandbox", "starter"])
def test_a_video_is_measured_frame_by_frame_at_the_pace_that_the_service_asks_for(
    service: Service, clip: Path, key_tier: str
) -> None:
    key = service.make_key(key_tier)
    options = ["--pace", "single", "--seconds", "10", "--json", "--url", service.url, "--key", key]
    measured = beam("measure", str(clip), *options)
    assert measured.returncode == 0, measured.stderr
    data = json.loads(measured.stdout)
    assert 12 <= data["frames"] <= 20 if key_tier == "sandbox" else data["frames"] > 30
    assert "EVENLY_SLOW_FRAMES" not in data["guidance"]


def test_a_video_is_measured_frame_by_frame_without_a_service(clip: Path) -> None:
    measured = beam("measure", str(clip), "--pace", "single", "--json")
    assert measured.returncode == 0, measured.stderr
    data = json.loads(measured.stdout)
    assert 12 <= data["frames"] <= 20
    assert "EVENLY_SLOW_FRAMES" not in data["guidance"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["measure", "nowhere.mp4"], "neither a file nor the number of a camera"),
        (["measure", "97"], "camera 97 can't be opened"),
        (["measure", "{text}"], "no MP4, MOV, WebM or AVI video"),
        (["measure", "{clip}", "--url", "http://127.0.0.1:9"], "--key"),
        (["measure", "{clip}", "--url", "http://127.0.0.1:9", "--key", "k"], "can't be reached"),
    ],
)
def test_what_can_not_be_measured_is_said_in_a_line(
    arguments: list[str], said: str, clip: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    done = beam(*(a.format(text=text, clip=clip) for a in arguments))
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_prints_no_key_into_a_pipe_and_leaves_it_in_a_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "beam_api.cli", "demo", "--port", "0"]
    with subprocess.Popen(
        command,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Measure yourself"):
                break
        said = re.search(r"stays up on (\S+) with the key in the file (\S+)\. ", "".join(lines))
        assert said, lines
        key = Path(said[2]).read_text().strip()
        assert httpx.get(f"{said[1]}/api/keys/me", headers={"X-API-Key": key}).status_code == 200
        process.send_signal(signal.SIGINT)
        lines.append(process.stdout.read())
    assert "beam_sk_" not in "".join(lines)
    assert list(tmp_path.iterdir()) == []
