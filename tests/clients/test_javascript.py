"""The package for browsers: its own tests, and its reader against server on the same frames."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rppg_core import FaceReader, Frame, Trace, measure, read_samples
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests.javascript import PACKAGE, built_package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rppg_core import Sample, Vitals

MOST_PACKED, MOST_MODEL = 2_000_000, 1_500_000
FPS, SIZE = 15, (300, 280)
SCENE = Scene(
    heart_rate_bpm=72.0, rmssd_ms=30.0, duration_s=22.0, fps=FPS, sway=0.02, noise=1.0, frame_size=SIZE,
    eyes_px=44.0, seed=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def dist() -> Path:
    return built_package()


def npm(*command: str) -> str:
    found = shutil.which("npm")
    assert found
    done = subprocess.run([found, *command], cwd=PACKAGE, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_own_tests_pass(dist: Path) -> None:
    output = npm("test")
    passed = re.search(r"pass (\d+)", output)
    assert passed is not None
    assert int(passed[1]) >= 12


def test_what_is_published_is_whole_and_small(dist: Path, tmp_path: Path) -> None:
    npm("pack", "--pack-destination", str(tmp_path))
    (packed,) = tmp_path.glob("*.tgz")
    assert packed.stat().st_size < MOST_PACKED
    assert (dist / "reader.bin").stat().st_size < MOST_MODEL
    with tarfile.open(packed) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    assert {"README.md", "LICENSE", "LICENSE-dlib.txt", "dist/reader.bin", "dist/worker.js", "dist/index.d.ts"} <= names
    about = json.loads((PACKAGE / "package.json").read_text())
    exports = [path for one in about["exports"].values() if isinstance(one, dict) for path in one.values()]
    assert {path.removeprefix("./") for path in exports} <= names
    assert "dependencies" not in about


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    face = simulate_face(SCENE)
    return [Frame(100 * round(1e4 + i * 1e4 / FPS), np.ascontiguousarray(face.image(i))) for i in range(len(face))]


@pytest.fixture(scope="module")
def browser(dist: Path, frames: list[Frame]) -> dict[int, Sample]:
    node = shutil.which("node")
    assert node
    command = [node, str(PACKAGE / "test" / "read-frames.mjs"), *map(str, SIZE), str(FPS)]
    pixels = b"".join(frame.image().tobytes() for frame in frames)
    output = subprocess.run(command, input=pixels, capture_output=True, timeout=240, check=True)
    return {
        one.time_us: one.sample for one in read_samples([json.loads(line) for line in output.stdout.splitlines()], SIZE)
    }


@pytest.fixture(scope="module")
def server(frames: list[Frame]) -> dict[int, Sample]:
    reader, last, samples = FaceReader(), None, {}
    for begin in range(0, len(frames), FPS):
        for reading in reader.read(frames[begin : begin + FPS], last):
            assert reading.sample
            samples[reading.time_us], last = reading.sample, reading.face
    return samples


def measured(samples: dict[int, Sample], times: Iterable[int]) -> Vitals:
    return measure(Trace.of([t / 1e6 for t in times], [samples[t] for t in times], SIZE))


def test_its_samples_are_those_of_the_server(browser: dict[int, Sample], server: dict[int, Sample]) -> None:
    assert len(browser) > len(server) - FPS  # the last ones wait for a check
    off = np.abs([browser[t].colours - server[t].colours for t in browser])
    assert np.isfinite(off).mean() > 0.95
    assert np.nanmedian(off) < 0.05
    assert np.nanmax(off) < 0.3


def test_its_vitals_are_those_of_the_server(browser: dict[int, Sample], server: dict[int, Sample]) -> None:
    found, wanted = (measured(samples, sorted(browser)) for samples in (browser, server))
    assert wanted.heart_rate_bpm == pytest.approx(SCENE.heart_rate_bpm, abs=0.5)
    assert found.heart_rate_bpm == pytest.approx(wanted.heart_rate_bpm, abs=0.1)
    assert found.rmssd_ms == pytest.approx(wanted.rmssd_ms, abs=2)


def test_the_services_pages_load_what_is_built(dist: Path, tmp_path: Path) -> None:
    """`npm run build && npm run bundle` in clients/js brings them up to date."""
    node = shutil.which("node")
    assert node
    subprocess.run([node, str(dist.parent / "tools" / "bundle.mjs"), str(tmp_path / "reader")], check=True)
    served = PACKAGE.parents[1] / "beam_api" / "web" / "pages" / "static" / "reader"
    built, kept = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (tmp_path / "reader", served)
    )
    assert built == kept
