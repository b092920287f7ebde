"""The reference in a browser: what it lists, and requests that are sent from it."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import PHONE, findings
from tests.images import jpeg, still_face

pytestmark = pytest.mark.browser


def test_a_frame_can_be_measured_with_what_its_readers_fill_in(browser, open_page):
    page = open_page(browser, "/docs/reference#/measure/measure", **PHONE)  # a link of earlier versions
    operation = page.locator(".operation", has=page.locator("#measure"))
    expect(page.locator("#measure")).to_be_in_viewport()
    operation.get_by_text("Try it").click()
    frame = {"name": "face.jpg", "mimeType": "image/jpeg", "buffer": jpeg(still_face())}
    operation.locator("input[type=file]").first.set_input_files(frame)
    operation.get_by_label("session_id").fill("reader")
    operation.get_by_role("button", name="Send").click()
    expect(operation.get_by_role("status")).to_contain_text("Fill in your key first")
    page.keyboard.type(page.request.post("/api/keys").json()["data"]["key"])
    operation.get_by_role("button", name="Send").click()
    expect(operation.locator("form pre")).to_contain_text('"buffering"')
    operation.get_by_text("Fields of the 202 response").click()
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_bodies_in_json_queries_and_routes_without_a_key_are_sent(browser, open_page):
    page = open_page(browser, "/docs/reference")

    def tried(name, **fields):
        operation = page.locator(".operation", has=page.locator(f"#{name}"))
        operation.get_by_text("Try it").click()
        for field, value in fields.items():
            operation.locator(f"form [name={field}]").fill(value)
        operation.get_by_role("button", name="Send").click()
        return operation

    expect(tried("getHealth").locator("form pre")).to_contain_text('"status"')
    made = tried("createKey")
    expect(made.get_by_role("status")).to_contain_text("201")
    expect(made.locator("form pre")).to_contain_text("beam_sk_")
    page.locator("#own-key").fill(page.request.post("/api/keys").json()["data"]["key"])
    expect(tried("getTrend", session_id="nobody", limit="0").get_by_role("status")).to_contain_text("400")
    expect(tried("createSessionToken").get_by_role("status")).to_contain_text("201")


def test_every_operation_is_there_without_scripts(browser, service):
    context = browser.new_context(base_url=service.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/docs/reference")
    expect(page.locator(".operation .about h3")).to_have_count(24)
    expect(page.locator("#measure")).to_have_text("POST /api/rppg/measure")
    expect(page.get_by_text("curl -X POST").first).to_be_visible()
    context.close()
