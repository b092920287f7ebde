"""What the commands share: settings, a store to work on, and how they print and fail."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from beam_api.config import Settings, SettingsError
from beam_api.exceptions import BeamError
from beam_api.monitoring import logs
from beam_api.monitoring.slots import NotOurFolder
from beam_api.server.embedded_redis import DataDirInUse, EmbeddedRedis, RedisNotRunning, running_url
from beam_api.store.client import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from redis import Redis

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
url_option = click.option(
    "--url",
    envvar="BEAM_URL",
    default="http://localhost:8000",
    show_default=True,
    help="A running service.  [env: BEAM_URL]",
)
key_option = click.option(
    "--key", "--api-key", envvar="BEAM_API_KEY", help="The service's API key.  [env: BEAM_API_KEY]"
)


@contextmanager
def failures_as_messages() -> Iterator[None]:
    """Print a failure in one line and exit 1, instead of a traceback."""
    try:
        yield
    except (SettingsError, RedisNotRunning, NotOurFolder, BeamError) as error:
        raise click.ClickException(str(error)) from error


def read_settings(*, quiet: bool = True) -> Settings:
    """The settings of this command; `quiet` ones log only what is wrong."""
    settings = Settings.from_environment()
    logs.configure_logging(max(settings.log_level_number, 30 if quiet else 0))
    return settings


@contextmanager
def open_store(settings: Settings) -> Iterator[Redis]:
    """The Redis that is set, or the running service's, or one started for as long as this lasts."""
    if settings.redis_url:
        yield connect(settings.redis_url)
        return
    try:
        url = running_url(settings.data_dir)
    except RedisNotRunning:
        server = EmbeddedRedis(settings.data_dir, announce=False, fsync=settings.redis_fsync)
        try:
            server.start()
        except DataDirInUse:  # a service has come up meanwhile
            url = running_url(settings.data_dir)
        else:
            try:
                yield connect(server.url)
            finally:
                server.stop()
            return
    yield connect(url)


def print_json(value: Any) -> None:
    """Print for programs."""
    click.echo(json.dumps(value, indent=2))


def write_key(path: Path, make: Callable[[], str]) -> None:
    """Write a key that `make` makes to a new file of its owner alone. Raises OSError, before a key is made."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(f"{make()}\n")
