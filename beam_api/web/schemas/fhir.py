"""A measurement as HL7 FHIR R4: a Bundle with an Observation for each vital that has a LOINC code and was given.

SpO2 and stress index are left out: the one is not calibrated, the other is no vital sign.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from beam_api.exceptions import InvalidParameter
from beam_api.services.verdict import RETAKE, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beam_api.services.windows.measure_result import Measurement

MEDIA_TYPE = "application/fhir+json"
FORMATS = ("json", "fhir")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "An HL7 FHIR R4 Bundle of Observations: one for each vital that was given.",
    "properties": {
        "resourceType": {"type": "string", "enum": ["Bundle"]},
        "type": {"type": "string", "enum": ["collection"]},
        "timestamp": {"type": "string", "format": "date-time"},
        "identifier": {"type": "object"},
        "entry": {"type": "array", "minItems": 1, "items": {"type": "object"}},
    },
    "required": ["resourceType", "type", "timestamp", "identifier"],
}

_IDS = uuid.UUID("5a3e1d0c-7f1b-4f0e-9a57-3f0d6c1b8e42")  # the name space of this service's resources
_CATEGORY = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "vital-signs",
            "display": "Vital Signs",
        }
    ]
}
_HEART_RATE = ("8867-4", "Heart rate")
_RESPIRATION = ("9279-1", "Respiratory rate")
_SDNN = ("80404-7", "R-R interval.standard deviation (Heart rate variability)")
_NOTICE = "Not a medical device: not for diagnosis, treatment or monitoring of any condition."
_ABSENT = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown", "display": "Unknown"}
    ]
}


def read_format(values: Iterable[str]) -> str:
    """Which form is asked for, by the query's values of `format`: one of `FORMATS`. Raises InvalidParameter."""
    wanted = list(dict.fromkeys(values)) or [FORMATS[0]]
    if len(wanted) > 1 or wanted[0] not in FORMATS:
        raise InvalidParameter("format", f"must be {' or '.join(map(repr, FORMATS))}")
    return wanted[0]


def write_bundle(measurement: Measurement) -> dict[str, Any]:
    """The Bundle; without a vital that was given, it has no entries."""
    observations = [*_rates(measurement), *_variability(measurement)]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "identifier": _identifier(measurement),
        "type": "collection",
        "timestamp": _instant(measurement.at_us),
    }
    if observations:  # FHIR has no empty lists
        bundle["entry"] = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in observations]
    return bundle


def _rates(measurement: Measurement) -> Iterable[dict[str, Any]]:
    rates = (
        ("heart_rate", _HEART_RATE, "beats/minute", "the rate of the pulse"),
        ("respiration_rate", _RESPIRATION, "breaths/minute", "the breath's modulation of the pulse"),
    )
    for vital, code, unit, method in rates:
        value = getattr(measurement, vital)
        if value is not None:
            shown = {"valueQuantity": _quantity(value, unit, "/min")}
            ranged = _range(measurement, vital, unit, "/min")
            yield _observation(measurement, code, method, shown, ranged)


def _variability(measurement: Measurement) -> Iterable[dict[str, Any]]:
    """SDNN, which has a code, and as its component RMSSD, which LOINC doesn't have and whose range is known."""
    if measurement.hrv is None:
        return
    sdnn = measurement.hrv_details.get("sdnn_ms")
    shown = {"dataAbsentReason": _ABSENT} if sdnn is None else {"valueQuantity": _quantity(sdnn, "ms", "ms")}
    name = "RMSSD, root mean square of successive differences of R-R intervals"
    rmssd = {"code": {"text": name}, "valueQuantity": _quantity(measurement.hrv, "ms", "ms")}
    components = [rmssd, *_range(measurement, "hrv", "ms", "ms", of="RMSSD")]
    yield _observation(measurement, _SDNN, "intervals between beats of the pulse", shown, components)


def _observation(
    measurement: Measurement, code: tuple[str, str], method: str, shown: dict[str, Any], components: list[Any]
) -> dict[str, Any]:
    loinc, display = code
    start_us = measurement.at_us - 1000 * measurement.duration_ms
    retake = verdict(measurement.confidence, measurement.withheld, measurement.guidance) == RETAKE
    observation = {
        "resourceType": "Observation",
        "id": str(uuid.uuid5(_IDS, f"{measurement.measurement_id} {loinc}")),
        "identifier": [_identifier(measurement)],
        "status": "preliminary" if retake else "final",
        "category": [_CATEGORY],
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc, "display": display}], "text": display},
        "subject": {"identifier": {"system": "urn:beam-rppg:session", "value": measurement.session_id}},
        "effectivePeriod": {"start": _instant(start_us), "end": _instant(measurement.at_us)},
        "issued": _instant(measurement.at_us),
        **shown,
        "note": [{"text": _NOTICE}],
        "method": {"text": f"Remote photoplethysmography from camera frames of a face: {method}"},
        "device": {"display": "Beam rPPG (beam-rppg, version 1)"},
    }
    return observation | ({"component": components} if components else {})


def _range(measurement: Measurement, vital: str, unit: str, code: str, of: str = "") -> list[dict[str, Any]]:
    """The 90 % range, as a component: a `referenceRange` would say what is normal, not how sure the value is."""
    ends = measurement.interval.get(vital)
    if not ends:
        return []
    low, high = (_quantity(end, unit, code) for end in ends)
    return [{"code": {"text": f"90 % range{f' of {of}' if of else ''}"}, "valueRange": {"low": low, "high": high}}]


def _quantity(value: float, unit: str, code: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": code}


def _identifier(measurement: Measurement) -> dict[str, str]:
    return {"system": "urn:beam-rppg:measurement", "value": measurement.measurement_id}


def _instant(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
