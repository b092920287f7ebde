"""Record the examples of the OpenAPI document: every documented response, from a service that runs.

`python -m tests.integration.record_examples` writes beam_api/web/reference/examples.json. Keys and secrets in it are of
that service, which is gone.

A new answer needs a line here that provokes it. Answers without a key, over the limit and without Redis are provoked
for every route that documents them.
"""

from __future__ import annotations

import http.client
import json
import re
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from redis import Redis

from beam_api.services.access.keys import Keys
from beam_api.services.access.signup import SIGNUPS_AN_HOUR
from beam_api.store.keys import KeyStore
from beam_api.web.reference.examples import example_name
from beam_api.web.reference.operations import operations
from rppg_core.face.exchange import SAMPLE_VERSION
from rppg_core.face.reader import FaceReader
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests import redis_servers, videos
from tests.beam_api.services.scans.test_webhook_delivery import Receiver
from tests.beam_api.web.sampling import read_rows
from tests.processes import wait_until
from tests.services import services

if TYPE_CHECKING:
    from rppg_core.face.reader import Frame

EXAMPLES = Path(str(resources.files("beam_api.web") / "reference" / "examples.json"))
SCENE = Scene(heart_rate_bpm=72.0, duration_s=31.0, fps=15.0, sway=0.01, frame_size=(360, 330), eyes_px=45.0, seed=4)
START_US = 1_750_000_000_000_000
SHOWN_AT = 0.4  # how full a window is in the example of one
LINES_OF_TEXT = 12
UNKNOWN = {"measurement_id": "msr_" + "0" * 32, "session_id": "sess_20260101000000_0123456789abcdef"}
JSON = {"Content-Type": "application/json"}
NO_IMAGE = {"frame": ("frame.jpg", b"")}


class Recorder:
    """Asks the service, and keeps what it answers to each operation, by status and type."""

    def __init__(self, url: str, store: Redis) -> None:
        self.url = url
        self.document = httpx.get(f"{url}/openapi.json").json()
        self.answers: dict[str, dict[str, Any]] = {o["operationId"]: {} for _, _, o in operations(self.document)}
        self.keys = Keys(KeyStore(store))
        self.key = self.keys.create("My clinic", tier="enterprise").key

    def ask(self, method: str, path: str, *, keep: bool = True, **options: Any) -> httpx.Response:
        """Send a request with the key, unless it has headers that say otherwise, and keep the answer."""
        headers = {"X-API-Key": self.key} | options.pop("headers", {})
        sent = {name: value for name, value in headers.items() if value}
        answer = httpx.request(method, self.url + path, headers=sent, timeout=60, **options)
        if keep:
            media_type = answer.headers.get("Content-Type", "").partition(";")[0]
            self.keep(method, path, answer.status_code, answer.text, media_type)
        return answer

    def keep(self, method: str, path: str, status: int, text: str, media_type: str = "application/json") -> None:
        """Keep an answer that has content, if the document has its status; of a long text the first lines."""
        for found, template, operation in operations(self.document):
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
            if found == method.lower() and re.fullmatch(pattern, path.partition("?")[0]):
                if media_type in operation["responses"].get(str(status), {}).get("content", {}):
                    kept = json.loads(text) if media_type.endswith("json") else _beginning(text)
                    self.answers[operation["operationId"]][example_name(str(status), media_type)] = kept
                return

    def everywhere(self, status: int, key: str | None = None, *, but: tuple[str, ...] = ()) -> None:
        """Ask every operation that documents this status, about things that nobody knows.

        `key` is sent instead of the recorder's; an empty one is none. `but` are names of operations to pass over.
        """
        headers = {} if key is None else {"X-API-Key": key}
        for method, template, operation in operations(self.document):
            if str(status) in operation["responses"] and operation["operationId"] not in but:
                answer = self.ask(method.upper(), template.format(**UNKNOWN), headers=headers)
                assert answer.status_code == status, (method, template, answer.status_code, answer.text)

    def missing(self) -> list[tuple[str, str]]:
        """Documented responses with content and without an example."""
        return [
            (operation["operationId"], name)
            for _, _, operation in operations(self.document)
            for status, response in operation["responses"].items()
            for name in (example_name(status, media_type) for media_type in response.get("content", {}))
            if name not in self.answers[operation["operationId"]]
        ]


def _beginning(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[:LINES_OF_TEXT])


