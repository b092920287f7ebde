"""`beam batch`: the vitals in many recordings, as a table, and how well they agree with a reference, as a report."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from beam_api.cli import INTERRUPTED
from beam_api.cli.common import failures_as_messages, key_option, read_settings
from beam_api.cli.validation.inputs import find_files
from beam_api.cli.validation.known import recordings_of, references_of
from beam_api.cli.validation.layouts import LAYOUTS
from beam_api.cli.validation.pool import Stop, run_each, single_threaded
from beam_api.cli.validation.references import References
from beam_api.cli.validation.report import render_report, write_report
from beam_api.cli.validation.results import PARQUET, Results, require_parquet
from beam_api.cli.validation.table import FAILED
from beam_api.cli.validation.worker import Settings, Task, crashed_row, measure_file, prepare
from beam_api.host.resources import cores
from rppg_core.errors import RppgError
from rppg_core.quality.extractors import DEFAULT, extraction
from rppg_core.trace.files import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Task as RichTask


@dataclass(frozen=True, slots=True)
class _Todo:
    tasks: Sequence[Task]
    settings: Settings
    jobs: int
    results: Results


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="results.csv",
    show_default=True,
    help="The table of results: .csv, or .parquet with the extra `validation`.",
)
@click.option("--resume", is_flag=True, help="Go on with the table that is there: measure the files it lacks.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Files measured at a time.  [default: one a core]")
@click.option("--seconds", type=click.IntRange(10, 300), default=30, show_default=True, help="Length of the window.")
@click.option("--method", metavar="NAME", default=DEFAULT, show_default=True, help="Find the pulse by this method.")
@click.option(
    "--save-traces",
    "--save-trace",
    "traces",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Save the skin colours and head poses of each file, without any picture, as a .beam file in this folder.",
)
@click.option(
    "--reference",
    type=click.Path(exists=True, path_type=Path),
    metavar="CSV|FOLDER",
    help="Compare with these values: a row a file, with columns file, heart_rate, rmssd, respiration_rate, person, or "
    "series for a file of rates or a PPG or ECG. Other columns, such as skin or light, are groups, by which each table "
    "is split. Or a folder with a series of the name of each recording.",
)
@click.option(
    "--layout",
    type=click.Choice([*LAYOUTS]),
    help="PATHs are folders of a data set with this layout: its recordings, references and groups are found there.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="HTML",
    help="Write a page of figures and pictures that needs nothing else.",
)
@click.option("--url", help="A running service; without it, files are measured in processes of this machine.")
@key_option
def batch(
    paths: tuple[str, ...],
    *,
    out: Path,
    resume: bool,
    jobs: int | None,
    seconds: int,
    method: str,
    traces: Path | None,
    reference: Path | None,
    layout: str | None,
    report: Path | None,
    url: str | None,
    key: str | None,
) -> None:
    """Measure every recording in PATHs: files, folders and their folders, patterns such as 'clips/*.mp4', .beam files.

    A file that can't be measured is a row with its reason. Each row is written when its file is done; after Ctrl-C,
    --resume goes on.
    """
    if url and (not key or traces or method != DEFAULT):
        raise click.UsageError("--url needs --key, or BEAM_API_KEY, and has no --save-traces and no --method.")
    if layout and reference:
        raise click.UsageError("--layout brings its own references: omit --reference.")
    if out.suffix.lower() not in (".csv", PARQUET):
        raise click.UsageError(f"{out} ends in neither .csv nor {PARQUET}.")
    if out.suffix.lower() == PARQUET:
        require_parquet()
    if layout:
        files, references = recordings_of(layout, paths, seconds)
    else:
        files = find_files(paths)
        references = references_of(reference, [*map(str, files)], seconds) if reference else References({})
    for name, problem in references.unusable.items():
        click.echo(f"The reference {name} can't be used: {problem}.", err=True)
    try:
        extraction(method)
        with failures_as_messages():
            landmarks = read_settings().landmarks
    except RppgError as error:
        raise click.ClickException(str(error)) from error
    settings = Settings(seconds, method, landmarks, version("beam-rppg"), (url, key) if url and key else None)
    results = Results(out)
    results.begin(resume=resume)
    _refuse_other_settings(results, settings)
    tasks = [Task(str(file), _trace_path(traces, file)) for file in files if str(file) not in results.rows]
    if traces:
        traces.mkdir(parents=True, exist_ok=True)
    stopped = _measure(_Todo(tasks, settings, min(jobs or cores(), max(len(tasks), 1)), results))
    results.finish()
    if report:
        chosen = {str(file) for file in files}
        rows = [row for name, row in results.rows.items() if name in chosen]
        how = {"settings": settings.label, "reference": str(reference or layout or "none"), "table": str(out)}
        write_report(report, render_report(rows, references, how))
        click.echo(f"{report}: the report.")
    _say_what_there_is(results, len(files), stopped=stopped)


def _refuse_other_settings(results: Results, settings: Settings) -> None:
    before = {(row["settings"], row["beam_version"]) for row in results.rows.values()}
    others = before - {(settings.label, settings.beam_version)}
    if others:
        label, made_by = sorted(others, key=str)[0]
        raise click.UsageError(
            f"{results.path} was made by Beam {made_by} as {label}, and this is {settings.beam_version} as "
            f"{settings.label}: name another --out."
        )


def _trace_path(folder: Path | None, file: Path) -> str | None:
    """A name of its own for each file, whatever folder it is in."""
    if folder is None:
        return None
    parts = [part for part in file.parts if part not in ("..", file.anchor)]
    return str(folder / ("__".join(parts)[-200:] + SUFFIX))


class _Rate(ProgressColumn):
    """Files a minute since the beginning."""

    def render(self, task: RichTask) -> Text:
        elapsed_s = task.finished_time or task.elapsed
        return Text(f"{60 * task.completed / elapsed_s:.1f}/min" if elapsed_s and task.completed else "")


def _measure(todo: _Todo) -> bool:
    """Measure, and return whether Ctrl-C ended it before all was done."""
    stop, console = Stop(), Console(stderr=True)
    columns = (TextColumn("Measuring"), BarColumn(), MofNCompleteColumn(), _Rate())
    left = TimeRemainingColumn(elapsed_when_finished=True)
    bar = Progress(*columns, left, TextColumn("{task.fields[failed]} failed"), console=console)

    def announce() -> None:
        console.print("Finishing the files in hand. Ctrl-C again stops at once.")

    failed = done = 0
    with stop.on_signals(announce), single_threaded(), bar:
        shown = bar.add_task("", total=len(todo.tasks), failed=0)
        for row in run_each(
            measure_file,
            todo.tasks,
            jobs=todo.jobs,
            prepare=prepare,
            prepared_with=(todo.settings,),
            crashed=lambda task: crashed_row(task, todo.settings),
            stop=stop,
        ):
            todo.results.add(row)
            done += 1
            failed += row["status"] == FAILED
            bar.update(shown, advance=1, failed=failed)
    return done < len(todo.tasks)


def _say_what_there_is(results: Results, files: int, *, stopped: bool) -> None:
    failed = [row for row in results.rows.values() if row["status"] == FAILED]
    for row in failed[:10]:
        click.echo(f"{row['file']}: {row['reason']}: {row['message']}", err=True)
    if len(failed) > 10:
        click.echo(f"… and {len(failed) - 10} more.", err=True)
    given = sum(row["heart_rate_bpm"] is not None for row in results.rows.values())
    click.echo(
        f"{results.path}: {len(results.rows)} of {files} files, {given} with a heart rate, {len(failed)} not measured."
    )
    if stopped:
        click.echo("Stopped. --resume goes on.", err=True)
        raise SystemExit(INTERRUPTED)
