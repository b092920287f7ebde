from pathlib import Path

import pytest

from beam_api.config import VARIABLES, Settings, SettingsError


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)


def test_an_empty_environment_gives_the_defaults_of_the_table():
    settings = Settings.from_environment()
    defaults = {v.name: v.default for v in VARIABLES}
    assert settings.data_dir == Path(defaults["BEAM_DATA_DIR"]).expanduser()
    assert settings.redis_url is None
    assert settings.landmarks == defaults["BEAM_LANDMARKS"]
    assert settings.trusted_proxies == int(defaults["BEAM_TRUSTED_PROXIES"])
    assert settings.log_level == defaults["BEAM_LOG_LEVEL"]
    assert (settings.signup, settings.playground) == (defaults["BEAM_SIGNUP"], defaults["BEAM_PLAYGROUND"])
    assert settings.redis_fsync == defaults["BEAM_REDIS_FSYNC"]
    assert settings.workers >= 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BEAM_REDIS_URL", "http://user:hunter2@example"),
        ("BEAM_LANDMARKS", "6"),
        ("BEAM_TRUSTED_PROXIES", "-1"),
        ("BEAM_TRUSTED_PROXIES", "two"),
        ("BEAM_LOG_LEVEL", "LOUD"),
        ("BEAM_SIGNUP", "perhaps"),
        ("BEAM_REDIS_FSYNC", "no"),
        ("BEAM_PLAYGROUND", "1"),
        ("BEAM_ADDRESS_LIMIT", "-1"),
        ("BEAM_ADDRESS_KEYS", "many"),
        ("WEB_CONCURRENCY", "0"),
        ("WEB_CONCURRENCY", "many"),
        ("BEAM_QUEUE_REDIS_URL", "http://user:hunter2@example"),
        ("BEAM_QUEUE_REDIS_URL", "redis+cluster://user:hunter2@one,two"),
        ("BEAM_REDIS_URL", "redis+sentinel://user:hunter2@one,two"),
        ("BEAM_REDIS_URL", "redis+cluster://user:hunter2@one:hunter2"),
        ("BEAM_SESSION_TTL_S", "0"),
        ("BEAM_TRACES_DIR", "/no/such/hunter2"),
        ("BEAM_WEBHOOK_ALLOW", "10.0.0.0/99"),
        ("BEAM_SOURCE_URL", "javascript:alert('hunter2')"),
    ],
)
def test_a_malformed_variable_stops_the_start_and_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.from_environment()
    assert "hunter2" not in str(caught.value)


def test_variables_are_read(monkeypatch, tmp_path):
    model = tmp_path / "model.dat"
    model.touch()
    values = {
        "BEAM_DATA_DIR": str(tmp_path),
        "BEAM_REDIS_URL": "rediss://redis.example/1",
        "BEAM_LANDMARKS": str(model),
        "BEAM_TRUSTED_PROXIES": "2",
        "BEAM_SIGNUP": "closed",
        "BEAM_PLAYGROUND": "off",
        "BEAM_LOG_LEVEL": "DEBUG",
        "WEB_CONCURRENCY": "3",
        "BEAM_QUEUE_REDIS_URL": "redis://queue.example/2",
        "BEAM_REDIS_FSYNC": "always",
        "BEAM_SPOOL_URL": "s3://bucket/uploads",
        "BEAM_SESSION_TTL_S": "60",
        "BEAM_SCAN_LIMIT_S": "600",
        "BEAM_SCAN_BUDGET_S": "300",
        "BEAM_VIDEO_MB": "500",
        "BEAM_SECRET_KEY": "a secret",
        "BEAM_METRICS_TOKEN": "another secret",
        "BEAM_WEBHOOK_ALLOW": "localhost:8080, 10.0.0.0/8",
        "BEAM_CORS_ORIGINS": "https://app.example.com",
        "BEAM_ADDRESS_LIMIT": "50",
        "BEAM_ADDRESS_KEYS": "0",
        "BEAM_TRACES_DIR": str(tmp_path),
        "BEAM_SOURCE_URL": "https://git.example.com/beam",
    }
    assert set(values) == {v.name for v in VARIABLES}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment()
    assert settings == Settings(
        *(tmp_path, "rediss://redis.example/1", str(model), 2, "DEBUG", 3, "closed", "off"),
        queue_redis_url="redis://queue.example/2",
        redis_fsync="always",
        spool_url="s3://bucket/uploads",
        session_ttl_s=60,
        scan_limit_s=600,
        scan_budget_s=300,
        video_mb=500,
        secret_key="a secret",
        metrics_token="another secret",
        webhook_allow=("localhost:8080", "10.0.0.0/8"),
        cors_origins=("https://app.example.com",),
        address_limit=50,
        address_keys=0,
        traces_dir=tmp_path,
        source_url="https://git.example.com/beam",
    )
    for secret in ("secret", "redis.example", "queue.example", "bucket"):  # these URLs may hold passwords
        assert secret not in repr(settings)


def test_a_cluster_needs_a_queue_elsewhere(monkeypatch):
    monkeypatch.setenv("BEAM_REDIS_URL", "redis+cluster://one,two,three")
    with pytest.raises(SettingsError, match="BEAM_QUEUE_REDIS_URL must be set"):
        Settings.from_environment()
    monkeypatch.setenv("BEAM_QUEUE_REDIS_URL", "redis+sentinel://four,five/beam")
    assert Settings.from_environment().queue_redis_url == "redis+sentinel://four,five/beam"
