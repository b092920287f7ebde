"""New secrets, which no click loses, and keys that this device remembers."""

import json
import shlex
import subprocess

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

KEPT = "JSON.stringify(localStorage)"


def new_key(page, name):
    page.get_by_label("What is it for?").fill(name)
    page.get_by_role("button", name="Get a key").click()
    expect(page.locator("#about-name")).to_have_text(name)
    return page.locator("#fresh input[type=text]").first.input_value()


def test_a_secret_stays_until_its_holder_has_it(browser, open_page):
    page = open_page(browser, "/keys")
    first = new_key(page, "one")
    second = new_key(page, "two")
    page.get_by_label("Your key", exact=True).fill(second)
    page.get_by_role("button", name="Show its usage").click()
    expect(page.locator("#status")).to_have_text("This is how your key stands.")
    fields = page.locator("#fresh input[type=text]")
    assert [fields.nth(0).input_value(), fields.nth(1).input_value()] == [second, first]
    assert page.evaluate(KEPT) == "{}"

    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.evaluate("location.href = '/docs'")
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    assert page.url.endswith("/keys")

    for _ in range(2):
        page.get_by_role("button", name="I have stored it").first.click()
    expect(fields).to_have_count(0)
    page.goto("/docs")
    assert asked == ["beforeunload"]


def test_the_shown_command_works_as_it_is(browser, open_page):
    page = open_page(browser, "/keys")
    key = new_key(page, "curl")
    command = shlex.split(page.locator("#fresh .try").inner_text().replace("\\\n", " "))
    answer = subprocess.run([*command, "--silent"], capture_output=True, check=True, text=True, timeout=60).stdout
    assert json.loads(answer)["data"]["name"] == "curl"
    assert key in page.locator("#fresh .measure").inner_text()


def test_keys_are_remembered_where_that_is_wanted_and_forgotten(browser, open_page, tmp_path):
    page = open_page(browser, "/keys")
    key = new_key(page, "kept")
    page.locator("#fresh").get_by_label("Remember it on this device").check()
    page.reload()
    page.get_by_role("button", name="kept (").first.click()
    expect(page.locator("#about-name")).to_have_text("kept")
    page.screenshot(path=tmp_path / "remembered.png", full_page=True)

    page.get_by_role("button", name="Rotate").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    expect(page.locator("#status")).to_contain_text("The key has a new secret.")
    assert key not in page.evaluate(KEPT)
    page.reload()
    page.get_by_role("button", name="kept (").first.click()
    expect(page.locator("#about-name")).to_have_text("kept")
    page.get_by_role("button", name="Forget kept").click()
    expect(page.locator("#remembered")).to_be_hidden()
    assert page.evaluate(KEPT) == "{}"


def test_the_chart_has_the_limit_drawn_in(browser, open_page):
    page = open_page(browser, "/keys")
    new_key(page, "limited")
    limit = page.locator("#chart .limit")
    assert float(limit.get_attribute("y1")) < float(page.locator("#chart .axis").get_attribute("y1"))
    expect(page.locator("#chart .limited")).to_have_text("limit: 100 a minute, 144,000 a day")
    expect(page.locator("#about-minute")).to_have_text("1 of 100")
