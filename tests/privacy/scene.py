"""A service that is watched, and what is sent to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from tests import images
from tests.integration.test_scanning import children
from tests.privacy.evidence import (
    Traces,
    Watch,
)
from tests.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from tests.services import Service

START_MS = 1_750_000_000_000
MEASURE = "/api/rppg/measure"
MAPPED = ("/dev/zero", "/dev/shm/wgunicorn", "/dev/shm/beam-metrics-")
"""What processes share by way of memory: nothing, gunicorn's heartbeat, counts. Images are looked for there, too."""


@dataclass
class Scene:
    """A service, what was sent to it, and what came of that."""

    service: Service
    redis: Redis
    key: str
    temporary: Path
    traces: Traces = field(default_factory=Traces)
    statuses: dict[str, set[int]] = field(default_factory=dict)
    sent_bytes: int = 0
    written_bytes: dict[str, int] = field(default_factory=dict)
    temporary_changes: set[int] = field(default_factory=set)
    began: float = 0.0
    watch: Watch | None = None

    def ask(self, what: str, method: str, path: str, key: str | None = None, **options: object) -> httpx.Response:
        headers = {"X-API-Key": self.key if key is None else key, **options.pop("headers", {})}  # type: ignore[dict-item]
        answer = httpx.request(method, self.service.url + path, headers=headers, timeout=120, **options)  # type: ignore[arg-type]
        self.statuses.setdefault(what, set()).add(answer.status_code)
        self.sent_bytes += int(answer.request.headers.get("Content-Length", 0))
        return answer

    def web(self) -> list[int]:
        return [pid for pid, command in self.service.processes().items() if "-m gunicorn" in command]

    def workers(self) -> list[int]:
        """The web processes but their master."""
        master = self.web()[0]
        return [pid for pid in self.web() if pid in children(master)]

    def video_worker(self, but: int = 0) -> int:
        """The worker of videos, and no other than a new one where `but` was killed."""
        found: list[int] = []

        def is_there() -> bool:
            started = self.service.processes().items()
            mothers = children(self.service.process.pid)
            found[:] = [p for p, c in started if "beam_api.cli worker" in c and p in mothers and p != but]
            return bool(found)

        assert wait_until(is_there, 30)
        return found[0]


def face(scene: Scene, name: str, quality: int = 90, **look: object) -> bytes:
    image = images.still_face(eyes_px=40.0, frame_size=(240, 220), **look)
    return scene.traces.picture(name, images.jpeg(image, quality))


def measure(scene: Scene, what: str, frames: list[bytes], start_ms: int = START_MS, **form: object) -> httpx.Response:
    """Frames two seconds apart: five fill a window."""
    files = [("frame", (f"{i}.jpg", frame, "image/jpeg")) for i, frame in enumerate(frames)]
    times = [str(start_ms + 2000 * i) for i in range(len(frames))]
    return scene.ask(what, "POST", MEASURE, data={"timestamp_ms": times, "duration_ms": "10000", **form}, files=files)
