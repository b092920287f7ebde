"""`beam completion`: what a shell needs to complete the commands."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")
_PROGRAM, _VARIABLE = "beam", "_BEAM_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
def completion(shell: str | None) -> None:
    """Print the completion script of a SHELL; without it, of the one that is running.

    For bash: beam completion bash >> ~/.bashrc. For zsh: beam completion zsh >> ~/.zshrc. For fish: beam completion
    fish > ~/.config/fish/completions/beam.fish.
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in _SHELLS:
        raise click.UsageError(f"Name the shell: {', '.join(_SHELLS)}.")
    kind = get_completion_class(name)
    assert kind is not None
    from beam_api.cli import main

    # `source()` looks for the version of bash; the script needs 4.4, which is older than any that runs here.
    script = kind(main, {}, _PROGRAM, _VARIABLE)
    click.echo(script.source_template % script.source_vars())
