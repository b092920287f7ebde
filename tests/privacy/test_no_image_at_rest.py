"""No byte of an image is left anywhere, however a request, a video or a process ends."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from tests import videos
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

    from tests.services import Service

from tests.privacy.endings import (
    bad_measurements,
    changed,
    ended,
    good_measurements,
    half_an_upload,
    killed_scans,
    killed_web_processes,
    killed_worker,
    scans,
    spooled,
)
from tests.privacy.scene import MAPPED, Scene

pytestmark = pytest.mark.integration


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
