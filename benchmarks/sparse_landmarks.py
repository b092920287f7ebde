"""What landmarks on fewer frames cost in accuracy. `python -m benchmarks.sparse_landmarks` takes some minutes.

Between frames with landmarks a face's place is carried on, extrapolated from the last two of them, or interpolated
between two neighbours. All ways see the same frames: of the real clip, compressed again in several ways, since its
confidence changes by a tenth with a rounding, and of hard simulated recordings at 30 frames a second.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import simplejpeg  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.material import CLIP  # noqa: E402
from benchmarks.real import FACE_1_BPM  # noqa: E402
from benchmarks.recordings import TUNING_SEED  # noqa: E402
from rppg_core import measure  # noqa: E402
from rppg_core.face.faces import FaceFinder  # noqa: E402
from rppg_core.face.reader import Frame  # noqa: E402
from rppg_core.face.reduction import sample_of  # noqa: E402
from rppg_core.media.video import read_video  # noqa: E402
from rppg_core.simulation.faces import simulate_face  # noqa: E402
from rppg_core.simulation.scenes import hard_scene  # noqa: E402
from rppg_core.trace.traces import Sample, Trace  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from rppg_core.face.face import Face
    from rppg_core.results import Vitals

EVERY, CARRIED, EXTRAPOLATED, INTERPOLATED = "on every frame", "carried", "extrapolated", "interpolated"
WAYS = ((EVERY, 1), (CARRIED, 2), (CARRIED, 3), (EXTRAPOLATED, 2), (INTERPOLATED, 2), (INTERPOLATED, 3))
QUALITIES = (None, 70, 78, 86, 92, 97)


@dataclass(slots=True)
class Follower:
    """Takes samples of a face whose landmarks are predicted on one of `every` frames."""

    finder: FaceFinder
    way: str
    every: int
    samples: list[Sample] = field(default_factory=list)
    known: list[tuple[int, Face]] = field(default_factory=list)  # the last two that were predicted
    waiting: list[tuple[int, NDArray[np.uint8]]] = field(default_factory=list)
    count: int = 0

    def add(self, time_us: int, image: NDArray[np.uint8]) -> None:
        """Take the next frame; an interpolated one waits for its neighbour."""
        between, self.count = self.count % self.every > 0, self.count + 1
        if between and self.way == INTERPOLATED:
            self.waiting.append((time_us, image))
        elif between and (self.way == CARRIED or len(self.known) > 1):
            self._sample(image, self.known[-1][1] if self.way == CARRIED else self._between(time_us))
        else:
            last = self.known[-1][1] if self.known else None
            face = self.finder.follow(image, last) if last else self.finder.find(image)
            self.known = [*self.known[-1:], (time_us, face)]
            for waited_us, waited in self.waiting:
                self._sample(waited, self._between(waited_us))
            self.waiting.clear()
            self._sample(image, face)

    def _between(self, time_us: int) -> Face:
        """The face on the line through the last two, in time."""
        (early_us, early), (late_us, late) = self.known
        share = (time_us - early_us) / (late_us - early_us)
        return replace(late, landmarks=early.landmarks + share * (late.landmarks - early.landmarks))

    def _sample(self, image: NDArray[np.uint8], face: Face) -> None:
        self.samples.append(sample_of(image, face))


def vitals(frames: Iterable[Frame], finder: FaceFinder) -> list[Vitals]:
    """What each of `WAYS` makes of the same frames."""
    followers, times_s = [Follower(finder, way, every) for way, every in WAYS], []
    size = (0, 0)
    for frame in frames:
        image = frame.image()
        size = image.shape[1], image.shape[0]
        times_s.append(frame.time_us / 1e6)
        for follower in followers:
            follower.add(frame.time_us, image)
    return [measure(Trace.of(times_s[: len(follower.samples)], follower.samples, size)) for follower in followers]


def of_clip(finder: FaceFinder) -> Iterator[tuple[list[Vitals], float]]:
    """The real clip in each quality, and its rate."""
    if not CLIP.exists():
        return
    frames = [Frame(round(1e6 * at), np.ascontiguousarray(image)) for at, image in read_video(CLIP)]
    for quality in QUALITIES:
        sent = frames if quality is None else [Frame(f.time_us, _jpeg(f.image(), quality)) for f in frames]
        yield vitals(sent, finder), FACE_1_BPM


def of_simulated(finder: FaceFinder, count: int) -> Iterator[tuple[list[Vitals], float]]:
    """Hard recordings, and their rates."""
    for seed in range(TUNING_SEED, TUNING_SEED + count):
        face = simulate_face(hard_scene(seed, fps=30.0))
        yield vitals(face.frames(), finder), face.person.truth(0.0, float(face.times_s[-1])).heart_rate_bpm


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    return bytes(simplejpeg.encode_jpeg(image, quality=quality, colorspace="RGB", colorsubsampling="420"))


def table(title: str, found: list[tuple[list[Vitals], float]]) -> Table:
    """A row for each way."""
    shown = Table(
        "landmarks", "confidence", "±", "heart rate answered", "mean error, bpm", "RMSSD answered", title=title
    )
    for at, (way, every) in enumerate(WAYS):
        own = [(answers[at], truth) for answers, truth in found]
        confidences = [answer.confidence for answer, _ in own]
        errors = [abs(a.heart_rate_bpm - truth) for a, truth in own if a.heart_rate_bpm is not None]
        shown.add_row(
            way if every == 1 else f"1 of {every}, {way} between",
            f"{fmean(confidences):.3f}",
            f"{stdev(confidences) / len(own) ** 0.5:.3f}" if len(own) > 1 else "",
            f"{len(errors)} of {len(own)}",
            f"{fmean(errors):.2f}" if errors else "",
            str(sum(answer.rmssd_ms is not None for answer, _ in own)),
        )
    return shown


def main() -> None:
    """Read, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8, help="simulated recordings [%(default)s]")
    count = parser.parse_args().count
    cv2.setNumThreads(1)
    finder = FaceFinder()
    console = Console(width=118)
    for title, found in (
        ("Real clip", list(of_clip(finder))),
        ("Simulated, hard, 30 frames a second", list(of_simulated(finder, count))),
    ):
        if found:
            console.print(table(title, found))


if __name__ == "__main__":
    main()
