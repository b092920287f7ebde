"""A client of the measure API, as an integration would write it: frames in batches, retries, the answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import httpx

BATCH = 30
_TRIES = 5
_LONGEST_WAIT_S = 61.0


class ServiceRefused(Exception):
    """The service answered with an error that a retry won't mend, or with the same one too often."""


class BeamClient:
    """Measures through a running service. Use as a context manager."""

    def __init__(self, url: str, key: str, *, timeout_s: float = 60.0) -> None:
        self._http = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=timeout_s)

    def __enter__(self) -> BeamClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def measure(
        self,
        frames: Iterable[tuple[int, bytes]],
        *,
        session_id: str,
        duration_ms: int,
        on_progress: Callable[[float], None],
    ) -> dict[str, Any]:
        """Post frames, each a capture time in microseconds and a JPEG or PNG, in order until the window is full.

        `on_progress` is called with the share of the window that is filled, 0-1.

        Returns
        -------
        dict
            The whole answer: `data` with the vitals, `meta` beside it.

        Raises
        ------
        ServiceRefused
            If the service refuses a request, can't be reached, or the frames end before the window is full.
        """
        fields = {"session_id": session_id, "duration_ms": str(duration_ms)}
        for batch in _batches(frames):
            body = self._post(batch, fields)
            if body is None:
                continue
            if body["data"]["status"] == "complete":
                return body
            on_progress(body["data"]["progress"])
        raise ServiceRefused("The frames ended before the window was full.")

    def _post(self, batch: list[tuple[int, bytes]], fields: dict[str, str]) -> dict[str, Any] | None:
        """The answer to one batch; None when it held no face, after which one goes on."""
        parts = {**fields, "timestamp_ms": [str(time_us / 1000) for time_us, _ in batch]}
        files = [("frame", ("frame.jpg", image, "image/jpeg")) for _, image in batch]
        for attempt in range(_TRIES):
            try:
                response = self._http.post("/api/rppg/measure", data=parts, files=files)
            except httpx.TransportError as error:
                if attempt == _TRIES - 1:
                    raise ServiceRefused(f"The service can't be reached: {type(error).__name__}.") from error
                time.sleep(0.2 * 2**attempt)
                continue
            if response.status_code in {429, 503}:
                time.sleep(min(float(response.headers.get("Retry-After", 1)), _LONGEST_WAIT_S))
                continue
            return self._read(response)
        raise ServiceRefused("The service has no room for these requests.")

    @staticmethod
    def _read(response: httpx.Response) -> dict[str, Any] | None:
        try:
            body: dict[str, Any] = response.json()
        except ValueError as error:
            raise ServiceRefused(f"No Beam answers there (status {response.status_code}).") from error
        if response.is_success and "data" in body:
            return body
        failure = body.get("error", {})
        if failure.get("code") == "NO_FACE_DETECTED":
            return None
        raise ServiceRefused(f"{response.status_code} {failure.get('code')}: {failure.get('message')}")


def _batches(frames: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    source = iter(frames)
    while batch := list(islice(source, BATCH)):
        yield batch
