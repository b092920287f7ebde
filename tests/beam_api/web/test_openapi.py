from openapi_spec_validator import OpenAPIV31SpecValidator


def test_the_document_is_valid_openapi_3_1(client):
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(answer.json).validate()


def test_it_documents_the_routes_that_exist_and_no_other(app, client):
    import re

    documented = set(client.get("/openapi.json").json["paths"])
    existing = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    assert documented == existing - {"/openapi.json", "/static/{name}", "/docs/assets/{name}"}


def test_what_needs_no_key_says_so(client):
    document = client.get("/openapi.json").json
    assert document["security"] == [{"ApiKeyHeader": []}, {"BearerToken": []}]
    assert set(document["components"]["securitySchemes"]) == {"ApiKeyHeader", "BearerToken"}
    for path in ("/health", "/api/health", "/ready", "/", "/docs", "/keys", "/playground"):
        assert document["paths"][path]["get"]["security"] == []
    for path in ("/api/keys", "/playground/key"):
        assert document["paths"][path]["post"]["security"] == []
