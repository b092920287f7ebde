"""The operations of the document: one name each, which generated clients use, and one path each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATION_IDS = {
    ("get", "/health"): "getHealth",
    ("get", "/ready"): "getReadiness",
    ("get", "/metrics"): "getMetrics",
    ("post", "/api/rppg/measure"): "measure",
    ("post", "/api/rppg/samples"): "measureSamples",
    ("post", "/api/rppg/check"): "checkPicture",
    ("get", "/reader.json"): "getReader",
    ("get", "/api/rppg/measurements/{measurement_id}"): "getMeasurement",
    ("get", "/api/rppg/sessions/{session_id}"): "getSession",
    ("delete", "/api/rppg/sessions/{session_id}"): "forgetSession",
    ("get", "/api/rppg/sessions/{session_id}/trend"): "getTrend",
    ("get", "/api/rppg/sessions/{session_id}/events"): "followSession",
    ("post", "/api/keys"): "createKey",
    ("get", "/api/keys/me"): "getKey",
    ("delete", "/api/keys/me"): "revokeKey",
    ("post", "/api/keys/me/rotate"): "rotateKey",
    ("post", "/api/keys/me/tokens"): "createSessionToken",
    ("get", "/api/keys/me/webhook-secret"): "getWebhookSecret",
    ("post", "/api/keys/me/webhook-secret/rotate"): "rotateWebhookSecret",
    ("post", "/api/v1/scan-session"): "createScanSession",
    ("post", "/api/v1/scan-session/{session_id}/video"): "uploadScanVideo",
    ("get", "/api/v1/scan-session/{session_id}/vitals"): "getScanVitals",
    ("get", "/api/v1/scan-session/{session_id}/deliveries"): "listScanDeliveries",
    ("delete", "/api/v1/scan-session/{session_id}"): "deleteScanSession",
}
"""The name of each operation, by method and path. A name that was published stays: clients call it."""

ALIASES = {"/api/health": "/health"}
"""Paths that answer as others do. The document mentions them there, so that each operation is generated once."""

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation of a document."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method, path, item[method]


def name_operations(document: dict[str, Any]) -> None:
    """Give each operation its name."""
    for method, path, operation in operations(document):
        if name := OPERATION_IDS.get((method, path)):
            operation["operationId"] = name


def fold_aliases(document: dict[str, Any]) -> None:
    """Leave out the paths that are others once more, and mention them in the description of those."""
    for alias, path in ALIASES.items():
        if document["paths"].pop(alias, None):
            for method, found, operation in operations(document):
                if found == path:
                    also = f"Also at `{method.upper()} {alias}`."
                    operation["description"] = f"{operation.get('description', '')}\n\n{also}".strip()
