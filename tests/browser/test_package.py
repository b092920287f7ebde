"""The package beam-rppg on somebody's own page, of another origin than the service, under a strict policy."""

from __future__ import annotations

import gzip
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ARGUMENTS, CHROMIUM, WATCH
from tests.javascript import built_package
from tests.services import Service, services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Playwright

pytestmark = pytest.mark.browser

LONG_MS = 90_000
MOST_BYTES = 20_000  # of a request; a picture of 320 x 240 has more
PAGE = """<!doctype html><html lang="en"><title>Own page</title><meta name="viewport" content="width=device-width">
<script type="module" src="/dist/element.js"></script>
<beam-measure token-url="/beam-token" duration="20"></beam-measure>"""
GATHER = """() => {
  window.told = { events: [] };
  const element = document.querySelector("beam-measure");
  for (const name of ["progress", "partial", "guidance", "measurement", "failure"]) {
    element.addEventListener(name, ({ detail }) => window.told.events.push([name, detail?.message ?? detail]));
  }
}"""
MEASURE = """async ([token, sessionId, url]) => {
  const { measure } = await import("/dist/index.js");
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  await video.play();
  const works = [];
  const leave = new AbortController();
  const onFace = (landmarks, workMs) => {
    if (landmarks) works.push(workMs);
    if (works.length === 60) leave.abort();
  };
  const options = { token, sessionId, url, signal: leave.signal, onFace };
  const error = await measure(video, options).catch((error) => error.name);
  return { error, works: works.sort((a, b) => a - b) };
}"""


LOCK = """async () => {
  const { lockCamera } = await import("/dist/index.js");
  const video = { width: { ideal: 640 }, height: { ideal: 480 } };
  const [track] = (await navigator.mediaDevices.getUserMedia({ video })).getVideoTracks();
  const before = track.getSettings();
  const locked = await lockCamera(track);
  const after = track.getSettings();
  track.stop();
  return [locked, before, after];
}"""


class OwnServer(ThreadingHTTPServer):
    """A page, the package, and tokens for them: the key stays here."""

    daemon_threads = True

    def __init__(self, files: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(files.parent)))
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.service: Service | None = None
        self.sessions = 0

    def grant(self) -> dict[str, str]:
        assert self.service
        self.sessions += 1
        wish = {"session_id": f"visitor-{self.sessions}"}
        headers = {"X-API-Key": self.service.key}
        made = httpx.post(f"{self.service.url}/api/keys/me/tokens", json=wish, headers=headers).raise_for_status()
        return {"token": made.json()["data"]["token"], "url": self.service.url, **wish}


class _Handler(SimpleHTTPRequestHandler):
    server: OwnServer

    def end_headers(self) -> None:
        url = self.server.service.url if self.server.service else ""
        self.send_header(
            "Content-Security-Policy",
            f"default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; connect-src 'self' {url}",
        )
        super().end_headers()

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer(PAGE.encode(), "text/html; charset=utf-8")
        elif self.path == "/favicon.ico":
            self._answer(b"", "image/x-icon")
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self._answer(json.dumps(self.server.grant()).encode(), "application/json")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    server = OwnServer(built_package())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with services() as start:
        server.service = start(tmp_path_factory.mktemp("package") / "data", BEAM_CORS_ORIGINS=server.url)
        yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(filming_browser: Browser, own_server: OwnServer) -> Iterator[Page]:
    context = filming_browser.new_context(base_url=own_server.url, permissions=["camera"])
    context.add_init_script(WATCH)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/")
    yield page
    violations = page.evaluate("window.violations")
    context.close()
    assert (errors, violations) == ([], [])


def sent_bodies(page: Page) -> list[bytes]:
    """Bodies of the requests with samples, as they come."""
    bodies: list[bytes] = []

    def note(request: Any) -> None:
        if request.method == "POST" and request.url.endswith("/api/rppg/samples"):
            bodies.append(request.post_data_buffer or b"")

    page.on("request", note)
    return bodies


