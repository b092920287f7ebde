"""The stress index of one person, sent in several ways: as JPEG frames, as an uploaded video, as a local file.

`python -m benchmarks.stress_ways` films each person once: painted faces, and pulses laid over real ones
(`benchmarks.injected`). The same pictures go out as JPEGs of a quality of 90, as an H.264 video that is read as uploads
are and by `rppg_core.measure_video`, and as JPEGs that a backend made of that video. The spread is the highest index of
a person over the lowest, less one. `--tune` takes tuning seeds instead of test seeds.
"""

from __future__ import annotations

import argparse
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg

from benchmarks import injected
from benchmarks.faces.blood import blood
from benchmarks.faces.takes import FPS, Sensor, laid_over
from benchmarks.recordings import TEST_SEED, TUNING_SEED, single_threaded_pool
from benchmarks.streams import Stream, decoded, film, read_frames
from benchmarks.variability import scene_of
from rppg_core import measure
from rppg_core._measure_video import trace_of_video
from rppg_core.course.long_video import windows_of_video
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.simulation.faces import simulate_face
from rppg_core.vital.hrv import stress_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace

    _Shown = tuple[str, NDArray[np.float64], list[NDArray[np.uint8]], NDArray[np.float64]]
    """Name, true intervals, pictures, and their times."""

WAYS = ("JPEG frames", "uploaded video", "local file", "JPEGs of the video")
WITHIN = 0.15
"""How far apart the ways may be."""

_OFFSET, _INJECTED_OFFSET = 80_000, 5_000  # from the seeds of other benchmarks
_DEPTH = (0.007, 0.014)
_BITS = (0.1, 0.5)  # a pixel and frame
_GOPS = (30, 60, 150, 250)
_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Person:
    """One person: the true intervals between beats, and the trace that each way gave."""

    name: str
    intervals_s: NDArray[np.float64]
    bits: float
    traces: dict[str, Trace | None]


def people(count: int, takes: int, *, tune: bool, cache: Path | None = None) -> Iterator[Person]:
    """`count` painted people, and `takes` real faces with pulses laid over."""
    first = (TUNING_SEED if tune else TEST_SEED) + _OFFSET
    first_take = (injected.TUNING_SEED if tune else injected.TEST_SEED) + _INJECTED_OFFSET
    todo: list[tuple[int, str | Path | None, Path | None]] = [(first + i, None, cache) for i in range(count)]
    todo += [(seed, source, cache) for seed, source in injected.takes(first_take, takes, [])]
    with single_threaded_pool() as pool:
        yield from (one for one in pool.imap(_person, todo, chunksize=1) if one is not None)


def _person(job: tuple[int, str | Path | None, Path | None]) -> Person | None:
    seed, source, cache = job
    cv2.setNumThreads(1)
    path = cache / f"ways-{seed}.pickle" if cache else None
    if path and path.exists():
        kept: Person | None = pickle.loads(path.read_bytes())
        return kept
    shown = _painted(seed) if source is None else _laid_over(seed, source)
    made = None if shown is None else _sent(*shown, seed)
    if path:
        path.write_bytes(pickle.dumps(made))
    return made


def _painted(seed: int) -> _Shown:
    face = simulate_face(scene_of("painted", seed))
    images = [face.image(i) for i in range(len(face))]
    return f"painted, skin {face.scene.skin}", _intervals_s(face.person.beats_s, face.times_s), images, face.times_s


def _intervals_s(beats_s: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.diff(beats_s[(beats_s >= times_s[0]) & (beats_s <= times_s[-1])]))


