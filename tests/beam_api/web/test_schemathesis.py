"""Every documented route under requests made from its schema, good and bad: no fault, and no undocumented status."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.beam_api.web.documented import closed
from tests.thorough import examples

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
HURRIED = settings(
    max_examples=examples(6, 25),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what it loads
def test_every_route_answers_as_documented(app, parts, mode, monkeypatch):
    # A stream has no end that could be waited for: it ends when it has begun.
    monkeypatch.setattr(type(parts.streaming), "open", lambda _streaming, _session, sink, **_more: sink.finish())
    document = schemathesis.openapi.from_dict(closed(app.test_client().get("/openapi.json").json))
    document.app = app
    seen = []

    def ask(case):
        # A key for each request: some routes rotate or revoke it. Some requests go without.
        key = parts.keys.create("tester", tier="enterprise", limit_per_minute=1_000_000).key
        answer = case.call(headers={"X-API-Key": key} if len(seen) % 4 else {})
        case.validate_response(answer, checks=CHECKS)
        seen.append((case.operation.label, answer.status_code))

    for found in document.get_all_operations():
        try:
            HURRIED(given(case=found.ok().as_strategy(generation_mode=mode))(ask))()
        except Unsatisfiable:  # nothing bad can be said to it
            assert mode == GenerationMode.NEGATIVE
    assert {"POST /api/rppg/measure", "POST /api/keys"} <= {label for label, _ in seen}
