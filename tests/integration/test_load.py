"""`benchmarks/load`: a short day of mixed traffic, on a service of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


def run(*options):
    command = [sys.executable, "-m", "benchmarks.load", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


def test_a_day_of_mixed_traffic_loses_no_window_and_answers_nothing_by_a_5xx():
    day = run("--seconds", "3", "--people", "6", "--windows-s", "10", "--hurry", "10", "--json")
    assert day.returncode == 0, day.stdout + day.stderr
    tally = json.loads(day.stdout.splitlines()[-1])
    # All sorts of traffic took place; that nothing went wrong is the exit status.
    assert tally["windows completed"] >= 1
    assert tally["scans begun"] >= 1
    assert tally["repeated requests"] >= 1
    assert tally["mistakes"] >= 1


def test_a_day_is_not_let_loose_on_another_machine():
    refused = run("--host", "http://192.0.2.1:8000", "--key", "beam_sk_nobody")
    assert refused.returncode == 2
    assert "--anywhere" in refused.stderr
