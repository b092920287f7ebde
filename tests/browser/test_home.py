"""The first page: a sample that plays by itself, and what it weighs."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.drawing import DRAWN

pytestmark = pytest.mark.browser

MOST_BYTES = 150_000


def number(page, vital):
    return page.locator(f"#sample [data-vital={vital}] .number")


def test_the_sample_plays_by_itself_and_its_vitals_arrive_one_after_another(browser, open_page, tmp_path):
    page = open_page(browser, "/")
    expect(number(page, "hrv")).to_have_text("–")
    expect(page.locator("#sample .rate b")).to_have_text(re.compile(r"^7\d$"))
    page.screenshot(path=tmp_path / "playing.png")
    assert page.evaluate(DRAWN, "#sample .outline") > 100
    assert page.evaluate(DRAWN, "#sample .pulse") > 100
    expect(page.locator("#sample [data-vital=heart_rate] .between")).to_have_text("72.0 to 73.3", timeout=20_000)
    expect(number(page, "hrv")).to_have_text("–")
    expect(number(page, "hrv")).to_have_text("39.4", timeout=20_000)
    expect(number(page, "stress_index")).to_have_text("264.3")
    page.screenshot(path=tmp_path / "played.png")


def test_the_sample_can_be_stopped(browser, open_page):
    page = open_page(browser, "/")
    page.get_by_role("button", name="Pause").click()
    at = page.locator("#sample progress").evaluate("node => node.value")
    page.wait_for_timeout(500)
    assert page.locator("#sample progress").evaluate("node => node.value") == at
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_nothing_moves_for_those_who_want_less_motion(browser, open_page, tmp_path):
    page = open_page(browser, "/", reduced_motion="reduce")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.screenshot(path=tmp_path / "still.png", full_page=True)
    expect(number(page, "hrv")).to_have_text("39.4")
    assert page.evaluate(DRAWN, "#sample .pulse") > 100
    assert page.evaluate("document.querySelector('#sample video').paused")


def test_without_scripts_the_result_is_there(browser, service):
    context = browser.new_context(base_url=service.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    expect(number(page, "hrv")).to_have_text("39.4")
    context.close()


@pytest.mark.parametrize(
    "path", ["/", "/keys", "/playground", "/accuracy", "/privacy", "/docs", "/docs/api", "/docs/operations", "/status"]
)
def test_a_page_is_light_before_its_sample(browser, open_page, path):
    page = open_page(browser, path)
    page.wait_for_load_state("networkidle")
    sizes = page.evaluate(
        """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
          .filter(({ name }) => !name.includes("/static/sample/") && !name.includes("/playground/face/"))
          .map(({ name, encodedBodySize }) => [name, encodedBodySize])"""
    )
    assert len(sizes) > 2
    assert sum(size for _, size in sizes) < MOST_BYTES
