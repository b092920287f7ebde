"""A client of the measure API, as an integration would write it: frames in batches or one by one, and retries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Literal

import httpx

BATCH = 30
_TRIES = 5
_LONGEST_WAIT_S = 61.0
_ANALYSIS_S = 0.5  # between two questions for a result that another request is working on
_PROGRESS_STEP = 1e-4  # how exactly an answer says how full the window is
_SHARE = 0.9  # of the limit, for frames sent without a requested pace
_SILENCE_MS = 5000.0  # a gap in a recording that would end its window

Picture = bytes | Callable[[], bytes]
"""A JPEG or PNG, or what makes one if it is wanted."""

Pace = Literal["batch", "single"]


class ServiceRefused(Exception):
    """The service answered with an error that a retry won't mend, or with the same one too often."""


class FramesEnded(ServiceRefused):
    """The frames ended before the window was full; `filled_ms` of it were filled for certain."""

    def __init__(self, filled_ms: int) -> None:
        super().__init__("The frames ended before the window was full.")
        self.filled_ms = filled_ms


class BeamClient:
    """Measures through a running service. Use as a context manager."""

    def __init__(self, url: str, key: str, *, timeout_s: float = 60.0) -> None:
        self._http = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=timeout_s)
        self._limit = 60.0  # requests a minute, until the service has said

    def __enter__(self) -> BeamClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def measure(
        self,
        frames: Iterable[tuple[int, Picture]],
        *,
        session_id: str,
        duration_ms: int,
        on_progress: Callable[[float], None],
        pace: Pace = "batch",
        clock: Callable[[], int] | None = None,
        include_raw: bool = False,
    ) -> dict[str, Any]:
        """Post frames until the window is full.

        Parameters
        ----------
        frames : iterable of (int, bytes or callable)
            Capture time in microseconds and picture, in order. A live source yields its frames as they are taken.
        session_id, duration_ms
            As the service has them.
        on_progress : callable
            Is called with the share of the window that is filled, 0-1.
        pace : "batch" or "single"
            Every frame, 30 in a request; or one frame per request, of those that come when the service wants the next.
        clock : callable, optional
            The clock of a live source's capture times. Without it the frames are a recording, which is sent as fast as
            it is answered, its own times standing for a network that takes no time.
        include_raw : bool
            Whether `data` is to hold the waveform and the beats, as `raw`.

        Returns
        -------
        dict
            The whole answer: `data` with the vitals, `meta` beside it.

        Raises
        ------
        FramesEnded
            If the frames end before the window is full.
        ServiceRefused
            If the service refuses a request or can't be reached.
        """
        fields = {"session_id": session_id, "duration_ms": str(duration_ms), "include_raw": str(include_raw).lower()}
        send = self._in_batches if pace == "batch" else self._one_by_one
        progress = 0.0
        for body in send(frames, fields, clock):
            if body["data"]["status"] == "complete":
                return body
            progress = body["data"]["progress"]
            on_progress(progress)
        self._forget(session_id)
        raise FramesEnded(max(0, int((progress - _PROGRESS_STEP) * duration_ms) - 1))

    def _forget(self, session_id: str) -> None:
        """Make the service drop a window that nobody will fill; it does so by itself a little later."""
        with suppress(httpx.HTTPError):
            self._http.delete(f"/api/rppg/sessions/{session_id}")

    def _in_batches(
        self, frames: Iterable[tuple[int, Picture]], fields: dict[str, str], _: Callable[[], int] | None
    ) -> Iterator[dict[str, Any]]:
        source = iter(frames)
        while batch := list(islice(source, BATCH)):
            if body := self._post(batch, fields):
                yield body

    def _one_by_one(
        self, frames: Iterable[tuple[int, Picture]], fields: dict[str, str], clock: Callable[[], int] | None
    ) -> Iterator[dict[str, Any]]:
        due_us = 0.0
        left_out: tuple[int, Picture] | None = None
        for frame in frames:
            left_out = frame if frame[0] < due_us else None
            if left_out:
                continue
            if body := self._post([frame], fields):
                yield body
            answered_us = clock() if clock else frame[0]
            due_us = answered_us + 1000 * self._pause_ms(body, recorded=clock is None)
        if left_out and (body := self._post([left_out], fields)):  # a recording's end may be what fills the window
            yield body

    def _pause_ms(self, body: dict[str, Any] | None, *, recorded: bool) -> float:
        """From an answer, or in a recording from the frame, to the next frame."""
        if body is None or body["data"].get("next_frame_in_ms") is None:  # no face, or a window just full
            return 60_000 / (_SHARE * self._limit) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        pause_ms: float = body["data"]["next_frame_in_ms"]
        if not recorded:
            return pause_ms
        if pause_ms >= _SILENCE_MS:  # the key has no room for a recording sent faster than it was taken
            time.sleep(min(pause_ms / 1000, _LONGEST_WAIT_S))
            return self._pause_ms(None, recorded=True)
        return pause_ms + float(body["meta"]["processing_ms"])

    def _post(self, batch: list[tuple[int, Picture]], fields: dict[str, str]) -> dict[str, Any] | None:
        """The answer to one request; None when it held no face, after which one goes on."""
        parts = {**fields, "timestamp_ms": [str(time_us / 1000) for time_us, _ in batch]}
        images = [picture if isinstance(picture, bytes) else picture() for _, picture in batch]
        files = [("frame", ("frame.jpg", image, "image/jpeg")) for image in images]
        for attempt in range(_TRIES):
            try:
                response = self._http.post("/api/rppg/measure", data=parts, files=files)
            except httpx.TransportError as error:
                if attempt == _TRIES - 1:
                    raise ServiceRefused(f"The service can't be reached: {type(error).__name__}.") from error
                time.sleep(0.2 * 2**attempt)
                continue
            self._limit = float(response.headers.get("X-RateLimit-Limit", self._limit))
            if response.status_code in {429, 503}:
                time.sleep(min(float(response.headers.get("Retry-After", 1)), _LONGEST_WAIT_S))
                continue
            body = self._read(response)
            if body and body["data"].get("progress") == 1.0:  # the first try of this request filled the window
                time.sleep(_ANALYSIS_S)
                continue
            return body
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
