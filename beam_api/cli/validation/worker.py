"""What each process of a batch does: measure one file after another, with models that it loads once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from beam_api.cli.in_process import measured, read_trace
from beam_api.cli.sources import SHORTEST_S, Camera, TraceFile, VideoFile, open_source
from beam_api.cli.traces import save_measured
from beam_api.cli.validation.pictures import MatlabVideo, PictureFolder
from beam_api.cli.validation.table import failed_row, row_of
from beam_api.services.saved_traces import exact_vitals
from beam_api.web.schemas.measure import complete_data
from beam_client import Beam
from beam_client import BeamError as ClientError
from rppg_core.errors import RppgError
from rppg_core.face.reader import FaceReader
from rppg_core.quality.extractors import extraction

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """How files are measured: through `service` (address and key), or in this process."""

    seconds: float
    method: str
    landmarks: str
    beam_version: str
    service: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        """In one word, so that results of one kind are not continued with those of another."""
        where = "service" if self.service else f"{self.method}-{self.landmarks}"
        return f"{where}-{self.seconds:g}s"


@dataclass(frozen=True, slots=True)
class Task:
    """One file, and where to save its trace."""

    file: str
    trace: str | None = None


class _Prepared:
    settings: Settings
    reader: FaceReader | None = None


def prepare(settings: Settings) -> None:
    """Keep the settings of this process. Models are loaded with the first video, so that a failure is a row."""
    _Prepared.settings = settings


def measure_file(task: Task) -> Row:
    """The row of one file. Raises nothing: whatever goes wrong is the row's reason."""
    begun = time.monotonic()
    try:
        row = _by_service(task, *_Prepared.settings.service) if _Prepared.settings.service else _here(task)
    except RppgError as error:
        row = failed_row(error.code, str(error))
    except ClientError as error:
        row = failed_row(getattr(error, "code", None) or "NOT_SENT", str(error))
    except click.ClickException as error:
        row = failed_row("UNREADABLE", error.format_message())
    except (OSError, MemoryError) as error:
        row = failed_row("UNREADABLE", getattr(error, "strerror", None) or str(error) or type(error).__name__)
    except Exception as error:  # a bug: it costs one row, and is named there
        row = failed_row("INTERNAL_ERROR", f"{type(error).__name__}: {error}")
    return _complete(row, task, _Prepared.settings) | {"elapsed_s": round(time.monotonic() - begun, 3)}


def crashed_row(task: Task, settings: Settings) -> Row:
    """The row of a file at which its process died."""
    return _complete(
        failed_row("CRASHED", "The process that read the file ended, or was out of memory."), task, settings
    )


def _complete(row: Row, task: Task, settings: Settings) -> Row:
    return row | {"file": task.file, "beam_version": settings.beam_version, "settings": settings.label}


def _here(task: Task) -> Row:
    settings = _Prepared.settings
    source = _opened(Path(task.file))
    if isinstance(source, TraceFile):
        trace = source.trace(settings.seconds)
    elif not isinstance(source, Camera):
        _Prepared.reader = _Prepared.reader or FaceReader(settings.landmarks)
        trace = read_trace(source, min(max(source.duration_s, SHORTEST_S), settings.seconds), _Prepared.reader)
    else:
        return failed_row("UNREADABLE", f"{task.file} is no file.")
    vitals = measured(trace, extraction(settings.method))
    if task.trace:
        how = {"method": settings.method, "landmarks": settings.landmarks}
        save_measured(Path(task.trace), trace, vitals, how)
    return row_of(complete_data(vitals, trace), exact_vitals(vitals)) | {"trace": task.trace}


def _opened(path: Path) -> VideoFile | Camera | TraceFile | PictureFolder | MatlabVideo:
    if path.is_dir():
        return PictureFolder(path)
    return MatlabVideo(path) if path.suffix.lower() == ".mat" else open_source(str(path))


def _by_service(task: Task, url: str, key: str) -> Row:
    if not isinstance(_opened(Path(task.file)), VideoFile):
        return failed_row("NOT_SENT", "Only videos are sent to a service; anything else is measured without --url.")
    with Beam(url, key) as client:
        result = client.measure(task.file, duration_ms=round(1000 * _Prepared.settings.seconds), include_raw=True)
    return row_of(result.data)
