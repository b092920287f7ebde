"""Samples that a client has made of its frames: what a request of them holds, in the form of frames that were read."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from beam_api.services.windows.measure_result import SeenFace
from beam_api.store.window_values import LastFace
from rppg_core.errors import NoFaceDetected
from rppg_core.face.exchange import FaceOutline, TimedSample, read_samples
from rppg_core.face.reader import FaceState, Reading
from rppg_core.trace.traces import pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beam_api.store.window_values import Source

MOST_SAMPLES = 256
MEGAPIXELS = 1.0
"""Work of a request of samples, against the key's budget: what reading 256 of them takes, and a few frames take."""

_OUTLINE = struct.Struct("<14d")


@dataclass(frozen=True, slots=True, eq=False)
class GivenSamples:
    """The samples of one request, checked: times, digests and readings stand in the same order.

    `face` is the newest face that came with a sample that shows skin.
    """

    frame_size: tuple[int, int]
    times_us: tuple[int, ...] = ()
    marks: tuple[bytes, ...] = ()
    readings: tuple[Reading, ...] = ()
    packed: tuple[bytes, ...] = ()
    face: LastFace | None = None

    @classmethod
    def of(cls, entries: Sequence[object], frame_size: tuple[int, int]) -> GivenSamples:
        """Check JSON values and read samples from them. Raises InvalidSample."""
        given = read_samples(entries, frame_size)
        packed = pack([one.sample for one in given])
        faces = [(one.time_us, one.face) for one in given if one.face and one.shows_skin]
        newest = max(faces, key=lambda face: face[0], default=None)
        return cls(
            frame_size=frame_size,
            times_us=tuple(one.time_us for one in given),
            # What is hashed says that it is a sample, so that no image has the same digest.
            marks=tuple(hashlib.sha256(b"sample" + sample).digest()[:8] for sample in packed),
            readings=tuple(_reading(one) for one in given),
            packed=tuple(packed),
            face=LastFace(newest[0], pack_outline(newest[1])) if newest else None,
        )


def pack_outline(face: FaceOutline) -> bytes:
    """A face as it is kept. It has no form in which a reader of images would follow it: nothing vouches for it."""
    return _OUTLINE.pack(*face.box, *(value for point in face.landmarks for value in point))


def unpack_outline(packed: bytes) -> FaceOutline | None:
    """Undo `pack_outline`; None for anything else."""
    if len(packed) != _OUTLINE.size:
        return None
    left, top, width, height, *points = _OUTLINE.unpack(packed)
    return FaceOutline((left, top, width, height), tuple(zip(points[::2], points[1::2], strict=True)))


def seen_face(face: LastFace | None, source: Source | None) -> SeenFace | None:
    """A face as it is answered: of images, of samples, or of either if `source` is None. What can't be read is none."""
    state = FaceState.from_bytes(face.packed) if face and source != "samples" else None
    if state:
        return SeenFace.of(state)
    outline = unpack_outline(face.packed) if face and source != "images" else None
    return SeenFace.of_outline(outline, face.time_us) if face and outline else None


def _reading(given: TimedSample) -> Reading:
    if given.shows_skin:
        return Reading(given.time_us, sample=given.sample)
    return Reading(given.time_us, error=NoFaceDetected("No skin region was seen in the sample."))
