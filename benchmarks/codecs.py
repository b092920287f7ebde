"""What video codecs do to the heart rate: faces, and photographs that must have none, sent through them.

`python -m benchmarks.codecs` sends test recordings and prints the figures that `make bench-accuracy` takes over.
"""

from __future__ import annotations

import argparse
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.recordings import single_threaded_pool
from benchmarks.report import Verdict
from benchmarks.streams import Sent, Stream, face_scene, photo_scene, random_stream, send
from rppg_core import measure
from rppg_core.face.reader import FaceReader
from rppg_core.simulation.faces import person_of
from rppg_core.simulation.scenes import Scene
from rppg_core.validation import rate_upper_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

TUNING_SEED, TEST_SEED = 11_000, 911_000
COUNTS = (40, 60, 4)
"""Faces, photographs, and the streams that each is sent through."""

_PHOTOS = 1000  # seeds of photographs are this far on
_TOLERANCE_BPM = 2.0
_SURE, _ANSWERED = 0.7, 0.3
_FAIR_BITS, _ANSWERED_SHARE, _RIGHT_SHARE = 0.1, 0.6, 0.95

Case = tuple[Scene, list[Stream]]


@dataclass(frozen=True, slots=True)
class Score:
    """What was answered of one stream; the error is NaN where nothing was."""

    scene: Scene
    stream: Stream
    confidence: float
    rate_bpm: float | None
    error_bpm: float

    @property
    def wrong(self) -> bool:
        """Whether a rate was answered that is no pulse's, or more than 2 bpm off."""
        return self.rate_bpm is not None and not abs(self.error_bpm) <= _TOLERANCE_BPM


def cases(first_seed: int, faces: int, photos: int, streams: int) -> list[Case]:
    """So many faces and photographs, each sent through so many streams; some hearts beat at the keyframes' rate."""
    found: list[Case] = []
    for i in range(faces):
        rng = np.random.default_rng([41, first_seed + i])
        ways = [random_stream(rng) for _ in range(streams)]
        scene = face_scene(first_seed + i)
        at_keyframes = [60 * scene.fps / way.gop for way in ways if 45 <= 60 * scene.fps / way.gop <= 180]
        if i % 4 == 0 and at_keyframes:
            scene = face_scene(first_seed + i, heart_rate_bpm=at_keyframes[0])
        found.append((scene, ways))
    for i in range(photos):
        rng = np.random.default_rng([42, first_seed + _PHOTOS + i])
        found.append((photo_scene(first_seed + _PHOTOS + i), [random_stream(rng) for _ in range(streams)]))
    return found


def sent(todo: list[Case], cache: Path | None = None) -> Iterator[Sent]:
    """Send them all; what is in the cache is not made again."""
    with single_threaded_pool() as pool:
        for part in pool.imap(_work, [(case, cache) for case in todo], chunksize=1):
            yield from part


_reader: list[FaceReader] = []


def _work(job: tuple[Case, Path | None]) -> list[Sent]:
    (scene, streams), cache = job
    cv2.setNumThreads(1)
    os.environ["SVT_LOG"] = "1"
    path = cache / f"{'face' if scene.pulse else 'photo'}-{scene.seed}.pickle" if cache else None
    if path and path.exists():
        made: list[Sent] = pickle.loads(path.read_bytes())
        return made
    if not _reader:
        _reader.append(FaceReader())
    made = send(scene, streams, _reader[0])
    if path:
        path.write_bytes(pickle.dumps(made))
    return made


def scored(one: Sent) -> Score:
    """Measure a stream as the service does."""
    if one.trace is None:
        return Score(one.scene, one.stream, 0.0, None, float("nan"))
    vitals, error = measure(one.trace), float("nan")
    if vitals.heart_rate_bpm is not None:
        truth = person_of(one.scene).truth(float(one.trace.times_s[0]), float(one.trace.times_s[-1]))
        error = vitals.heart_rate_bpm - truth.heart_rate_bpm if one.scene.pulse else float("inf")
    return Score(one.scene, one.stream, vitals.confidence, vitals.heart_rate_bpm, error)


