"""Where data sets keep their recordings, references and groups."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from beam_api.cli.validation.pictures import PictureFolder
from beam_api.cli.validation.series import HEART_RATE, PPG, Series, UnusableSeries, kind_of
from rppg_core.media.video import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

VIDEOS = (".mp4", ".mov", ".avi", ".webm", ".mkv", ".m4v")
_MMPD_GROUPS = {"light": "light", "motion": "motion", "exercise": "exercise", "skin_color": "skin", "makeup": "makeup"}


@dataclass(frozen=True, slots=True)
class Found:
    """A recording of a data set: what to measure, who is in it, and how its reference is read."""

    file: Path
    reference: Path
    person: str
    read: Callable[[Path, Path], list[Series]]  # of the recording and its reference
    groups: Callable[[Path], dict[str, str]] = lambda _file: {}


def find_recordings(layout: str, roots: Iterable[str]) -> list[Found]:
    """The recordings of a data set below folders. Raises UsageError if there is none."""
    found: dict[Path, Found] = {}
    for root in map(Path, roots):
        if not root.is_dir():
            raise click.UsageError(f"{root} is no folder, which --layout {layout} needs.")
        for one in LAYOUTS[layout](root):
            found.setdefault(one.file.resolve(), one)
    if not found:
        raise click.UsageError(f"No recording of the layout {layout} is in {', '.join(roots)}.")
    return sorted(found.values(), key=lambda one: one.file)


def _ubfc_rppg(root: Path) -> Iterator[Found]:
    """`subjectN/vid.avi` with `ground_truth.txt` (the second data set) or `N-gt/vid.avi` with `gtdump.xmp`."""
    for video in root.rglob("vid.avi"):
        for name, read in (("ground_truth.txt", _ground_truth), ("gtdump.xmp", _gtdump)):
            if (video.parent / name).is_file():
                yield Found(video, video.parent / name, video.parent.name, read)
                break


def _ground_truth(_video: Path, path: Path) -> list[Series]:
    """Three lines: the PPG, the heart rate, and times in seconds."""
    lines = [[float(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
    if len(lines) < 3:
        raise UnusableSeries("it has fewer than three lines")
    times_s = np.array(lines[2]) - lines[2][0]
    return [Series.of(PPG, times_s, lines[0]), Series.of(HEART_RATE, times_s, lines[1])]


def _gtdump(_video: Path, path: Path) -> list[Series]:
    """Lines of time in milliseconds, heart rate, SpO2 and PPG."""
    with path.open(newline="") as file:
        table = np.array([[float(cell) for cell in row[:4]] for row in csv.reader(file) if row])
    times_s = (table[:, 0] - table[0, 0]) / 1000
    return [Series.of(PPG, times_s, table[:, 3]), Series.of(HEART_RATE, times_s, table[:, 1])]


def _pure(root: Path) -> Iterator[Found]:
    """`PP-SS.json` beside a folder `PP-SS` of PNG files; the second number says what the person does."""
    kinds = ("still", "talking", "slow translation", "fast translation", "small rotation", "medium rotation")
    for path in root.rglob("??-??.json"):
        person, setup = path.stem.split("-")
        folder = path.with_suffix("")
        if not folder.is_dir() or not setup.isdecimal():
            continue
        motion = kinds[int(setup) - 1] if 1 <= int(setup) <= len(kinds) else setup
        yield Found(folder, path, person, _pure_series, lambda _file, motion=motion: {"motion": motion})  # type: ignore[misc]


def _pure_series(folder: Path, path: Path) -> list[Series]:
    """Waves and rates of `/FullPackage`, with times in nanoseconds on the clock of the frames."""
    entries: list[dict[str, Any]] = json.loads(path.read_text())["/FullPackage"]
    start_s = PictureFolder(folder).start_s
    times_s = np.array([entry["Timestamp"] for entry in entries]) / 1e9 - start_s
    return [
        Series.of(kind, times_s, [entry["Value"][name] for entry in entries])
        for kind, name in ((PPG, "waveform"), (HEART_RATE, "pulseRate"))
    ]


def _mmpd(root: Path) -> Iterator[Found]:
    """`subjectN/pN_M.mat`, which holds the frames, the PPG and what kind of recording it is."""
    for path in root.rglob("p*_*.mat"):
        yield Found(path, path, path.stem.split("_")[0], _mmpd_series, _mmpd_groups)


def _mmpd_series(_video: Path, path: Path) -> list[Series]:
    """The PPG lasts as long as the frames, of which there are 30 a second."""
    from scipy.io import loadmat, whosmat

    frames = next(shape[0] for name, shape, _ in whosmat(path) if name == "video")
    ppg = np.ravel(loadmat(path, variable_names=["GT_ppg"])["GT_ppg"]).astype(float)
    return [Series.of(PPG, np.arange(len(ppg)) * (frames / 30.0 / len(ppg)), ppg)]


def _mmpd_groups(path: Path) -> dict[str, str]:
    from scipy.io import loadmat

    found = loadmat(path, variable_names=list(_MMPD_GROUPS))
    return {group: str(np.ravel(found[name])[0]) for name, group in _MMPD_GROUPS.items() if name in found}


def _vitallens(root: Path) -> Iterator[Found]:
    """A video and a CSV of its name with a row a frame."""
    for path in root.rglob("*.csv"):
        video = next((path.with_suffix(suffix) for suffix in VIDEOS if path.with_suffix(suffix).is_file()), None)
        if video:
            yield Found(video, path, path.stem, _row_a_frame)


def _row_a_frame(video: Path, path: Path) -> list[Series]:
    """Waves alone: its columns of rates lag behind them by many seconds."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    duration_s = probe(video).duration_s
    times_s = np.arange(len(rows)) * (duration_s / max(len(rows), 1))
    names = [name for name in (rows[0] if rows else {}) if name and kind_of(name) == PPG]
    return [Series.of(PPG, times_s, [float(row[name]) for row in rows]) for name in names[:1]]


LAYOUTS: dict[str, Callable[[Path], Iterator[Found]]] = {
    "ubfc-rppg": _ubfc_rppg,
    "pure": _pure,
    "mmpd": _mmpd,
    "vitallens": _vitallens,
}
"""By the names of `--layout`."""
