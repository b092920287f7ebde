"""Who comes during the day. Everybody checks their answers; what is amiss is counted in the traffic's tally."""

from __future__ import annotations

import json
import random
import uuid
from typing import TYPE_CHECKING, Any

import gevent
from locust import FastHttpUser, between, constant, task

from benchmarks.material import BATCH, FPS
from benchmarks.service.client import END, PATH, frame_part, head, headers

if TYPE_CHECKING:
    from benchmarks.load.traffic import Traffic

SOME = random.Random(11)  # one order of chances for every run
_REPEATED, _FORGOTTEN = 0.1, 0.3
_SCAN_S = 120  # the API's promise


class Caller(FastHttpUser):
    """Whoever talks to the service."""

    abstract = True

    @property
    def traffic(self) -> Traffic:
        """What all share."""
        return self.environment.traffic

    def ask(
        self, method: str, path: str, *expected: int, name: str, headers: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers of an answer; a failure unless its status is an expected one."""
        sent = {"X-API-Key": self.traffic.key} if headers is None else headers
        with self.client.request(method, path, name=name, headers=sent, catch_response=True, **options) as answer:
            status = answer.status_code
            if status in expected:
                answer.success()
            else:
                answer.failure(f"status {status}")
                self.traffic.tally["no answer" if not status else "5xx" if status >= 500 else "unexpected"] += 1
            content = answer.content or b""
            found = json.loads(content) if content[:1] == b"{" else None
            return status, found, dict(answer.headers or {})

    def post(self, session: str, window_s: int, numbers: list[int], name: str) -> tuple[int, Any, dict[str, str]]:
        """Send frames of the film by their numbers."""
        film = self.traffic.frames
        parts = [frame_part(film[number % len(film)], number) for number in numbers]
        body = head(session, 1000 * window_s) + b"".join(parts) + END
        status, found, more = self.ask("POST", PATH, 200, 202, name=name, headers=headers(self.traffic.key), data=body)
        if SOME.random() < _REPEATED:
            again = self.ask(
                "POST", PATH, 200, 202, name="measure, repeated", headers=headers(self.traffic.key), data=body
            )
            self._compare(status, found, *again)
        return status, found, more

    def _compare(self, status: int, first: Any, status_again: int, again: Any, more: dict[str, str]) -> None:
        """A repeated request changes nothing, and one that completed a window gets the same measurement."""
        if not (first and again and first.get("data") and again.get("data")):
            return
        self.traffic.tally["repeated requests"] += 1
        same = "measurement_id" if status == 200 else "frames"
        replayed = {name.lower() for name in more} >= {"idempotent-replayed"}
        if (status, first["data"][same], status == 200) != (status_again, again["data"][same], replayed):
            self.traffic.tally["repeated requests answered otherwise"] += 1

    def finish(self, session: str, data: dict[str, Any]) -> None:
        """A window was completed: fetch the measurement, and now and then be forgotten."""
        tally, measurement = self.traffic.tally, data["measurement_id"]
        tally["windows completed"] += 1
        self.traffic.judge(data["heart_rate"])
        path = f"/api/rppg/measurements/{measurement}"
        status, found, _ = self.ask("GET", path, 200, name="measurement")
        if status == 200 and found["data"]["heart_rate"] != data["heart_rate"]:
            tally["measurements that changed"] += 1
        if SOME.random() < _FORGOTTEN:
            self.ask("DELETE", f"/api/rppg/sessions/{session}", 204, name="forget")
            tally["people forgotten"] += 1
            self.ask("GET", path, 404, name="measurement, forgotten")
        else:
            self.traffic.recent.append((session, measurement))


class BatchPerson(Caller):
    """Sends a second of frames every second."""

    weight = 6
    wait_time = between(0.5, 3)

    @task
    def measure(self) -> None:
        """Fill one window."""
        session, window_s = uuid.uuid4().hex, SOME.choice(self.traffic.windows_s)
        self.traffic.tally["windows begun"] += 1
        hub = gevent.get_hub().loop
        begun = hub.now()
        for second in range(window_s + 2):
            gevent.sleep(max(0.0, begun + (second + 1) / self.traffic.hurry - hub.now()))
            numbers = list(range(second * BATCH, (second + 1) * BATCH))
            status, found, _ = self.post(session, window_s, numbers, f"measure, {BATCH} frames")
            if status == 200:
                self.finish(session, found["data"])
                return
        self.traffic.tally["windows lost"] += 1


class SinglePerson(Caller):
    """Sends a frame when the last answer asked for it."""

    weight = 3
    wait_time = between(0.5, 3)

    @task
    def measure(self) -> None:
        """Fill one window."""
        session, window_s = uuid.uuid4().hex, SOME.choice(self.traffic.windows_s)
        self.traffic.tally["windows begun"] += 1
        hub = gevent.get_hub().loop
        begun, last = hub.now(), -1
        while hub.now() - begun < 2 * window_s + 10:
            last = max(last + 1, int((hub.now() - begun) * FPS))
            status, found, _ = self.post(session, window_s, [last], "measure, 1 frame")
            if status == 200:
                self.finish(session, found["data"])
                return
            paused = found["data"]["next_frame_in_ms"] if status == 202 else None
            gevent.sleep((1000 / FPS if paused is None else paused) / 1000)
        self.traffic.tally["windows lost"] += 1


class Reader(Caller):
    """Looks at keys, people, results and pages."""

    weight = 2
    wait_time = between(0.2, 1.5)

    @task(3)
    def key(self) -> None:
        """The key and its usage."""
        self.ask("GET", "/api/keys/me", 200, name="key")

    @task(3)
    def person(self) -> None:
        """Somebody who was measured; they may have been forgotten since."""
        session, measurement = SOME.choice(self.traffic.recent or [("nobody", "nothing")])
        self.ask("GET", f"/api/rppg/sessions/{session}", 200, 404, name="session")
        self.ask("GET", f"/api/rppg/measurements/{measurement}", 200, 404, name="measurement, later")

    @task
    def page(self) -> None:
        """What is public."""
        path = SOME.choice(("/", "/docs", "/playground", "/keys", "/openapi.json", "/health", "/ready"))
        self.ask("GET", path, 200, name="pages", headers={})


class Blunderer(Caller):
    """Sends what can't be measured."""

    fixed_count = 1
    wait_time = between(0.2, 1)

    @task
    def blunder(self) -> None:
        """One of several mistakes, each with its own answer."""
        image = self.traffic.frames[0]
        good = headers(self.traffic.key)
        start = head("blunderer", 30_000)
        mistakes = [
            (400, good, start + frame_part(b"no image at all", 0) + END),
            (400, good, start + frame_part(image[: len(image) // 2], 0) + END),
            (400, good, start + END),
            (400, good, head("no/name", 30_000) + frame_part(image, 0) + END),
            (400, good, start + frame_part(image, 0)),  # without its end
            (401, good | {"X-API-Key": "beam_sk_nobody"}, start + frame_part(image, 0) + END),
            (415, good | {"Content-Type": "text/plain"}, b"a text"),
        ]
        status, sent, body = SOME.choice(mistakes)
        self.ask("POST", PATH, status, name="measure, a mistake", headers=sent, data=body)
        self.ask("GET", "/api/rppg/nothing", 404, name="unknown path")
        self.traffic.tally["mistakes"] += 1


class Scanner(Caller):
    """Uploads a video and asks until it is measured."""

    fixed_count = 1
    wait_time = constant(1)

    @task
    def scan(self) -> None:
        """One session, to its end."""
        status, made, _ = self.ask("POST", "/api/v1/scan-session", 201, name="scan")
        if status != 201:
            return
        path = f"/api/v1/scan-session/{made['session_id']}"
        bearer = {"Authorization": f"Bearer {self.traffic.key}"}
        self.traffic.tally["scans begun"] += 1
        form = b'--v\r\nContent-Disposition: form-data; name="file"; filename="v.mp4"\r\n\r\n' + self.traffic.video
        sent = bearer | {"Content-Type": "multipart/form-data; boundary=v"}
        status, _, _ = self.ask(
            "POST", f"{path}/video", 202, name="scan, video", headers=sent, data=form + b"\r\n--v--\r\n"
        )
        if status != 202:
            return
        for _ in range(_SCAN_S):
            gevent.sleep(1)
            status, found, _ = self.ask("GET", f"{path}/vitals", 200, name="scan, vitals", headers=bearer)
            if status == 200 and found["status"] == "completed":
                self.traffic.tally["scans completed"] += 1
                self.traffic.judge(found["vitals"]["heart_rate"])
                return
            if status == 200 and found["status"] == "failed":
                self.traffic.tally["scans failed"] += 1
                return
        self.traffic.tally["scans lost"] += 1


EVERYBODY = (BatchPerson, SinglePerson, Reader, Blunderer, Scanner)
