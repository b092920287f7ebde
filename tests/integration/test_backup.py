"""Keys survive the loss of their Redis: by an export, and by a copy of its append-only file."""

import json
import os
import shutil
import stat
import subprocess
import sys
from datetime import timedelta

import pytest

from beam_api import Settings, create_app
from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path):
    """Start a Redis on a new folder, or on a copy of one."""
    started = []

    def start(name, copied_from=None):
        folder = tmp_path / name
        if copied_from:
            shutil.copytree(copied_from, folder, ignore=shutil.ignore_patterns("run", "redis.lock"))
        started.append(EmbeddedRedis(folder))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


def beam(server, *arguments):
    env = os.environ | {"BEAM_DATA_DIR": str(server.data_dir), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "beam_api.cli", "keys", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def status_of(reader):
    """How a service on that Redis answers a key: 401, or 404 for a person that it doesn't know, and the key's limit."""

    def status_of(server, key):
        app = create_app(Settings(data_dir=server.data_dir, redis_url=server.url, log_level="ERROR"), reader=reader)
        answer = app.test_client().get("/api/rppg/sessions/nobody", headers={"X-API-Key": key})
        return answer.status_code, answer.headers["X-RateLimit-Limit"]

    return status_of


def make(server):
    """Three keys: one in use, one revoked, one that ends in a week."""
    keys = Keys(KeyStore(connect(server.url)))
    used = keys.create("clinic", tier="enterprise", limit_per_minute=1234)
    revoked = keys.create("former", tier="scan")
    keys.revoke(revoked.record.key_id)
    free = keys.create("signup", name="trial", life=timedelta(days=7))
    return used.key, revoked.key, free.key


def test_exported_keys_work_in_an_empty_redis(server, status_of, tmp_path):
    first = server("first")
    used, revoked, free = make(first)
    file = tmp_path / "keys.json"
    assert "3 keys written" in beam(first, "export", str(file)).stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for key in (used, revoked, free):
        assert key[24:] not in file.read_text()
    first.stop()

    second = server("second")
    assert status_of(second, used)[0] == 401
    assert "3 keys taken" in beam(second, "import", str(file)).stdout
    assert status_of(second, used) == (404, "1234")
    assert status_of(second, free) == (404, "100")
    assert status_of(second, revoked)[0] == 401
    listed = json.loads(beam(second, "list", "--json").stdout)
    assert {(key["owner"], key["name"], bool(key["revoked_at"]), bool(key["expires_at"])) for key in listed} == {
        ("clinic", "", False, False),
        ("former", "", True, False),
        ("signup", "trial", False, True),
    }


def test_an_import_changes_no_key_that_is_there(server, status_of, tmp_path):
    first = server("first")
    used, _, _ = make(first)
    file = tmp_path / "keys.json"
    beam(first, "export", str(file))
    keys = Keys(KeyStore(connect(first.url)))
    [record] = [record for record in keys.all() if record.owner == "clinic"]
    keys.revoke(record.key_id)
    assert "0 keys taken, 3 were there" in beam(first, "import", str(file)).stdout
    assert status_of(first, used)[0] == 401


def test_what_has_expired_is_not_taken_and_what_is_no_export_is_refused(server, tmp_path):
    first = server("first")
    make(first)
    file = tmp_path / "keys.json"
    beam(first, "export", str(file))
    content = json.loads(file.read_text())
    for key in content["keys"]:
        key["key_id"] = "x" + key["key_id"][1:]
        key["expires_at"] = "2020-01-01T00:00:00Z"
    file.write_text(json.dumps(content))
    assert "0 keys taken" in beam(first, "import", str(file)).stdout
    for broken in ("", "{}", '{"beam_keys": 9, "keys": []}', '{"beam_keys": 1, "keys": [{"key_id": "a"}]}', "[1]"):
        file.write_text(broken)
        refused = beam(first, "import", str(file))
        assert (refused.returncode, "no export of keys" in refused.stderr) == (1, True)
        assert "Traceback" not in refused.stderr


def test_a_copy_of_the_data_folder_is_a_backup_of_all(server, status_of):
    first = server("first")
    used, revoked, _ = make(first)
    first.stop()
    second = server("second", copied_from=first.data_dir)
    assert status_of(second, used) == (404, "1234")
    assert status_of(second, revoked)[0] == 401
