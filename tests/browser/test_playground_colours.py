"""The playground sends colours: the picture stays on the visitor's device. Frames are a choice, or for old browsers."""

import gzip
import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import DARK, DESKTOP, PHONE, findings
from tests.thorough import thorough

pytestmark = pytest.mark.browser

LONG_MS = 90_000
MOST_BYTES = 20_000  # of a request; a picture of 320 x 240 has more
CAMERA = {"permissions": ["camera"]}
IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"ftyp")
WITHOUT_CALLBACK = "delete HTMLVideoElement.prototype.requestVideoFrameCallback"


def sent(page):
    """Requests of the API that send something, as (path, bytes); Chromium doesn't show the bytes of files in forms."""
    bodies = []

    def note(request):
        path = request.url.partition("//")[2].partition("/")[2]
        if request.method == "POST" and path != "playground/key":  # whose body is empty
            bodies.append((path, request.post_data_buffer or b""))

    page.on("request", note)
    return bodies


def choose(page, *, seconds):
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Length").select_option(str(seconds))


def test_the_picture_stays_on_the_device(filming_browser, open_page, tmp_path):
    page = open_page(filming_browser, "/playground", **CAMERA, **DESKTOP)
    bodies = sent(page)
    expect(page.locator("#privacy")).to_contain_text("Your picture stays on this device")
    choose(page, seconds=20)
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("#ring-number")).to_have_text(re.compile(r"^7\d$"), timeout=LONG_MS)
    page.screenshot(path=tmp_path / "measuring.png")
    expect(page.get_by_role("heading", name="Vital signs")).to_be_focused(timeout=LONG_MS)
    shown = json.loads(page.locator("#code").inner_text())
    page.screenshot(path=tmp_path / "done.png", full_page=True)
    assert shown["heart_rate"] == pytest.approx(72, abs=1)
    assert shown["verdict"] == "release"

    assert len([path for path, _ in bodies if path == "api/rppg/samples"]) > 10
    assert {path for path, _ in bodies} == {"api/rppg/samples"}
    assert max(len(body) for _, body in bodies) < MOST_BYTES
    for body in (gzip.decompress(body) for _, body in bodies):
        assert not any(mark in body for mark in IMAGES)
        for sample in json.loads(body)["samples"]:
            assert set(sample) <= {"timestamp_ms", "pose", "colours", "detail", "face"}
            assert len(json.dumps(sample)) < 700


def test_frames_are_a_choice_and_what_it_means_is_said(filming_browser, open_page):
    page = open_page(filming_browser, "/playground", **CAMERA)
    bodies = sent(page)
    choose(page, seconds=10)
    page.get_by_label("Send frames").check()
    expect(page.locator("#privacy")).to_contain_text("Frames of you go to this service")
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("heading", name="Vital signs")).to_be_focused(timeout=LONG_MS)
    assert {path for path, _ in bodies} == {"api/rppg/measure"}


def test_a_browser_that_cannot_read_faces_says_so_and_sends_frames(filming_browser, open_page):
    page = open_page(filming_browser, "/", **CAMERA)
    page.context.add_init_script(WITHOUT_CALLBACK)
    page.goto("/playground")
    expect(page.locator("#privacy")).to_contain_text("This browser has no requestVideoFrameCallback. Frames of you go")
    expect(page.locator("#frames")).to_be_checked()
    bodies = sent(page)
    choose(page, seconds=10)
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("#detail")).to_contain_text("of 10 s", timeout=LONG_MS)
    assert {path for path, _ in bodies} == {"api/rppg/measure"}


@pytest.mark.parametrize(
    ("frames", "options"),
    [
        pytest.param(False, DARK | PHONE, id="colours-dark phone"),
        pytest.param(True, DESKTOP, id="frames-desktop", marks=thorough),
        pytest.param(False, DESKTOP, id="colours-desktop", marks=thorough),
        pytest.param(True, DARK | PHONE, id="frames-dark phone", marks=thorough),
    ],
)
def test_it_keeps_going_with_a_trend_until_it_is_stopped(filming_browser, open_page, tmp_path, options, frames):
    page = open_page(filming_browser, "/playground", **CAMERA, **options)
    choose(page, seconds=10)
    page.get_by_label("Keep going").check()
    page.get_by_label("Send frames").set_checked(frames)
    page.get_by_role("button", name="Start the camera").click()
    rows = page.locator("#trend-rows tr")
    expect(rows.nth(2)).to_be_attached(timeout=LONG_MS)
    expect(page.locator("#trend-chart")).to_have_attribute(
        "aria-label", re.compile(r"^3 measurements\. Heart rate, bpm: 7")
    )
    assert findings(page) == []
    page.screenshot(path=tmp_path / "going.png", full_page=True)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#state")).to_have_text(re.compile(r"^Stopped: 7\d(\.\d)? beats"))
    page.get_by_text("As a table").click()
    rates = [float(row.locator("td").nth(1).inner_text()) for row in rows.all()]
    assert rates == pytest.approx([72] * len(rates), abs=3)
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.screenshot(path=tmp_path / "stopped.png", full_page=True)
    page.wait_for_timeout(1500)
    assert rows.count() == len(rates)
