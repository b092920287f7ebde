"""`beam-rppg/node`, the package's client for servers, with Node on a real service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_client import Beam, NotFound, errors
from tests import images, videos
from tests.javascript import PACKAGE, built_package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services import Service

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node() -> str:
    built_package()
    found = shutil.which("node")
    assert found
    return found


@pytest.fixture
def key(service: Service) -> str:
    redis = connect(running_url(service.data_dir))
    made = Keys(KeyStore(redis)).create("tester", tier="starter").key
    redis.close()
    return made


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[float, str]]:
    """10.5 s of a face at 80 bpm, each frame's time in milliseconds and its file."""
    folder, made = tmp_path_factory.mktemp("frames"), []
    for time_s, picture in zip(videos.face().times_s, videos.pictures(), strict=True):
        path = folder / f"{len(made)}.jpg"
        path.write_bytes(images.jpeg(picture, 95))
        made.append((1000 * float(time_s), str(path)))
    return made


def run(node: str, call: str, **asked: Any) -> dict[str, Any]:
    command = [node, str(PACKAGE / "test" / "run-client.mjs")]
    text = json.dumps({"call": call, **asked})
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_frames_are_measured(service: Service, node: str, key: str, frames: list[tuple[float, str]]) -> None:
    options = {"url": service.url, "key": key, "durationMs": 10_000, "sessionId": "anna", "includeRaw": True}
    answer = run(node, "measureFrames", frames=frames, options=options)
    result, seen = answer["result"], answer["seen"]
    assert result["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert result["session_id"] == "anna"
    assert result["raw"]["ppg"]
    assert seen["progress"] == sorted(seen["progress"])
    assert 2 <= len(seen["progress"]) < len(frames) / 10  # in batches
    assert seen["partials"][-1] == pytest.approx(videos.RATE_BPM, abs=8)


def test_frames_that_end_early_are_measured_as_far_as_they_go(
    service: Service, node: str, key: str, frames: list[tuple[float, str]]
) -> None:
    answer = run(node, "measureFrames", frames=frames, options={"url": service.url, "key": key})
    assert answer["result"]["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert answer["result"]["duration_ms"] == pytest.approx(10_500, abs=200)


def test_a_video_is_scanned(service: Service, node: str, key: str, tmp_path: Path) -> None:
    path = tmp_path / "face.mp4"
    path.write_bytes(videos.encoded())
    answer = run(node, "scan", path=str(path), options={"url": service.url, "key": key})
    assert answer["result"]["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert answer["result"]["withheld"]["respiration_rate"] == "WINDOW_TOO_SHORT"
    assert answer["seen"]["progress"][-1] == 1

    answer = run(node, "scan", path=str(path), options={"url": service.url, "key": key}, abortAt=0)
    assert answer["error"]["name"] == "AbortError"
    with Beam(service.url, key) as client, pytest.raises(NotFound):
        client.scan_status(answer["seen"]["sessionId"])


def test_failures_have_the_python_clients_types(
    service: Service, node: str, key: str, frames: list[tuple[float, str]], tmp_path: Path
) -> None:
    room = tmp_path / "room.jpg"
    room.write_bytes(images.jpeg(videos.pictures()[0][:40, :40], 90))
    nobody = [(1000.0 * i, str(room)) for i in range(3)]
    options = {"url": service.url, "key": key}

    def failed(call: str = "measureFrames", **asked: Any) -> dict[str, Any]:
        error: dict[str, Any] = run(node, call, **{"options": options, **asked})["error"]
        assert error["typed"], error
        assert issubclass(getattr(errors, error["name"]), errors.BeamError)
        return error

    error = failed(frames=nobody)
    assert (error["name"], error["status"], error["code"]) == ("NoFace", 400, "NO_FACE_DETECTED")
    assert "NO_FACE" in error["guidance"]
    assert failed(frames=frames, options={**options, "key": "beam_sk_unknown"})["name"] == "InvalidKey"
    assert failed(frames=frames, options={"url": service.url})["name"] == "MissingKey"
    assert failed(frames=frames, options={**options, "url": "ftp://beam"})["name"] == "ConfigurationError"
    assert failed(frames=frames, options={**options, "durationMs": 1})["name"] == "InvalidRequest"
    assert failed(frames=[])["name"] == "FramesEnded"
    gone = {**options, "url": "http://127.0.0.1:9", "retries": 0}
    assert failed(frames=frames, options=gone)["name"] == "ServiceUnreachable"
    assert failed("scan", path=str(tmp_path / "nowhere.mp4"))["name"] == "SourceError"
    (tmp_path / "room.mp4").write_bytes(videos.blank(3.0))
    assert failed("scan", path=str(tmp_path / "room.mp4"))["name"] == "UnusableVideo"
    (tmp_path / "room.mp4").write_bytes(videos.blank(6.0))
    error = failed("scan", path=str(tmp_path / "room.mp4"))
    assert error["name"] == "ScanFailed"
    assert "No face detected" in error["message"]


def test_every_error_of_the_python_client_that_can_happen_has_a_class() -> None:
    source = (PACKAGE / "src" / "node" / "errors.ts").read_text()
    python = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.BeamError)
    }
    # PyAV and the like are Python's; BeamError is the browser's as well.
    assert set(re.findall(r"^export class (\w+)", source, re.M)) == python - {"BeamError", "MissingDependency"}
