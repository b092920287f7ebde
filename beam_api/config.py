"""What can be set from outside: one frozen `Settings`, read once from the environment."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from environs import Env, EnvError, validate
from marshmallow import ValidationError

from beam_api.adapters.webhook_targets import AllowedHost
from beam_api.host.resources import default_workers
from beam_api.store.urls import RedisUrl


class SettingsError(Exception):
    """An environment variable is malformed. The message names it; the start must stop."""


class Variable(NamedTuple):
    """One row of the table of settings in the documentation (a test compares the two)."""

    name: str
    default: str
    meaning: str


VARIABLES = (
    Variable("BEAM_DATA_DIR", "~/.beam", "Folder of the embedded Redis: its data, socket and lock."),
    Variable(
        "BEAM_REDIS_URL",
        "unset",
        "Your own Redis instead of the embedded one: redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://.",
    ),
    Variable(
        "BEAM_QUEUE_REDIS_URL",
        "that of BEAM_REDIS_URL",
        "Another Redis for the queue of video jobs; no cluster, and needed beside one.",
    ),
    Variable(
        "BEAM_REDIS_FSYNC",
        "everysec",
        "When the embedded Redis flushes to the disk: everysec may lose the last second in a crash, always nothing.",
    ),
    Variable("BEAM_SPOOL_URL", "spool in BEAM_DATA_DIR", "Where uploads wait: a folder, or s3://bucket/folder."),
    Variable(
        "BEAM_TRACES_DIR",
        "unset",
        "Folder in which the trace of each scan is kept, without any picture, until you delete it.",
    ),
    Variable("BEAM_SESSION_TTL_S", "3600", "Seconds that a scan session lives after its last step."),
    Variable(
        "BEAM_SCAN_LIMIT_S",
        "1200",
        "Predicted seconds of one core beyond which a video of more than 5 minutes is refused; 0 refuses all of them.",
    ),
    Variable(
        "BEAM_SCAN_BUDGET_S",
        "7200",
        "Predicted seconds of one core that a key's videos may take in an hour; 0 for no limit.",
    ),
    Variable("BEAM_VIDEO_MB", "100", "Megabytes (of 1,048,576 bytes) that a video may have."),
    Variable("BEAM_SECRET_KEY", "made, and kept in BEAM_DATA_DIR", "What webhook secrets derive from."),
    Variable(
        "BEAM_WEBHOOK_ALLOW", "none", "Private webhook hosts: names, addresses or networks, each with or without :port."
    ),
    Variable("BEAM_LANDMARKS", "5", "Landmark model: 5, 68, or the path of a dlib shape predictor."),
    Variable("BEAM_TRUSTED_PROXIES", "0", "How many proxies' X-Forwarded-For to believe."),
    Variable(
        "BEAM_CORS_ORIGINS",
        "none",
        "Origins whose pages may call the APIs, such as https://app.example.com or capacitor://localhost.",
    ),
    Variable("BEAM_SIGNUP", "open", "open: anybody may have a free sandbox key; closed: only beam keys makes keys."),
    Variable(
        "BEAM_ADDRESS_LIMIT",
        "600",
        "Requests a minute of one address over all keys made without an operator; 0 for no limit.",
    ),
    Variable("BEAM_ADDRESS_KEYS", "100", "Live keys that one address may make without an operator; 0 for no limit."),
    Variable("BEAM_PLAYGROUND", "on", "on or off: the page that measures its visitor; no key needed."),
    Variable(
        "BEAM_SOURCE_URL", "unset", "Where the source of what runs here is published: a link at the foot of each page."
    ),
    Variable("BEAM_METRICS_TOKEN", "unset", "Who sends it as a bearer token may read /metrics from elsewhere."),
    Variable("BEAM_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR."),
    Variable("WEB_CONCURRENCY", "cores and memory allowed", "Worker processes."),
)

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?"
)
"""As browsers write it: no path, no upper case. No `*` either. Packaged apps have schemes of their own."""

_SCHEMES_WITHOUT_ORIGIN = frozenset(
    {"about", "blob", "data", "file", "filesystem", "javascript", "mailto", "null", "view-source", "ws", "wss"}
)
"""For pages of these schemes browsers send the origin `null`, or that of another page, or there are no such pages."""

FSYNC = ("everysec", "always")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the service. In code, override with `dataclasses.replace`."""

    data_dir: Path
    redis_url: str | None = field(default=None, repr=False)
    landmarks: str = "5"
    trusted_proxies: int = 0
    log_level: str = "INFO"
    workers: int = 1
    signup: str = "open"
    playground: str = "on"
    queue_redis_url: str | None = field(default=None, repr=False)
    redis_fsync: str = "everysec"
    spool_url: str | None = field(default=None, repr=False)
    session_ttl_s: int = 3600
    scan_limit_s: int = 1200
    scan_budget_s: int = 7200
    video_mb: int = 100
    secret_key: str | None = field(default=None, repr=False)
    webhook_allow: tuple[str, ...] = ()
    metrics_token: str | None = field(default=None, repr=False)
    cors_origins: tuple[str, ...] = ()
    address_limit: int = 600
    address_keys: int = 100
    traces_dir: Path | None = None
    source_url: str | None = None

    def __post_init__(self) -> None:
        """Raise SettingsError for settings that don't go together."""
        if self.redis_url and not self.queue_redis_url and RedisUrl.parse(self.redis_url).kind == "cluster":
            raise SettingsError(
                "BEAM_QUEUE_REDIS_URL must be set when BEAM_REDIS_URL is a cluster: the queue of video jobs needs a "
                "single Redis or Valkey, or one with Sentinels."
            )

    @property
    def log_level_number(self) -> int:
        """The level as `logging` counts it."""
        return logging.getLevelNamesMapping()[self.log_level]

    @classmethod
    def from_environment(cls) -> Settings:
        """Read `VARIABLES`.

        Raises
        ------
        SettingsError
            If a variable is malformed. The message names it and says what is wrong, not what it held: a URL may
            hold a password.
        """
        env = Env()
        try:
            return cls(
                data_dir=env.path("BEAM_DATA_DIR", default=Path.home() / ".beam").expanduser().absolute(),
                redis_url=env.str("BEAM_REDIS_URL", default="", validate=_redis_url) or None,
                landmarks=env.str("BEAM_LANDMARKS", default="5", validate=_landmarks),
                trusted_proxies=env.int("BEAM_TRUSTED_PROXIES", default=0, validate=validate.Range(0, 16)),
                log_level=env.str("BEAM_LOG_LEVEL", default="INFO", validate=validate.OneOf(LOG_LEVELS)),
                workers=env.int("WEB_CONCURRENCY", default=default_workers(), validate=validate.Range(1, 1024)),
                signup=env.str("BEAM_SIGNUP", default="open", validate=validate.OneOf(("open", "closed"))),
                playground=env.str("BEAM_PLAYGROUND", default="on", validate=validate.OneOf(("on", "off"))),
                queue_redis_url=env.str("BEAM_QUEUE_REDIS_URL", default="", validate=_queue_url) or None,
                address_limit=env.int("BEAM_ADDRESS_LIMIT", default=600, validate=validate.Range(0, 1_000_000)),
                address_keys=env.int("BEAM_ADDRESS_KEYS", default=100, validate=validate.Range(0, 1_000_000)),
                redis_fsync=env.str("BEAM_REDIS_FSYNC", default="everysec", validate=validate.OneOf(FSYNC)),
                spool_url=env.str("BEAM_SPOOL_URL", default="") or None,
                traces_dir=_folder(env.str("BEAM_TRACES_DIR", default="", validate=_folder)),
                session_ttl_s=env.int("BEAM_SESSION_TTL_S", default=3600, validate=validate.Range(1, 30 * 24 * 3600)),
                scan_limit_s=env.int("BEAM_SCAN_LIMIT_S", default=1200, validate=validate.Range(0, 24 * 3600)),
                scan_budget_s=env.int("BEAM_SCAN_BUDGET_S", default=7200, validate=validate.Range(0, 1_000_000)),
                video_mb=env.int("BEAM_VIDEO_MB", default=100, validate=validate.Range(1, 4096)),
                source_url=env.str("BEAM_SOURCE_URL", default="", validate=_web_address) or None,
                secret_key=env.str("BEAM_SECRET_KEY", default="") or None,
                metrics_token=env.str("BEAM_METRICS_TOKEN", default="").strip() or None,
                cors_origins=_origins(env.str("BEAM_CORS_ORIGINS", default="", validate=_origins)),
                webhook_allow=_allowed_hosts(env.str("BEAM_WEBHOOK_ALLOW", default="", validate=_allowed_hosts)),
            )
        except EnvError as error:
            raise SettingsError(str(error)) from None


