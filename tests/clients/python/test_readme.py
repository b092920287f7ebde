"""The programs of the client's README run as printed: only address and key are replaced."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import videos
from tests.clients.python.conftest import blocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.services import Service

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
PROGRAMS = blocks(ROOT / "clients" / "python" / "README.md", "python")


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_of_the_readme_runs(
    program: str, service: Service, make_key: Callable[..., str], clip: Path, frames: list[tuple[float, bytes]]
) -> None:
    (clip.parent / "frame.jpg").write_bytes(frames[0][1])
    assert "http://localhost:8000" in program
    code = program.replace("http://localhost:8000", service.url).replace("beam_sk_your_key", make_key())
    env = {name: value for name, value in os.environ.items() if not name.startswith("BEAM_")}
    env["PYTHONPATH"] = str(ROOT / "clients" / "python")
    command = [sys.executable, "-W", "error", "-c", code]
    ended = subprocess.run(command, cwd=clip.parent, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout
    assert ended.stderr == ""  # no bar outside a terminal
    if "print(Beam(" in program:
        rate = re.match(r"Heart rate: +(\d+) bpm \([\d.]+ to [\d.]+\)$", ended.stdout, re.MULTILINE)
        assert rate, ended.stdout
        assert int(rate[1]) == pytest.approx(videos.RATE_BPM, abs=2)


def test_the_readme_has_its_programs() -> None:
    assert len(PROGRAMS) == 5
