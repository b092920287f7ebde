"""How right the vitals are on real faces: a pulse with known beats, laid over the skin of people who move.

`python -m benchmarks.injected --count 4` takes some minutes; `--clips FOLDER` adds clips of your own. Each take (a face
and a motion) is rendered once, without the person's own pulse as far as it can be found; three pulses are laid over it,
and sent as JPEGs, H.264, and HEVC or VP9. Every third take is dark: half the light, and a third of the pulse. Tuning
and test have pulses, portraits and motions of their own; clips are for test alone.
"""

from __future__ import annotations

import argparse
import io
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg

from benchmarks.faces.blood import Blood, blood
from benchmarks.faces.motion import motion
from benchmarks.faces.pictures import CLIP, TEST, TUNING, clip, clips_in, missing, picture
from benchmarks.faces.table import table
from benchmarks.faces.takes import FPS, Sensor, Take, laid_over, take_of_clip, take_of_portrait
from benchmarks.recordings import single_threaded_pool
from benchmarks.streams import Stream, decoded, film, read_frames
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.media.video import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rppg_core.simulation.physiology import Truth
    from rppg_core.trace.traces import Trace

TUNING_SEED, TEST_SEED = 12_000, 912_000
SECONDS = 30.0
_DEPTH, _DARK_DEPTH = (0.007, 0.014), (0.003, 0.005)
_DARK_LIGHT = 0.5
_BITS = (0.12, 0.6)  # a pixel and frame: a call in good light, and a recording
_PULSES = 10  # seeds of pulses to a take


@dataclass(frozen=True, slots=True)
class Recording:
    """One pulse on one face, as it was sent: its truth, the trace that was read, and what else the table needs."""

    seed: int
    face: str
    codec: str  # "JPEG" | "H.264" | "HEVC" | "VP9"
    dark: bool
    truth: Truth
    beats_s: NDArray[np.float64]
    trace: Trace | None


def takes(first_seed: int, count: int, clips: list[Path]) -> list[tuple[int, str | Path]]:
    """Seeds and sources of `count` takes, portraits and clips by turns."""
    portraits = TUNING if first_seed < TEST_SEED else TEST
    sources: list[str | Path] = [p.name for p in portraits if picture(p) is not None]
    sources += clips if first_seed >= TEST_SEED else []
    return [(first_seed + i, sources[i % len(sources)]) for i in range(count)] if sources else []


def recordings(todo: list[tuple[int, str | Path]], cache: Path | None = None) -> Iterator[Recording]:
    """Render, send and read every take; what is in the cache is not made again."""
    with single_threaded_pool() as pool:
        for made in pool.imap(_work, [(seed, source, cache) for seed, source in todo], chunksize=1):
            yield from made


def _work(job: tuple[int, str | Path, Path | None]) -> list[Recording]:
    seed, source, cache = job
    cv2.setNumThreads(1)
    name = source.stem if isinstance(source, Path) else source.replace(" ", "-")
    path = cache / f"injected-{name}-{seed}.pickle" if cache else None
    if path and path.exists():
        kept: list[Recording] = pickle.loads(path.read_bytes())
        return kept
    take = take_of(seed, source)
    made = _sent(take, seed) if take else []
    if path:
        path.write_bytes(pickle.dumps(made))
    return made


def take_of(seed: int, source: str | Path) -> Take | None:
    """A clip, or a portrait by name that moves as a recorded head did; None if it can't be had."""
    if isinstance(source, Path):
        shown = clip(source)
        return take_of_clip(shown, seed, SECONDS) if shown else None
    walked = clip(CLIP) if CLIP.is_file() else None
    if walked is None:
        return None
    portrait = next(p for p in (*TUNING, *TEST) if p.name == source)
    return take_of_portrait(portrait, motion(walked.trace, int(seed >= TEST_SEED)), seed, SECONDS)


