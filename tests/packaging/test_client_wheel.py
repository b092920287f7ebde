"""The client's wheel in an empty environment: small, quick to import, and three lines to the vitals."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from tests import videos
from tests.clients.python.conftest import blocks

if TYPE_CHECKING:
    from tests.services import Service

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "python"
MOST_BYTES = 100_000
HEAVY = {"numpy", "av", "cv2", "httpx", "asyncio", "ssl", "PIL", "simplejpeg"}


def run(*command: object, cwd: Path, **environment: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("BEAM_", "PYTHON", "VIRTUAL_ENV"))}
    words = [str(part) for part in command]
    done = subprocess.run(
        words, cwd=cwd, env=env | environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("client")


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    """Made from the sdist, outside the checkout."""
    source = folder / "source"
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    build = "import sys, setuptools.build_meta as b; getattr(b, 'build_' + sys.argv[1])(sys.argv[2])"
    run(sys.executable, "-c", build, "sdist", folder / "dist", cwd=source)
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    (folder / "unpacked").mkdir()
    run("tar", "-xzf", sdist, "-C", folder / "unpacked", cwd=folder)
    (unpacked,) = (folder / "unpacked").iterdir()
    run(sys.executable, "-c", build, "wheel", folder / "dist", cwd=unpacked)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(folder: Path, wheel: Path) -> Path:
    """The interpreter of an environment that has the wheel, its extra, and nothing else."""
    environment = folder / "environment"
    run(sys.executable, ROOT / "tools" / "install.py", environment, f"{wheel}[video]", cwd=folder)
    return environment / "bin" / "python"


def test_the_wheel_is_small_and_has_what_it_needs(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("METADATA"))
    expected = {path.relative_to(CLIENT).as_posix() for path in (CLIENT / "beam_client").glob("*.py")}
    assert {name for name in names if name.startswith("beam_client/")} == {*expected, "beam_client/py.typed"}
    assert [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra" not in line] == [
        "Requires-Dist: httpx>=0.25"
    ]
    assert "Requires-Python: >=3.9" in metadata


def test_an_import_loads_nothing_heavy(python: Path, folder: Path) -> None:
    code = "import sys, json, beam_client; print(json.dumps([*sys.modules]))"
    loaded = {name.partition(".")[0] for name in json.loads(run(python, "-c", code, cwd=folder))}
    assert loaded & HEAVY == set()


def test_three_lines_measure_in_an_empty_environment(service: Service, python: Path, folder: Path) -> None:
    (folder / "face.mp4").write_bytes(videos.encoded())
    program = blocks(CLIENT / "README.md", "python")[0]
    assert len([line for line in program.splitlines() if line]) < 3  # and one to install it
    redis = connect(running_url(service.data_dir))
    key = Keys(KeyStore(redis)).create("newcomer").key
    redis.close()
    program = program.replace("http://localhost:8000", service.url).replace("beam_sk_your_key", key)
    printed = run(python, "-c", program, cwd=folder)
    rate = re.match(r"Heart rate: +(\d+) bpm", printed)
    assert rate, printed
    assert int(rate[1]) == pytest.approx(videos.RATE_BPM, abs=2)
    where = run(python, "-c", "import beam_client; print(beam_client.__file__)", cwd=folder)
    assert Path(where.strip()).is_relative_to(python.parents[1])
