"""A person before a camera, who talks HTTP over one kept connection."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

from benchmarks.material import FPS

if TYPE_CHECKING:
    from benchmarks.service.started import Service

LONGEST_MS = 300_000  # windows that no request of a benchmark fills
BOUNDARY = "beam-benchmark"
PATH = "/api/rppg/measure"


class Client:
    """Posts frames whose times go on from request to request."""

    def __init__(self, service: Service, session: str, duration_ms: int = LONGEST_MS) -> None:
        self._connection = http.client.HTTPConnection(service.address, timeout=60)
        self._headers = headers(service.key)
        self._head = head(session, duration_ms)
        self.sent = 0
        self.up_bytes = self.down_bytes = 0  # bodies of requests and of answers
        self.answer: dict[str, Any] = {}  # to the last request: its `data`

    def post(self, frames: list[bytes]) -> float:
        """Send a request; seconds until its answer, 202 or 200, has been read."""
        body = self._head + b"".join(frame_part(data, self.sent + i) for i, data in enumerate(frames)) + END
        self.sent += len(frames)
        start = time.perf_counter()
        self._connection.request("POST", PATH, body=body, headers=self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        passed = time.perf_counter() - start
        self.up_bytes += len(body)
        self.down_bytes += len(content)
        assert answer.status in (200, 202), content
        self.answer = json.loads(content)["data"]
        assert self.answer["rejected"] == []
        return passed

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


END = f"--{BOUNDARY}--\r\n".encode()


def headers(key: str) -> dict[str, str]:
    """Of every request to measure."""
    return {"X-API-Key": key, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def head(session: str, duration_ms: int) -> bytes:
    """The parts of a body before its frames."""
    return _part("session_id", session.encode()) + _part("duration_ms", str(duration_ms).encode())


def frame_part(data: bytes, number: int) -> bytes:
    """The `number`-th frame of a session and its time, at an even pace. Its length follows from that of the image."""
    at = f"{1000 * number / FPS:011.3f}".encode()
    return _part("frame", data, filename="frame.jpg") + _part("timestamp_ms", at)


def _part(name: str, value: bytes, filename: str = "") -> bytes:
    extra = f'; filename="{filename}"\r\nContent-Type: image/jpeg' if filename else ""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + value + b"\r\n"
