import json
import re
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner

from beam_api.cli import main
from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.store.client import connect


@pytest.fixture
def beam(monkeypatch, tmp_path):
    """Run a command on an empty data directory of its own."""
    monkeypatch.setenv("BEAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("BEAM_REDIS_URL", raising=False)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_a_key_is_made_listed_and_revoked_without_a_running_service(beam):
    made = beam("keys", "create", "--owner", "me", "--tier", "enterprise", "--limit", "777", "--json")
    assert made.exit_code == 0, made.output
    key = json.loads(made.stdout)
    assert (key["owner"], key["tier"], key["limit_per_minute"]) == ("me", "enterprise", 777)
    [listed] = json.loads(beam("keys", "list", "--json").stdout)
    assert listed == {name: value for name, value in key.items() if name != "key"}
    assert json.loads(beam("keys", "revoke", key["key_id"], "--json").stdout)["revoked_at"]
    assert "revoked" in beam("keys", "list").stdout
    assert key["key"] not in beam("keys", "list").stdout


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_ids_are_listed_whole_on_any_terminal_as_revoking_wants_them(beam, monkeypatch, columns):
    key = json.loads(beam("keys", "create", "--owner", "the clinic in the harbour", "--json").stdout)
    monkeypatch.setenv("COLUMNS", columns)
    assert key["key_id"] in beam("keys", "list").stdout


def test_keys_are_made_in_the_store_of_the_running_service(beam, tmp_path, monkeypatch):
    with EmbeddedRedis(tmp_path / "data") as server:
        made = beam("keys", "create", "--owner", "me", "--quiet")
        assert made.stdout.splitlines()[-1].startswith("beam_sk_")
        assert server.pid
        monkeypatch.setenv("BEAM_REDIS_URL", server.url)
        assert len(json.loads(beam("keys", "list", "--json").stdout)) == 1


def test_failures_are_one_line_and_exit_1(beam, monkeypatch):
    for arguments, said in (
        (("keys", "revoke", "nobody"), "no key nobody"),
        (("keys", "create", "--owner", "me", "--limit", "5"), "enterprise"),
    ):
        result = beam(*arguments)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        assert said in result.stderr
    monkeypatch.setenv("BEAM_LOG_LEVEL", "LOUD")
    for command in (("serve",), ("keys", "list"), ("doctor",)):
        result = beam(*command)
        assert result.exit_code == 1
        assert "BEAM_LOG_LEVEL" in result.stderr


def test_doctor_finds_nothing_to_mend_here(beam):
    result = beam("doctor", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["well"]) == (0, True), report
    assert {f["what"] for f in report["findings"]} == {
        "Redis",
        "clock",
        "queue",
        "uploads",
        "counts",
        "model",
        "decoders",
        "videos",
        "data",
        "files",
        "workers",
    }


def test_doctor_says_what_to_mend(beam, monkeypatch, tmp_path):
    (tmp_path / "broken.dat").write_bytes(b"no model")
    monkeypatch.setenv("BEAM_LANDMARKS", str(tmp_path / "broken.dat"))
    monkeypatch.setenv("BEAM_REDIS_URL", f"unix://{tmp_path}/none.sock")
    result = beam("doctor", "--json")
    assert result.exit_code == 1
    bad = {f["what"] for f in json.loads(result.stdout)["findings"] if not f["well"]}
    assert bad == {"Redis", "model"}
    assert "Redis" in beam("doctor").stdout


@pytest.fixture
def ailments(beam, monkeypatch, redis_server):
    """What `beam doctor` says is to be mended, by what it looked at, under some settings."""

    def ailments(**environment):
        monkeypatch.setenv("BEAM_REDIS_URL", redis_server.url)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        result = beam("doctor", "--json")
        assert result.exit_code in (0, 1)
        return {f["what"]: f["mend"] for f in json.loads(result.stdout)["findings"] if not f["well"]}

    return ailments


def test_doctor_finds_a_redis_that_throws_keys_away_or_forgets_them(ailments, redis_server):
    redis = connect(redis_server.url)
    normal = {name: redis.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy", "appendonly")}
    try:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        assert ailments() == {}  # without a limit it never does
        redis.config_set("maxmemory", "100mb")
        assert "noeviction" in ailments()["Redis"]
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("appendonly", "no")
        assert "appendonly" in ailments()["Redis"]
    finally:
        for name, value in normal.items():
            redis.config_set(name, value or "")


def test_doctor_finds_uploads_a_queue_and_counts_that_have_no_place(ailments, tmp_path):
    (tmp_path / "file").touch()
    found = ailments(
        BEAM_SPOOL_URL=str(tmp_path / "file" / "spool"),
        BEAM_QUEUE_REDIS_URL=f"unix://{tmp_path}/none.sock",
        PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "file"),
    )
    assert set(found) == {"uploads", "queue", "counts"}
    assert "BEAM_SPOOL_URL" in found["uploads"]


def test_doctor_finds_more_workers_than_a_container_has_room_for(ailments, monkeypatch):
    monkeypatch.setattr("beam_api.cli.doctor.memory_limit_bytes", lambda: 512 * 2**20)
    assert ailments(WEB_CONCURRENCY="1") == {}
    assert "WEB_CONCURRENCY" in ailments(WEB_CONCURRENCY="4")["workers"]


def test_doctor_finds_a_clock_that_is_wrong(ailments, monkeypatch):
    wrong = type("Time", (), {"time": staticmethod(lambda: time.time() - 90)})
    monkeypatch.setattr("beam_api.cli.doctor.time", wrong)
    assert "NTP" in ailments()["clock"]


@pytest.mark.parametrize("command", [(), ("serve",), ("keys",), ("keys", "create"), ("keys", "list"), ("doctor",)])
def test_help_is_everywhere(beam, command):
    result = beam(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_no_command_loads_what_one_kind_of_reference_needs():
    """SciPy's signals take most of a second."""
    script = (
        "import sys; from beam_api.cli import main; main(['--help'], standalone_mode=False); "
        "print('scipy.signal' in sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.splitlines()[-1] == "False"


def test_the_parent_of_the_service_loads_no_science():
    script = "import sys, beam_api.cli.serve; print([m for m in ('cv2', 'dlib', 'scipy', 'numpy') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_the_first_start_shows_a_key_on_a_terminal(settings, redis, capsys, monkeypatch):
    from beam_api.cli.serve import FIRST_KEY, _greet

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _greet(settings, "http://localhost:8000", settings.redis_url)
    first = capsys.readouterr().out
    assert re.search(r"^Your sandbox key, shown only now: beam_sk_\w{59}$", first, re.MULTILINE)
    assert first.splitlines()[-1] == "Measure yourself: http://localhost:8000/playground"
    assert not (settings.data_dir / FIRST_KEY).exists()
    _greet(replace(settings, playground="off"), "http://localhost:8000", settings.redis_url)
    assert capsys.readouterr().out == "Beam listens on http://localhost:8000\n"


def test_the_first_start_without_a_terminal_leaves_the_key_in_a_file_of_its_owner(settings, redis, capsys):
    from beam_api.cli.serve import FIRST_KEY, _greet

    path = settings.data_dir / FIRST_KEY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("of an earlier service")
    path.chmod(0o644)
    _greet(settings, "http://localhost:8000", settings.redis_url)
    captured = capsys.readouterr()
    key = path.read_text().strip()
    assert re.fullmatch(r"beam_sk_\w{59}", key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"Your sandbox key is in the file {path}\n" in captured.out
    assert key not in captured.out + captured.err
    _greet(settings, "http://localhost:8000", settings.redis_url)
    assert "key" not in capsys.readouterr().out
    assert path.read_text().strip() == key


@pytest.mark.parametrize("err", [False, True])
@pytest.mark.parametrize("terminals", [(), ("stdout",), ("stderr",), ("stdout", "stderr")])
def test_the_demo_shows_its_key_on_a_terminal_alone(tmp_path, capsys, monkeypatch, err, terminals):
    from beam_api.cli.demo import _say_where

    for name in terminals:
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: True)
    path = tmp_path / "demo-key"
    _say_where("http://localhost:8000", "beam_sk_x", path, err=err)
    captured = capsys.readouterr()
    shown = captured.err if err else captured.out
    if "stdout" in terminals and (not err or "stderr" in terminals):
        assert "with the key beam_sk_x." in shown
        assert not path.exists()
    else:
        assert f"with the key in the file {path}." in shown
        assert "beam_sk_x" not in captured.out + captured.err
        assert path.read_text() == "beam_sk_x\n"
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_first_start_that_can_write_no_file_makes_no_key_that_nobody_sees(settings, redis, capsys, tmp_path):
    from beam_api.cli.serve import _greet

    (tmp_path / "file").write_text("")
    _greet(replace(settings, data_dir=tmp_path / "file" / "data"), "http://localhost:8000", settings.redis_url)
    assert "beam keys create" in capsys.readouterr().out
    assert not list(redis.scan_iter("*:key"))
