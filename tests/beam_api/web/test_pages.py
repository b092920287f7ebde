"""The pages as files: what they may load, what they say, where they lead."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from beam_api.services.keys import TIERS
from beam_api.web import error_responses
from beam_api.web.pages.content import ACCURACY, ERRORS, FIGURES, PRIVACY, TIER_ROWS, recording

PAGES = ("/", "/keys", "/docs", "/playground", "/accuracy", "/privacy")
ROOT = Path(__file__).parents[3]


class Reader(HTMLParser):
    """Collects what matters of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.inline, self.ids, self.labels = [], [], [], []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.links += [values[name] for name in ("href", "src") if name in values]
        self.inline += [name for name in values if name == "style" or name.startswith("on")]
        self.ids += [values["id"]] if "id" in values else []
        self._open = tag

    def handle_data(self, data):
        if self._open in ("script", "style") and data.strip():
            self.inline.append(data)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_no_key_and_loads_nothing_from_elsewhere(client, path):
    answer = client.get(path)
    page = Reader(answer.text)
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert page.inline == []
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert re.match(r"/(?!/)|#", link), link
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert client.get(link, buffered=True).status_code == 200, link


@pytest.mark.parametrize("path", PAGES)
def test_only_the_reference_may_set_styles_in_the_document(client, path):
    headers = client.get(path).headers
    policy = {part.split()[0]: part.split()[1:] for part in headers["Content-Security-Policy"].split(";")}
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["connect-src"] == ["'self'"]
    assert policy["style-src"] == (["'self'", "'unsafe-inline'"] if path == "/docs" else ["'self'"])
    assert policy["img-src"] == (["'self'", "data:"] if path == "/docs" else ["'self'"])
    assert policy["media-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Permissions-Policy"].startswith("camera=(self), microphone=()")


@pytest.mark.parametrize("path", ["/static/beam.css", "/static/js/keys.js", "/docs/assets/swagger-ui-bundle.js"])
def test_files_are_kept_by_browsers_and_asked_about(client, path):
    answer = client.get(path, buffered=True)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")
    assert answer.content_type.startswith(("text/css", "text/javascript"))
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]}, buffered=True)
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../views/pages.py",
        "/static/..%2f..%2fauth.py",
        "/static/%2e%2e/content.py",
        "/static/js",
        "/static/nothing.css",
        "/docs/assets/VERSION",
        "/docs/assets/..%2f__init__.py",
    ],
)
def test_nothing_but_the_files_of_the_pages_is_given(client, path):
    assert client.get(path).status_code == 404


def test_the_docs_state_every_error_and_tier_of_the_code(client):
    kinds: list[Any] = list(error_responses.STATUS)
    raised = {kind.code: int(error_responses.status_of(kind)) for kind in kinds} | {
        code: int(status) for status, code in error_responses._HTTP_CODES.items() if code != "INVALID_PARAMETER"
    }
    told = {row.code: row.status for row in ERRORS}
    api = (ROOT / "docs" / "api.md").read_text().partition("\n## Errors\n")[2]
    assert told == {code: status for code, status in raised.items() if f"`{code}`" in api}
    assert {tier: limit for tier, limit, *_ in TIER_ROWS} == TIERS
    page = client.get("/docs").text
    for row in ERRORS:
        assert f"<code>{row.code}</code>" in page.replace("<wbr>", "")


def words(text):
    """Markdown as a page shows it: without marks, links and line ends."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"[*`]", "", text).split())


def test_the_pages_state_the_accuracy_that_the_docs_state(client):
    report = (ROOT / "docs" / "accuracy.md").read_text()
    card, home = client.get("/accuracy").text, unescape(client.get("/").text)
    for row in ACCURACY:
        assert f"| {row.what} | {row.figure} |" in report
        assert row.what in unescape(card)
    assert "The estimate is no better than a constant guess." in unescape(card)
    assert "the estimate is no better than a constant guess" in report
    assert {"64%", "98%"} == {re.search(rf"skin \| type {n} \| \d+ \| (\d+%)", report)[1] for n in (6, 1)}
    figures = [figure.value for figure in FIGURES]
    assert figures == ["87 %", "0", "2.8 ms"]
    reached = {"87%": "… answered", "2.8 ms": "RMSSD, moderate, 30 fps, 30 s: median error"}
    assert reached.items() <= {row.figure: row.what for row in ACCURACY}.items()
    for figure in FIGURES:
        assert f"<strong>{figure.value}</strong> <span>{figure.text}" in home


def test_the_page_about_privacy_states_what_the_docs_state(client):
    document, page = words((ROOT / "docs" / "privacy.md").read_text()), unescape(client.get("/privacy").text)
    for title, text in PRIVACY:
        assert f"{title} {text}".replace(" :", ":") in document
        assert title in page
        assert text in page


def test_the_first_page_shows_what_the_service_said_of_its_sample(client):
    page = client.get("/").text
    data, truth = recording()["answer"]["data"], recording()["truth"]
    assert data["heart_rate"] == pytest.approx(truth["heart_rate"], abs=2)
    assert data["hrv"] == pytest.approx(truth["hrv"], abs=10)
    for name in ("heart_rate", "hrv", "respiration_rate", "stress_index", "spo2"):
        assert f'<span class="number">{data[name]}</span>' in page
        assert f"{name}&#34;</i>: {data[name]}" in page
    files = [path for path in Reader(page).links if path.startswith("/static/sample/")]
    assert {path.rpartition(".")[2] for path in files} == {"webp", "webm", "mp4"}
    assert all(len(client.get(path, buffered=True).data) <= 400_000 for path in files)


def test_the_examples_have_the_address_they_were_fetched_from(client):
    page = unescape(client.get("/docs", base_url="https://beam.example:8443").text)
    assert "curl -X POST https://beam.example:8443/api/keys" in page
    assert "localhost:8000" not in page


def test_a_host_that_is_no_host_is_not_written_into_the_page(client):
    page = client.get("/docs", headers={"Host": 'x"><script>alert(1)</script>'})
    assert "<script>alert" not in page.text


def test_the_simulated_face_is_reported_by_the_second(client):
    answer = client.get("/playground/face/31")
    data = answer.json["data"]
    assert (answer.status_code, data["fps"], len(data["frames"])) == (200, 15, 15)
    assert data["first_timestamp_ms"] == 31_000
    assert "max-age" in answer.headers["Cache-Control"]
    assert client.get("/playground/face/32").status_code == 404
