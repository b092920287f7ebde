"""Samples as JSON: how a reader on another device writes them, and how they are checked before they are used.

Version 1 of the format holds what a packed sample holds, and rounds as that does: the colours of the skin regions and
then of the control patches, the pose, and how much detail the picture has. docs/mobile.md describes it for other
programs.
"""

from __future__ import annotations

import base64
import binascii
import math
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from rppg_core.errors import InvalidSample
from rppg_core.face.reader import FaceState, box_of
from rppg_core.face.regions import N_REGIONS
from rppg_core.trace.traces import POSE, ROLL_RAD, SIZE_PX, YAW, Sample
from rppg_core.trace.witnesses import COLOURS, CONTROLS, N_WITNESSES, WITNESSES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

SAMPLE_VERSION = 1
N_COLOURS = N_REGIONS + len(CONTROLS)
"""Colours of a sample: skin regions, then control patches."""

DETAIL = WITNESSES[: COLOURS.start]
"""Numbers of `detail`, in order: five logarithms and a level."""

STEPS = 256  # of a packed level
MISSING = 0xFFFF
MOST_LEVEL = 255

MOST_MS = 9 * 10**12
MOST_PX = 100_000
_MOST_ANGLE, _MOST_YAW = 2 * math.pi, 10.0
_LOG_STEPS, _LOG_SHIFT = 4096, 10.0
_LOG_RANGE = (-10.0, 6.0)  # what a packed sample can hold
_FRACTIONS = (-1.0, 2.0)  # a face that the edge cuts off reaches beyond the image
_LOW_POSE = (-MOST_PX, -MOST_PX, float(np.finfo(np.float32).tiny), -_MOST_ANGLE, -_MOST_YAW)
_HIGH_POSE = (MOST_PX, MOST_PX, MOST_PX, _MOST_ANGLE, _MOST_YAW)
_LOW_DETAIL = (*[_LOG_RANGE[0]] * (len(DETAIL) - 1), 0)
_HIGH_DETAIL = (*[_LOG_RANGE[1]] * (len(DETAIL) - 1), MOST_LEVEL)
_NAN3 = (math.nan, math.nan, math.nan)
_NUMBERS = {int, float}
_TEXT = N_COLOURS * 6 // 3 * 4  # characters of base64; the bytes come out even, so texts in a row are one text
SAMPLE_FIELDS = ("timestamp_ms", "pose", "colours", "detail", "face")


@dataclass(frozen=True, slots=True, eq=False)
class FaceOutline:
    """A face as another reader saw it, in fractions of the upright image."""

    box: tuple[float, float, float, float]  # left, top, width, height
    landmarks: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class TimedSample:
    """A sample that passed all checks, its capture time in whole microseconds, and its face if that was sent.

    `shows_skin` says whether any skin region was seen.
    """

    time_us: int
    sample: Sample
    face: FaceOutline | None
    shows_skin: bool


def write_sample(time_us: int, sample: Sample, face: FaceState | None = None) -> dict[str, Any]:
    """Write one sample as JSON values. `read_samples` gives a sample that packs into the same bytes."""
    controls = sample.witness[COLOURS].reshape(-1, 3)
    levels = np.rint(np.concatenate([sample.colours, controls]) * STEPS)
    packed = np.where(np.isfinite(levels), np.clip(levels, 0, MOST_LEVEL * STEPS), MISSING).astype("<u2")
    written: dict[str, Any] = {
        "timestamp_ms": time_us / 1000,
        "pose": [_short(value) for value in sample.pose],
        "colours": base64.b64encode(packed.tobytes()).decode(),
        "detail": _details(sample.witness[: len(DETAIL)]),
    }
    if face is not None:
        written["face"] = {"box": list(face.box), "landmarks": face.landmarks.tolist()}
    return written


def read_samples(entries: Sequence[object], frame_size: tuple[int, int]) -> list[TimedSample]:
    """Check samples and read them.

    Parameters
    ----------
    entries : sequence
        JSON values, one for each sample.
    frame_size : (int, int)
        Width and height of the frames, in pixels.

    Raises
    ------
    InvalidSample
        If one of them is no sample of this version, with its index and the reason.
    """
    if not entries:
        return []
    rows = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise InvalidSample(index, "it must be an object")
        rows.append(entry)
    times = _times_us([row.get("timestamp_ms") for row in rows])
    pose = _rows([row.get("pose") for row in rows], len(POSE), _LOW_POSE, _HIGH_POSE, _pose)
    witness = np.empty((len(rows), N_WITNESSES), np.float32)
    details = [row.get("detail") for row in rows]
    witness[:, : len(DETAIL)] = _rows(details, len(DETAIL), _LOW_DETAIL, _HIGH_DETAIL, _detail)
    colours = _colours([row.get("colours") for row in rows])
    faces = [_face(index, row.get("face"), frame_size) for index, row in enumerate(rows)]
    skin = colours[:, :N_REGIONS]
    witness[:, COLOURS] = colours[:, N_REGIONS:].reshape(len(rows), -1)
    seen: list[bool] = np.isfinite(skin[:, :, 0]).any(axis=1).tolist()  # type: ignore[assignment]
    return [
        TimedSample(time_us, Sample(skin[i], pose[i], witness[i]), faces[i], seen[i]) for i, time_us in enumerate(times)
    ]


