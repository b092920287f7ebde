"""Uploads in a folder and in an object store; the latter is played by fsspec's own, in memory."""

import socket
import time

import pytest

import beam_api.adapters.spool as spool_module
from beam_api.adapters.spool import Spool, session_of
from beam_api.exceptions import StoreUnavailable


@pytest.fixture(params=["folder", "file://", "memory://"])
def spool(request, tmp_path):
    urls = {
        "folder": str(tmp_path / "spool"),
        "file://": f"file://{tmp_path}/spool",
        "memory://": f"memory://{tmp_path}",
    }
    return Spool(urls[request.param])


def contents(spool, name):
    with spool.open(name) as file:
        return file.read_bytes() if hasattr(file, "read_bytes") else file.read()


def test_an_upload_is_kept_found_and_deleted(spool):
    assert spool.uploads() == []
    with spool.create("sess_1") as (name, file):
        file.write(b"first ")
        file.write(b"second")
    assert session_of(name) == "sess_1"
    assert contents(spool, name) == b"first second"
    ((listed, changed),) = spool.uploads()
    assert listed == name
    assert changed.tzinfo is not None
    assert spool.location(name).endswith(name)
    spool.delete(name)
    spool.delete(name)
    assert spool.uploads() == []


def test_an_upload_that_fails_is_not_kept(spool):
    def fail(file):
        file.write(b"some")
        raise ValueError("as it happens")

    with pytest.raises(ValueError, match="as it happens"), spool.create("sess_1") as (_, file):
        fail(file)
    assert spool.uploads() == []


def test_a_full_disk_is_reported_as_a_store_that_is_unavailable(tmp_path):
    def fail():
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreUnavailable), Spool(str(tmp_path / "spool")).create("sess_1"):
        fail()
    assert Spool(str(tmp_path / "spool")).uploads() == []
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable), Spool(str(tmp_path / "file" / "spool")).create("sess_1"):
        pass


def test_what_is_not_there_can_not_be_opened(spool):
    with pytest.raises(OSError), spool.open("nothing") as file:  # noqa: PT011 - whichever the store raises
        (file.read_bytes if hasattr(file, "read_bytes") else file.read)()


def test_an_object_store_that_is_silent_is_unavailable_in_bounded_time(monkeypatch):
    monkeypatch.setitem(spool_module._S3_LIMITS, "read_timeout", 1)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and says nothing
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        spool = Spool(f"s3://bucket/{time.time_ns()}")
        with pytest.raises(StoreUnavailable), spool.create("sess_1") as (_, file):
            file.write(b"something")
        assert time.monotonic() - start < 30  # three tries of a second or two, and as many to delete it again
