"""The array convention of the library, and the gate that enforces it.

A *sample* is what is left of one frame: the mean colour of each skin region and the pose of the head. A
*trace* is the samples of one person in the order of their capture times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rppg_core.errors import InvalidTraces

POSE = ("x_px", "y_px", "size_px", "roll_rad", "yaw")
"""Columns of a pose: centre and size of the face in pixels, its tilt, and the nose's offset as a share of the size."""

X_PX, Y_PX, SIZE_PX, ROLL_RAD, YAW = range(len(POSE))
PLACE = slice(X_PX, SIZE_PX)  # both coordinates of the centre

MOST_TIME_S = 1e12
"""Times farther from zero are refused: 30 000 years, where a float still resolves 0.1 ms."""

_COLOUR_STEPS = 256  # colours are packed as uint16 in 1/256 of a level; the quantisation is 1/20 of a pulse's noise
_MISSING = 0xFFFF


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One frame, reduced: colours (n_regions, 3), mean 8-bit RGB, NaN for a region not seen; pose (5,) as `POSE`."""

    colours: NDArray[np.float32]
    pose: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """Pack into 6 bytes a region and 20 for the pose."""
        return pack([self])[0]

    @classmethod
    def from_bytes(cls, packed: bytes) -> Sample:
        """Undo `to_bytes`, to 1/512 of a level."""
        head = 4 * len(POSE)
        if len(packed) <= head or (len(packed) - head) % 6:
            raise InvalidTraces("not a packed sample")
        levels = np.frombuffer(packed, "<u2", offset=head).reshape(-1, 3)
        colours = np.where(levels == _MISSING, np.nan, levels / np.float32(_COLOUR_STEPS)).astype(np.float32)
        return cls(colours=colours, pose=np.frombuffer(packed, "<f4", count=len(POSE)).astype(np.float32))


def pack(samples: Sequence[Sample]) -> list[bytes]:
    """Each sample as `Sample.to_bytes` packs it, a whole request of them at little more than the cost of one."""
    if not samples:
        return []
    colours = np.stack([sample.colours for sample in samples])
    levels = np.clip(np.rint(colours * _COLOUR_STEPS), 0, _MISSING - 1)
    packed = np.where(np.isfinite(colours), levels, _MISSING).astype("<u2")
    poses = np.stack([sample.pose for sample in samples]).astype("<f4")
    return [pose.tobytes() + one.tobytes() for pose, one in zip(poses, packed, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The skin colours and head poses of one person over a window.

    Attributes
    ----------
    times_s : ndarray, shape (n_frames,), float64
        Capture times in seconds, strictly increasing, on any epoch, within `MOST_TIME_S` of zero. Gaps and
        jitter are as they were.
    colours : ndarray, shape (n_frames, n_regions, 3), float64
        Mean RGB of each region on the 8-bit scale; NaN where the region was not seen.
    pose : ndarray, shape (n_frames, 5), float64
        As named by `POSE`.
    frame_size : (int, int)
        Width and height of the frames, in pixels.
    """

    times_s: NDArray[np.float64]
    colours: NDArray[np.float64]
    pose: NDArray[np.float64]
    frame_size: tuple[int, int]

    def __post_init__(self) -> None:
        n = len(self.times_s)
        if self.times_s.ndim != 1 or self.colours.ndim != 3 or self.colours.shape[2] != 3:
            raise InvalidTraces("times must be (n_frames,) and colours (n_frames, n_regions, 3)")
        if len(self.colours) != n or self.pose.shape != (n, len(POSE)):
            raise InvalidTraces("times, colours and pose differ in length")
        if not np.all(np.isfinite(self.times_s)) or not np.all(np.isfinite(self.pose)):
            raise InvalidTraces("times and pose must be finite")
        if np.any(np.abs(self.times_s) > MOST_TIME_S):
            raise InvalidTraces(f"times must be within {MOST_TIME_S:g} s of zero")
        if n > 1 and not np.all(np.diff(self.times_s) > 0):
            raise InvalidTraces("times must increase strictly")

    @classmethod
    def of(cls, times_s: ArrayLike, samples: Sequence[Sample], frame_size: tuple[int, int]) -> Trace:
        """Put samples in a trace; `times_s` (n_frames,) in seconds, in any order.

        Raises
        ------
        InvalidTraces
            If two times are equal, or the samples differ in their number of regions.
        """
        times = np.asarray(times_s, dtype=np.float64)
        if len({s.colours.shape for s in samples}) > 1:
            raise InvalidTraces("samples differ in their number of regions")
        order = np.argsort(times, kind="stable")
        return cls(
            times_s=times[order],
            colours=np.array([samples[i].colours for i in order], dtype=np.float64),
            pose=np.array([samples[i].pose for i in order], dtype=np.float64),
            frame_size=frame_size,
        )

    @classmethod
    def of_packed(cls, times_s: ArrayLike, packed: Sequence[bytes], frame_size: tuple[int, int]) -> Trace:
        """Put packed samples in a trace, many times as fast as one by one; `times_s` (n_frames,) must increase.

        Raises
        ------
        InvalidTraces
            If the samples differ in length, or are none.
        """
        head = 4 * len(POSE)
        length = len(packed[0]) if packed else 0
        if length <= head or (length - head) % 6 or any(len(sample) != length for sample in packed):
            raise InvalidTraces("not packed samples of one number of regions")
        table = np.frombuffer(b"".join(packed), np.uint8).reshape(len(packed), length)
        levels = np.ascontiguousarray(table[:, head:]).view("<u2").reshape(len(packed), -1, 3)
        return cls(
            times_s=np.asarray(times_s, dtype=np.float64),
            colours=np.where(levels == _MISSING, np.nan, levels / _COLOUR_STEPS),
            pose=np.ascontiguousarray(table[:, :head]).view("<f4").astype(np.float64),
            frame_size=frame_size,
        )
