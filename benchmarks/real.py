"""Real recordings, read from the folder beside the project where it is there. Nothing of them is kept.

`fingertip`: MTHS data set (M. Farvardin, MTVital), CC BY-NC-ND 4.0. `dark-skin-patches`: bias-eval-rppg, MIT.
`face-1`: a sample of vitallens-python, MIT.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.recordings import measured
from benchmarks.scores import mean, median
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.media.video import read_video
from rppg_core.quality.extractors import DEFAULT
from rppg_core.trace.traces import Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.results import Vitals

DATA = Path(__file__).parents[2] / "shared" / "data"
FACE_1_BPM = 75.7  # mean interval of the contact pulse wave
FACE_1_RMSSD_MS = (18.0, 25.0)

_FINGERTIP_FS, _PATCHES_FS = 30.0, 15.0
_WINDOW_S = 20
_STEADY_S, _STEADY_BPM = 5, 2.0
_DISPLAY_LAG_S = 6  # the oximeter shows the mean of the last seconds; its label fits the window this much earlier best
_STILL = (320.0, 240.0, 100.0, 0.0, 0.0)  # a pose for what has none


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of one real recording, measured."""

    person: str
    start_s: float
    truth_bpm: float
    vitals: Vitals


def face_1(landmarks: str = "5", method: str = DEFAULT) -> Vitals | None:
    """The real clip, with its 11.8 s allowed to answer for HRV; None where it isn't there."""
    trace = face_1_trace(landmarks)
    return None if trace is None else measured(trace, method, hrv_needs_s=10.0)


def face_1_trace(landmarks: str = "5") -> Trace | None:
    """The real clip's colours, read in requests of about a second; None where it isn't there."""
    path = DATA / "face-1" / "face-1.mp4"
    if not path.is_file():
        return None
    reader, state, readings = FaceReader(landmarks), None, []
    frames = [Frame(round(t * 1e6), image) for t, image in read_video(path)]
    for start in range(0, len(frames), 30):
        readings += reader.read(frames[start : start + 30], state)
        state = next((r.face for r in reversed(readings) if r.face), None)
    good = [r for r in readings if r.sample is not None]
    size = (frames[0].image().shape[1], frames[0].image().shape[0])
    return Trace.of([r.time_us / 1e6 for r in good], [r.sample for r in good if r.sample], size)


def fingertips(method: str = DEFAULT) -> list[Window]:
    """Windows of fingertips on a lens in whose middle the oximeter's label stood still."""
    found = []
    for path in sorted((DATA / "fingertip").glob("signal_*.npy"), key=lambda p: int(p.stem.split("_")[1])):
        signal = np.load(path)
        labels = np.load(path.with_name(path.name.replace("signal", "label")))[:, 0]
        for start in range(0, int(len(signal) / _FINGERTIP_FS) - _WINDOW_S + 1, _WINDOW_S // 2):
            middle = start + _WINDOW_S // 2 + _DISPLAY_LAG_S
            around = labels[middle - _STEADY_S : middle + _STEADY_S + 1]
            if len(around) <= 2 * _STEADY_S or np.any(around <= 0) or np.ptp(around) > _STEADY_BPM:
                continue
            part = signal[int(start * _FINGERTIP_FS) : int((start + _WINDOW_S) * _FINGERTIP_FS)]
            vitals = measured(_trace(part[:, None, :], _FINGERTIP_FS), method)
            found.append(Window(path.stem.split("_")[1], start, float(labels[middle]), vitals))
    return found


def patches(method: str = DEFAULT) -> list[Window]:
    """Windows of 30 s of three patches of dark skin, with one mean rate per person as their label."""
    path = DATA / "dark-skin-patches" / "rgb_traces_61_patches.npz"
    if not path.is_file():
        return []
    people: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    with np.load(path) as traces:
        for name in traces.files:
            people[name.rsplit("_", 1)[0]].append(traces[name])
    truth = _mean_rates(path.parent)
    found = []
    for person, parts in people.items():
        if person not in truth:
            continue
        n = min(len(part) for part in parts)
        colours = np.stack([part[:n] for part in parts], axis=1).astype(float)
        colours[colours <= 0.5] = np.nan
        width = int(30 * _PATCHES_FS)
        for start in range(0, max(n - width, 0) + 1, width):
            vitals = measured(_trace(colours[start : start + width], _PATCHES_FS), method)
            found.append(Window(person, start / _PATCHES_FS, truth[person], vitals))
    return found


def report(method: str, tolerance_bpm: float) -> str:
    """The section about real recordings."""
    lines = []
    for model in ("5", "68"):
        clip = face_1(model, method)
        if clip is None:
            continue
        low, high = FACE_1_RMSSD_MS
        rate = (
            "withheld"
            if clip.heart_rate_bpm is None
            else f"{clip.heart_rate_bpm:.1f} (error {clip.heart_rate_bpm - FACE_1_BPM:+.1f})"
        )
        spread = "withheld" if clip.rmssd_ms is None else f"{clip.rmssd_ms:.0f} ms (truth {low:.0f}–{high:.0f})"
        lines.append(
            f"| face-1, {model} points | {rate} bpm, confidence {clip.confidence:.2f}; RMSSD without the 20 s gate: "
            f"{spread} |"
        )
    fingers, skin = fingertips(method), patches(method)
    for name, windows in (
        ("fingertip, 20 s windows, steady label", fingers),
        ("dark-skin patches, 30 s windows", skin),
    ):
        if not windows:
            continue
        error = np.abs([(w.vitals.heart_rate_bpm or np.nan) - w.truth_bpm for w in windows])
        sure = np.array([w.vitals.confidence >= 0.7 for w in windows])
        ok = np.isfinite(error)
        lines.append(
            f"| {name} | {len(windows)} windows of {len({w.person for w in windows})} people; answered {ok.mean():.0%}"
            + (f"; mean error {mean(error):.2f} bpm, median {median(error):.2f}" if ok.any() else "")
            + f"; of {sure.sum()} with confidence ≥ 0.7, "
            f"{int(np.sum(sure & (error > tolerance_bpm)))} beyond 2 bpm, {int(np.sum(sure & (error > 5)))} beyond 5 |"
        )
    if not lines:
        return "## Real recordings\n\nNot present where this was made.\n"
    notes = (
        "`face-1` is one man, still and well lit (a sample of vitallens-python, MIT). `fingertip` is a lens covered by "
        "a finger, not a face (MTHS data set, M. Farvardin, CC BY-NC-ND 4.0; read, not changed or kept); the row of "
        "probabilities for single spots was fitted on these same recordings. "
        "`dark-skin-patches` are heavily compressed traces with one mean rate per person as their truth "
        "(bias-eval-rppg, MIT): no bar for accuracy, but nothing in them may be wrong with confidence.\n"
    )
    return "## Real recordings\n\n| | |\n|---|---|\n" + "\n".join(lines) + "\n\n" + notes


def _mean_rates(folder: Path) -> dict[str, float]:
    rates = {}
    for country in ("India", "Sierra_Leone"):
        with (folder / f"{country}_GT.csv").open(encoding="utf-8-sig") as file:
            for video, rate in list(csv.reader(file))[1:]:
                rates[f"{country}_{video.strip().removeprefix('video')}"] = float(rate)
    return rates


def _trace(colours: NDArray[np.float64], fs: float) -> Trace:
    n = len(colours)
    return Trace(np.arange(n) / fs, colours.copy(), np.tile(_STILL, (n, 1)), (640, 480))
