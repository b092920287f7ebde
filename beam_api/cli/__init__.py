"""The command `beam`. One module per command, with the command under the module's name."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = ("serve", "worker", "demo", "measure", "scan", "keys", "doctor")


class _Commands(click.Group):
    """Imports a command when it is run: the parent of `beam serve` must not load what `beam measure` needs."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"beam_api.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="beam-rppg", prog_name="beam")
def main() -> None:
    """Contactless vital signs: frames of a face in, heart rate and more out."""