def _sent(take: Take, seed: int) -> list[Recording]:
    """Three pulses over one take, each sent in another way."""
    rng = np.random.default_rng([65, seed])
    dark = seed % 3 == 2
    ways = ["JPEG", "H.264", "HEVC" if seed % 2 else "VP9"]
    pulses = [
        blood(_PULSES * seed + i, depth=_DARK_DEPTH if dark else _DEPTH, duration_s=SECONDS) for i in range(len(ways))
    ]
    sensor = Sensor(take.size, float(rng.uniform(0.8, 2.0)), seed)
    light = (_DARK_LIGHT if dark else 1.0) * drifting_light(rng, take.times_s)
    changes = [np.outer(pulse.at(take.times_s), pulse.colour) for pulse in pulses]
    shown: list[list[NDArray[np.uint8]]] = [[] for _ in ways]
    for index, (frame, skin) in enumerate(take.frames()):
        for images, change in zip(shown, changes, strict=True):
            images.append(sensor.photographed(laid_over(frame, skin, change[index], light[index])))
    reader, made = FaceReader(), []
    for i, (way, pulse) in enumerate(zip(ways, pulses, strict=True)):
        trace = _read(shown[i], take.times_s, way, rng, reader)
        shown[i] = []
        made.append(_recorded(seed, i, take.name, way, dark, pulse, trace))
    return made


def _recorded(seed: int, i: int, face: str, way: str, dark: bool, pulse: Blood, trace: Trace | None) -> Recording:
    start, end = (float(trace.times_s[0]), float(trace.times_s[-1])) if trace is not None else (0.0, SECONDS)
    return Recording(_PULSES * seed + i, face, way, dark, pulse.truth(start, end), pulse.person.beats_s, trace)


def drifting_light(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain (n, 3) of R, G, B: a lamp and a white balance that drift a little."""
    tones = [(rng.uniform(0.01, 0.15), rng.uniform(0, 2 * np.pi)) for _ in range(4)]
    drift = sum((np.sin(2 * np.pi * f * t + p) for f, p in tones), np.zeros(len(t)))
    tint = [np.sin(2 * np.pi * rng.uniform(0.01, 0.1) * t + rng.uniform(0, 2 * np.pi)) for _ in range(3)]
    return np.asarray(1 + 0.004 * drift[:, None] + 0.002 * np.stack(tint, axis=1))


def _read(
    images: list[NDArray[np.uint8]],
    times_s: NDArray[np.float64],
    way: str,
    rng: np.random.Generator,
    reader: FaceReader,
) -> Trace | None:
    size = images[0].shape[1], images[0].shape[0]
    if way == "JPEG":
        quality = int(rng.integers(75, 96))
        frames = (
            Frame(
                round(t * 1e6),
                simplejpeg.encode_jpeg(image, quality=quality, colorspace="RGB", colorsubsampling="420"),
            )
            for t, image in zip(times_s, images, strict=True)
        )
        return read_frames(frames, reader, size)
    encoder = {"H.264": "libx264", "HEVC": "libx265", "VP9": "libvpx-vp9"}[way]
    bits = float(np.exp(rng.uniform(*np.log(_BITS))))
    stream = Stream(encoder, gop=int(rng.choice([30, 60, 150, 250])), scene_cut=True, preset="veryfast", bits=bits)
    video = film(images, times_s, FPS, stream)
    trace = read_frames(decoded(video, stream), reader, size)
    return replace(trace, bits_a_pixel=_bits(video, size)) if trace is not None else None


def _bits(video: bytes, size: tuple[int, int]) -> float:
    return probe(io.BytesIO(video)).bits_a_pixel(size)


def main() -> None:
    """Render, send, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8, help="takes, of three rows each [%(default)s]")
    parser.add_argument("--clips", type=Path, help="a folder of clips of faces: MP4, MOV, WebM, AVI")
    parser.add_argument("--first-seed", type=int, default=TEST_SEED)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    todo = takes(options.first_seed, options.count, clips_in(options.clips))
    done = list(recordings(todo, options.cache))
    print(table(done))
    portraits = TUNING if options.first_seed < TEST_SEED else TEST
    if lacking := missing(portraits):
        print("Not to be had here:", ", ".join(lacking))


if __name__ == "__main__":
    main()
