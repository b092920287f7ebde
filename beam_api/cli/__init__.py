"""The command `beam`. One module per command; each is added to the group at the end."""

from __future__ import annotations

import click

from beam_api.cli.doctor import doctor
from beam_api.cli.keys import keys
from beam_api.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="beam-rppg", prog_name="beam")
def main() -> None:
    """Contactless vital signs: frames of a face in, heart rate and more out."""


for command in (serve, keys, doctor):
    main.add_command(command)
