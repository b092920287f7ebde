"""A measurement as HL7 FHIR: valid by the models of R4B, with what was given and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from beam_api.services.windows.measure_result import Measurement
from beam_api.web.schemas.fhir import write_bundle
from rppg_core import measure
from tests.beam_api.web.measuring import Post, batches, code
from tests.rppg_core.same_answers import face

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from beam_api.web.context import Parts
    from rppg_core.face.reader import Frame

HEART_RATE, RESPIRATION, SDNN = "8867-4", "9279-1", "80404-7"


def measured(**changes: Any) -> Measurement:
    trace = face(66.0, 60.0, 15.0)
    made = Measurement.of(
        measure(trace), [round(1e6 * at) for at in trace.times_s], with_raw=True, session_id="anna",
        measurement_id="meas_1", rejected=(), at_us=1_750_000_030_250_000, guidance=(), face=None,
    )  # fmt: skip
    return replace(made, **changes)


def observations(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By LOINC code, once the whole is valid."""
    Bundle.model_validate_json(json.dumps(bundle))
    resources = [entry["resource"] for entry in bundle.get("entry", [])]
    return {one["code"]["coding"][0]["code"]: one for one in resources}


def test_each_given_vital_is_an_observation_with_its_range_and_method():
    made = measured()
    seen = observations(write_bundle(made))

    assert set(seen) == {HEART_RATE, RESPIRATION, SDNN}
    for loinc, vital in ((HEART_RATE, "heart_rate"), (RESPIRATION, "respiration_rate")):
        one = seen[loinc]
        assert one["valueQuantity"]["value"] == getattr(made, vital)
        assert one["valueQuantity"]["code"] == "/min"
        (component,) = one["component"]
        ends = component["valueRange"]
        assert [ends["low"]["value"], ends["high"]["value"]] == list(made.interval[vital])
    assert seen[SDNN]["valueQuantity"]["value"] == made.hrv_details["sdnn_ms"]
    rmssd, range_ = seen[SDNN]["component"]
    assert rmssd["valueQuantity"]["value"] == made.hrv
    assert range_["valueRange"]["high"]["value"] == made.interval["hrv"][1]
    for one in seen.values():
        assert one["status"] == "final"
        assert one["category"][0]["coding"][0]["code"] == "vital-signs"
        assert one["effectivePeriod"] == {"start": "2025-06-15T15:06:10.250Z", "end": "2025-06-15T15:07:10.250Z"}
        assert one["subject"]["identifier"]["value"] == "anna"
        assert "photoplethysmography" in one["method"]["text"]
        assert "referenceRange" not in one


def test_never_spo2_or_stress():
    made = measured(spo2=97, stress_index=120.5)
    text = json.dumps(write_bundle(made)).lower()
    assert not any(word in text for word in ("spo2", "oxygen", "stress", "59408-5", "2708-6", "120.5"))


def test_a_measurement_to_take_again_is_preliminary():
    seen = observations(write_bundle(measured(confidence=0.65)))
    assert {one["status"] for one in seen.values()} == {"preliminary"}


def test_what_is_withheld_is_not_in_it():
    short = measured(hrv=None, respiration_rate=None, withheld={"hrv": "WINDOW_TOO_SHORT"}, interval={})
    assert set(observations(write_bundle(short))) == {HEART_RATE}
    nothing = replace(short, heart_rate=None, withheld={"heart_rate": "LOW_SIGNAL"})
    bundle = write_bundle(nothing)
    assert observations(bundle) == {}
    assert "entry" not in bundle


def test_rmssd_of_an_older_version_has_no_sdnn_beside_it():
    made = measured()
    old = replace(made, hrv_details=dict.fromkeys(made.hrv_details))
    one = observations(write_bundle(old))[SDNN]
    assert "valueQuantity" not in one
    assert one["component"][0]["valueQuantity"]["value"] == made.hrv


def test_names_are_the_same_each_time_and_differ_between_measurements():
    def names(made: Measurement) -> list[str]:
        return [entry["fullUrl"] for entry in write_bundle(made)["entry"]]

    assert names(measured()) == names(measured())
    assert not set(names(measured())) & set(names(measured(measurement_id="meas_2")))


def test_the_route_gives_it_to_the_key_that_measured(
    client: FlaskClient, post: Post, parts: Parts, enterprise_key: str, face_frames: list[Frame]
) -> None:
    done = [post(batch, duration_ms=10_000) for batch in batches(face_frames)]
    (data,) = [answer.get_json()["data"] for answer in done if answer.status_code == 200]
    path, headers = f"/api/rppg/measurements/{data['measurement_id']}", {"X-API-Key": enterprise_key}

    answer = client.get(f"{path}?format=fhir", headers=headers)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/fhir+json"
    assert "X-RateLimit-Remaining" in answer.headers
    seen = observations(json.loads(answer.data))
    assert seen[HEART_RATE]["valueQuantity"]["value"] == data["heart_rate"]
    assert set(seen) == {HEART_RATE}  # 10 s have no more
    assert client.get(f"{path}?format=json", headers=headers).get_json()["data"] == data
    other = client.get(f"{path}?format=fhir", headers={"X-API-Key": parts.keys.create("stranger").key})
    assert code(other) == "NOT_FOUND"
    assert other.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("query", ["format=xml", "format=", "format=FHIR", "format=fhir&format=json"])
def test_any_other_format_is_refused_by_name(client: FlaskClient, enterprise_key: str, query: str) -> None:
    answer = client.get(f"/api/rppg/measurements/none?{query}", headers={"X-API-Key": enterprise_key})
    assert code(answer) == "INVALID_PARAMETER"
    assert "'format'" in answer.get_json()["error"]["message"]


def test_it_is_documented(client: FlaskClient) -> None:
    route = client.get("/openapi.json").get_json()["paths"]["/api/rppg/measurements/{measurement_id}"]["get"]
    assert set(route["responses"]["200"]["content"]) == {"application/json", "application/fhir+json"}
    assert "400" in route["responses"]
    assert [parameter["name"] for parameter in route["parameters"]] == ["format"]