def _laid_over(seed: int, source: str | Path) -> _Shown | None:
    take = injected.take_of(seed, source)
    if take is None:
        return None
    rng = np.random.default_rng([66, seed])
    pulse = blood(seed, depth=_DEPTH, duration_s=injected.SECONDS)
    sensor, light = Sensor(take.size, 1.2, seed), injected.drifting_light(rng, take.times_s)
    changes = np.outer(pulse.at(take.times_s), pulse.colour)
    images = [
        sensor.photographed(laid_over(frame, skin, changes[i], light[i]))
        for i, (frame, skin) in enumerate(take.frames())
    ]
    return take.name, _intervals_s(pulse.person.beats_s, take.times_s), images, take.times_s


def _sent(
    name: str,
    intervals_s: NDArray[np.float64],
    images: list[NDArray[np.uint8]],
    times_s: NDArray[np.float64],
    seed: int,
) -> Person:
    rng = np.random.default_rng([67, seed])
    bits, gop = float(np.exp(rng.uniform(*np.log(_BITS)))), int(rng.choice(_GOPS))
    height, width = images[0].shape[:2]
    reader, stream = FaceReader(), Stream(gop=gop, scene_cut=True, preset="veryfast", bits=bits)
    video = film(images, times_s, FPS, stream)
    frames = (Frame(round(t * 1e6), _jpeg(image)) for t, image in zip(times_s, images, strict=True))
    again = decoded(video, Stream(jpeg_quality=_JPEG_QUALITY))
    traces = {
        "JPEG frames": read_frames(frames, reader, (width, height)),
        "uploaded video": list(windows_of_video(io.BytesIO(video), reader))[-1].trace,
        "local file": trace_of_video(io.BytesIO(video), reader),
        "JPEGs of the video": read_frames(again, reader, (width, height)),
    }
    return Person(name, intervals_s, bits, traces)


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=_JPEG_QUALITY, colorspace="RGB", colorsubsampling="420"
    )


def table(done: list[Person]) -> str:
    """Each person's index by way and the spread between the ways, and how many are within what is allowed."""
    head = f"| face | bits a pixel | true | {' | '.join(WAYS)} | spread |\n" + "|---" * (4 + len(WAYS)) + "|\n"
    lines, spreads, errors = [], [], []
    for one in done:
        said = {way: measure(trace) if trace is not None else None for way, trace in one.traces.items()}
        given = [found.stress_index for found in said.values() if found and found.stress_index is not None]
        spread = max(given) / min(given) - 1 if len(given) > 1 else float("nan")
        spreads.append(spread)
        true = stress_index(one.intervals_s) or float("nan")
        errors += [value / true - 1 for value in given]
        cells = [one.name, f"{one.bits:.2f}", f"{true:.0f}", *(_shown(said[way]) for way in WAYS), f"{spread:.0%}"]
        lines.append(f"| {' | '.join(cells)} |".replace("nan%", "").replace("nan", ""))
    return head + "\n".join(lines) + "\n\n" + _summary(np.array(spreads), np.array(errors))


def _shown(vitals: Vitals | None) -> str:
    if vitals is None:
        return "no face"
    index = vitals.stress_index
    return vitals.withheld["stress_index"] if index is None else f"{index:.0f}"


def _summary(spreads: NDArray[np.float64], errors: NDArray[np.float64]) -> str:
    twice = spreads[np.isfinite(spreads)]
    if not len(twice):
        return f"{len(errors)} answers of {len(spreads)} people."
    return (
        f"{len(errors)} of {len(spreads) * len(WAYS)} answered; {np.sum(twice <= WITHIN)} of {len(twice)} people with "
        f"more than one answer within {WITHIN:.0%}, the widest {twice.max():.0%}. "
        f"Median error {np.nanmedian(np.abs(errors)):.0%}, mean {np.nanmean(errors):+.0%}."
    )


def main() -> None:
    """Film, send, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=16, help="painted people [%(default)s]")
    parser.add_argument("--takes", type=int, default=8, help="real faces [%(default)s]")
    parser.add_argument("--tune", action="store_true", help="take tuning seeds")
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    print(table(list(people(options.count, options.takes, tune=options.tune, cache=options.cache))))


if __name__ == "__main__":
    main()
