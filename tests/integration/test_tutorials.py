"""The commands and programs of docs/tutorials run as printed: only address, key and ports are replaced."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from beam_api.config import VARIABLES
from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from tests import videos
from tests.processes import wait_until
from tests.redis_servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"


def blocks(page: str, language: str, containing: str = "") -> list[str]:
    """The blocks of a page in a language."""
    text = (TUTORIALS / f"{page}.md").read_text()
    found = re.findall(rf"^```{language}[^\n]*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for block in found if containing in block]


@pytest.fixture
def key(service):
    client = connect(running_url(service.data_dir))
    made = Keys(KeyStore(client)).create("reader of a tutorial", tier="starter").key
    client.close()
    return made


@pytest.fixture
def environment(service, key, tmp_path):
    """That of a reader: `beam` on the path, the service in the environment."""
    for name, module in (("beam", "beam_api.cli"), ("gunicorn", "gunicorn"), ("flask", "flask")):
        shim = tmp_path / "bin" / name
        shim.parent.mkdir(exist_ok=True)
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        shim.chmod(0o700)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BEAM_", "MAKE"))}
    return kept | {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'clients' / 'python'}",
        "BEAM_URL": service.url,
        "BEAM_API_KEY": key,
        "BEAM_DATA_DIR": str(service.data_dir),
    }


@pytest.fixture
def folder(tmp_path):
    """The reader's, with a video of a face."""
    made = tmp_path / "reader"
    made.mkdir()
    (made / "face.mp4").write_bytes(videos.encoded())
    return made


@pytest.fixture
def run(service, key, environment, folder):
    """Run a block in the reader's folder; what it prints."""

    def run(code: str, language: str = "sh", **variables: str) -> str:
        command = ["sh", "-ec"] if language == "sh" else [sys.executable, "-c"]
        ended = subprocess.run(
            [*command, printed(code, service.url, key)],
            cwd=folder, env=environment | variables, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return run


def printed(code: str, url: str, key: str) -> str:
    """A block with the reader's own address and key in it."""
    return code.replace("http://localhost:8000", url).replace("beam_sk_your_key", key)


def has_the_rate(text: str) -> bool:
    """Whether the heart rate that is printed is that of the videos of the tests."""
    found = re.search(r"(\d+)(?:\.\d+)? bpm|heart_rate\D{1,4}(\d+)|^(\d+) \[", text, re.MULTILINE)
    rate = next((group for group in found.groups() if group), None) if found else None
    return rate is not None and abs(int(rate) - videos.RATE_BPM) <= 2


def test_the_first_measurement(run):
    for code in blocks("first-measurement", "sh"):
        output = run(code)
        if code.startswith(("beam measure", "beam scan")):
            assert has_the_rate(output), output
    (code,) = blocks("first-measurement", "python")
    output = run(code, "python")
    assert re.match(r"\d+ bpm, between [\d.]+ and [\d.]+ with", output)
    assert has_the_rate(output), output
    assert "Believe it? release" in output
    assert "hrv withheld: WINDOW_TOO_SHORT" in output


@contextmanager
def backend(folder: Path, environment, code: str, service_url: str) -> Iterator[str]:
    """The tutorial's own server."""
    (folder / "backend.py").write_text(code)
    port = free_port()
    (command,) = blocks("mobile-backend", "sh", "flask --app backend")
    command = command.partition("\n")[2].replace("5000", str(port))
    process = subprocess.Popen(
        ["sh", "-ec", f"exec {command}"], cwd=folder, env=environment | {"BEAM_URL": service_url},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://localhost:{port}"

    def answers() -> bool:
        try:
            return httpx.get(url).status_code == 404
        except httpx.TransportError:
            return False

    try:
        assert wait_until(answers, 30)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_the_backend_of_an_app(run, folder, environment, service):
    server, app = blocks("mobile-backend", "python")
    with backend(folder, environment, server, service.url) as url:
        output = run(app.replace("http://localhost:5000", url), "python")
        answer = httpx.post(f"{url}/measured", json={"measurement_id": "msr_of_nobody"})
    assert "'again': False" in output
    assert has_the_rate(output), output
    assert answer.status_code == 404


def test_monitoring(run, key):
    send, follow = blocks("telehealth-monitoring", "python")
    shorter = send.replace('"duration_ms": 20000, "stride_ms": 5000', '"duration_ms": 10000, "stride_ms": 1000')
    assert shorter != send
    output = run(shorter.replace("sys.argv[1] if len(sys.argv) > 1 else 0", "'face.mp4'"), "python")
    assert has_the_rate(output), output
    heard = run(follow.replace('print("measured:', 'raise SystemExit(print("measured:').replace(
        'data["verdict"], flush=True)', 'data["verdict"], flush=True))'), "python")  # fmt: skip
    assert "measured:" in heard
    (look,) = blocks("telehealth-monitoring", "sh")
    trend = json.loads(run(look))["data"]["measurements"]
    assert trend
    assert all(entry["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2) for entry in trend)


def test_a_validation_study(run, folder):
    clips = folder / "clips"
    clips.mkdir()
    for name in ("one.mp4", "two.mp4"):
        (clips / name).write_bytes(videos.encoded())
    (references,) = blocks("validation-study", "text")
    (folder / "reference.csv").write_text(references)
    first, second = blocks("validation-study", "sh")
    run(first)
    assert "Bland" in (folder / "report.html").read_text()
    run(second)
    (code,) = blocks("validation-study", "python")
    error, returned = (float(figure) for figure in run(code, "python").split())
    assert error <= 2
    assert returned == 1


def test_the_commands_for_several_machines(run, environment, service):
    """Each is parsed by its program; what they do together is tested by test_load_balancer and test_topologies."""
    text = (TUTORIALS / "several-machines.md").read_text()
    exported = re.findall(r"^export (\w+)=", text, re.MULTILINE)
    assert set(exported) | {"BEAM_METRICS_TOKEN"} <= {variable.name for variable in VARIABLES}
    (web,) = blocks("several-machines", "sh", "gunicorn")
    run(web.rstrip() + " --check-config")
    (worker,) = blocks("several-machines", "sh", "beam worker")
    run(worker.rstrip() + " --help")
    (ready,) = blocks("several-machines", "sh", "/ready")
    assert '"ready"' in run(ready)
    (keys,) = blocks("several-machines", "sh", "keys create")
    assert "enterprise" in run(keys)
