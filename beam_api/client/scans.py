"""A client of the scan API, as an integration would write it: a session, the video, and asking until it is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx

from beam_api.client.measure import ServiceRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_S = 180.0
_POLL_S = 1.5  # within the 60 requests a minute of a scan key
_TRIES = 5
_LONGEST_WAIT_S = 61.0
_UPLOAD_SHARE = 0.1  # of the bar


class ScanClient:
    """Scans videos through a running service. Use as a context manager."""

    def __init__(self, url: str, key: str, *, timeout_s: float = 120.0) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout_s)

    def __enter__(self) -> ScanClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def scan(self, video: Path, *, on_progress: Callable[[float], None]) -> dict[str, Any]:
        """Upload a video and wait for its end.

        Returns
        -------
        dict
            The last answer: `status` is "completed", with `vitals`, or "failed", with `error`.

        Raises
        ------
        ServiceRefused
            If the service refuses the video, can't be reached, or isn't done in three minutes.
        """
        session_id = self._ask("POST", "/api/v1/scan-session")["session_id"]
        path = f"/api/v1/scan-session/{session_id}"
        with video.open("rb") as file:
            self._ask("POST", f"{path}/video", files={"file": ("video", file, "application/octet-stream")}, again=file)
        on_progress(_UPLOAD_SHARE)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            answer = self._ask("GET", f"{path}/vitals")
            if answer["status"] in ("completed", "failed"):
                return answer
            on_progress(_UPLOAD_SHARE + (1 - _UPLOAD_SHARE) * answer.get("progress", 0.0))
            time.sleep(_POLL_S)
        raise ServiceRefused("The service has not finished in time.")

    def _ask(self, method: str, path: str, *, again: Any = None, **options: Any) -> dict[str, Any]:
        """One request, repeated while the service has no room or can't be reached. `again` is rewound before each."""
        for attempt in range(_TRIES):
            if again is not None:
                again.seek(0)
            try:
                response = self._http.request(method, path, **options)
            except httpx.TransportError as error:
                if attempt == _TRIES - 1:
                    raise ServiceRefused(f"The service can't be reached: {type(error).__name__}.") from error
                time.sleep(0.2 * 2**attempt)
                continue
            if response.status_code not in {429, 503}:
                return self._read(response)
            time.sleep(min(float(response.headers.get("Retry-After", 1)), _LONGEST_WAIT_S))
        raise ServiceRefused("The service has no room for these requests.")

    @staticmethod
    def _read(response: httpx.Response) -> dict[str, Any]:
        try:
            body: dict[str, Any] = response.json()
        except ValueError as error:
            raise ServiceRefused(f"No Beam answers there (status {response.status_code}).") from error
        if not response.is_success:
            raise ServiceRefused(f"{response.status_code}: {body.get('detail', 'refused')}")
        return body
