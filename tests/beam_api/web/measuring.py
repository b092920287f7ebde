"""Requests to measure, as tests send them, and what they ask of an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from werkzeug.test import TestResponse

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from rppg_core.face.reader import Frame


START_MS = 1_750_000_000_000.0
FPS = 15.0

Post = Callable[..., TestResponse]


def encoded(parts: list[tuple[str, Any, str]]) -> bytes:
    """A form body. Werkzeug's own would put large files into temporary ones."""
    out = b""
    for name, value, more in parts:
        content = value if isinstance(value, bytes) else str(value).encode()
        out += (
            f'----of-a-test\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"
        )
    return out + b"----of-a-test--\r\n"


def batches(frames: list[Frame], size: int = 33) -> Iterator[list[Frame]]:
    return (frames[at : at + size] for at in range(0, len(frames), size))


def code(response: TestResponse) -> str:
    body = response.get_json()
    assert body["success"] is False
    assert body["error"]["status"] == response.status_code
    assert body["error"]["request_id"] == response.headers["X-Request-Id"]
    assert not any(word in response.text for word in ("Traceback", ".py", "/home", "redis"))
    return body["error"]["code"]


def buffered(client: FlaskClient, key: str, session_id: str = "default") -> int:
    response = client.get(f"/api/rppg/sessions/{session_id}", headers={"X-API-Key": key})
    return response.get_json()["data"]["frames"] if response.status_code == 200 else 0
