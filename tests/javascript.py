"""The browser's package, built by npm when its sources have changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "clients" / "js"
BUILT = PACKAGE / "dist"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "beam"
_INSTALL_S, _BUILD_S = 300, 240


def built_package() -> Path:
    """The folder of built files. Skips where there is no npm, or where it can't fetch the compiler."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm (Node 20)")
    with (PACKAGE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, inputs = BUILT / ".inputs", _inputs()
        if not stamp.exists() or stamp.read_text() != inputs:
            _install(npm)
            shutil.rmtree(BUILT, ignore_errors=True)
            BUILT.mkdir()
            made = subprocess.run(
                [npm, "run", "build"], cwd=PACKAGE, capture_output=True, text=True, timeout=_BUILD_S, check=False
            )
            assert made.returncode == 0, made.stdout + made.stderr
            stamp.write_text(inputs)
    return BUILT


def _inputs() -> str:
    models = (ROOT / "rppg_core" / "models").glob("*.[ds][av][tm]")
    files = [*(PACKAGE / "src").rglob("*.ts"), *(PACKAGE / "tools").iterdir(), *PACKAGE.glob("*.json"), *models]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()


def _install(npm: str) -> None:
    """Link the compiler from the cache, by the hash of the lock file."""
    if (PACKAGE / "node_modules" / "typescript").exists():
        return
    lock = PACKAGE / "package-lock.json"
    kept = _CACHE / f"js-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not (kept / "node_modules" / "typescript").exists():
        kept.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PACKAGE / name, kept)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        got = subprocess.run(command, cwd=kept, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
        if got.returncode:
            shutil.rmtree(kept / "node_modules", ignore_errors=True)
            pytest.skip(f"npm can't fetch the compiler: {got.stderr[-300:]}")
    (PACKAGE / "node_modules").unlink(missing_ok=True)
    (PACKAGE / "node_modules").symlink_to(kept / "node_modules")