def _folder(value: str) -> Path | None:
    if not value:
        return None
    path = Path(value).expanduser().absolute()
    if not path.is_dir() or not os.access(path, os.W_OK):
        raise ValidationError("must be a folder that is there and can be written to")
    return path


def _web_address(value: str) -> None:
    if value and not re.fullmatch(r"https?://[^\s\"'<>]+", value):
        raise ValidationError("must be an address that begins with https:// or http://")


def _redis_url(value: str) -> None:
    if value:
        try:
            RedisUrl.parse(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


def _queue_url(value: str) -> None:
    _redis_url(value)
    if value and RedisUrl.parse(value).kind == "cluster":
        raise ValidationError("must not be a cluster: the queue of video jobs doesn't run on one")


def _allowed_hosts(value: str) -> tuple[str, ...]:
    hosts = tuple(value.replace(",", " ").split())
    for host in hosts:
        try:
            AllowedHost.parse(host)
        except ValueError as error:
            raise ValidationError("must be host names, addresses or networks, separated by commas") from error
    return hosts


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(value.replace(",", " ").split())
    for origin in origins:
        if ":" in origin and origin.partition(":")[0].lower() in _SCHEMES_WITHOUT_ORIGIN:
            raise ValidationError(
                "must hold no address with file:, data:, blob:, javascript: or the like: such pages have no origin of "
                "their own"
            )
        parsed = _ORIGIN.fullmatch(origin)
        if not parsed:
            raise ValidationError(
                "must be origins such as https://app.example.com:8443 or capacitor://localhost, separated by commas"
            )
        if int(parsed["port"] or 1) > 65_535:
            raise ValidationError("must have ports from 1 to 65535")
    return origins


def _landmarks(value: str) -> None:
    if value not in ("5", "68") and not Path(value).is_file():
        raise ValidationError("must be 5, 68 or the path of a file")
