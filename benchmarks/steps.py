"""The steps from a frame's bytes to its packed sample, each by itself, on warm caches and on cold ones.

A host whose memory is slow, or whose neighbours use the caches that it shares, is imitated by touching more memory than
the caches hold before each frame. `python -m benchmarks.ingest` prints the table and writes it into docs/capacity.md.
"""

from __future__ import annotations

import platform
import re
import time
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import simplejpeg
from rich.table import Table

from rppg_core.face import predictors
from rppg_core.face.colour import mean_colours
from rppg_core.face.faces import FaceFinder
from rppg_core.face.regions import fit
from rppg_core.face.witnesses import witness
from rppg_core.media import images
from rppg_core.trace.traces import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from rppg_core.face.face import Face

Result = TypeVar("Result")

PAGE = Path(__file__).parents[1] / "docs" / "capacity.md"
HEADING = "## What a frame costs, step by step"
BARE = "bare decode"
LANDMARKS, IN_A_ROW, ROW = "landmarks", "landmarks, of two frames in a row", 2
BY_DLIB, IN_A_ROW_BY_DLIB = "landmarks, evaluated by dlib", "landmarks, of two frames in a row, evaluated by dlib"
IN_A_BATCH = "all steps but the verification: a frame among thirty"
SINGLE = "all steps: a frame that comes by itself"

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_LEAST_BYTES, _MOST_BYTES = 64_000_000, 256_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """CPU of one step for one frame, in milliseconds."""

    name: str
    warm_ms: float
    cold_ms: float


class _Clock:
    """Times the steps of frames."""

    def __init__(self, *, repeat: bool) -> None:
        self.took_ms: dict[str, list[float]] = {}
        self._repeat = repeat

    def time(self, name: str, work: Callable[[], Result]) -> Result:
        if self._repeat:
            work()
        start = time.process_time()
        result = work()
        self.took_ms.setdefault(name, []).append(1000 * (time.process_time() - start))
        return result


def steps(frames: list[bytes]) -> list[Step]:
    """Measure on the frames of a person, one after another."""
    finder, by_dlib = FaceFinder(), FaceFinder(model=predictors.by_dlib())
    first = finder.find(images.decode(frames[0]))
    warm, cold = _Clock(repeat=True), _Clock(repeat=False)
    others = np.zeros(max(_LEAST_BYTES, min(2 * largest_cache_bytes(), _MOST_BYTES)), np.uint8)
    for clock, evict in ((warm, int), (cold, partial(np.add, others, np.uint8(1), out=others))):
        face = first
        for data in frames:
            evict()
            clock.time(BARE, lambda data=data: simplejpeg.decode_jpeg(data, colorspace="RGB"))
            evict()
            face = _one(clock, finder, data, face)
        _row(clock, IN_A_ROW, finder, frames, first, evict)
        if finder.landmarks_by != by_dlib.landmarks_by:
            _alone(clock, by_dlib, frames, first, evict)
            _row(clock, IN_A_ROW_BY_DLIB, by_dlib, frames, first, evict)
    found = [Step(name, median(warm.took_ms[name]), median(cold.took_ms[name])) for name in warm.took_ms]
    ours = [step for step in found[1:] if step.name not in {BY_DLIB, IN_A_ROW_BY_DLIB}]
    single = [step for step in ours if step.name != IN_A_ROW]
    batch = [step for step in ours if step.name not in {LANDMARKS, "verification"}]
    return [*found, _sum(IN_A_BATCH, batch), _sum(SINGLE, single)]


def _one(clock: _Clock, finder: FaceFinder, data: bytes, last: Face) -> Face:
    image = clock.time("decode", lambda: images.decode(data))
    face = clock.time(LANDMARKS, lambda: finder.follow(image, last))
    place = clock.time("regions", lambda: fit(face.landmarks))
    colours = clock.time("colours", lambda: mean_colours(image, place))
    around = clock.time("surroundings", lambda: witness(image, place))
    sample = Sample(colours=colours, pose=place.pose, witness=around)
    clock.time("packing", sample.to_bytes)
    assert clock.time("verification", lambda: finder.verify(image, face)), "a face was lost"
    return face


