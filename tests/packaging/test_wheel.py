"""The wheel, made from the sdist, is complete: installed by itself, outside the checkout, it measures."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.thorough import thorough
from tools.install import for_uv, pip_options

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PACKAGES = ("rppg_core", "beam_api", "clients/python/beam_client")


def run(*command, cwd, timeout_s=240, **variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("BEAM_", "PYTHON", "VIRTUAL_ENV"))} | variables
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Made from the sdist, outside the checkout."""
    # What the Dockerfile copies, without what lies in the checkout by chance.
    folder = tmp_path_factory.mktemp("wheel")
    source, dist, unpacked = folder / "source", folder / "dist", folder / "unpacked"
    source.mkdir()
    unpacked.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    build = "import sys, setuptools.build_meta as b; getattr(b, 'build_' + sys.argv[1])(sys.argv[2])"
    run(sys.executable, "-c", build, "sdist", dist, cwd=source)
    (sdist,) = dist.glob("*.tar.gz")
    run("tar", "-xzf", sdist, "-C", unpacked, cwd=folder)
    (inside,) = unpacked.iterdir()
    run(sys.executable, "-c", build, "wheel", dist, cwd=inside)
    (built,) = dist.glob("*.whl")
    shutil.rmtree(source)  # nothing is to be found beside the environment
    shutil.rmtree(unpacked)
    return built


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_the_wheel_has_what_is_compiled_for_every_python(wheel):
    assert "-cp311-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if name.startswith("rppg_core/face/_") and "__init__" not in name}
    assert found == {
        f"rppg_core/face/{name}.{kind}" for name in ("_landmarks", "_witnesses") for kind in ("abi3.so", "pyi")
    }


def test_without_a_compiler_it_is_installed_too_and_dlib_places_the_landmarks(tmp_path):
    """As `make run` installs a checkout: in place."""
    source, installed = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    pip = (sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index")
    run(*pip, "--target", installed, "--editable", source, cwd=tmp_path, CC="/bin/false")
    assert not list(source.rglob("*.so"))
    ask = "from rppg_core.face.reader import FaceReader; print(FaceReader().landmarks_by)"
    assert run(sys.executable, "-c", ask, cwd=source).strip() == "dlib"


def test_the_wheel_has_every_file_of_its_packages(wheel):
    """Scripts for Redis, pages, models: what a service finds missing only when it is asked for it."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith(".so")}
    kept = {
        os.path.relpath(os.path.join(folder, name), (ROOT / package).parent)
        for package in PACKAGES
        for folder, _, names in os.walk(ROOT / package, followlinks=True)  # the pages of the documentation are a link
        for name in names
        if not folder.endswith(("__pycache__", "docs/pictures"))  # those are of README.md alone
        and not name.endswith((".c", ".h", ".so"))
    }
    assert packed == kept


@thorough  # the next one measures with it too, in the environment that uv makes
def test_the_wheel_measures_in_an_empty_environment(wheel, tmp_path):
    environment = tmp_path / "environment"
    run(sys.executable, ROOT / "tools" / "install.py", environment, "--no-compile", wheel, cwd=tmp_path)

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


def test_the_wheel_runs_without_being_installed(wheel, tmp_path):
    """`uvx --from WHEEL beam`, which makes an environment of its own and throws it away, as `pipx run` does."""
    listed = run(sys.executable, "-m", "pip", "config", "list", cwd=tmp_path)
    configured, arguments = for_uv(pip_options(listed))
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "tool", "run", "--quiet", *arguments, "--python", sys.executable, "--from", wheel, "beam"]
    configured["BEAM_DATA_DIR"] = str(tmp_path)
    found = json.loads(run(*command, "doctor", "--json", cwd=tmp_path, **configured))
    well = {finding["what"]: finding["found"] for finding in found["findings"] if finding["well"]}
    assert {"Redis", "model", "decoders", "videos"} <= well.keys()
    if shutil.which("cc"):
        assert well["model"] == "landmarks 5, by compiled code"
    data = json.loads(run(*command, "demo", "--once", "--json", "--port", "0", cwd=tmp_path, **configured))
    assert abs(data["measured"]["heart_rate"] - data["simulated"]["heart_rate"]) <= 2


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