def test_the_element_measures_the_pulse_and_sends_no_picture(page: Page) -> None:
    bodies = sent_bodies(page)
    page.evaluate(GATHER)
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("status")).to_have_text("Done.", timeout=LONG_MS)

    events: list[Any] = page.evaluate("window.told.events")
    names = [name for name, _ in events]
    assert names[-1] == "measurement"
    assert {"progress", "partial", "guidance"} <= set(names)
    result = events[-1][1]
    assert result["heart_rate"] == pytest.approx(72, abs=1)
    assert result["verdict"] == "release"
    assert 10 < result["frame_rate"] < 16  # a machine that does much else leaves frames out
    assert result["hrv"] is None or result["hrv"] == pytest.approx(20, abs=12)
    assert page.locator("[data-vital=heart_rate]").inner_text().split() == [
        "Heart",
        "rate",
        str(result["heart_rate"]),
        "/min",
    ]

    assert len(bodies) > 10
    assert max(map(len, bodies)) < MOST_BYTES
    seconds = result["duration_ms"] / 1000
    assert sum(map(len, bodies)) * 8 / 1000 / seconds < 50  # kbit/s
    for body in map(gzip.decompress, bodies):
        assert set(json.loads(body)) == {"session_id", "duration_ms", "sample_version", "frame_size", "samples"}
        for sample in json.loads(body)["samples"]:
            assert set(sample) <= {"timestamp_ms", "pose", "colours", "detail", "face"}
            assert len(sample["colours"]) == 272  # 34 colours in base64
            assert len(json.dumps(sample)) < 700


def test_stopping_ends_it_and_the_camera(page: Page) -> None:
    page.evaluate(GATHER)
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("status")).to_have_text("Measuring: sit still, with light on your face.", timeout=LONG_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_have_text("Stopped.")
    assert page.evaluate("document.querySelector('beam-measure').shadowRoot.querySelector('video').srcObject") is None
    assert page.evaluate("window.told.events.at(-1)[0]") == "failure"
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_measure_takes_any_video_and_a_signal_ends_it(page: Page, own_server: OwnServer) -> None:
    grant = own_server.grant()
    seen = page.evaluate(MEASURE, [grant["token"], grant["session_id"], grant["url"]])
    assert seen["error"] == "AbortError"
    assert len(seen["works"]) == 60


def test_a_token_that_is_refused_is_named(page: Page, own_server: OwnServer) -> None:
    grant = own_server.grant()
    say = """async ([token, sessionId, url]) => {
      const element = document.createElement("beam-measure");
      for (const [name, value] of Object.entries({ token, session: sessionId, url })) element.setAttribute(name, value);
      document.body.append(element);
      const failure = new Promise((resolve) => element.addEventListener("failure", ({ detail }) => resolve(detail)));
      await element.start();
      const { code, status } = await failure;
      return [code, status, element.shadowRoot.querySelector("[role=status]").textContent];
    }"""
    code, status, text = page.evaluate(say, [grant["token"], "somebody-else", grant["url"]])
    assert (code, status) == ("TOKEN_SCOPE", 403)
    assert text.startswith("The measurement failed.")


def test_a_model_that_is_missing_is_named(page: Page, own_server: OwnServer) -> None:
    page.route("**/reader.bin", lambda route: route.fulfill(status=404))
    say = """async ([token, sessionId, url]) => {
      const { measure } = await import("/dist/index.js");
      const failure = await measure(document.createElement("video"), { token, sessionId, url }).catch((error) => error);
      return [failure.name, failure.code, failure.message];
    }"""
    grant = own_server.grant()
    name, code, message = page.evaluate(say, [grant["token"], grant["session_id"], grant["url"]])
    assert (name, code) == ("BeamError", "READER_FAILED")
    assert "404" in message


def test_a_camera_with_controls_is_locked_and_its_picture_keeps_its_size(
    playwright: Playwright, own_server: OwnServer
) -> None:
    """Chromium's own test camera has an exposure that can be set, and no white balance."""
    arguments = [*ARGUMENTS, "--use-fake-device-for-media-stream"]
    with playwright.chromium.launch(executable_path=CHROMIUM, args=arguments) as browser:
        page = browser.new_page(base_url=own_server.url, permissions=["camera"])
        page.goto("/")
        locked, before, after = page.evaluate(LOCK)
    assert locked == ["frameRate", "exposureMode"]
    assert after == before | {"exposureMode": "manual"}
    assert (after["width"], after["height"]) == (640, 480)


def test_a_camera_without_controls_is_left_alone(page: Page) -> None:
    locked, before, after = page.evaluate(LOCK)
    assert "exposureMode" not in locked
    assert "whiteBalanceMode" not in locked
    assert after == before
