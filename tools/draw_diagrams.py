"""Draw the Mermaid diagrams of docs/: `python -m tools.draw_diagrams` writes docs/diagrams/*.svg, and removes old ones.

Mermaid comes from npm, into `~/.cache/beam/mermaid` at the first run; Chromium draws. Text is text, in the colours of
the pages, which follow the reader's scheme.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from beam_api.web.documents import source
from beam_api.web.documents.diagrams import FENCE, file_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VERSION = "11"
STYLE = """
text { fill: #0f1716; font: 14px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.node text, .edgeLabel text { text-anchor: middle; }
.node rect, .node path, .node polygon { fill: #f4f7f6; stroke: #0b6e63; rx: 6px; }
.labelBkg, .edgeLabel rect, .edgeLabel .background { fill: #ffffff; opacity: 1; }
.edgeLabel text { fill: #52605d; font-size: 13px; }
.flowchart-link { stroke: #52605d; fill: none; stroke-width: 1.5; }
.marker { fill: #52605d; stroke: #52605d; }
@media (prefers-color-scheme: dark) {
  text { fill: #e8f0ee; }
  .node rect, .node path, .node polygon { fill: #131c1a; stroke: #62d3c3; }
  .labelBkg, .edgeLabel rect, .edgeLabel .background { fill: #0b1110; }
  .edgeLabel text { fill: #a0b0ac; }
  .flowchart-link { stroke: #a0b0ac; }
  .marker { fill: #a0b0ac; stroke: #a0b0ac; }
}
"""
DRAW = """async ([text, id]) => {
  mermaid.initialize({
    startOnLoad: false, theme: "base", htmlLabels: false, deterministicIds: true, deterministicIDSeed: id,
    flowchart: { htmlLabels: false, padding: 12, nodeSpacing: 24, rankSpacing: 32, wrappingWidth: 240 },
    fontFamily: "sans-serif", fontSize: 14,
  });
  return (await mermaid.render(id, text)).svg;
}"""


def program() -> Path:
    """Mermaid itself, installed if it is not there."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "beam" / "mermaid"
    found = folder / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
    if not found.exists():
        npm = shutil.which("npm") or sys.exit("needs npm")
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", f"mermaid@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True)
    return found


def finished(svg: str) -> str:
    """The drawing with our colours and with its size."""
    svg = re.sub(r"<style>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' style="[^"]*"', "", svg)
    svg = svg.replace("<br>", "<br/>")
    box = re.search(r'viewBox="([-\d. ]+)"', svg)
    if box is None:
        sys.exit("the drawing has no box")
    width, height = (round(float(part)) for part in box[1].split()[2:])
    head, _, body = svg.partition(">")
    head = re.sub(r' (?:width|height)="[^"]*"', "", head).replace("<svg", f'<svg width="{width}" height="{height}"')
    return f"{head}><style>{STYLE}</style>{body}\n"


def main() -> None:
    """Draw each diagram that isn't drawn, or all with `--all`."""
    if CHROMIUM is None:
        sys.exit("needs Chromium (on Debian: apt-get install chromium)")
    texts = {file_of(text): text for name in source.NAMES for text in FENCE.findall(source.read(name))}
    folder = source.FOLDER / "diagrams"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        if f"diagrams/{old.name}" not in texts or "--all" in sys.argv:
            old.unlink()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.add_script_tag(path=program())
        for file, text in texts.items():
            if not (source.FOLDER / file).exists():
                drawn = page.evaluate(DRAW, [text, f"d{file[9:15]}"])
                (source.FOLDER / file).write_text(finished(drawn), "utf-8")
                print(f"docs/{file}")
        browser.close()


if __name__ == "__main__":
    main()
