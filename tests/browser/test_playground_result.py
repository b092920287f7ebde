"""What the playground shows before, while and after it measures."""

import csv
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.drawing import DRAWN
from tests.browser.test_pages import DARK, PHONE, findings
from tests.thorough import thorough

pytestmark = pytest.mark.browser

LONG_MS = 60_000


def begin(page, seconds):
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Length").select_option(str(seconds))
    page.get_by_role("button", name="Use a simulated face").click()


@thorough  # test_playground.py goes the same way, to a shorter measurement
def test_a_first_visitor_measures_themself_in_two_clicks(filming_browser, open_page):
    page = open_page(filming_browser, "/", permissions=["camera"])
    page.get_by_role("link", name="Measure yourself").click()
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("heading", name="Vital signs")).to_be_focused(timeout=2 * LONG_MS)
    expect(page.locator("#vitals [data-vital=heart_rate] .value")).to_contain_text("7")


def test_the_settings_fit_a_phone(browser, open_page):
    page = open_page(browser, "/playground", **PHONE)
    page.get_by_text("Settings", exact=True).click()
    expect(page.get_by_label("Length")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_before_it_starts_the_sample_and_the_tips_are_shown(browser, open_page, tmp_path):
    page = open_page(browser, "/playground", reduced_motion="reduce")
    expect(page.locator("#sample [data-vital=hrv] .number")).to_have_text("39.4")
    expect(page.locator("#tips li")).to_have_count(3)
    expect(page.locator("#running")).to_be_hidden()
    page.screenshot(path=tmp_path / "idle.png", full_page=True)


@pytest.mark.parametrize(
    "options", [pytest.param(PHONE, id="phone"), pytest.param(DARK | PHONE, id="dark", marks=thorough)]
)
def test_picture_rate_pulse_and_state_fit_a_phone_while_it_measures(browser, open_page, tmp_path, options):
    page = open_page(browser, "/playground", **options)
    begin(page, 30)
    expect(page.locator("#detail")).to_contain_text("of 30 s", timeout=LONG_MS)
    expect(page.locator("#ring-number")).to_contain_text("7", timeout=LONG_MS)
    assert page.evaluate("scrollY") == 0
    assert findings(page) == []
    expect(page.locator("#privacy")).to_have_text("A simulated face is measured: no camera is used.")
    page.screenshot(path=tmp_path / "running.png")
    height = page.viewport_size["height"]
    for name in ("#frame", "#ring", "#wave", "#state"):
        box = page.locator(name).bounding_box()
        assert box["y"] + box["height"] <= height, name
    ring, frame = page.locator("#ring").bounding_box(), page.locator("#frame").bounding_box()
    assert frame["y"] < ring["y"]
    assert ring["y"] + ring["height"] <= frame["y"] + frame["height"]


def test_the_result_can_be_read_taken_along_and_repeated(browser, open_page, tmp_path):
    page = open_page(browser, "/playground", accept_downloads=True)
    begin(page, 20)
    expect(page.get_by_role("heading", name="Vital signs")).to_be_focused(timeout=LONG_MS)
    assert findings(page) == []
    page.screenshot(path=tmp_path / "result.png", full_page=True)
    expect(page.locator("#vitals li")).to_have_count(5)
    assert len({box["height"] for box in (tile.bounding_box() for tile in page.locator("#vitals li").all())}) == 1
    assert page.evaluate(DRAWN, "#result-wave") > 100
    expect(page.locator("#verdict")).to_have_text("Good to use")

    tile = page.locator("#vitals [data-vital=heart_rate]")
    expect(tile.get_by_role("tooltip", include_hidden=True)).to_be_hidden()
    tile.get_by_role("button", name="High confidence").focus()
    expect(tile.get_by_role("tooltip")).to_contain_text("Probability 0.9")

    shown = json.loads(page.locator("#code").inner_text())
    for button, ending in (("Download JSON", "json"), ("Download CSV", "csv")):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        download.value.save_as(tmp_path / f"measurement.{ending}")
    whole = json.loads(Path(tmp_path / "measurement.json").read_text())
    assert {name: value for name, value in whole.items() if name != "raw"} == {
        name: value for name, value in shown.items() if name != "raw"
    }
    assert len(whole["raw"]["ppg"]) > 100
    rows = {row["vital"]: row for row in csv.DictReader((tmp_path / "measurement.csv").read_text().splitlines())}
    assert float(rows["heart_rate"]["value"]) == whole["heart_rate"]
    assert [float(rows["hrv"][name]) for name in ("low", "high")] == whole["interval"]["hrv"]
    assert (rows["stress_index"]["value"], rows["stress_index"]["withheld"]) == ("", "WINDOW_TOO_SHORT")

    page.get_by_role("tab", name="JSON").focus()
    parts = (("curl", '"duration_ms": 20000'), ("Python", '"--seconds", "20"'), ("JavaScript", "durationMs: 20000"))
    for name, part in parts:
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.locator("#code")).to_contain_text(part)
        if name != "Python":  # the command names its own session
            expect(page.locator("#code")).to_contain_text(whole["session_id"])

    page.get_by_role("button", name="Measure again").click()
    expect(page.locator("#detail")).to_contain_text("of 20 s", timeout=LONG_MS)
    expect(page.locator("#results")).to_be_hidden()
