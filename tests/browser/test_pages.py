"""Every page on a phone, in the dark, by keyboard and by ear."""

import re
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from tests.thorough import THOROUGH, thorough

pytestmark = pytest.mark.browser

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
PAGES = (
    *("/", "/keys", "/playground", "/accuracy", "/privacy", "/status"),
    *("/docs", "/docs/api", "/docs/accuracy", "/docs/architecture", "/docs/reference"),
)
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True}
DARK = {"color_scheme": "dark"}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
STILL = {"reduced_motion": "reduce"}
RULES_OF_COLOUR = ("color-contrast", "link-in-text-block")
LUMINANCE = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"


def findings(page, *rules):
    """What axe finds, of whatever weight, by all rules or these alone."""
    page.evaluate(AXE + "; null")  # neither axe itself nor all that it looked at is wanted here
    return page.evaluate(
        """async (rules) => (await axe.run({ resultTypes: ["violations"], ...(rules.length && { runOnly: rules }) }))
          .violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])""",
        rules,
    )


SCREENS = [
    pytest.param(DESKTOP, id="desktop"),
    pytest.param(PHONE, id="phone"),
    pytest.param(DARK | STILL, id="dark and still"),
    pytest.param(DARK, id="dark", marks=thorough),
    pytest.param(STILL, id="still", marks=thorough),
]


@pytest.mark.parametrize("options", SCREENS)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_its_screen_and_keeps_nobody_out(browser, open_page, path, options, tmp_path):
    page = open_page(browser, path, **options)
    if THOROUGH:  # for people to look at
        page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert (page.evaluate(LUMINANCE) < 150) is ("color_scheme" in options)
    # In the dark it is the same page in other colours.
    assert findings(page, *([] if THOROUGH or options != DARK | STILL else RULES_OF_COLOUR)) == []


def test_the_first_thing_a_keyboard_meets_leads_to_the_content(browser, open_page):
    page = open_page(browser, "/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_a_key_is_got_rotated_and_revoked_by_keyboard_alone(browser, open_page, tmp_path):
    page = open_page(browser, "/keys", **PHONE)
    page.get_by_label("What is it for?").focus()
    page.keyboard.type("keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your new key")).to_be_focused()
    first = page.get_by_label("The key", exact=True).input_value()
    assert re.fullmatch(r"beam_sk_\w{59}", first)
    expect(page.locator("#about-name")).to_have_text("keyboard")
    expect(page.locator("#about-key")).to_have_text(f"{first[:12]}…{first[-4:]}")
    expect(page.locator("#about-today")).to_have_text("1")
    assert page.locator("#chart rect").count() == 30
    expect(page.locator("#days td").nth(1)).to_have_text("1")
    assert findings(page) == []
    page.screenshot(path=tmp_path / "key.png", full_page=True)

    page.get_by_role("button", name="Rotate").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert findings(page) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("The key has a new secret.")
    second = page.get_by_label("The key", exact=True).input_value()
    assert second != first

    # The old one is refused, and so is the new one once it is revoked.
    page.get_by_label("Your key", exact=True).fill(first)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("This key is unknown, revoked or expired.")
    page.get_by_label("Your key", exact=True).fill(second)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("This is how your key stands.")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it as it is").click()
    expect(page.locator("#about")).to_be_visible()
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.locator("#status")).to_have_text("The key is revoked.")
    expect(page.locator("#about")).to_be_hidden()
    page.get_by_label("Your key", exact=True).fill(second)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("This key is unknown, revoked or expired.")
