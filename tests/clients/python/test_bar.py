"""A bar on a terminal, and nothing where there is none."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from beam_client import Progress
from beam_client._bar import line

ROOT = Path(__file__).parents[3]
PROGRAM = """
from beam_client import Progress
from beam_client._bar import reported
with reported(None, "Measuring") as report:
    report(Progress("a", 0.42, 10, 1000.0, ("MOTION",), 71.6))
print("done")
"""


def test_a_bar_says_how_far_it_is_what_it_sees_and_what_to_change() -> None:
    assert line("Scanning", Progress("a", 0.5, 0, 0.0)) == f"Scanning [{'#' * 15}{'.' * 15}]  50%"
    full = line("Measuring", Progress("a", 1.2, 0, 0.0, ("TOO_DARK", "MOTION"), 71.6, 0.9))
    assert full == f"Measuring [{'#' * 30}] 100% 72 bpm TOO_DARK MOTION"


def test_a_terminal_shows_it_and_a_pipe_does_not() -> None:
    ours, theirs = pty.openpty()
    env = os.environ | {"PYTHONPATH": str(ROOT / "clients" / "python")}
    command = [sys.executable, "-c", PROGRAM]
    shown = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=theirs, check=True, timeout=60)
    os.close(theirs)
    terminal = os.read(ours, 4096).decode()
    os.close(ours)
    assert "Measuring [" in terminal
    assert "42% 72 bpm MOTION" in terminal
    assert terminal.endswith("\r\x1b[K")  # it is wiped
    assert shown.stdout == b"done\n"
    piped = subprocess.run(command, env=env, capture_output=True, check=True, timeout=60)
    assert piped.stderr == b""
