"""No byte of an image is left anywhere, however a request, a video or a process ends."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from beam_api.server.embedded_redis import EmbeddedRedis, running_url
from beam_api.services.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_api.store.scans import session_name
from tests import images, videos
from tests.integration.test_scanning import children
from tests.privacy.evidence import (
    Traces,
    Watch,
    files,
    open_files,
    read_open,
    shared_mappings,
    values,
    written,
)
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from tests.privacy.conftest import Service

pytestmark = pytest.mark.integration

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
            ours = self.service.processes().items()
            mothers = children(self.service.process.pid)
            found[:] = [p for p, c in ours if "beam_api.cli worker" in c and p in mothers and p != but]
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
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {2 * len(part)}\r\n\r\n"
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


@pytest.fixture(scope="module")
def scene(start_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Scene:
    temporary = tmp_path_factory.mktemp("temporary")
    began = time.time()
    service = start_service(tmp_path_factory.mktemp("privacy") / "data", TMPDIR=str(temporary))
    redis = connect(running_url(service.data_dir))
    key = Keys(KeyStore(redis)).create("o", tier="enterprise", limit_per_minute=100_000).key
    scene = Scene(service, redis, key, temporary, began=began)
    scene.video_worker()
    scene.temporary_changes.add(changed(temporary))

    def expected(target: str) -> bool:
        ours = (str(service.log), str(service.data_dir / "redis.lock"), str(service.data_dir / "spool"))
        return target.startswith((*ours, "/usr/", "/proc/")) or (
            target.startswith(str(service.data_dir)) and "appendonly" in target
        )

    with Watch(service.processes, scene.traces, expected) as scene.watch:
        film = videos.encoded()
        half_an_upload(scene, scene.traces.video("a video on its way to a process that is killed", film)[:2_000_000])
        orphaned = killed_worker(scene)  # the next one looks at once for what is left in the spool
        sent_before = scene.sent_bytes
        before = {pid: written(pid) for pid in scene.workers()}
        good_measurements(scene)
        bad_measurements(scene)
        scene.written_bytes["measuring"] = sum(written(pid) - count for pid, count in before.items())
        scene.written_bytes["sent"] = scene.sent_bytes - sent_before
        scene.temporary_changes.add(changed(temporary))
        killed_web_processes(scene)
        scans(scene)
        killed_scans(scene)
        assert ended(scene, orphaned) in ("completed", "failed")
        assert wait_until(lambda: not spooled(scene), 90)
    scene.temporary_changes.add(changed(temporary))
    redis.config_set("rdbcompression", "no")
    redis.save()
    return scene


def test_requests_ended_in_every_way(scene: Scene) -> None:
    """Else the tests below would look after too little."""
    codes = set().union(*scene.statuses.values())
    assert {200, 201, 202, 400, 401, 404, 405, 413, 415, 422, 429, 503} <= codes
    assert len(scene.traces.pieces) > 800
    assert scene.sent_bytes > 40 * 2**20


def test_redis_has_no_image(scene: Scene) -> None:
    kept = dict(values(scene.redis))
    assert len(kept) > 20
    assert {name: found for name, data in kept.items() if (found := scene.traces.found_in(data))} == {}


def test_nothing_on_the_disk_has_an_image(scene: Scene) -> None:
    """The data folder with Redis' dump and append-only file, which has all that ever was in Redis; spool; logs."""
    places = [scene.service.data_dir, scene.service.log.parent, scene.temporary]
    looked = dict(files(places))
    assert {"dump.rdb", "appendonly.aof"} <= {Path(name).name for name in looked}
    assert str(scene.service.log) in looked
    assert {name: found for name, data in looked.items() if (found := scene.traces.found_in(data))} == {}
    assert spooled(scene) == []


def test_nothing_is_left_in_the_machine_s_own_places(scene: Scene) -> None:
    """Only what this test has sent counts here: others leave things, too."""
    own = Traces(scene.traces.pieces)
    for name, data in files([Path("/dev/shm"), Path("/var/tmp")], scene.began):
        assert not [piece for piece in own.pieces if piece in data], name
    strangers = [p for p in Path("/tmp").iterdir() if p.is_file() and p.stat().st_mtime >= scene.began]
    for path in strangers:
        with suppress(OSError):
            data = path.read_bytes()
            assert not [piece for piece in own.pieces if piece in data], path


def test_no_temporary_file_was_ever_made(scene: Scene) -> None:
    assert list(scene.temporary.iterdir()) == []
    assert len(scene.temporary_changes) == 1


