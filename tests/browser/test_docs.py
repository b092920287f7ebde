"""The documentation in a browser: languages, copying, search, the reader's key, requests to try."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import PHONE, findings
from tests.images import jpeg, still_face

pytestmark = pytest.mark.browser

ON_TOP = """(box) => {
  const { left, right, top, bottom } = document.querySelector(box).getBoundingClientRect();
  const points = [[left + 9, top + 9], [right - 25, top + 9], [left + 9, bottom - 9], [right - 25, bottom - 9]];
  const seen = points.map(([x, y]) => document.elementFromPoint(x, y));
  return seen.filter((node) => !node?.closest(box)).map((node) => node?.outerHTML);
}"""
"""What lies over the corners of a box."""


def test_the_language_is_remembered_on_every_page(browser, open_page):
    page = open_page(browser, "/docs")
    first = page.locator(".tabs").first
    expect(first.get_by_role("tabpanel")).to_contain_text("curl -X POST")
    first.get_by_role("tab", name="Python").click()
    for box in page.locator(".tabs").all():
        expect(box.get_by_role("tab", name="Python")).to_have_attribute("aria-selected", "true")
        expect(box.get_by_role("tabpanel")).to_contain_text("from beam_client import Beam")
    page.goto("/docs/scans")
    expect(page.locator(".tabs").first.get_by_role("tabpanel")).to_contain_text("import requests")
    page.locator(".tabs").first.get_by_role("tab", name="Python").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="JavaScript").first).to_be_focused()
    expect(page.locator(".tabs").first.get_by_role("tabpanel")).to_contain_text("await fetch")


def test_code_is_copied_with_the_readers_key_in_it(browser, open_page):
    page = open_page(browser, "/docs", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Your key, in the examples below").fill("beam_sk_mine")
    page.locator(".tabs").first.get_by_role("button", name="Copy").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl -X POST http")
    assert "X-API-Key: beam_sk_mine" in copied
    assert "your_key" not in page.locator(".article").inner_text()


def test_the_search_leads_to_a_section_by_keyboard(browser, open_page, tmp_path):
    page = open_page(browser, "/docs")
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Search the documentation")
    expect(field).to_be_focused()
    page.keyboard.type("window that slides")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("A window that slides")
    assert findings(page) == []
    assert page.evaluate(ON_TOP, "#found") == []
    page.screenshot(path=tmp_path / "search.png")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/docs/api#a-window-that-slides$"))
    field.fill("zebra")
    expect(page.get_by_role("option")).to_have_text("Nothing was found.")
    page.keyboard.press("Escape")
    expect(page.locator("#found")).to_be_hidden()


def test_requests_are_tried_with_the_readers_own_key(browser, open_page, tmp_path):
    page = open_page(browser, "/docs", **PHONE)
    form = page.locator("form.try", has_text="/api/rppg/check")
    form.locator("input[type=file]").set_input_files(
        {"name": "face.jpg", "mimeType": "image/jpeg", "buffer": jpeg(still_face())}
    )
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("status")).to_contain_text("Fill in your key first")
    page.keyboard.type(page.request.post("/api/keys").json()["data"]["key"])
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("status")).to_contain_text("200")
    expect(form.locator("pre")).to_contain_text('"ok": true')
    page.locator('form.try[data-path="/api/v1/scan-session"]').get_by_role("button", name="Send").click()
    vitals = page.locator('form.try[data-path$="/vitals"]')
    expect(vitals.get_by_role("textbox")).to_have_value(re.compile("^sess_"))
    vitals.get_by_role("button", name="Send").click()
    expect(vitals.locator("pre")).to_contain_text('"status": "pending"')
    assert findings(page) == []
    page.screenshot(path=tmp_path / "tried.png", full_page=True)


def test_on_a_phone_the_pages_are_behind_a_button(browser, open_page):
    page = open_page(browser, "/docs/limits", **PHONE)
    pages = page.get_by_role("navigation", name="Pages of the documentation")
    expect(pages).to_be_hidden()
    page.get_by_role("button", name="Pages").click()
    expect(pages.get_by_role("link", name="Limits")).to_have_attribute("aria-current", "page")
    assert findings(page) == []
    pages.get_by_role("link", name="Errors").click()
    expect(page.get_by_role("heading", name="Errors", level=1)).to_be_visible()


def test_without_scripts_every_language_is_there(browser, service):
    context = browser.new_context(
        base_url=service.url, java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    page.goto("/docs")
    for text in ("curl -X POST", "from beam_client import Beam", 'form.append("frame"'):
        expect(page.locator("code", has_text=text).first).to_be_visible()
    expect(page.get_by_role("link", name="Errors").first).to_be_visible()
    context.close()


@pytest.mark.parametrize("path", ["/docs", "/docs/api", "/docs/operations", "/docs/tutorials/mobile-backend"])
def test_nothing_is_cut_off_on_a_phone(browser, open_page, path):
    """What is wider than the screen is in a box that scrolls."""
    page = open_page(browser, path, viewport={"width": 390, "height": 844})
    cut = page.evaluate(
        """() => [...document.querySelectorAll(".article *")].filter((node) =>
          node.getBoundingClientRect().right > innerWidth + 1 && !node.closest("pre, .scroll, .visually-hidden"))
          .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert cut == []
