"""The command `beam`. One module per command, with the command under the module's name."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the number of the signal."""

COMMANDS = ("serve", "worker", "demo", "measure", "scan", "watch", "batch", "compare", "keys", "doctor", "completion")


class SuggestingGroup(click.Group):
    """Names the nearest command for one that does not exist."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command. Raises UsageError."""
        names = self.list_commands(ctx)
        if args[0] in names or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise click.UsageError(f"There is no command {args[0]!r}. {self._hint(ctx, args[0], names)}", ctx)

    def _hint(self, ctx: click.Context, name: str, names: list[str]) -> str:
        near = get_close_matches(name, names, n=1, cutoff=0.5)
        if near:
            return f"Did you mean `{ctx.command_path} {near[0]}`?"
        return f"There are {', '.join(names)}."


class _Commands(SuggestingGroup):
    """Imports a command when it is run: the parent of `beam serve` must not load what `beam measure` needs.

    A command that Ctrl-C ends exits 130, as programs do that the signal kills. One that ends well on it, as a server
    does, handles the signal by itself.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)  # the terminal has written ^C
            ctx.exit(INTERRUPTED)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"beam_api.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names without loading the commands, which would take seconds."""
        from click.shell_completion import CompletionItem

        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)] + options

    def _hint(self, ctx: click.Context, name: str, names: list[str]) -> str:
        if Path(name).is_file():
            return f"To measure a file: `{ctx.command_path} measure {name}`."
        return super()._hint(ctx, name, names)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="beam-rppg", prog_name="beam")
def main() -> None:
    """Contactless vital signs: frames of a face in, heart rate and more out."""
    from beam_api.host.process import end_quickly

    end_quickly()