def test_web_processes_wrote_next_to_nothing_while_they_measured(scene: Scene) -> None:
    """To whatever file, with a name or without: their lines in the log are some hundred bytes a request."""
    requests = sum(len(found) for found in scene.statuses.values())
    assert 0 < scene.written_bytes["measuring"] < 0.005 * scene.written_bytes["sent"]
    assert requests > 30


def test_processes_hold_no_file_or_memory_with_an_image(scene: Scene) -> None:
    pids = scene.service.processes()
    held = {target: read_open(fd) for target, fd in open_files(pids)}
    assert str(scene.service.log) in held
    assert {target: found for target, data in held.items() if (found := scene.traces.found_in(data))} == {}
    assert {path for path in shared_mappings(pids) if not any(known in path for known in MAPPED)} == set()


def test_no_file_but_the_known_ones_was_open_at_any_time(scene: Scene) -> None:
    assert scene.watch
    assert scene.watch.looks > 20
    assert scene.watch.found == set()
    assert {target for target in scene.watch.unexpected if not is_code_or_heartbeat(target, scene)} == set()


def is_code_or_heartbeat(target: str, scene: Scene) -> bool:
    """What Python and libraries load, gunicorn's heartbeat (an empty file), Redis' drafts of its own file, its log."""
    root = str(Path(__file__).parents[2])
    code = target.startswith((root, os.path.realpath(os.sys.prefix), os.path.realpath(os.sys.base_prefix), "/sys/"))  # type: ignore[attr-defined]
    in_data = target.startswith(str(scene.service.data_dir))
    in_memory = any(known in target for known in MAPPED)
    return code or in_memory or (in_data and ("temp-" in target or target.endswith((".log", ".rdb"))))


def test_no_process_can_leave_a_core(scene: Scene) -> None:
    for pid in scene.service.processes():
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert [line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")] == ["0"]


# The search itself: what is planted is found --------------------------------------------------------------------


@pytest.fixture
def traces() -> Traces:
    return Traces()


def test_an_image_in_redis_would_be_found(traces: Traces, tmp_path: Path) -> None:
    picture = traces.picture("planted", images.jpeg(images.still_face()))
    with EmbeddedRedis(tmp_path) as server:
        redis = connect(server.url)
        redis.set("string", b"x" + picture)
        redis.hset("hash", "field", picture)
        redis.rpush("list", b"a", picture[1000:])
        redis.zadd("zset", {picture[2000:]: 1})
        redis.sadd("set", picture)
        redis.xadd("stream", {"field": picture})
        found = {name: traces.found_in(data) for name, data in values(redis)}
        assert len(found) == 6
        assert all(found.values())
        redis.flushall()
        assert list(values(redis)) == []
        redis.connection_pool.disconnect()
        kept = [traces.found_in(data) for name, data in files([tmp_path]) if name.endswith("appendonly.aof")]
        assert kept
        assert kept[0]


@pytest.mark.parametrize("form", ["file", "pixels", "base64", "another image", "a video", "a PNG"])
def test_an_image_on_the_disk_would_be_found_in_every_form(traces: Traces, tmp_path: Path, form: str) -> None:
    image = images.still_face()
    picture = traces.picture("planted", images.jpeg(image))
    import base64

    import simplejpeg

    left = {
        "file": picture[200:],
        "pixels": simplejpeg.decode_jpeg(picture, colorspace="BGR").tobytes(),
        "base64": base64.b64encode(picture),
        "another image": images.jpeg(images.wall()),
        "a video": videos.blank(1),
        "a PNG": images.png(image),
    }[form]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"before" + left)
    assert next(traces.found_in(data) for _, data in files([tmp_path]))


def test_a_temporary_file_would_be_found_and_its_bytes_counted(traces: Traces, tmp_path: Path) -> None:
    picture = traces.picture("planted", images.jpeg(images.still_face()))
    before, count = changed(tmp_path), written(os.getpid())
    time.sleep(0.02)
    with Watch(lambda: [os.getpid()], traces, lambda target: not target.startswith(str(tmp_path))) as watch:
        nameless = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR, 0o600)
        os.write(nameless, picture)
        assert wait_until(lambda: bool(watch.found))
        os.close(nameless)
    assert written(os.getpid()) - count >= len(picture)
    assert changed(tmp_path) == before  # which is why bytes are counted as well
    (tmp_path / "named").write_bytes(picture)
    (tmp_path / "named").unlink()
    assert changed(tmp_path) != before


def test_random_bytes_look_like_no_image(traces: Traces) -> None:
    assert traces.found_in(np.random.default_rng(7).bytes(8 * 2**20)) == []
