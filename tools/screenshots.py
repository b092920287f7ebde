"""Takes the pictures of README.md: `python -m tools.screenshots` starts a service and writes docs/pictures/*.webp."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.services import services

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
MOST_BYTES = 150_000
SIZE: ViewportSize = {"width": 1280, "height": 800}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def home(page: Page) -> None:
    """The first page when its sample has been measured; it doesn't play for those who want less motion."""
    page.goto("/")
    page.locator("#sample button").wait_for()


def playground(page: Page) -> None:
    """A measurement of the simulated face, the shortest there is, from the result on."""
    page.goto("/playground")
    page.locator("#settings summary").click()
    page.locator("#seconds").select_option("30")
    page.locator("#settings summary").click()
    page.get_by_role("button", name="Use a simulated face").click()
    page.locator("#results").wait_for(timeout=120_000)
    page.evaluate("scrollTo(0, document.querySelector('#results').offsetTop - 24)")
    page.mouse.move(0, 0)  # else a tooltip opens where the button was


def docs(page: Page) -> None:
    """The quickstart, where frames are sent."""
    page.goto("/docs#measure-with-frames")


PICTURES = {"home": home, "playground": playground, "docs": docs}


def main() -> None:
    """Take each picture in light and dark."""
    if CHROMIUM is None:
        sys.exit("needs Chromium (on Debian: apt-get install chromium)")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, services() as start, sync_playwright() as playwright:
        url = start(Path(folder) / "data").url
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            context = browser.new_context(
                base_url=url, viewport=SIZE, color_scheme=scheme, reduced_motion="reduce", device_scale_factor=1
            )
            for name, show in PICTURES.items():
                page = context.new_page()
                show(page)
                page.wait_for_timeout(500)
                _write(page.screenshot(), FOLDER / f"{name}-{scheme}.webp")
                page.close()
        browser.close()


def _write(png: bytes, path: Path) -> None:
    Image.open(io.BytesIO(png)).convert("RGB").save(path, quality=82, method=6)
    size = path.stat().st_size
    print(f"{path.relative_to(FOLDER.parents[1])}: {size / 1000:.0f} KB")
    if size > MOST_BYTES:
        sys.exit(f"{path.name} is larger than {MOST_BYTES} bytes")


if __name__ == "__main__":
    main()
