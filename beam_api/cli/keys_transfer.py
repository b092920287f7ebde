"""`beam keys export` and `import`: keys out of one Redis and into another."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from beam_api.cli.common import failures_as_messages, open_store, read_settings
from beam_api.services.access.keys import Keys
from beam_api.store.keys import KeyRecord, KeyStore

_FORMAT = 1


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export_keys(file: Path) -> None:
    """Write every key into FILE, to be kept as a backup.

    It holds no secret, only hashes: nobody can use a key by it. It does hold the names that owners gave, so it can be
    read by its user alone.
    """
    with failures_as_messages(), open_store(read_settings()) as redis:
        records = Keys(KeyStore(redis)).all()
    text = json.dumps({"beam_keys": _FORMAT, "keys": [asdict(record) for record in records]}, indent=1)
    new = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise click.ClickException(f"{file} can't be written: {error.strerror}.") from error
    click.echo(f"{len(records)} keys written to {file}.")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_keys(file: Path) -> None:
    """Take the keys of FILE that are not there yet. Those that are stay as they are, revoked or rotated ones too."""
    records = _read(file)
    with failures_as_messages(), open_store(read_settings()) as redis:
        added = Keys(KeyStore(redis)).restore(records)
    click.echo(f"{added} keys taken, {len(records) - added} were there already or have expired.")


def _read(file: Path) -> list[KeyRecord]:
    try:
        found = json.loads(file.read_text("utf-8"))
        if found["beam_keys"] != _FORMAT:
            raise ValueError
        records = [KeyRecord(**record) for record in found["keys"]]
        if not all(_is_sound(record) for record in records):
            raise ValueError
    except (OSError, ValueError, TypeError, KeyError, LookupError) as error:
        raise click.ClickException(f"{file} is no export of keys.") from error
    return records


def _is_sound(record: KeyRecord) -> bool:
    texts = {name: value for name, value in asdict(record).items() if name not in ("limit_per_minute", "work_limit")}
    hashed = len(record.digest) == 64 and set(record.digest) <= set("0123456789abcdef")
    named = record.key_id.isalnum()
    numbers = type(record.limit_per_minute) is type(record.work_limit) is int
    return hashed and named and numbers and all(isinstance(t, str) for t in texts.values())
