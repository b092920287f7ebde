"""The Dockerfile, as far as it can be checked without an engine."""

import ast
import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.install import for_uv, pip_options

ROOT = Path(__file__).parents[2]


def instructions():
    """Each stage as a list of (instruction, text), with continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    stages = []
    for line in text.splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            if name == "FROM":
                stages.append([])
            stages[-1].append((name, rest.strip()))
    return stages


STAGES = instructions()
BUILD, FINAL = STAGES
COPIED = [
    source for name, text in BUILD if name == "COPY" and not text.startswith("--from") for source in text.split()[:-1]
]


def in_context(name):
    """Whether .dockerignore leaves a path in the build's context: the last pattern that fits decides."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().removeprefix("!").rstrip("/").removeprefix("**/")
        parents = ["/".join(name.split("/")[: i + 1]) for i in range(name.count("/") + 1)]
        if pattern and any(fnmatch.fnmatchcase(part, pattern) for part in (*parents, name.split("/")[-1])):
            kept = line.startswith("!")
    return kept


@pytest.mark.parametrize("source", COPIED)
def test_what_is_copied_exists_and_is_in_the_context(source):
    assert (ROOT / source).exists()
    assert in_context(source)


def test_the_context_has_nothing_else_than_what_is_copied():
    assert not any(in_context(name) for name in (".git", "tests", "benchmarks", ".beam", "clients/js", "first-key"))
    assert not in_context("beam_api/__pycache__")
    assert not in_context("rppg_core/face/_landmarks.abi3.so")  # of another machine


def test_every_package_of_the_wheel_is_copied():
    found = {name for name in COPIED if (ROOT / name / "__init__.py").exists()}
    assert {Path(name).name for name in found} == {"rppg_core", "beam_api", "beam_client"}
    # Links to files beside the packages, which the wheel has as files, lead to what is copied too.
    links = [path for name in found for path in (ROOT / name).rglob("*") if path.is_symlink()]
    targets = {path.resolve().relative_to(ROOT).as_posix() for path in links}
    assert targets
    assert all(any(target == one or target.startswith(f"{one}/") for one in COPIED) for target in targets)


def test_the_image_runs_as_a_user_who_owns_its_data():
    user = [text for name, text in FINAL if name == "USER"][-1]
    made = [text for name, text in FINAL if name == "RUN"]
    assert user.isdigit()
    assert int(user) >= 1000
    assert any(f"--uid {user}" in text and "--owner=beam" in text for text in made)
    after = FINAL[[name for name, _ in FINAL].index("USER") :]
    assert not [name for name, _ in after if name in ("RUN", "COPY", "ADD")]


def test_the_port_and_the_health_check_are_those_of_the_service(app):
    (port,) = [text for name, text in FINAL if name == "EXPOSE"]
    bind = re.search(
        r'^bind = "127.0.0.1:(\d+)"', (ROOT / "beam_api" / "server" / "gunicorn_conf.py").read_text(), re.M
    )
    assert bind[1] == port
    (check,) = [text for name, text in FINAL if name == "HEALTHCHECK"]
    command = json.loads(check.partition("CMD ")[2])
    ast.parse(command[2])
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", command[2])
    assert asked[1] == port
    assert asked[2] in {rule.rule for rule in app.url_map.iter_rules()}


def test_the_command_is_what_make_run_starts():
    (command,) = [json.loads(text) for name, text in FINAL if name == "CMD"]
    assert " ".join(command[:2]) in re.search(r"^run:.*\n\t.*", (ROOT / "Makefile").read_text(), re.M)[0]
    done = subprocess.run(
        [sys.executable, "-m", "beam_api.cli", *command[1:], "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr


def commands(stage):
    """The commands of a stage's RUN lines, as words."""
    lines = [command.split() for name, text in stage if name == "RUN" for command in text.split("&&")]
    return [shlex.split(" ".join(line)) for line in lines]


def done(*command, cwd, **environment):
    words = [str(part) for part in command]
    ended = subprocess.run(
        words, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_nothing_is_run_that_no_test_here_knows():
    """Each command is run below as far as that needs neither root nor the image's Python: a new one wants a test."""
    known = {
        ("python", "-m", "venv"), ("/opt/beam/bin/pip", "install", "--require-hashes"),
        ("/opt/beam/bin/pip", "install", "--no-deps"), ("/opt/beam/bin/pip", "check"),
        ("/opt/beam/bin/pip", "uninstall", "--yes"), ("/opt/beam/bin/python", "-P", "-c"),
        ("useradd", "--system", "--uid"),
        ("install", "--directory", "--owner=beam"),
    }  # fmt: skip
    assert {tuple(command[:3]) for stage in STAGES for command in commands(stage)} == known


@pytest.mark.integration
def test_the_lock_can_be_installed_for_the_images_python(tmp_path):
    """Without downloading it: for each requirement there is a wheel whose hash is in the lock."""
    ((_, *options),) = [command for command in commands(BUILD) if "--require-hashes" in command]
    (version,) = re.findall(r"^FROM python:([\d.]+)-slim$", (ROOT / "Dockerfile").read_text(), re.M)
    configured, arguments = for_uv(pip_options(done(sys.executable, "-m", "pip", "config", "list", cwd=tmp_path)))
    configured.pop("UV_CONSTRAINT", None)  # where somebody has constraints for pip, they aren't the image's
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    uv, target = Path(sys.executable).with_name("uv"), tmp_path / "none"
    image = ("--python", sys.executable, "--python-version", version, "--python-platform", "x86_64-manylinux_2_28")
    done(uv, "pip", *options, *arguments, "--dry-run", "--target", target, *image, cwd=tmp_path, **configured)


@pytest.mark.integration
def test_the_package_can_be_built_from_what_is_copied(tmp_path):
    (command,) = [command for command in commands(BUILD) if "--no-index" in command]
    context, installed = tmp_path / "context", tmp_path / "installed"
    for name in COPIED:
        target = context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so")
            shutil.copytree(ROOT / name, target, symlinks=True, ignore=leave_out)
        else:
            shutil.copy(ROOT / name, target)
    done(sys.executable, "-m", "pip", *command[1:], "--target", installed, cwd=context, PYTHONPATH="")
    assert (installed / "beam_api" / "web" / "pages" / "docs" / "quickstart.md").is_file()
    assert {"beam_api", "beam_client", "rppg_core"} <= {path.name for path in installed.iterdir()}
    ((_, *asked),) = [command for command in commands(BUILD) if command[0].endswith("/python")]
    if shutil.which("cc"):
        done(sys.executable, *asked, cwd=context, PYTHONPATH=str(installed))  # where the sources lie too


def test_what_is_compiled_by_the_image_with_a_compiler_runs_in_the_slim_one_of_the_same_python():
    first, last = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert last == f"{first}-slim"


def test_the_folder_for_data_is_made_as_it_is_written(tmp_path):
    (command,) = [command for command in commands(FINAL) if command[0] == "install"]
    mine = [part for part in command if not part.startswith(("--owner", "--group"))]
    done(*mine[:-1], tmp_path / "data", cwd=tmp_path)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not shutil.which("useradd"), reason="needs Debian's useradd")
def test_the_options_of_useradd_exist(tmp_path):
    (command,) = [command for command in commands(FINAL) if command[0] == "useradd"]
    known = done("useradd", "--help", cwd=tmp_path)
    assert all(option in known for option in command if option.startswith("--"))
