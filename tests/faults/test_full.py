"""What has an end: the memory of Redis, the disk of the uploads, the disk of Redis."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest
import redis

from beam_api.server.embedded_redis import running_url
from tests import videos
from tests.faults.conftest import in_the_long_run, make_key
from tests.faults.traffic import BATCH, BATCHES, FPS, WINDOW_S, Book, Person
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str, int], Path]]:
    """Make a folder that holds so many MB: a disk of its own in memory."""
    made: list[Path] = []

    def make(name: str, megabytes: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "beam-test", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"a small disk can't be mounted here: {error}")
        made.append(folder)
        return folder

    yield make
    for folder in made:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room on a disk; the file that takes it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    return filler


def test_a_full_redis_is_a_503_that_leaves_every_window_as_it_was(start_service, tmp_path):
    service = start_service(tmp_path / "data")
    key = make_key(service)
    book = Book()
    half, whole = Person(service.url, key, "half", book), Person(service.url, key, "whole", book)
    whole.measure(0)
    for number in range(BATCHES // 2):
        half.send(0, number)
    with redis.Redis.from_url(running_url(service.data_dir)) as client:
        names = {name: client.dump(name) for name in client.scan_iter("beam:*half}*")}
        client.config_set("maxmemory", "1mb")
        try:
            form, files = half.request(0, BATCHES // 2)
            for _ in range(4):
                headers = {"X-API-Key": key}
                answer = httpx.post(f"{service.url}/api/rppg/measure", data=form, files=files, headers=headers)
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "STORE_UNAVAILABLE")
                assert int(answer.headers["Retry-After"]) >= 1
            assert service.get("/health").status_code == 200
            assert service.get("/docs", headers={}).status_code == 200
            assert {name: client.dump(name) for name in client.scan_iter("beam:*half}*")} == names
        finally:
            client.config_set("maxmemory", "0")
    for number in range(BATCHES // 2, BATCHES):
        answer = half.send(0, number)
    assert answer.json()["data"]["frames"] == FPS * WINDOW_S
    assert not book.again
    kept = service.get(f"/api/rppg/measurements/{book.delivered[0].data['measurement_id']}", headers={"X-API-Key": key})
    assert kept.status_code == 200
    half.close()
    whole.close()
    assert service.end() == 0


def test_an_upload_that_does_not_fit_is_a_503_and_leaves_no_file(start_service, tmp_path, small_disk):
    disk = small_disk("uploads", 4)
    service = start_service(tmp_path / "data", BEAM_SPOOL_URL=str(disk / "spool"))
    headers = {"Authorization": f"Bearer {make_key(service)}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=60) as client:
        session = client.post("/api/v1/scan-session").json()["session_id"]
        for _ in range(3):
            video = {"file": ("v.mp4", b"\0" * 6_000_000, "video/mp4")}
            answer = client.post(f"/api/v1/scan-session/{session}/video", files=video)
            assert answer.status_code == 503
            assert set(answer.json()) == {"detail"}
            assert int(answer.headers["Retry-After"]) >= 1
            assert list((disk / "spool").iterdir()) == []
        video = {"file": ("v.mp4", videos.blank(6), "video/mp4")}
        assert client.post(f"/api/v1/scan-session/{session}/video", files=video).status_code == 202
    assert service.end() == 0


@pytest.mark.parametrize("fsync", ["everysec", pytest.param("always", marks=in_the_long_run)])
def test_a_full_disk_of_redis_is_a_503_and_loses_nothing_that_was_answered(start_service, small_disk, fsync):
    disk = small_disk("redis", 8)
    service = start_service(disk / "data", BEAM_REDIS_FSYNC=fsync)
    key = make_key(service)
    person = Person(service.url, key, "person", Book())
    for number in range(BATCHES // 2):
        person.send(0, number)
    filler = fill(disk)
    other = Person(service.url, key, "other", Book())

    def is_full() -> bool:
        form, files = other.request(0, 0)
        answer = httpx.post(f"{service.url}/api/rppg/measure", data=form, files=files, headers={"X-API-Key": key})
        assert answer.status_code in (202, 503), answer.text
        return answer.status_code == 503

    assert wait_until(is_full, 20)
    assert service.get("/health").status_code == 200
    filler.unlink()
    assert wait_until(lambda: service.get("/ready").status_code == 200, 20)
    person.send(0, BATCHES // 2)
    if fsync == "always":
        os.kill(service.redis_pid(), signal.SIGKILL)
    for number in range(BATCHES // 2 + 1, BATCHES):
        data = person.send(0, number).json()["data"]
        assert data["frames"] == BATCH * (number + 1)
    person.close()
    other.close()
    assert service.end() == 0
