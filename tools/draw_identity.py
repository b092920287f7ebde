"""Draw the social card and the phone's icon from the mark and the recorded sample, with Chromium.

python tools/draw_identity.py
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

STATIC = Path(__file__).parents[1] / "beam_api" / "web" / "pages" / "static"
SHOWN_S = 12
CARD = """<style>
body {{ margin: 0; width: 1200px; height: 630px; background: #0c1413; color: #e4eeeb;
  font: 34px system-ui, sans-serif; }}
img {{ position: absolute; left: 80px; top: 72px; width: 84px; }}
b {{ position: absolute; left: 188px; top: 86px; font-size: 46px; }}
h1 {{ position: absolute; left: 80px; top: 178px; margin: 0; font-size: 74px;
  line-height: 1.08; letter-spacing: -0.03em; }}
p {{ position: absolute; left: 80px; bottom: 40px; margin: 0; color: #9db0ab; }}
svg {{ position: absolute; left: 0; top: 400px; }}
</style><img src="data:image/svg+xml;base64,{mark}"><b>Beam</b>
<h1>Vital signs from a camera,<br>on your own server.</h1>
<svg width="1200" height="130"><polyline points="{points}" fill="none" stroke="#ff7d85" stroke-width="4"/></svg>
<p>Self-hosted, Apache-2.0. No image is kept.</p>"""
ICON = """<style>body {{ margin: 0; background: #0b6e63 }} img {{ width: 180px }}</style>
<img src="data:image/svg+xml;base64,{mark}">"""


def main() -> None:
    """Draw both."""
    wave = json.loads((STATIC / "sample" / "recording.json").read_text())["wave"]
    values = wave["ppg"][: round(SHOWN_S * wave["sampling_rate"])]
    most = max(map(abs, values))
    points = " ".join(f"{1200 * i / (len(values) - 1):.1f},{65 - 58 * v / most:.1f}" for i, v in enumerate(values))
    mark = base64.b64encode((STATIC / "icon.svg").read_bytes()).decode()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, page, width, height in (("card.png", CARD, 1200, 630), ("icon-180.png", ICON, 180, 180)):
            tab = browser.new_page(viewport={"width": width, "height": height})
            tab.set_content(page.format(mark=mark, points=points))
            tab.screenshot(path=STATIC / name)
        browser.close()


if __name__ == "__main__":
    main()
