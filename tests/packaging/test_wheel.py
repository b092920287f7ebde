"""The wheel, made from the sdist, is complete: installed by itself, outside the checkout, it measures."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PACKAGES = ("rppg_core", "beam_api", "clients/python/beam_client")


def run(*command, cwd, timeout_s=240, **variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("BEAM_", "PYTHON", "VIRTUAL_ENV"))} | variables
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_measures_in_an_empty_environment(tmp_path):
    # What the Dockerfile copies, without what lies in the checkout by chance.
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys, setuptools.build_meta; setuptools.build_meta.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", build, tmp_path / "dist", cwd=tmp_path)
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    for name in PACKAGES:  # nothing is to be found beside the environment
        shutil.rmtree(tmp_path / name)
    environment = tmp_path / "environment"
    run(sys.executable, ROOT / "tools" / "install.py", environment, "--no-compile", sdist, cwd=tmp_path)

    where = run(environment / "bin" / "python", "-c", "import beam_api; print(beam_api.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(environment)
    # Compiles what is imported, and not all that has been installed.
    assert "demo" in run(environment / "bin" / "beam", "--help", cwd=tmp_path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [environment / "bin" / "beam", "demo", "--once", "--json", "--port", "0"]
    data = json.loads(run(*command, cwd=tmp_path, TMPDIR=str(temporary)))
    assert abs(data["measured"]["heart_rate"] - data["simulated"]["heart_rate"]) <= 2
    assert list(temporary.iterdir()) == []


def test_no_two_packages_of_the_environment_bring_the_same_module():
    """As opencv-python and its headless sibling would."""
    owners: dict[str, set[str]] = {}
    for distribution in importlib.metadata.distributions():
        for file in distribution.files or []:
            if file.suffix in (".py", ".so") and file.name == "__init__.py" and len(file.parts) == 2:
                owners.setdefault(file.parts[0], set()).add(distribution.metadata["Name"])
    assert owners["cv2"] == {"opencv-python-headless"}
    twice = {module: names for module, names in owners.items() if len(names) > 1}
    assert not twice
