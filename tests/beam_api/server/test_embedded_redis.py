import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beam_api.server import embedded_redis
from beam_api.server.embedded_redis import (
    DataDirInUse,
    EmbeddedRedis,
    RedisNotRunning,
    ServerBinary,
    find_binary,
    running_url,
)
from beam_api.store.client import connect
from tests.processes import running, wait_until


def test_the_bundled_server_comes_first_and_one_on_path_second(monkeypatch):
    bundled = find_binary()
    assert bundled.source == "bundled"
    monkeypatch.setattr(embedded_redis, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", str(bundled.path.parent))
    assert find_binary() == ServerBinary(bundled.path, "PATH", "redis", bundled.version)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RedisNotRunning, match="BEAM_REDIS_URL"):
        find_binary()


def test_data_is_kept_apart_by_server_version():
    def folder(flavour, version):
        return ServerBinary(Path("/x"), "PATH", flavour, version).data_folder

    assert folder("redis", "6.2.14") == folder("redis", "6.2.7") == "redis-6.2"
    assert len({folder("redis", "6.2.14"), folder("redis", "7.2.4"), folder("valkey", "7.2.4")}) == 3


def test_it_is_reached_by_a_private_socket_alone(redis_server):
    assert redis_server.socket.parent.stat().st_mode & 0o777 == 0o700
    assert redis_server.data_dir.stat().st_mode & 0o777 == 0o700
    config = connect(redis_server.url).config_get("*")
    assert config["port"] == "0"
    assert (config["appendonly"], config["appendfsync"]) == ("yes", "everysec")


def test_it_can_be_asked_to_flush_before_it_answers(tmp_path):
    with EmbeddedRedis(tmp_path, fsync="always") as server:
        assert connect(server.url).config_get("appendfsync") == {"appendfsync": "always"}


def test_a_deep_data_directory_gets_a_short_socket_path(tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with EmbeddedRedis(deep) as server:
        assert len(str(server.socket)) < 100
        assert not server.socket.is_relative_to(deep)
        assert server.socket.parent.stat().st_mode & 0o777 == 0o700
        assert running_url(deep) == server.url
        assert connect(server.url).ping()


def test_a_folder_of_someone_else_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RedisNotRunning, match="belongs to somebody else"):
        EmbeddedRedis(tmp_path / "data").start()


def test_a_second_service_on_the_same_directory_gets_a_clear_error(redis_server, monkeypatch):
    monkeypatch.setattr("beam_api.server.embedded_redis.LOCK_WAIT_S", 0.1)
    with pytest.raises(DataDirInUse, match="Another service is running"):
        EmbeddedRedis(redis_server.data_dir).start()
    assert connect(running_url(redis_server.data_dir)).ping()


def test_nothing_is_running_before_the_start_and_after_the_stop(tmp_path):
    with pytest.raises(RedisNotRunning, match="beam serve"):
        running_url(tmp_path)
    with EmbeddedRedis(tmp_path) as server:
        pid = server.pid or 0
    assert pid
    assert not running(pid)
    with pytest.raises(RedisNotRunning, match="beam serve"):
        running_url(tmp_path)


def test_a_restart_keeps_the_data(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        connect(server.url).set("kept", "yes")
    with EmbeddedRedis(tmp_path) as server:
        assert connect(server.url).get("kept") == b"yes"


def test_a_server_that_dies_is_started_again_with_its_data(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        client = connect(server.url)
        client.set("kept", "yes")
        client.execute_command("WAITAOF", 1, 0, 1000) if server.binary.version >= "7.2" else time.sleep(1.1)
        first = server.pid
        assert first
        os.kill(first, signal.SIGKILL)
        assert wait_until(lambda: server.pid is None)
        assert server.revive()
        assert server.pid != first
        assert not server.revive()
        assert client.get("kept") == b"yes"


def test_what_was_deleted_goes_from_the_disk_when_the_file_is_written_anew(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        client = connect(server.url)
        client.set("kept", "still here")
        client.set("person", "anna schmidt")
        client.delete("person")
        assert wait_until(lambda: b"anna schmidt" in on_disk(tmp_path))
        server.compact()
        assert wait_until(lambda: b"anna schmidt" not in on_disk(tmp_path))
        client.set("later", "too")
        server.compact()
        server.compact()  # at it already
    with EmbeddedRedis(tmp_path) as server:
        assert connect(server.url).mget("kept", "person", "later") == [b"still here", None, b"too"]


def on_disk(folder):
    found = b""
    for path in folder.rglob("*"):
        try:
            found += path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # a draft that has become the file
            continue
    return found


def test_a_server_that_is_unavailable_is_not_asked_to_write(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until(lambda: server.pid is None)
        server.compact()


def test_a_server_that_cannot_start_says_why(tmp_path):
    server = EmbeddedRedis(tmp_path, ServerBinary(Path("/bin/false"), "PATH", "redis", "6.2"))
    with pytest.raises(RedisNotRunning, match="did not start"):
        server.start()
    with EmbeddedRedis(tmp_path) as after:
        assert after.pid


def test_it_dies_with_a_parent_that_is_killed(tmp_path):
    script = f"""
import pathlib, time
from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.monitoring.logs import configure_logging
configure_logging(20)
server = EmbeddedRedis(pathlib.Path({str(tmp_path)!r}))
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        pid = int(parent.stdout.readline())
        assert running(pid)
        parent.kill()
    assert wait_until(lambda: not running(pid))
    with EmbeddedRedis(tmp_path) as successor:  # the lock went with it
        assert successor.pid