def _alone(clock: _Clock, finder: FaceFinder, frames: list[bytes], face: Face, evict: Callable[[], object]) -> None:
    """Follow the face through frames that come one by one, and do nothing else with them."""
    for data in frames:
        evict()
        image = images.decode(data)
        face = clock.time(BY_DLIB, partial(finder.follow, image, face))


def _row(
    clock: _Clock, name: str, finder: FaceFinder, frames: list[bytes], face: Face, evict: Callable[[], object]
) -> None:
    """Follow the face through several frames, as a reader does with those of one request; the time of one of them."""
    for at in range(0, len(frames) - ROW + 1, ROW):
        pictures = [images.decode(data) for data in frames[at : at + ROW]]
        evict()
        face = clock.time(name, partial(reduce, lambda f, image: finder.follow(image, f), pictures, face))
        clock.took_ms[name][-1] /= ROW


def _sum(name: str, parts: list[Step]) -> Step:
    return Step(name, sum(part.warm_ms for part in parts), sum(part.cold_ms for part in parts))


def table(measured: list[Step]) -> Table:
    """For the terminal."""
    shown = Table("step", "warm", "/ bare decode", "cold", "/ bare decode", title=f"Steps of a frame. {caches()}")
    bare = measured[0]
    for step in measured:
        shown.add_row(
            step.name,
            f"{step.warm_ms:.3f} ms",
            f"{step.warm_ms / bare.warm_ms:.2f} x",
            f"{step.cold_ms:.3f} ms",
            f"{step.cold_ms / bare.cold_ms:.2f} x",
        )
    return shown


def section(measured: list[Step]) -> list[str]:
    """For docs/capacity.md."""
    bare = measured[0]
    return [
        HEADING,
        "",
        "Written by `python -m benchmarks.ingest`. CPU of each step for one frame of 640x480, medians. *Warm*: the "
        "step was just done on the same frame. *Cold*: before each frame more memory was touched than the caches "
        "hold, as busy neighbours do on a shared host. Read the ratios: they are of one run, while times depend on "
        f"what else the machine does. Caches here: {caches()}.",
        "",
        "| step | warm | / bare decode | cold | / bare decode |",
        "|---|---|---|---|---|",
        *(
            f"| {step.name} | {step.warm_ms:.2f} ms | {step.warm_ms / bare.warm_ms:.2f} | {step.cold_ms:.2f} ms "
            f"| {step.cold_ms / bare.cold_ms:.2f} |"
            for step in measured
        ),
        "",
    ]


def write(measured: list[Step], page: Path = PAGE) -> None:
    """Put the section in the place of the page's present one."""
    text = page.read_text()
    begin = text.index(HEADING)
    end = text.find("\n## ", begin) + 1
    page.write_text(text[:begin] + "\n".join(section(measured)) + "\n" + text[end:])


def caches() -> str:
    """What the machine has, as far as its kernel says it."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    named = [f"L{level}{kind} {size}" for level, kind, size in _caches()]
    return f"{cpu[1] if cpu else platform.machine()}, {', '.join(named) or 'caches unknown'}"


def largest_cache_bytes() -> int:
    """Of the first core; 0 if that is not known."""
    units = {"K": 1024, "M": 1024**2}
    return max((int(size[:-1]) * units[size[-1]] for _, _, size in _caches() if size[-1] in units), default=0)


def _caches() -> list[tuple[str, str, str]]:
    """Level, kind and size of each."""
    kinds = {"Data": "d", "Instruction": "i", "Unified": ""}
    found = []
    for folder in sorted(_CACHES.glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        found.append((level, kinds.get(kind, ""), size))
    return found
