"""The playground as a visitor meets it."""

import gzip
import json
import re
import time
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from tests.browser.drawing import DRAWN

pytestmark = pytest.mark.browser

LONG_MS = 60_000
WINDOW_S = 20
CAMERA = {"permissions": ["camera"]}


@pytest.fixture
def keys(service):
    client = connect(running_url(service.data_dir))
    yield Keys(KeyStore(client))
    client.close()


def choose(page, *, seconds=None, key=None, frames=False, single=False):
    page.get_by_text("Settings", exact=True).click()
    if seconds:
        page.get_by_label("Length").select_option(str(seconds))
    if key:
        page.get_by_label("Your own key").fill(key)
    if frames or single:
        page.get_by_label("Send frames").check()
    if single:
        page.get_by_label("Single-frame pace").check()


def start(page):
    page.get_by_role("button", name="Start the camera").click()


def state(page):
    return page.locator("#state")


def reported(page, vital):
    return page.locator(f"#vitals [data-vital={vital}] .value").inner_text()


def test_the_face_before_the_camera_has_its_pulse_measured(filming_browser, open_page, tmp_path):
    page = open_page(filming_browser, "/", **CAMERA)
    page.get_by_role("link", name="Measure yourself").click()
    choose(page, seconds=WINDOW_S)
    start(page)

    # While it runs: outline, running rate, wave, progress.
    expect(page.locator("#ring-number")).to_have_text(re.compile(r"^7\d$"), timeout=LONG_MS)
    assert page.evaluate(DRAWN, "#outline") > 100
    assert page.evaluate(DRAWN, "#wave") > 100
    progress = page.get_by_role("progressbar")
    assert 20 < int(progress.get_attribute("aria-valuenow")) < 100
    page.screenshot(path=tmp_path / "measuring.png")

    expect(page.get_by_role("heading", name="Vital signs")).to_be_focused(timeout=LONG_MS)
    rate = int(reported(page, "heart_rate").split()[0])
    assert rate == pytest.approx(72, abs=2)
    expect(state(page)).to_have_text(f"Done: {rate} beats a minute.")
    assert page.locator("#vitals li").count() == 5
    expect(page.locator("#vitals [data-vital=heart_rate]")).to_contain_text("90 % range")
    expect(page.locator("#vitals [data-vital=heart_rate]")).to_contain_text("Probability 0.9")
    expect(page.locator("#vitals [data-vital=stress_index]")).to_contain_text("needs a longer window")
    assert page.evaluate(DRAWN, "#result-wave") > 100
    page.screenshot(path=tmp_path / "done.png", full_page=True)


def test_a_lost_network_is_bridged_and_the_measurement_goes_on(filming_browser, open_page):
    page = open_page(filming_browser, "/playground", **CAMERA)
    bodies = []
    page.on("request", lambda r: bodies.append(r.post_data_buffer) if r.url.endswith("/api/rppg/samples") else None)
    choose(page, seconds=10)
    start(page)
    expect(page.locator("#detail")).to_contain_text("of 10 s", timeout=LONG_MS)
    page.context.set_offline(True)
    expect(state(page)).to_contain_text("The connection is lost", timeout=LONG_MS)
    page.wait_for_timeout(2500)
    page.context.set_offline(False)
    expect(state(page)).to_have_text(re.compile("^Done: 7[0-4] beats"), timeout=LONG_MS)
    samples = [sample for body in bodies for sample in json.loads(gzip.decompress(body))["samples"]]
    times_ms = sorted({sample["timestamp_ms"] for sample in samples})
    assert max(later - sooner for sooner, later in pairwise(times_ms)) < 1500  # those taken meanwhile were kept


def test_too_many_requests_are_waited_out(filming_browser, open_page, keys):
    page = open_page(filming_browser, "/playground", **CAMERA)
    choose(page, key=keys.create("in no hurry", tier="enterprise", limit_per_minute=2).key)
    start(page)
    expect(state(page)).to_have_text(re.compile(r"^Too many requests: going on in \d+ s\.$"), timeout=LONG_MS)
    page.get_by_role("button", name="Stop").click()
    expect(state(page)).to_have_text("Stopped.")
    expect(page.get_by_role("button", name="Start the camera")).to_be_focused()


def test_a_key_revoked_in_the_middle_ends_it_with_a_word(filming_browser, open_page, keys):
    made = keys.create("short of luck")
    page = open_page(filming_browser, "/playground", **CAMERA)
    choose(page, key=made.key)
    start(page)
    expect(page.locator("#detail")).to_contain_text("of 30 s", timeout=LONG_MS)
    keys.revoke(made.record.key_id)
    expect(state(page)).to_have_text("Your key is unknown, revoked or expired.", timeout=LONG_MS)
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_one_frame_a_request_keeps_the_requested_pace(filming_browser, open_page):
    page = open_page(filming_browser, "/playground", **CAMERA)
    asked, counts = [], []

    def note(request):
        if request.url.endswith("/measure"):
            asked.append(time.monotonic())

    page.on("request", note)
    page.on("response", lambda r: counts.append(r.json()["data"]["frames"]) if r.url.endswith("/measure") else None)
    choose(page, single=True)
    start(page)
    expect(page.locator("#detail")).to_contain_text(re.compile(r", [5-9] frames"), timeout=LONG_MS)
    page.get_by_role("button", name="Stop").click()
    assert counts[:4] == [1, 2, 3, 4]
    assert (asked[4] - asked[0]) / 4 > 0.3


def test_a_hidden_tab_pauses_and_says_so(filming_browser, open_page):
    page = open_page(filming_browser, "/playground", **CAMERA)
    start(page)
    expect(page.locator("#detail")).to_contain_text("of 30 s", timeout=LONG_MS)
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    expect(state(page)).to_have_text("Paused while this tab is hidden.")
    page.evaluate(hide, False)
    expect(state(page)).to_have_text("Measuring: sit still.")


def test_a_denied_camera_is_explained_and_another_way_offered(filming_browser, open_page):
    page = open_page(filming_browser, "/playground")
    start(page)
    expect(state(page)).to_contain_text("The camera was denied.")
    expect(page.get_by_role("button", name="Use a simulated face")).to_be_visible()


def test_no_camera_is_distinguished_from_a_denied_one(browser, open_page):
    page = open_page(browser, "/playground", **CAMERA)
    start(page)
    expect(state(page)).to_contain_text("There is no camera here.")


def test_without_a_camera_the_simulated_face_is_measured(browser, open_page, service):
    page = open_page(browser, "/playground", reduced_motion="reduce")
    choose(page, seconds=10)
    page.keyboard.press("Shift+Tab")
    page.get_by_role("button", name="Use a simulated face").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Vital signs")).to_be_focused(timeout=LONG_MS)
    assert int(reported(page, "heart_rate").split()[0]) == pytest.approx(72, abs=2)
    expect(page.locator("#summary")).to_contain_text("The simulation has 72 beats a minute.")
    expect(page.locator("#vitals [data-vital=hrv]")).to_contain_text("needs a longer window")
    cookies = page.context.cookies([f"{service.url}/api/rppg/measure"])
    assert [(c["name"], c["httpOnly"], c["sameSite"]) for c in cookies] == [("beam_visitor", True, "Strict")]
