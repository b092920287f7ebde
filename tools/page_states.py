"""Pictures of every page and state, to be looked at: `python -m tools.page_states [URL]` writes build/states/*.png.

Each is taken on a desktop, on a phone, and in the dark with less motion, of a service that is started for it, or of
that at URL.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from tests.services import services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

FOLDER = Path(__file__).parents[1] / "build" / "states"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark", "reduced_motion": "reduce"},
}
PAGES = ("/", "/accuracy", "/privacy", "/status", "/docs", "/docs/reference", "/docs/architecture")
MEASURED_MS = 120_000
LOADED = """async () => {
  const pictures = [...document.querySelectorAll("img[loading=lazy]")];
  for (const picture of pictures) picture.loading = "eager";
  await Promise.all(pictures.map((picture) => picture.decode().catch(() => {})));
}"""
"""Load the pictures that wait until they are scrolled to."""


def pages(page: Page) -> Iterator[str]:
    """Each page as it comes."""
    for path in PAGES:
        page.goto(path)
        page.wait_for_timeout(800)
        yield path.strip("/").replace("/", "-") or "home"


def search(page: Page) -> Iterator[str]:
    """What the search finds."""
    page.goto("/docs")
    page.keyboard.press("/")
    page.keyboard.type("window")
    page.get_by_role("option").first.wait_for()
    yield "docs-search"


def keys(page: Page) -> Iterator[str]:
    """No key, a new one with its usage, and one that is remembered."""
    page.goto("/keys")
    yield "keys"
    page.get_by_role("button", name="Get a key").click()
    page.locator("#chart rect").first.wait_for(state="attached")
    yield "keys-new"
    page.locator("#fresh").get_by_label("Remember it on this device").check()
    page.reload()
    yield "keys-remembered"


def measured(page: Page) -> Iterator[str]:
    """A measurement that is too short for some vitals: before, while and after it."""
    page.goto("/playground")
    yield "playground-idle"
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Length").select_option("20")
    yield "playground-settings"
    page.get_by_role("button", name="Use a simulated face").click()
    page.locator("#ring-number", has_text=re.compile(r"\d")).wait_for(timeout=MEASURED_MS)
    yield "playground-running"
    page.locator("#results").wait_for(timeout=MEASURED_MS)
    page.wait_for_timeout(700)
    yield "playground-result"
    for name in ("curl", "Python", "JavaScript"):
        page.get_by_role("tab", name=name).click()
        yield f"playground-{name.lower()}"


def kept(page: Page) -> Iterator[str]:
    """Measurements that go on."""
    page.goto("/playground")
    page.get_by_label("Keep going").check()
    page.get_by_role("button", name="Use a simulated face").click()
    page.locator("#trend").wait_for(timeout=MEASURED_MS)
    page.wait_for_timeout(11_000)
    yield "playground-trend"


def blocked(page: Page) -> Iterator[str]:
    """No camera."""
    page.goto("/playground")
    page.get_by_role("button", name="Start the camera").click()
    page.wait_for_timeout(1500)
    yield "playground-blocked"


STATES: tuple[Callable[[Page], Iterator[str]], ...] = (pages, search, keys, blocked, measured, kept)


def main() -> None:
    """Take all pictures."""
    if CHROMIUM is None:
        sys.exit("needs Chromium (on Debian: apt-get install chromium)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        url = sys.argv[1] if len(sys.argv) > 1 else _started(stack)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for screen, options in SCREENS.items():
            context = browser.new_context(base_url=url, **options)
            for state in STATES:
                page = context.new_page()
                page.on("dialog", lambda dialog: dialog.accept())
                for name in state(page):
                    page.evaluate(LOADED)
                    page.screenshot(path=FOLDER / f"{name}-{screen}.png", full_page=True)
                    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                    print(f"{name}-{screen}" + (" is wider than its screen" if wide else ""), flush=True)
                page.close()
            context.close()
        browser.close()


def _started(stack: ExitStack) -> str:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    start = stack.enter_context(services())
    return start(Path(folder) / "data").url


if __name__ == "__main__":
    main()
