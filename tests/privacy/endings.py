"""The ways in which requests, videos and processes end, each with images of its own."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from beam_api.server.http_head import MOST_COLLECTED
from beam_api.services.access.keys import Keys
from beam_api.store.keys import KeyStore
from beam_api.store.scans import session_name
from tests import images, videos
from tests.integration.test_scanning import children
from tests.privacy.scene import MEASURE, START_MS, Scene, face, measure
from tests.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def good_measurements(scene: Scene) -> None:
    batch = [face(scene, f"a frame of a batch, {i}", 80 + i) for i in range(5)]
    assert measure(scene, "batch", batch, session_id="batch").status_code == 200
    assert measure(scene, "batch again", batch, session_id="batch").headers["Idempotent-Replayed"] == "true"
    for i in range(5):
        single = [face(scene, f"a single frame, {i}", 85 + i)]
        answer = measure(scene, "single", single, START_MS + 2000 * i, session_id="single", include_raw="true")
    assert answer.status_code == 200
    picture = scene.traces.file("a PNG", images.png(images.still_face(eyes_px=40.0, frame_size=(240, 220))))
    assert measure(scene, "PNG", [picture] * 2, session_id="png").status_code == 202
    large = images.still_face()
    many = [scene.traces.picture(f"a large frame, {i}", images.jpeg(large, 95 - i % 10)) for i in range(30)]
    for start in (0, 100_000):
        assert measure(scene, "many", many, START_MS + start, session_id="many").status_code in (200, 202)


def bad_measurements(scene: Scene) -> None:
    good = face(scene, "a good frame among bad ones")
    wall = scene.traces.picture("a wall", images.jpeg(images.wall()))
    large = scene.traces.file("a file beyond the limit", wall + os.urandom(8 * 2**20))
    bad = {
        "truncated": face(scene, "a truncated frame")[:-3000],
        "corrupt": face(scene, "a corrupt frame").replace(b"\xff\xda", b"\xff\xdb", 1),
        "huge header": images.huge_header() + face(scene, "what follows a huge header"),
        "text": b"this is no image " + face(scene, "what follows a text"),
        "GIF": b"GIF89a" + face(scene, "what follows GIF89a"),
        "grey": scene.traces.picture("a grey frame", images.grey_jpeg(images.still_face())),
        "wall": wall,
    }
    for what, data in bad.items():
        assert measure(scene, what, [data]).status_code == 400
        assert measure(scene, f"{what} among good ones", [good, data], session_id=what[:4]).status_code == 202
    assert measure(scene, "too large a file", [large]).status_code == 413
    assert measure(scene, "too many", [wall] * 65).status_code == 400
    whole = {"frame": ("f", wall)}
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    head = b'--b\r\nContent-Disposition: form-data; name="frame"; filename="f"\r\n\r\n'
    over = b"".join(head + large + b"\r\n" for _ in range(4))
    scene.ask("too large a body", "POST", MEASURE, content=over + b"--b--\r\n", headers=kind)
    scene.ask("too large, in chunks", "POST", MEASURE, content=iter([over]), headers=kind)
    scene.ask("no end", "POST", MEASURE, content=head + wall, headers=kind)
    scene.ask("another field", "POST", MEASURE, files={"picture": ("f", wall)})
    scene.ask("a field, no file", "POST", MEASURE, content=head.replace(b"; filename", b"; f") + wall, headers=kind)
    scene.ask("no times", "POST", MEASURE, files=[("frame", ("f", wall))] * 2)
    scene.ask("bad times", "POST", MEASURE, files=whole, data={"timestamp_ms": "-1"})
    scene.ask("a bare image", "POST", MEASURE, content=wall, headers={"Content-Type": "image/jpeg"})
    scene.ask("JSON", "POST", MEASURE, json={"frame": wall.hex()})
    scene.ask("no key", "POST", MEASURE, key="", files=whole)
    scene.ask("a bad key", "POST", MEASURE, key="wrong", files=whole)
    scene.ask("nowhere", "POST", "/api/rppg/nowhere", files=whole)
    scene.ask("another method", "PUT", MEASURE, files=whole)
    scene.ask("signing up", "POST", "/api/keys", content=wall, headers={"Content-Type": "application/json"})
    scene.ask("a health check", "GET", "/health", content=wall)
    limited = Keys(KeyStore(scene.redis)).create("o", tier="enterprise", limit_per_minute=1).key
    for _ in range(2):
        scene.ask("at the limit", "POST", MEASURE, key=limited, files=whole)
    process = scene.service.redis_pid()
    os.kill(process, signal.SIGSTOP)
    try:
        scene.ask("without a store", "POST", MEASURE, files=whole)
    finally:
        os.kill(process, signal.SIGCONT)


def killed_web_processes(scene: Scene) -> None:
    """Requests are cut in the middle by a client that goes, and by processes that are killed."""
    frame = face(scene, "a frame of a request that was cut")
    address = urlsplit(scene.service.url)
    head = b'--b\r\nContent-Disposition: form-data; name="frame"; filename="f"\r\n\r\n' + frame
    request = (
        f"POST {MEASURE} HTTP/1.1\r\nHost: x\r\nX-API-Key: {scene.key}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {10 * len(head)}\r\n\r\n"
    ).encode()
    for end in ("client", "server"):
        cut = [socket.create_connection((address.hostname or "", address.port or 0), timeout=20) for _ in range(4)]
        for connection in cut:
            connection.sendall(request + head * 5)
        time.sleep(0.5)
        if end == "server":
            before = scene.workers()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            assert wait_until(lambda old=before: len(set(scene.workers()) - set(old)) == 2, 30)
        for connection in cut:
            connection.close()
    assert wait_until(lambda: scene.service.get("/ready").status_code == 200, 30)


def scan(scene: Scene, what: str, data: bytes) -> tuple[str, int]:
    session = scene.ask("a session", "POST", "/v1/scan-session").json()["session_id"]
    answer = scene.ask(what, "POST", f"/v1/scan-session/{session}/video", files={"file": ("v.mp4", data)})
    return session, answer.status_code


def ended(scene: Scene, session: str) -> str:
    status: list[str] = []

    def has_ended() -> bool:
        time.sleep(0.1)
        status.append(httpx_get(scene, f"/v1/scan-session/{session}/vitals").json()["status"])
        return status[-1] in ("completed", "failed")

    assert wait_until(has_ended, 120)
    return status[-1]


def httpx_get(scene: Scene, path: str) -> httpx.Response:
    return httpx.get(scene.service.url + path, headers={"X-API-Key": scene.key}, timeout=60)


def scans(scene: Scene) -> None:
    film = videos.encoded()
    scene.video_worker()
    completed, status = scan(scene, "a video", scene.traces.video("a video that is completed", film))
    assert status == 202
    assert ended(scene, completed) == "completed"
    failed, status = scan(scene, "a room", scene.traces.video("a video that fails", videos.blank(6)))
    assert status == 202
    assert ended(scene, failed) == "failed"
    assert scan(scene, "an image as a video", face(scene, "an image as a video"))[1] == 400
    assert scan(scene, "a cut video", scene.traces.video("a cut video", film)[:200_000])[1] in (400, 422)
    assert scan(scene, "a short video", scene.traces.video("a short video", videos.blank(2)))[1] == 422


def killed_scans(scene: Scene) -> None:
    """The child that works on a video is killed, twice."""
    film = videos.encoded()
    worker = scene.video_worker()
    session, _ = scan(scene, "a video whose worker dies", scene.traces.video("a video whose worker dies", film))
    for attempt in (b"1", b"2"):
        assert wait_until(lambda n=attempt: scene.redis.hget(session_name(session), "tries") == n, 60)
        for child in children(worker):
            os.kill(child, signal.SIGKILL)
    assert ended(scene, session) == "failed"


def killed_worker(scene: Scene) -> str:
    """A session whose video's worker is killed with its child. Another takes it up when the lease has run out."""
    film = scene.traces.video("a video and its killed worker", videos.encoded())
    worker = scene.video_worker()
    session, _ = scan(scene, "a video whose worker is killed", film)
    assert wait_until(lambda: bool(children(worker)), 30)
    os.kill(worker, signal.SIGKILL)
    scene.video_worker(but=worker)
    return session


