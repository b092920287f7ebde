"""Several sources of one command, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from beam_api.cli.common import print_json
from beam_api.cli.show import show_vitals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def show_each(
    names: Iterable[str],
    measure: Callable[[str], tuple[Mapping[str, Any], Mapping[str, Any]]],
    *,
    as_json: bool,
) -> None:
    """Measure each source, print its vitals, and exit 1 if one can't be measured: it is named, the others are measured.

    `measure` returns what JSON holds and what the table shows. It raises ClickException.
    """
    answers: list[dict[str, Any]] = []
    failed = False
    for name in names:
        try:
            answer, shown = measure(name)
        except click.ClickException as error:
            failed = True
            answers.append({"source": name, "error": error.format_message()})
            click.echo(f"{name}: {error.format_message()}", err=True)
            continue
        answers.append({"source": name, **answer})
        if not as_json:
            click.echo(name)
            show_vitals(shown)
    if as_json:
        print_json(answers)
    if failed:
        raise SystemExit(1)
