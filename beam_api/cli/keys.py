"""`beam keys`."""

from __future__ import annotations

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from beam_api.cli import SuggestingGroup
from beam_api.cli.common import failures_as_messages, json_option, open_store, print_json, read_settings
from beam_api.cli.keys_transfer import export_keys, import_keys
from beam_api.services.access.keys import TIERS, Keys
from beam_api.store.keys import KeyRecord, KeyStore


@click.group(cls=SuggestingGroup)
def keys() -> None:
    """Make, list and revoke API keys, and back them up.

    Works on the running service's Redis, or starts it for as long as the command takes.
    """


keys.add_command(export_keys)
keys.add_command(import_keys)


@keys.command()
@click.option("--owner", required=True, help="Whose key it is.")
@click.option("--tier", type=click.Choice(list(TIERS)), default="sandbox", show_default=True)
@click.option("--limit", type=click.IntRange(1, 1_000_000), help="Requests a minute; for the tier enterprise.")
@click.option("--work", type=click.IntRange(600, 100_000_000), help="Megapixels of frames a minute; else by tier.")
@click.option("--quiet", is_flag=True, help="Print the key alone.")
@json_option
def create(owner: str, tier: str, limit: int | None, work: int | None, *, quiet: bool, as_json: bool) -> None:
    """Make a key. It is shown once."""
    with failures_as_messages(), open_store(read_settings()) as redis:
        made = Keys(KeyStore(redis)).create(owner, tier=tier, limit_per_minute=limit, work_limit=work)
    if as_json:
        print_json({"key": made.key, **_public(made.record)})
    elif quiet:
        click.echo(made.key)
    else:
        record = made.record
        click.echo(
            f"Key {record.key_id} of {record.owner}: {record.tier}, {record.limit_per_minute} requests a minute."
        )
        click.echo("It is shown only now:")
        click.echo(made.key)


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List every key, revoked ones too."""
    with failures_as_messages(), open_store(read_settings()) as redis:
        records = Keys(KeyStore(redis)).all()
    if as_json:
        print_json([_public(record) for record in records])
        return
    # Within 80 columns. The whole id is wanted by `revoke`; --json has what is left out.
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("id", no_wrap=True, min_width=16)
    for name in ("key", "owner", "tier", "per minute"):
        table.add_column(name, overflow="fold")
    table.add_column("ends", overflow="fold", min_width=10)
    for r in records:
        # Names are strangers' texts: one must not be read as markup.
        owner = escape(f"{r.owner}: {r.name}" if r.name else r.owner)
        ends = f"revoked {r.revoked_at[:10]}" if r.revoked_at else r.expires_at[:10]
        table.add_row(r.key_id, f"…{r.last4}", owner, r.tier, str(r.limit_per_minute), ends)
    Console().print(table)


@keys.command()
@click.argument("key_id", metavar="ID")
@json_option
def revoke(key_id: str, as_json: bool) -> None:
    """Make a key useless at once."""
    with failures_as_messages(), open_store(read_settings()) as redis:
        record = Keys(KeyStore(redis)).revoke(key_id)
    if as_json:
        print_json(_public(record))
    else:
        click.echo(f"Revoked {record.key_id} of {record.owner}.")


def _public(record: KeyRecord) -> dict[str, str | int | None]:
    """A record as it may be shown: all but the digest."""
    return {
        "key_id": record.key_id,
        "owner": record.owner,
        "name": record.name,
        "tier": record.tier,
        "limit_per_minute": record.limit_per_minute,
        "prefix": record.prefix,
        "last4": record.last4,
        "created_at": record.created_at,
        "expires_at": record.expires_at or None,
        "revoked_at": record.revoked_at or None,
    }