def measuring(to: Recorder) -> None:
    """The measure API: a face of which one window is measured, and one is begun."""
    frames = list(simulate_face(SCENE).frames(START_US))
    measured = None
    for at in range(0, len(frames), 15):
        answer = _post(to, frames[at : at + 15])
        data = answer.json()["data"]
        if answer.status_code == 200:
            measured = data["measurement_id"]
            to.keep("POST", "/api/rppg/measure", 200, answer.text)
        elif measured is None and data["progress"] <= SHOWN_AT:
            to.keep("POST", "/api/rppg/measure", 202, answer.text)
            to.ask("GET", "/api/rppg/sessions/anna")
    for form in ("", "?format=fhir", "?format=x"):
        to.ask("GET", f"/api/rppg/measurements/{measured}{form}")
    for limit in ("", "?limit=0"):
        to.ask("GET", f"/api/rppg/sessions/anna/trend{limit}")
    _follow(to, measured)
    to.ask("DELETE", "/api/rppg/sessions/anna")
    to.ask("POST", "/api/rppg/check", files={"frame": ("frame.jpg", frames[0].data)})
    to.ask("POST", "/api/rppg/measure", data={"final": "true", "session_id": "nobody"})
    for path in ("/api/rppg/measure", "/api/rppg/check"):
        to.ask("POST", path, files=NO_IMAGE)
        to.ask("POST", path, files={"frame": ("frame.jpg", bytes(9 * 2**20))})
        to.ask("POST", path, json={})
    for path in ("measurements/nobody", "sessions/nobody", "sessions/nobody/trend", "sessions/no name/events"):
        to.ask("GET", f"/api/rppg/{path}")
    to.ask("DELETE", "/api/rppg/sessions/no name")


def _post(to: Recorder, frames: list[Frame]) -> httpx.Response:
    files = [("frame", ("frame.jpg", frame.data)) for frame in frames]
    times = {"timestamp_ms": [repr(frame.time_us / 1000) for frame in frames], "session_id": "anna"}
    return to.ask("POST", "/api/rppg/measure", keep=False, files=files, data=times)


def _follow(to: Recorder, measured: str | None) -> None:
    """The first event that a listener hears who comes again."""
    path, headers = "/api/rppg/sessions/anna/events", {"X-API-Key": to.key, "Last-Event-ID": "msr_none"}
    with httpx.stream("GET", to.url + path, headers=headers, timeout=30) as stream:
        heard = ""
        for piece in stream.iter_text():
            heard += piece
            if f"id: {measured}" in heard and heard.endswith("\n\n"):
                break
    event = next(part for part in heard.split("\n\n") if f"id: {measured}" in part)
    to.keep("GET", path, 200, event + "\n\n", "text/event-stream")


def colours(to: Recorder) -> None:
    """Samples instead of frames, and tokens for those who send them."""
    to.ask("GET", "/reader.json", headers={"X-API-Key": ""})
    rows = read_rows(FaceReader(), [list(simulate_face(SCENE).frames(START_US))])[0]
    body = {"sample_version": SAMPLE_VERSION, "frame_size": list(SCENE.frame_size), "session_id": "ben"}
    for at in range(0, len(rows), 60):
        to.ask("POST", "/api/rppg/samples", json={**body, "samples": rows[at : at + 60]})
    to.ask("POST", "/api/rppg/samples", json={**body, "samples": [{**rows[0], "pose": []}]})
    to.ask("POST", "/api/rppg/samples", headers=JSON, content=b" " * 2 * 2**20)
    to.ask("POST", "/api/rppg/samples", content=b"samples")
    to.ask("POST", "/api/rppg/samples", json={"final": True, "session_id": "nobody"})
    path = "/api/keys/me/tokens"
    token = to.ask("POST", path, json={"session_id": "ben"}).json()["data"]["token"]
    to.ask("POST", path, json={"session_id": "ben", "ttl_s": 10**6})
    to.ask("POST", path, headers=JSON, content=b" " * 2**20)
    to.ask("POST", path, content=b"session")
    as_token = {"X-API-Key": token}
    to.ask("POST", "/api/rppg/samples", headers=as_token, json={**body, "session_id": "anna", "samples": rows[:1]})
    picture = {"frame": ("frame.jpg", next(simulate_face(SCENE).frames(START_US)).data)}
    to.ask("POST", "/api/rppg/measure", headers=as_token, files=picture, data={"session_id": "anna"})
    to.everywhere(403, token, but=("measure", "measureSamples", "checkPicture", "createKey"))


def keys(to: Recorder) -> None:
    """Keys of the public, and webhook secrets."""
    to.ask("POST", "/api/keys", headers=JSON, content=b'{"name": 1}')
    to.ask("POST", "/api/keys", headers=JSON, content=b" " * 17 * 1024)
    to.ask("POST", "/api/keys", content=b"name")
    to.ask("POST", "/api/keys", headers={"Sec-Fetch-Site": "cross-site"})
    made = to.ask("POST", "/api/keys", json={"name": "my first try"}).json()["data"]["key"]
    to.ask("GET", "/api/keys/me", headers={"X-API-Key": made})
    rotated = to.ask("POST", "/api/keys/me/rotate", headers={"X-API-Key": made}).json()["data"]["key"]
    to.ask("DELETE", "/api/keys/me", headers={"X-API-Key": rotated})
    to.ask("GET", "/api/keys/me/webhook-secret")
    to.ask("POST", "/api/keys/me/webhook-secret/rotate")
    made = to.answers["createKey"]["201"]
    for _ in range(SIGNUPS_AN_HOUR):
        to.ask("POST", "/api/keys")
    to.answers["createKey"]["201"] = made


