"""The OpenAPI document: valid, complete, and good to generate clients from."""

import json
import re
from collections import Counter

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from beam_api.web.error_responses import DETAIL_PATHS
from beam_api.web.reference.examples import example_name, recorded
from beam_api.web.reference.operations import ALIASES, OPERATION_IDS, operations
from beam_api.web.views import scans
from tests.beam_api.web.documented import closed

PAGES = {"/", "/keys", "/docs", "/docs/reference", "/docs/{name}", "/playground", "/accuracy", "/privacy", "/status"}
OF_PAGES = {
    *("/openapi.json", "/static/{name}", "/docs/search.json", "/status.json"),
    *("/playground/key", "/playground/face/{number}"),
}


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


def responses(document):
    """Name of the operation, path, status and description of each response that has content."""
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if "content" in response:
                yield operation.get("operationId"), path, status, response


def problems(document, schema, value):
    """What of a value doesn't fit a schema of the document, or isn't in it."""
    whole = schema | {"components": closed(document)["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def data_of(document, status):
    """The schema of `data` in an answer of `measure`."""
    answer = document["paths"]["/api/rppg/measure"]["post"]["responses"][status]["content"]["application/json"]
    schemas = document["components"]["schemas"]
    envelope = schemas[answer["schema"]["$ref"].rpartition("/")[2]]
    return schemas[envelope["properties"]["data"]["$ref"].rpartition("/")[2]]


def test_the_document_is_valid_openapi_3_1(client):
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(answer.json).validate()
    assert client.get("/openapi.json").data == answer.data


def test_it_documents_the_routes_that_exist_and_no_other(app, document):
    existing = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    short = {path for path in existing if path.startswith(f"{scans.SHORT_PREFIX}/")}
    assert existing >= PAGES | OF_PAGES | ALIASES.keys()
    assert set(document["paths"]) == existing - PAGES - OF_PAGES - ALIASES.keys() - short
    assert {scans.PREFIX + path.removeprefix(scans.SHORT_PREFIX) for path in short} <= set(document["paths"])


def test_other_addresses_of_an_operation_are_mentioned_where_it_is(document):
    (about_scans,) = [tag["description"] for tag in document["tags"] if tag["name"] == "scans"]
    assert f"`{scans.SHORT_PREFIX}`" in about_scans
    for alias, path in ALIASES.items():
        assert f"`GET {alias}`" in document["paths"][path]["get"]["description"]


def test_what_needs_no_key_says_so(document):
    assert document["security"] == [{"ApiKeyHeader": []}, {"BearerToken": []}]
    assert set(document["components"]["securitySchemes"]) == {"ApiKeyHeader", "BearerToken"}
    for path in ("/health", "/ready", "/metrics"):
        assert document["paths"][path]["get"]["security"] == []
    assert document["paths"]["/api/keys"]["post"]["security"] == []


def test_every_operation_has_a_name_of_its_own(document):
    """A new route needs a row in OPERATION_IDS; a row without a route goes."""
    named = {(method, path): operation.get("operationId") for method, path, operation in operations(document)}
    assert [route for route, name in named.items() if not name] == []
    assert named == OPERATION_IDS
    assert [name for name, count in Counter(named.values()).items() if count > 1] == []
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name) for name in named.values())


@pytest.mark.parametrize(("status", "literal"), [("200", "complete"), ("202", "buffering")])
def test_answers_of_measure_are_distinguished_by_their_status(document, status, literal):
    schema = data_of(document, status)
    assert schema["properties"]["status"]["const"] == literal
    assert "status" in schema["required"]


def test_success_is_a_literal_in_every_envelope(document):
    schemas = document["components"]["schemas"]
    envelopes = {name: s["properties"]["success"] for name, s in schemas.items() if "success" in s["properties"]}
    assert len(envelopes) > 5
    assert {name: s.get("const") for name, s in envelopes.items()} == {
        name: name != "ErrorEnvelope" for name in envelopes
    }


def test_fields_may_be_added_to_answers_and_not_to_requests(document):
    schemas = document["components"]["schemas"]
    shut = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    answers = json.dumps([operation["responses"] for _, _, operation in operations(document)])
    assert shut >= {"Upload", "Picture", "VideoUpload"}
    assert [name for name in shut if f'"#/components/schemas/{name}"' in answers] == []
    assert not shut & {"Measurement", "Buffering", "Quality", "ScanVitals", "Error"}


def test_every_schema_is_used(document):
    text = json.dumps(document)
    assert [name for name in document["components"]["schemas"] if f'"#/components/schemas/{name}"' not in text] == []


def test_frames_are_an_array_of_files(document):
    form = document["components"]["schemas"]["Upload"]
    assert form["properties"]["frame"]["type"] == "array"
    assert form["properties"]["frame"]["items"] == {"type": "string", "format": "binary"}
    assert "frame" in form["required"]


def test_every_response_has_a_recorded_example(document):
    """`python -m tests.integration.record_examples` makes those that are missing."""
    missing = [
        f"{name} {status}"
        for name, _, status, response in responses(document)
        if any("example" not in media for media in response["content"].values())
    ]
    assert missing == []


def test_no_example_is_of_a_response_that_is_gone(document):
    documented = {
        (name, example_name(status, media_type))
        for name, _, status, response in responses(document)
        for media_type in response["content"]
    }
    assert {(name, found) for name, answers in recorded().items() for found in answers} <= documented


def test_every_example_fits_its_schema(document):
    wrong = {
        f"{name} {status}": found
        for name, _, status, response in responses(document)
        for media in response["content"].values()
        if "example" in media and (found := problems(document, media["schema"], media["example"]))
    }
    assert wrong == {}


def test_the_check_of_examples_finds_what_is_wrong(document):
    schema = document["paths"]["/api/rppg/measure"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = recorded()["measure"]["200"]
    assert problems(document, schema, recorded()["measure"]["202"])
    assert problems(document, schema, answer | {"data": answer["data"] | {"heart_rate": "72"}})
    assert problems(document, schema, answer | {"data": {k: v for k, v in answer["data"].items() if k != "withheld"}})
    assert problems(document, schema, answer | {"data": answer["data"] | {"undocumented": 1}})


def test_every_error_has_its_own_code_and_message(document):
    for name, path, status, response in responses(document):
        if status < "400":
            continue
        (media,) = response["content"].values()
        example = media["example"]
        if path.startswith(DETAIL_PATHS):
            assert example.keys() == {"detail"}
        else:
            assert example["error"]["status"] == int(status), name
    codes = {status: found["error"]["code"] for status, found in recorded()["measure"].items() if status >= "400"}
    assert len(set(codes.values())) == len(codes) > 5


def test_the_examples_of_measure_are_a_face_that_was_measured():
    complete, buffering = (recorded()["measure"][status]["data"] for status in ("200", "202"))
    assert [name for name, value in complete.items() if value is None] == []
    assert set(complete["withheld"].values()) == {"WINDOW_TOO_SHORT"}
    assert all(name.startswith("hrv_details.") for name in complete["withheld"])  # a spectrum needs two minutes
    assert buffering["heart_rate"] is None
    assert abs(buffering["partial"]["heart_rate"] - complete["heart_rate"]) < 3


def test_waiting_is_a_documented_header(document):
    for name, _, status, response in responses(document):
        assert ("Retry-After" in response.get("headers", {})) == (status in ("429", "503")), (name, status)
