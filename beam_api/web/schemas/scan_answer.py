"""A session as the scan API answers it. Without Flask and marshmallow: a video worker writes webhooks with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beam_api.services.scans.scan_result import Scan


def write_scan(scan: Scan) -> Mapping[str, Any]:
    """The JSON of a session, in answers and in webhooks."""
    answer: dict[str, Any] = {"status": scan.status, "session_id": scan.session_id}
    if scan.status == "processing":
        answer["progress"] = scan.progress
        if scan.partial is not None:
            answer["partial"] = scan.partial
    elif scan.status == "completed":
        answer["vitals"] = scan.vitals
    elif scan.status == "failed":
        answer["error"] = scan.error
    return answer
