"""A release of a checkout: one version in all packages, their archives, an SBOM of what the image installs."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from datetime import date
from pathlib import Path

import pytest

from tools import release

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
VERSION = "7.8.9"
FILES = {*(place.path for place in release.PLACES), "CHANGELOG.md"}


def git(*words, cwd):
    command = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@beam.test", *words]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The files of this checkout as the only commit of another."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a checkout")
    folder = tmp_path_factory.mktemp("release") / "tree"
    for name in git("ls-files", "-z", cwd=ROOT).split("\0")[:-1]:
        if (ROOT / name).exists() or (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    git("init", "--quiet", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message", "Everything", cwd=folder)
    return folder


def run(tree, *words):
    command = [sys.executable, "-m", "tools.release", *words]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=280, check=False)


def test_a_dry_run_shows_the_changes_and_makes_none(tree):
    done = run(tree, VERSION, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert {line[4:] for line in done.stdout.splitlines() if line.startswith("+++ ")} == FILES
    assert len(re.findall(rf'^\+.*"{VERSION}"', done.stdout, re.M)) == sum(place.times for place in release.PLACES)
    assert git("status", "--porcelain", cwd=tree) == ""
    assert not (tree / "build").exists()


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0rc1", "01.0.0", "0.0.1", "../1"])
def test_what_is_no_new_version_is_refused(tree, version):
    with pytest.raises(release.Refused, match=r"three numbers|is older than"):
        release.check(tree, version)


def test_a_changed_tree_and_a_version_that_exists_are_refused(tree):
    (tree / "forgotten.txt").touch()
    with pytest.raises(release.Refused, match=r"not committed:\n\?\? forgotten.txt"):
        release.check(tree, VERSION)
    (tree / "forgotten.txt").unlink()
    git("tag", "v5.0.0", cwd=tree)
    assert "v5.0.0 exists" in run(tree, "5.0.0").stderr
    changelog = release.closed((tree / "CHANGELOG.md").read_text(), VERSION, date(2030, 1, 2))
    with pytest.raises(release.Refused, match=r"has 7\.8\.9 already"):
        release.closed(changelog, VERSION, date(2030, 1, 3))
    with pytest.raises(release.Refused, match="names no change"):
        release.closed(changelog, "8.0.0", date(2030, 1, 3))


def test_a_release_has_the_archives_of_three_packages_an_sbom_and_checksums(tree):
    if shutil.which("npm") is None or shutil.which("cc") is None:
        pytest.skip("needs npm (Node 20) and a C compiler")
    before = (tree / "CHANGELOG.md").read_text()
    done = run(tree, VERSION)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tree / "build" / "release" / VERSION
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert len(sums) == 6
    assert {path.name for path in folder.iterdir()} == {*sums, "SHA256SUMS"}
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == found for name, found in sums.items())

    assert versions_inside(folder) == {name: VERSION for name in sums if not name.endswith(".json")}
    (service,) = folder.glob(f"beam_rppg-{VERSION}-cp311-abi3-*.whl")
    assert "-linux_" not in service.name  # which no index takes
    with zipfile.ZipFile(service) as wheel:  # `uvx --from WHEEL beam serve`
        scripts = wheel.read(f"beam_rppg-{VERSION}.dist-info/entry_points.txt").decode()
        compiled = b"".join(wheel.read(name) for name in wheel.namelist() if name.endswith(".abi3.so"))
    assert sys.base_prefix.encode() not in compiled or sys.base_prefix == "/usr"
    assert str(ROOT).encode() not in compiled
    assert scripts.split() == ["[console_scripts]", "beam", "=", "beam_api.cli:main"]
    has_the_dependencies(json.loads((folder / f"beam-rppg-{VERSION}.cdx.json").read_text()))

    assert set(git("diff", "--name-only", cwd=tree).split()) == FILES
    after = (tree / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[Unreleased\]\n\n## \[{VERSION}\] - \d{{4}}-\d\d-\d\d\n\n### ", after, re.M)
    assert after.count("\n- ") == before.count("\n- ")
    git("checkout", "--quiet", ".", cwd=tree)


def test_a_wheel_without_its_compiled_part_is_no_release(tmp_path):
    with zipfile.ZipFile(tmp_path / "beam_rppg-1.0-cp311-abi3-linux_x86_64.whl", "w") as wheel:
        wheel.writestr("rppg_core/face/_landmarks.pyi", "")
    with pytest.raises(release.Refused, match="compiler"):
        release._repair(tmp_path, ("false",), {})


def versions_inside(folder):
    """The version that each archive's own metadata names."""
    found = {}
    for path in folder.iterdir():
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
                found[path.name] = re.search(r"^Version: (.*)$", archive.read(name).decode(), re.M)[1]
        elif path.suffix == ".gz":
            with tarfile.open(path) as archive:
                text = archive.extractfile(f"{path.name.removesuffix('.tar.gz')}/PKG-INFO").read().decode()
                found[path.name] = re.search(r"^Version: (.*)$", text, re.M)[1]
        elif path.suffix == ".tgz":
            with tarfile.open(path) as archive:
                found[path.name] = json.loads(archive.extractfile("package/package.json").read())["version"]
    return found


def has_the_dependencies(sbom):
    assert sbom["bomFormat"] == "CycloneDX"
    about = sbom["metadata"]["component"]
    assert (about["name"], about["version"]) == ("beam-rppg", VERSION)
    locked = dict(re.findall(r"^([\w.-]+)==(\S+) \\$", (ROOT / "requirements.lock").read_text(), re.M))
    assert {one["name"]: one["version"] for one in sbom["components"]} == locked
    assert all(one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}" for one in sbom["components"])
    assert all(reference["hashes"] for one in sbom["components"] for reference in one["externalReferences"])
