"""/status in a browser: on the machine itself, and from elsewhere with the operator's token."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import findings

pytestmark = pytest.mark.browser

TOKEN = "a-token-for-operators-of-32-chars"


def test_on_the_machine_itself_it_shows_what_runs(browser, open_page, tmp_path):
    page = open_page(browser, "/status")
    expect(page.locator("#verdict-title")).to_be_visible()
    queue = page.locator("section.card", has_text="Video queue")
    expect(queue).to_contain_text("waiting")
    expect(page.locator("section.card", has_text="Processes on this machine")).to_contain_text("web")
    expect(page.get_by_label("Operator's token")).to_be_hidden()
    assert findings(page) == []
    page.screenshot(path=tmp_path / "status.png", full_page=True)


def test_from_elsewhere_it_asks_for_the_token(browser, start_service, tmp_path):
    service = start_service(tmp_path / "data", BEAM_METRICS_TOKEN=TOKEN)
    context = browser.new_context(base_url=service.url, extra_http_headers={"X-Forwarded-For": "192.0.2.1"})
    page = context.new_page()
    page.goto("/status")
    field = page.get_by_label("Operator's token")
    field.fill("a guess")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("This is not the token.")
    assert findings(page) == []
    expect(page.locator("#state")).to_be_hidden()
    field.fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#verdict-title")).to_be_visible()
    expect(field).to_be_hidden()
    assert TOKEN not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, location.href])")
    context.close()