def scores(*, quick: bool = False) -> list[Score]:
    """Test recordings, sent and measured; a tenth of them if `quick`."""
    faces, photos, streams = (max(n // 10, 4) for n in COUNTS) if quick else COUNTS
    return [scored(one) for one in sent(cases(TEST_SEED, faces, photos, streams))]


def verdicts(done: list[Score]) -> list[Verdict]:
    """The figures to reach."""
    photos, faces = [s for s in done if not s.scene.pulse], [s for s in done if s.scene.pulse]
    false = sum(s.confidence >= _ANSWERED for s in photos)
    sure = [s for s in faces if s.confidence >= _SURE]
    wrong = sum(s.wrong for s in sure)
    fair = [s for s in faces if s.stream.bits >= _FAIR_BITS]
    answered = float(np.mean([s.rate_bpm is not None for s in fair])) if fair else 0.0
    right = float(np.mean([not s.wrong for s in fair])) if fair else 0.0
    bounds = rate_upper_bound(false, len(photos)), rate_upper_bound(wrong, len(sure))
    return [
        Verdict(
            f"{len(photos)} photographs through video codecs: false pulses (95 % bound)",
            f"{false} (≤ {bounds[0]:.1%})",
            "0",
            false == 0,
        ),
        Verdict(
            f"{len(faces)} faces through video codecs: wrong with confidence ≥ 0.7 (95 % bound, of {len(sure)})",
            f"{wrong} (≤ {bounds[1]:.1%})",
            "0",
            wrong == 0,
        ),
        Verdict(
            f"… answered at {_FAIR_BITS} bits a pixel and more ({len(fair)})",
            f"{answered:.0%}",
            "≥ 60 %",
            answered >= 0.6,
        ),
        Verdict("… within 2 bpm or withheld", f"{right:.0%}", "≥ 95 %", right >= _RIGHT_SHARE),
    ]


def section(done: list[Score]) -> str:
    """A table by codec and by bits."""
    lines = []
    for title, key in (("codec", lambda s: s.stream.encoder), ("bits a pixel", _bits), ("sent as", _sent_as)):
        for value in sorted({key(s) for s in done}):
            part = [s for s in done if key(s) == value]
            photos, faces = [s for s in part if not s.scene.pulse], [s for s in part if s.scene.pulse]
            false, answered = sum(s.confidence >= _ANSWERED for s in photos), sum(s.rate_bpm is not None for s in faces)
            wrong = [s for s in faces if s.wrong]
            lines.append(
                f"| {title} | {value} | {len(photos)} | {false} | {len(faces)} | {answered / max(len(faces), 1):.0%} "
                f"| {len(wrong)} | {sum(s.confidence >= _SURE for s in wrong)} |"
            )
    head = (
        "| | | photographs | with a pulse | faces | answered | wrong | wrong, confidence ≥ 0.7 |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return "## Through video codecs\n\n" + head + "\n".join(lines) + "\n\n" + _NOTE


_NOTE = (
    "Faces and photographs (still, held by hand, moved) of 20 s with a keyframe every 8 to 300 frames, at fixed "
    "distances or by scene cut, with and without B-frames, and with intra blocks that wander instead of keyframes; "
    "half of the streams are read as videos, the others as JPEGs made of them. A quarter of the hearts beat at the "
    "keyframes' rate.\n"
)


def _bits(score: Score) -> str:
    return "0.02–0.05" if score.stream.bits < 0.05 else "0.05–0.1" if score.stream.bits < _FAIR_BITS else "0.1–0.3"


def _sent_as(score: Score) -> str:
    return "JPEGs" if score.stream.jpeg_quality else "video"


def main() -> None:
    """Send, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs=3, default=COUNTS, metavar=("FACES", "PHOTOS", "STREAMS"))
    parser.add_argument("--first-seed", type=int, default=TEST_SEED)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    if arguments.cache:
        arguments.cache.mkdir(parents=True, exist_ok=True)
    done = [scored(one) for one in sent(cases(arguments.first_seed, *arguments.counts), arguments.cache)]
    print("\n".join(verdict.line() for verdict in verdicts(done)))
    print(section(done))
    for score in done:
        if score.wrong:
            error = f"off by {score.error_bpm:+.1f}" if score.scene.pulse else "no pulse"
            print(f"{score.rate_bpm:.1f}, {error}, {score.confidence:.2f}: seed {score.scene.seed}, {score.stream}")


if __name__ == "__main__":
    main()
