"""A file of exactly so many seconds gives what its length supports, on each of the three ways to measure it."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from beam_api.cli import main
from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests import videos

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from tests.services import Service

pytestmark = pytest.mark.integration

RATE_BPM = 80.0


@cache
def pictures() -> list[np.ndarray]:
    """25 s, of which a file of any frame rate takes what it needs: the pulse is then as much faster."""
    face = simulate_face(
        Scene(heart_rate_bpm=RATE_BPM, duration_s=25.1, fps=15.0, seed=3, frame_size=(240, 230), eyes_px=44.0)
    )
    return [face.image(i) for i in range(len(face))]


def beam(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("seconds", "fps", "supported"),
    [
        (10, 24, {"heart_rate", "spo2"}),
        (25, 15, {"heart_rate", "spo2", "respiration_rate", "hrv", "stress_index"}),
    ],
)
def test_a_file_of_an_exact_length_is_measured_alike_on_every_way(
    service: Service, tmp_path: Path, seconds: int, fps: int, supported: set[str]
) -> None:
    images = pictures()[: seconds * fps]
    clip = tmp_path / "exact.mp4"
    clip.write_bytes(videos.encode(images, [i / fps for i in range(len(images))], fps=fps))
    key = Keys(KeyStore(connect(running_url(service.data_dir)))).create("t", tier="enterprise").key
    here = beam("measure", str(clip))
    there = beam("measure", str(clip), "--url", service.url, "--key", key)
    scan = beam("scan", str(clip), "--url", service.url, "--key", key)["vitals"]
    for measured in (here, there):
        assert (measured["frames"], measured["duration_ms"]) == (len(images), here["duration_ms"])
        too_short = {name for name, reason in measured["withheld"].items() if reason == "WINDOW_TOO_SHORT"}
        assert not too_short & supported, measured["withheld"]
        assert measured["heart_rate"] == pytest.approx(RATE_BPM * fps / 15, abs=2)
    assert scan["frames"] == len(images)
    assert scan["heart_rate"] == pytest.approx(here["heart_rate"], abs=0.5)
    assert {name for name in ("hrv", "stress_index") if scan.get(name) is not None} == {
        name for name in ("hrv", "stress_index") if here[name] is not None
    }