def unknown_fields(entries: Sequence[object]) -> set[str]:
    """Names in the samples that mean nothing here."""
    return {str(name) for entry in entries if isinstance(entry, dict) for name in entry.keys() - {*SAMPLE_FIELDS}}


def _short(value: np.float32) -> float:
    """The shortest decimal number that is read as the same single-precision one."""
    return float(str(np.float32(value)))


def _details(seen: NDArray[np.float32]) -> list[float | None]:
    """Each number in the few decimal digits that pack as it does; None for one that was not seen."""
    steps = np.array([*[_LOG_STEPS] * (len(DETAIL) - 1), STEPS])
    shift = np.array([*[_LOG_SHIFT] * (len(DETAIL) - 1), 0], np.float32)
    whole = np.rint((seen + shift) * steps.astype(np.float32)) / steps - shift
    return [round(float(value), 4) if math.isfinite(value) else None for value in whole]


def _numbers(values: object, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and {type(value) for value in values} <= _NUMBERS


def _within(values: Sequence[float], low: float, high: float) -> bool:
    """False for what is not finite, too."""
    return all(low <= value <= high for value in values)


def _times_us(values: list[Any]) -> list[int]:
    """Each as `_time_us` has it: all at once where their products are as good as whole."""
    if {type(value) for value in values} == {float}:
        product = np.array(values) * 1000
        nearest = np.rint(product)
        if (product >= 0).all() and (nearest < 2**51).all() and (np.abs(product - nearest) <= 0.2).all():
            return nearest.astype(np.int64).tolist()  # type: ignore[no-any-return]
    return [_time_us(index, value) for index, value in enumerate(values)]


def _time_us(index: int, value: object) -> int:
    if value is None:
        raise InvalidSample(index, "'timestamp_ms' is missing")
    if type(value) not in _NUMBERS or not isinstance(value, (int, float)) or not 0 <= value <= MOST_MS:
        raise InvalidSample(index, f"'timestamp_ms' must be milliseconds from 0 to {MOST_MS}")
    if isinstance(value, int):
        return value * 1000
    product = value * 1000
    nearest = round(product)
    # Where the product may be off by more than that, the decimal number decides, as it does in a form.
    return nearest if abs(product - nearest) <= 0.2 and nearest < 2**51 else round(Decimal(repr(value)) * 1000)


def _rows(
    values: list[Any], count: int, low: Sequence[float], high: Sequence[float], one: Callable[[int, Any], list[float]]
) -> NDArray[np.float32]:
    """So many numbers of each sample: all at once if they are plain and in range, else one by one by `one`."""
    if all(type(value) is list for value in values) and {len(value) for value in values} == {count}:
        flat = list(chain.from_iterable(values))
        if {type(value) for value in flat} == {float}:
            table = np.array(flat, np.float64).reshape(-1, count)
            if ((table >= low) & (table <= high)).all():
                return table.astype(np.float32)
    return np.array([one(index, value) for index, value in enumerate(values)], np.float32)


def _pose(index: int, pose: Any) -> list[float]:
    if not _numbers(pose, len(POSE)):
        raise InvalidSample(index, f"'pose' must be {len(POSE)} numbers: {', '.join(POSE)}")
    if not _within(pose[: SIZE_PX + 1], -MOST_PX, MOST_PX) or pose[SIZE_PX] < _LOW_POSE[SIZE_PX]:
        raise InvalidSample(
            index, f"the first three numbers of 'pose' must be pixels within {MOST_PX} of zero, and the size above it"
        )
    if not abs(pose[ROLL_RAD]) <= _MOST_ANGLE or not abs(pose[YAW]) <= _MOST_YAW:
        raise InvalidSample(index, "roll and yaw in 'pose' must be radians within 2 pi, and within 10 face sizes")
    return list(pose)


def _detail(index: int, detail: Any) -> list[float]:
    if detail is None:
        return [math.nan] * len(DETAIL)
    seen = [math.nan if value is None else value for value in detail] if isinstance(detail, list) else detail
    if not _numbers(seen, len(DETAIL)):
        raise InvalidSample(index, f"'detail' must be {len(DETAIL)} numbers, null for what was not seen")
    *logs, level = detail
    if not _within([value for value in logs if value is not None], *_LOG_RANGE):
        raise InvalidSample(index, f"the first five numbers of 'detail' must be from {_LOG_RANGE[0]:g} to 6")
    if level is not None and not 0 <= level <= MOST_LEVEL:
        raise InvalidSample(index, "the last number of 'detail' is not a level from 0 to 255")
    return list(seen)


def _face(index: int, face: Any, frame_size: tuple[int, int]) -> FaceOutline | None:
    if face is None:
        return None
    points = face.get("landmarks") if isinstance(face, dict) else None
    if (
        not isinstance(points, list)
        or len(points) != 5
        or not all(_numbers(point, 2) and _within(point, *_FRACTIONS) for point in points)
    ):
        raise InvalidSample(index, "'face' must have five 'landmarks', each x and y in fractions of the image")
    box = face.get("box")
    if box is None:
        box = box_of(np.array(points, np.float64) * frame_size, frame_size)
    elif not _numbers(box, 4) or not _within(box, *_FRACTIONS):
        raise InvalidSample(index, "the 'box' of 'face' must be left, top, width and height in fractions of the image")
    left, top, width, height = box
    return FaceOutline((left, top, width, height), tuple((x, y) for x, y in points))


def _colours(values: Sequence[object]) -> NDArray[np.float32]:
    """Colours (n, N_COLOURS, 3), NaN for a region not seen."""
    if all(type(value) is str and len(value) == _TEXT for value in values):
        with suppress(binascii.Error, ValueError):  # one by one it is found which
            return _unpacked(np.arange(len(values)), base64.b64decode("".join(values), validate=True))  # type: ignore[arg-type]
    colours = np.empty((len(values), N_COLOURS, 3), np.float32)
    encoded: list[tuple[int, bytes]] = []
    for index, value in enumerate(values):
        if isinstance(value, str):
            encoded.append((index, _decoded(index, value)))
        else:
            colours[index] = _listed(index, value)
    if encoded:
        places = np.array([index for index, _ in encoded])
        colours[places] = _unpacked(places, b"".join(packed for _, packed in encoded))
    return colours


def _unpacked(places: NDArray[np.intp], packed: bytes) -> NDArray[np.float32]:
    levels = np.frombuffer(packed, "<u2").reshape(len(places), N_COLOURS, 3)
    if levels.max() <= MOST_LEVEL * STEPS:  # nothing is wrong, nor missing
        return np.asarray(levels / np.float32(STEPS), np.float32)
    missing = levels == MISSING
    for wrong, problem in (
        (((levels > MOST_LEVEL * STEPS) & ~missing).any(axis=(1, 2)), "a colour is outside 0-255"),
        ((missing.any(axis=2) != missing.all(axis=2)).any(axis=1), "a region is missing in part"),
    ):
        if wrong.any():
            raise InvalidSample(int(places[np.argmax(wrong)]), problem)
    return np.where(missing, np.float32(np.nan), levels / np.float32(STEPS))


def _decoded(index: int, text: str) -> bytes:
    try:
        packed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSample(index, "'colours' is not base64") from error
    if len(packed) != N_COLOURS * 6:
        raise InvalidSample(
            index, f"'colours' must hold {N_COLOURS} regions of 6 bytes, {N_COLOURS * 6} in all, not {len(packed)}"
        )
    return packed


def _listed(index: int, regions: object) -> NDArray[np.float32]:
    if not isinstance(regions, list):
        raise InvalidSample(index, "'colours' must be base64 or a list of regions")
    if len(regions) != N_COLOURS:
        raise InvalidSample(index, f"'colours' must hold {N_COLOURS} regions, not {len(regions)}")
    rows = [_NAN3 if region is None else region for region in regions]
    if not all(row is _NAN3 or _numbers(row, 3) for row in rows):
        raise InvalidSample(index, "a region must be three numbers, red, green and blue, or null")
    seen = [row for row in rows if row is not _NAN3]
    if not all(math.isfinite(level) for row in seen for level in row if isinstance(level, float)):
        raise InvalidSample(index, "a colour is not finite")
    if not all(_within(row, 0, MOST_LEVEL) for row in seen):
        raise InvalidSample(index, "a colour is outside 0-255")
    return np.array(rows, np.float32)
