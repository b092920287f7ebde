"""requirements.lock, from which the image is built: it fits pyproject.toml, and each of its files is known by hash."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.\[\]-]+)==(\S+) \\$", LOCK, re.M)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IMAGE = {
    "python_version": "3.12",
    "python_full_version": "3.12.0",
    "sys_platform": "linux",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "platform_system": "Linux",
}
WANTED = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["s3"],
    *PROJECT["build-system"]["requires"],
]


@pytest.mark.parametrize("wanted", WANTED)
def test_the_lock_has_a_version_that_the_project_takes(wanted):
    requirement = Requirement(wanted)
    if requirement.marker is None or requirement.marker.evaluate(IMAGE):
        assert requirement.specifier.contains(PINNED[canonicalize_name(requirement.name)], prereleases=True), (
            f"{wanted}: run `make lock`"
        )


def test_every_version_is_exact_and_has_its_hashes():
    blocks = re.split(r"^(?=\S)", LOCK, flags=re.M)[1:]
    assert len(blocks) == len(PINNED) > 20
    for block in blocks:
        first, *rest = block.splitlines()
        assert re.fullmatch(r"[\w.-]+==\S+ \\", first)
        hashes = [line for line in rest if not line.lstrip().startswith("#")]
        assert hashes
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line) for line in hashes)


def test_it_says_nothing_of_where_packages_come_from():
    assert not re.search(r"https?://|--(?:extra-)?index-url|--find-links|--trusted-host|file:", LOCK)


def test_the_image_installs_nothing_else_and_runs_as_nobody_in_particular():
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    installs = [line for line in lines if re.search(r"pip3? install", line)]
    assert [bool(re.search("--require-hashes|--no-index", line)) for line in installs] == [True, True]
    assert all("--no-deps" in line for line in installs)
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]
    assert not any(re.search(r"apt-get|curl|wget|^ADD ", line) for line in lines)
