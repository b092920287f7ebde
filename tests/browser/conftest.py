"""A real Chromium before a real service. The camera is a film of a simulated face."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import cv2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests.thorough import THOROUGH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services import Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Without a window's own parts, which cost half a second of processor time for each test; it has no camera.
SMALL = (None if THOROUGH else shutil.which("chromium-headless-shell")) or CHROMIUM
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCENE = Scene(
    heart_rate_bpm=72.0, rmssd_ms=20.0, duration_s=45.0, fps=15.0, sway=0.01, noise=1.0, frame_size=(320, 240),
    eyes_px=40.0, seed=4,
)  # fmt: skip
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  window.violations.push(`${violatedDirective} ${blockedURI}`),
);
"""


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium (on Debian: apt-get install chromium)")
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The simulated face as the camera shows it. As y4m: Chromium clips an MJPEG's range.

    Each use begins at its begin, and its end is beyond that of any measurement here: the pulse would jump there.
    """
    path = tmp_path_factory.mktemp("film") / "face.y4m"
    face = simulate_face(SCENE)
    with path.open("wb") as out:
        out.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n" % (*SCENE.frame_size, SCENE.fps))
        for index in range(len(face)):
            out.write(b"FRAME\n" + cv2.cvtColor(face.image(index), cv2.COLOR_RGB2YUV_I420).tobytes())
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Without a camera: the headless shell, or in `make test-all` the whole browser."""
    launched = playwright.chromium.launch(executable_path=SMALL, args=ARGUMENTS)
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def filming_browser(playwright: Playwright, film: Path) -> Iterator[Browser]:
    """With the film for a camera, and a user who asks before he allows it."""
    arguments = [*ARGUMENTS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"]
    launched = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    yield launched
    launched.close()


@pytest.fixture
def open_page(service: Service) -> Iterator[Callable[..., Page]]:
    """Open a page of the service: `open_page(browser, path, **options of the context)`.

    In the end no page may have asked another host for anything, broken its policy or thrown an error.
    """
    contexts: list[BrowserContext] = []
    pages: list[Page] = []
    strays: list[str] = []
    errors: list[str] = []

    def open_it(browser: Browser, path: str, **options: Any) -> Page:
        context = browser.new_context(base_url=service.url, **options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        context.add_init_script(WATCH)
        page = context.new_page()
        pages.append(page)
        page.on("request", lambda r: None if r.url.startswith((service.url, "blob:")) else strays.append(r.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path)
        return page

    yield open_it
    violations = [violation for page in pages for violation in page.evaluate("window.violations")]
    for context in contexts:
        context.close()
    assert (strays, errors, violations) == ([], [], [])
