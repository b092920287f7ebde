"""What Lighthouse says of each page: `python -m tools.lighthouse [PATH...]` starts a service and prints a table.

Lighthouse comes from npm, into `~/.cache/beam/lighthouse` at the first run. Each page counts by the better of two runs,
after one request that nobody measures: on a busy machine a load only gets slower. The command ends with 1 if a score is
below 95, a page is heavier than 150 KB (its sample apart), or its first paint takes longer than 0.5 s.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.services import services

PATHS = (
    *("/", "/playground", "/keys", "/accuracy", "/privacy", "/status"),
    *("/docs", "/docs/api", "/docs/errors", "/docs/changelog", "/docs/architecture", "/docs/scans", "/docs/reference"),
)
CATEGORIES = ("performance", "accessibility", "best-practices")
LEAST_SCORE = 95
MOST_BYTES = 150_000
LATEST_PAINT_S = 0.5
VERSION = "12"
APART = ("/static/sample/", "/playground/face/")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Result(NamedTuple):
    """The scores of a page from 0 to 100, its first paint, and the bytes that it loads."""

    path: str
    scores: tuple[int, ...]
    paint_s: float
    size: int

    @property
    def is_good(self) -> bool:
        """Whether it reaches what is asked for."""
        return min(self.scores) >= LEAST_SCORE and self.paint_s <= LATEST_PAINT_S and self.size <= MOST_BYTES


def program() -> Path:
    """Lighthouse itself, installed if it is not there."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "beam" / "lighthouse"
    found = folder / "node_modules" / ".bin" / "lighthouse"
    if not found.exists():
        npm = shutil.which("npm") or sys.exit("needs npm")
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", f"lighthouse@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, env=os.environ | {"PUPPETEER_SKIP_DOWNLOAD": "1"})
    return found


def look(lighthouse: Path, url: str, path: str, folder: Path) -> Result:
    """Let Lighthouse load a page as a desktop does, twice."""
    httpx.get(url + path, timeout=60)
    first = _run(lighthouse, url, path, folder)
    return first if first.is_good else max(first, _run(lighthouse, url, path, folder), key=lambda run: run.scores)


def _run(lighthouse: Path, url: str, path: str, folder: Path) -> Result:
    report = folder / "report.json"
    command = [
        str(lighthouse), url + path, "--quiet", "--preset=desktop", "--output=json", f"--output-path={report}",
        "--chrome-flags=--headless=new --no-sandbox --disable-gpu", f"--only-categories={','.join(CATEGORIES)}",
    ]  # fmt: skip
    subprocess.run(command, check=True, env=os.environ | {"CHROME_PATH": str(CHROMIUM)}, timeout=180)
    result: dict[str, Any] = json.loads(report.read_text())
    for audit in result["audits"].values():
        if audit["score"] is not None and audit["score"] < 0.9 and audit["scoreDisplayMode"] in ("binary", "numeric"):
            print(f"  {path}: {audit['title']} {audit.get('displayValue', '')}", file=sys.stderr)
    loaded = result["audits"]["network-requests"]["details"]["items"]
    size = sum(item["transferSize"] for item in loaded if not any(part in item["url"] for part in APART))
    scores = tuple(round(100 * result["categories"][name]["score"]) for name in CATEGORIES)
    return Result(path, scores, result["audits"]["first-contentful-paint"]["numericValue"] / 1000, size)


def main() -> None:
    """Print the table."""
    lighthouse = program()
    print(f"{'page':20}" + "".join(f"{name:>16}" for name in (*CATEGORIES, "first paint, s", "KB")))
    with tempfile.TemporaryDirectory() as folder, services() as start:
        url = start(Path(folder) / "data").url
        results = []
        for path in sys.argv[1:] or PATHS:
            result = look(lighthouse, url, path, Path(folder))
            cells = (*map(str, result.scores), f"{result.paint_s:.2f}", f"{result.size / 1000:.0f}")
            print(
                f"{path:20}" + "".join(f"{cell:>16}" for cell in cells) + ("" if result.is_good else "  !"), flush=True
            )
            results.append(result)
    sys.exit(not all(result.is_good for result in results))


if __name__ == "__main__":
    main()