def scans(to: Recorder) -> None:
    """The scan API: a video that is scanned, and what can't be."""
    receiver = Receiver()
    body = {"webhook_url": receiver.url()}
    session = to.ask("POST", "/api/v1/scan-session", json=body).json()["session_id"]
    to.ask("POST", "/api/v1/scan-session", content=b"[]")
    to.ask("POST", "/api/v1/scan-session", json={"webhook_url": "http://10.0.0.1/"})
    path = f"/api/v1/scan-session/{session}"
    to.ask("POST", f"{path}/video", files={"file": ("v.mp4", videos.blank(2))})
    to.ask("POST", f"{path}/video", files={"other": ("v.mp4", b"")})
    to.ask("POST", f"{path}/video", json={})
    _too_large(to, f"{path}/video")
    to.ask("POST", f"{path}/video", files={"file": ("v.mp4", videos.encoded())})
    to.ask("POST", f"{path}/video", files={"file": ("v.mp4", videos.encoded())})

    def ended() -> bool:
        time.sleep(0.2)
        return to.ask("GET", f"{path}/vitals").json()["status"] == "completed"

    assert wait_until(ended, 60)
    assert wait_until(lambda: bool(to.ask("GET", f"{path}/deliveries").json()["deliveries"]), 30)
    receiver.shutdown()
    unknown = f"/api/v1/scan-session/{UNKNOWN['session_id']}"
    to.ask("POST", f"{unknown}/video", files={"file": ("v.mp4", videos.encoded())})
    for name in ("vitals", "deliveries"):
        to.ask("GET", f"{unknown}/{name}")
    to.ask("DELETE", unknown)


def scans_used_up(to: Recorder) -> None:
    """One video more than the budget of scans has room for."""
    session = to.ask("POST", "/api/v1/scan-session", keep=False).json()["session_id"]
    answer = to.ask("POST", f"/api/v1/scan-session/{session}/video", files={"file": ("v.mp4", videos.encoded())})
    assert answer.status_code == 429, answer.text


def _too_large(to: Recorder, path: str) -> None:
    """Announce a video that is too large, and send none of it."""
    connection = http.client.HTTPConnection(urlsplit(to.url).netloc, timeout=60)
    connection.putrequest("POST", path)
    connection.putheader("X-API-Key", to.key)
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(2**30))
    connection.endheaders()
    answer = connection.getresponse()
    to.keep("POST", path, answer.status, answer.read().decode())
    connection.close()


def operating(to: Recorder) -> None:
    """What an operator asks."""
    for path in ("/health", "/ready", "/metrics"):
        to.ask("GET", path)
    to.ask("GET", "/metrics", headers={"X-Forwarded-For": "192.0.2.1"})


def record(folder: Path) -> dict[str, Any]:
    """The answers of a service that is started for it, and loses its Redis in the end."""
    server = redis_servers.Server(redis_servers.binary("bundled"), folder / "redis", redis_servers.free_port(), {})
    server.start()
    try:
        with services() as start, server.client() as plain, Redis(port=server.port) as store:
            plain.ping()
            service = start(
                folder / "data", BEAM_REDIS_URL=server.url, BEAM_WEBHOOK_ALLOW="127.0.0.1", BEAM_SCAN_BUDGET_S="7"
            )
            to = Recorder(service.url, store)
            for part in (operating, measuring, colours, scans, keys):
                part(to)
            to.everywhere(401, "")
            limited = to.keys.create("limited", tier="enterprise", limit_per_minute=1).key
            to.ask("GET", "/api/keys/me", keep=False, headers={"X-API-Key": limited})
            to.everywhere(429, limited)
            scans_used_up(to)
            server.kill()
            to.everywhere(503)
    finally:
        server.kill()
    assert not to.missing(), f"no example of {to.missing()}: ask for it in {__file__}"
    return to.answers


def main() -> None:
    """Write what was recorded: a line for each answer, so that changes can be read."""
    with tempfile.TemporaryDirectory() as folder:
        answers = record(Path(folder))
    blocks = [
        f" {json.dumps(name)}: {{\n"
        + ",\n".join(f"  {json.dumps(status)}: {json.dumps(found[status])}" for status in sorted(found))
        + "\n }"
        for name, found in answers.items()
    ]
    EXAMPLES.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


if __name__ == "__main__":
    main()
