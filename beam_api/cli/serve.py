"""`beam serve`."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from beam_api.cli.common import failures_as_messages, read_settings, write_key
from beam_api.exceptions import StoreUnavailable
from beam_api.server.supervisor import Address, AddressInUse
from beam_api.server.supervisor import serve as run
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore

if TYPE_CHECKING:
    from beam_api.config import Settings

FIRST_KEY = "first-key"
"""In the data folder; for its owner alone."""

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for every one.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Processes. [default: WEB_CONCURRENCY, or the cores]")
@click.option("--tls-cert", type=_file, help="Certificate (PEM). Browsers give a camera only to HTTPS or localhost.")
@click.option("--tls-key", type=_file, help="Its private key (PEM).")
def serve(host: str, port: int, workers: int | None, tls_cert: Path | None, tls_key: Path | None) -> None:
    """Serve the API, with a Redis of its own unless BEAM_REDIS_URL is set."""
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    with failures_as_messages():
        settings = read_settings(quiet=False)
        settings = replace(settings, workers=workers or settings.workers)
        try:
            sys.exit(run(settings, Address(host, port, tls_cert, tls_key), partial(_greet, settings)))
        except AddressInUse as error:
            raise click.ClickException(str(error)) from error


def _greet(settings: Settings, url: str, redis_url: str) -> None:
    """Say where the service is, and on first start give a key to try it with."""
    click.echo(f"Beam listens on {url}")
    try:
        keys = Keys(KeyStore(connect(redis_url)))
        if not keys.all():
            _give_key(keys, settings.data_dir / FIRST_KEY)
    except StoreUnavailable:
        click.echo("Redis doesn't answer: requests get 503 until it does.", err=True)
    if settings.playground == "on":
        click.echo(f"Measure yourself: {url}/playground")
    sys.stdout.flush()


def _give_key(keys: Keys, path: Path) -> None:
    """Show a key on a terminal. Anything else that takes our output may keep it, so there it goes to a file."""
    if sys.stdout.isatty():
        click.echo(f"Your sandbox key, shown only now: {keys.create('first start').key}")
        return
    try:
        write_key(path, lambda: keys.create("first start").key)
    except OSError:  # nothing can be written, as where all storage is elsewhere
        click.echo("There is no key yet: make one with `beam keys create`.")
        return
    click.echo(f"Your sandbox key is in the file {path}")
