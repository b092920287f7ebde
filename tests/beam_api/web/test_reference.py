"""The page of the reference has all that the OpenAPI document has."""

import json
import re
import shlex
from html import unescape

import pytest

from beam_api.web.documents import requests
from beam_api.web.documents.reference import groups
from beam_api.web.reference.operations import operations


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


@pytest.fixture
def shown(document):
    return {operation.name: operation for group in groups(document) for operation in group.operations}


def flat(fields):
    for field in fields:
        yield field
        yield from flat(field.fields)


def test_each_operation_is_there_with_its_fields_and_answers(client, document, shown):
    html = client.get("/docs/reference").text
    assert len(shown) == len(list(operations(document)))
    for method, path, described in operations(document):
        operation = shown[described["operationId"]]
        assert (operation.method, operation.path) == (method.upper(), path)
        assert {answer.status for answer in operation.answers} == described["responses"].keys()
        assert f'<h3 id="{operation.name}">' in html
        names = {field.name for field in operation.parameters}
        assert set(re.findall(r"{(\w+)}", path)) <= names
        assert {parameter["name"] for parameter in described.get("parameters", ())} <= names
        for status, response in described["responses"].items():
            for media, content in response.get("content", {}).items():
                (answer,) = [one for one in operation.answers if (one.status, one.media) == (status, media)]
                assert bool(answer.example) is ("example" in content)


def test_no_field_of_a_schema_is_left_out(document, shown):
    """Those of errors are in the examples, which docs/errors.md explains."""
    there = set()
    for operation in shown.values():
        there |= {field.name for field in flat(operation.body)}
        there |= {field.name for answer in operation.answers for field in flat(answer.fields)}
    errors = {"Error", "ErrorEnvelope", "Detail", "Rejected"}
    for name, schema in document["components"]["schemas"].items():
        if name not in errors:
            assert schema.get("properties", {}).keys() <= there, name


def test_types_and_bounds_are_in_words(shown):
    fields = {field.name: field for field in flat(shown["measure"].body)}
    assert fields["frame"].kind == "list of file"
    assert fields["frame"].required
    assert "Capture time of each frame" in fields["timestamp_ms"].meaning
    limit = next(field for field in shown["getTrend"].parameters if field.name == "limit")
    assert limit.where == "query"
    assert any(" to " in note for note in limit.notes)


def test_the_requests_are_code(shown):
    for operation in shown.values():
        curl, python, javascript = (fence.content for fence in requests.fences(operation))
        words = shlex.split(curl)
        assert words[0] == "curl"
        if operation.media == "application/json":
            body = json.loads(words[words.index("-d") + 1])
            assert body.keys() >= {field.name for field in operation.body if field.required}
        compile(python, operation.name, "exec")
        assert ("X-API-Key" in javascript) is operation.needs_key


def test_what_a_description_says_is_escaped_and_the_address_is_the_readers(client):
    html = client.get("/docs/reference", headers={"Host": "vitals.example:8443"}).text
    assert "http://vitals.example:8443/api/rppg/measure" in unescape(re.sub("<[^>]+>", "", html))
    assert "beamaddressplaceholder" not in html


@pytest.mark.parametrize("name", ["createKey", "createSessionToken", "createScanSession", "measureSamples"])
def test_the_service_takes_the_bodies_of_the_examples(client, api_key, shown, name):
    operation = shown[name]
    body = requests.body_example(operation.body)
    answer = client.post(operation.path, json=body, headers={"X-API-Key": api_key})
    assert answer.status_code in (201, 202), answer.json