def half_an_upload(scene: Scene, data: bytes) -> None:
    """Begin to upload a video, and kill the web processes when some of it is in the spool; there it is left."""
    session = scene.ask("a session", "POST", "/v1/scan-session").json()["session_id"]
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="v"\r\n\r\n' + data
    address = urlsplit(scene.service.url)
    request = (
        f"POST /v1/scan-session/{session}/video HTTP/1.1\r\nHost: x\r\nX-API-Key: {scene.key}\r\n"
        # So long a body is not collected in memory before the spool has it.
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {MOST_COLLECTED + 1}\r\n\r\n"
    ).encode()
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        connection.sendall(request + part)
        assert wait_until(lambda: bool(spooled(scene)), 20)
        for pid in scene.workers():
            os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: len(scene.workers()) == 2 and scene.service.get("/ready").status_code == 200, 30)
    (orphan,) = spooled(scene)
    long_ago = time.time() - 100
    os.utime(orphan, (long_ago, long_ago))  # else the sweep would wait for a minute and a half


def spooled(scene: Scene) -> list[Path]:
    return list((scene.service.data_dir / "spool").glob("*"))


def changed(folder: Path) -> int:
    """Changes whenever a name comes into a folder or goes, be it for a moment."""
    return folder.stat().st_mtime_ns
