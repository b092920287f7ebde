"""Documents as pages: code with tabs, recorded answers, trials, links, search."""

import json
import re
from html import escape, unescape
from xml.etree import ElementTree

import pytest

from beam_api.web.documents import directives, source
from beam_api.web.documents.diagrams import FENCE, file_of
from beam_api.web.documents.markdown import document, render
from beam_api.web.documents.search import index
from beam_api.web.reference.examples import recorded
from beam_api.web.reference.operations import OPERATION_IDS

TEXT = """# Title

See [limits](limits.md#frames), [here](#code), [nginx](../deploy/nginx.conf) and [RFC](https://example.org/).
[settings.md](settings.md)

## Code

```sh
curl http://localhost:8000/health -H "X-API-Key: beam_sk_your_key"
```

```python title="a.py"
print("<b>")
```

## Code

```text
alone
```
"""


def plain(html):
    return unescape(re.sub(r"<[^>]+>", "", html))


def test_neighbouring_languages_share_a_place_with_a_tab_each():
    html = render(TEXT, "page").html
    assert re.findall(r'data-language="(\w+)">(\w+)<', html) == [("sh", "curl"), ("python", "Python")]
    assert html.count('role="tabpanel"') == 2
    assert len(re.findall(r'<div role="tabpanel"[^>]* hidden>', html)) == 1
    assert '<code data-example="a.py">' in html
    assert "<b>" not in html


def test_a_command_that_sends_nothing_stands_by_itself():
    text = "```python\nimport app\n```\n\n```sh\nflask --app app run\n```\n"
    assert "tabpanel" not in render(text, "page").html


def test_headings_have_places_and_no_two_the_same():
    made = render(TEXT, "page")
    assert made.title == "Title"
    assert [(h.level, h.anchor) for h in made.headings] == [(2, "code"), (2, "code-1")]


def test_links_lead_to_pages_and_out_of_the_documents_nowhere():
    html = render(TEXT, "page").html
    assert 'href="/docs/limits#frames"' in html
    assert 'href="#code"' in html
    assert 'href="https://example.org/"' in html
    assert '<span class="outside">nginx</span>' in html
    assert '<a href="/docs/settings">Settings</a>' in html
    assert 'href="/docs/limits"' in render("[l](../limits.md)", "tutorials/a").html


def test_the_address_is_the_readers_and_is_escaped():
    made = render(TEXT, "page")
    assert "curl https://beam.example/health" in plain(made.at("https://beam.example"))
    assert "<script>" not in made.at("http://x<script>")


def test_a_recorded_answer_is_shown_as_it_was():
    html = render("<!-- recorded: createScanSession 201 -->\n", "page").html
    shown = json.loads(plain(re.search(r"<code>(.*)</code>", html, re.DOTALL)[1]))
    assert shown == recorded()["createScanSession"]["201"]


def test_of_long_lists_the_beginning_is_shown_and_nothing_else_is_left_out():
    shown = json.loads(directives.json_of({"a": list(range(90)), "b": {"c": None, "d": ["x" * 50, "y" * 50]}}))
    assert shown == {"a": [0, 1, 2, "..."], "b": {"c": None, "d": ["x" * 50, "y" * 50]}}


@pytest.mark.parametrize("name", source.NAMES)
def test_what_comments_ask_for_is_there(name):
    routes = {(method.upper(), path) for method, path in OPERATION_IDS}
    for comment in re.findall(r"<!--.*?-->", source.read(name), re.DOTALL):
        trial = directives.Trial.read(comment)
        assert directives.answer(comment) or trial, comment
        assert trial is None or (trial.method, trial.path) in routes, comment
    assert document(name).title


def test_the_search_finds_sections_that_are_there(client):
    answer = client.get("/docs/search.json")
    assert answer.json == json.loads(json.dumps(index()))
    assert len(answer.data) < 200_000
    again = client.get("/docs/search.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    sections, words = answer.json["sections"], answer.json["words"]
    for word in ("stride_ms", "webhook", "rmssd", "503", "no_face_detected"):
        assert words[word], word
    for path, _, heading, _ in sections:
        page, _, anchor = path.partition("#")
        name = source.FIRST if page == "/docs" else page.removeprefix("/docs/")
        assert not anchor or f' id="{anchor}"' in document(name).html, (path, heading)


def test_the_first_page_lists_every_route(client):
    page = unescape(client.get("/docs").text.replace("<wbr>", ""))
    for (method, path), name in OPERATION_IDS.items():
        assert f'{method.upper()}</span> <a href="/docs/reference#{name}">{path}</a>' in page


def test_each_diagram_is_drawn_as_it_is_written():
    """`make diagrams` draws those that were changed."""
    texts = {name: FENCE.findall(source.read(name)) for name in source.NAMES}
    files = {file_of(text) for found in texts.values() for text in found}
    assert files == {f"diagrams/{path.name}" for path in (source.FOLDER / "diagrams").iterdir()}
    for name, found in texts.items():
        for text in found:
            html = document(name).html
            assert f'<img src="/docs/{file_of(text)}" alt="Diagram: ' in html
            assert escape(text) in html


def test_a_drawing_has_all_words_of_its_diagram_and_loads_nothing(client):
    for name in source.NAMES:
        for text in FENCE.findall(source.read(name)):
            answer = client.get(f"/docs/{file_of(text)}", buffered=True)
            assert answer.mimetype == "image/svg+xml"
            drawn = re.sub(r"\s+", "", unescape("".join(ElementTree.fromstring(answer.data).itertext())))
            for label in re.findall(r'\["?([^"\]]+)"?\]|\|([^|]+)\|', text):
                assert re.sub(r"\s+", "", "".join(label)) in drawn, label
            assert not re.search(rb"(?:href|src)=|url\((?!#)|@import|<script", answer.data)


def test_a_diagram_that_is_not_drawn_is_shown_as_text():
    html = render("# A\n\n```mermaid\nflowchart TB\n    a --> unseen\n```\n", "architecture").html
    assert "<img" not in html
    assert "unseen" in html


def test_an_empty_corner_of_a_table_heads_nothing():
    html = render("# A\n\n| | x |\n|---|---|\n| y | 1 |\n", "architecture").html
    assert "<td></td>" in html
    assert "<th>x</th>" in html
