"""Benchmarks run by hand, so that one is broken would be found out late."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
OTHERS_ENVIRONMENTS = "run_*.py"  # each is run where its peer is installed, and nowhere else


def test_every_benchmark_can_be_imported():
    files = set((ROOT / "benchmarks").rglob("*.py")) - set((ROOT / "benchmarks").rglob(OTHERS_ENVIRONMENTS))
    names = sorted(".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files)
    assert "benchmarks.pace" in names
    # Locust changes the sockets of the process that imports it.
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
