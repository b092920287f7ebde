"""The array convention of the library, and the gate that enforces it.

A *sample* is what is left of one frame: the mean colour of each skin region, the pose of the head and the witnesses. A
*trace* is the samples of one person in the order of their capture times.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.errors import InvalidTraces
from rppg_core.trace.witnesses import DETAILS, N_WITNESSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

POSE = ("x_px", "y_px", "size_px", "roll_rad", "yaw")
"""Columns of a pose: centre and size of the face in pixels, its tilt, and the nose's offset as a share of the size."""

X_PX, Y_PX, SIZE_PX, ROLL_RAD, YAW = range(len(POSE))
PLACE = slice(X_PX, SIZE_PX)  # both coordinates of the centre

MOST_TIME_S = 1e12
"""Times farther from zero are refused: 30 000 years, where a float still resolves 0.1 ms."""

_COLOUR_STEPS = 256  # colours are packed as uint16 in 1/256 of a level; the quantisation is 1/20 of a pulse's noise
_MISSING = 0xFFFF


_POSE_BYTES = 4 * len(POSE)
_WITNESS_BYTES = 2 * N_WITNESSES + 1
_VERSION = 1  # of the witnesses; samples of before they were kept end without them and without a version
_DETAIL_STEPS, _DETAIL_SHIFT = 4096, 10.0  # logarithms of -10 to 6 as uint16


def _unseen() -> NDArray[np.float32]:
    return np.full(N_WITNESSES, np.nan, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One frame, reduced.

    Attributes
    ----------
    colours : ndarray, shape (n_regions, 3), float32
        Mean 8-bit RGB; NaN for a region not seen.
    pose : ndarray, shape (5,), float32
        As named by `POSE`.
    witness : ndarray, shape (n_witnesses,), float32
        As named by `witnesses.WITNESSES`; NaN for what was not seen.
    """

    colours: NDArray[np.float32]
    pose: NDArray[np.float32]
    witness: NDArray[np.float32] = field(default_factory=_unseen)

    def to_bytes(self) -> bytes:
        """Pack into 20 bytes for the pose, 6 a region, 2 a witness, and one for the version."""
        return pack([self])[0]

    @classmethod
    def from_bytes(cls, packed: bytes) -> Sample:
        """Undo `to_bytes`, to 1/512 of a level."""
        colours, pose, witness = _unpacked([packed])
        return cls(
            colours=colours[0].astype(np.float32),
            pose=pose[0].astype(np.float32),
            witness=witness[0].astype(np.float32),
        )


def pack(samples: Sequence[Sample]) -> list[bytes]:
    """Each sample as `Sample.to_bytes` packs it, a whole request of them at little more than the cost of one."""
    if not samples:
        return []
    colours = np.array([sample.colours for sample in samples])
    seen = np.array([sample.witness for sample in samples])
    seen[:, DETAILS] = (seen[:, DETAILS] + _DETAIL_SHIFT) * (_DETAIL_STEPS / _COLOUR_STEPS)
    levels = _levels(np.concatenate([colours.reshape(len(samples), -1), seen], axis=1))
    poses = np.array([sample.pose for sample in samples], "<f4")
    packed = np.full((len(samples), _POSE_BYTES + 2 * levels.shape[1] + 1), _VERSION, np.uint8)
    packed[:, :_POSE_BYTES] = poses.view(np.uint8)
    packed[:, _POSE_BYTES:-1] = levels.view(np.uint8)
    together, length = packed.tobytes(), packed.shape[1]
    return [together[at : at + length] for at in range(0, len(together), length)]


def _levels(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    levels = np.minimum(np.maximum(np.rint(values * _COLOUR_STEPS), 0), _MISSING - 1)  # `clip` takes twice as long
    return np.where(np.isfinite(values), levels, _MISSING).astype("<u2")


def _unpacked(
    packed: Sequence[bytes],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Colours (n, n_regions, 3), poses (n, 5) and witnesses (n, n_witnesses) of samples of one length."""
    length = len(packed[0]) if packed else 0
    # A region takes 6 bytes, the witnesses and their version one more than a multiple of 6: which form it is, is plain.
    after = _WITNESS_BYTES if length > _POSE_BYTES and (length - _POSE_BYTES) % 6 == _WITNESS_BYTES % 6 else 0
    regions = length - _POSE_BYTES - after
    if regions <= 0 or regions % 6 or any(len(sample) != length for sample in packed):
        raise InvalidTraces("not packed samples of one number of regions")
    if after and any(sample[-1] != _VERSION for sample in packed):
        raise InvalidTraces("not packed samples of a known version")
    table = np.frombuffer(b"".join(packed), np.uint8).reshape(len(packed), length)
    levels = np.ascontiguousarray(table[:, _POSE_BYTES : _POSE_BYTES + regions]).view("<u2").reshape(len(packed), -1, 3)
    pose = np.ascontiguousarray(table[:, :_POSE_BYTES]).view("<f4").astype(np.float64)
    witness = np.full((len(packed), N_WITNESSES), np.nan)
    if after:
        seen = np.ascontiguousarray(table[:, -after:-1]).view("<u2")
        witness = np.where(seen == _MISSING, np.nan, seen / _COLOUR_STEPS)
        witness[:, DETAILS] = witness[:, DETAILS] * (_COLOUR_STEPS / _DETAIL_STEPS) - _DETAIL_SHIFT
    return np.where(levels == _MISSING, np.nan, levels / _COLOUR_STEPS), pose, witness


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
    witness : ndarray, shape (n_frames, n_witnesses), float64, or None
        As named by `witnesses.WITNESSES`, NaN where nothing was seen; None if nothing ever was.
    bits_a_pixel : float, optional
        Of a video, how many bits its codec spent on each pixel of `frame_size` in the mean; None for frames.
    several_faces : bool
        Whether another face, at least half as large, was in the picture for a good part of the time.
    """

    times_s: NDArray[np.float64]
    colours: NDArray[np.float64]
    pose: NDArray[np.float64]
    frame_size: tuple[int, int]
    witness: NDArray[np.float64] | None = None
    bits_a_pixel: float | None = None
    several_faces: bool = False

    def __post_init__(self) -> None:
        n = len(self.times_s)
        if self.times_s.ndim != 1 or self.colours.ndim != 3 or self.colours.shape[2] != 3:
            raise InvalidTraces("times must be (n_frames,) and colours (n_frames, n_regions, 3)")
        if len(self.colours) != n or self.pose.shape != (n, len(POSE)):
            raise InvalidTraces("times, colours and pose differ in length")
        if self.witness is not None and self.witness.shape != (n, N_WITNESSES):
            raise InvalidTraces("the witnesses must be (n_frames, n_witnesses)")
        if not np.all(np.isfinite(self.times_s)) or not np.all(np.isfinite(self.pose)):
            raise InvalidTraces("times and pose must be finite")
        if np.any(np.abs(self.times_s) > MOST_TIME_S):
            raise InvalidTraces(f"times must be within {MOST_TIME_S:g} s of zero")
        if n > 1 and not np.all(np.diff(self.times_s) > 0):
            raise InvalidTraces("times must increase strictly")
        roll = self.pose[:, ROLL_RAD]
        if n > 1 and np.ptp(roll) > np.pi and np.abs(roll).max() < 3.2:
            # A head that is upside down rolls past half a turn, where angles begin anew.
            pose = np.column_stack([self.pose[:, :ROLL_RAD], np.unwrap(roll), self.pose[:, YAW:]])
            object.__setattr__(self, "pose", pose)

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
            witness=np.array([samples[i].witness for i in order], dtype=np.float64),
        )

    @classmethod
    def of_packed(cls, times_s: ArrayLike, packed: Sequence[bytes], frame_size: tuple[int, int]) -> Trace:
        """Put packed samples in a trace, many times as fast as one by one; `times_s` (n_frames,) must increase.

        Raises
        ------
        InvalidTraces
            If the samples differ in length, or are none.
        """
        colours, pose, witness = _unpacked(packed) if len({*map(len, packed)}) < 2 else _of_both_forms(packed)
        return cls(np.asarray(times_s, dtype=np.float64), colours, pose, frame_size, witness)

    def part(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Trace:
        """The frames that a mask or increasing indices choose."""
        return replace(
            self,
            times_s=self.times_s[chosen],
            colours=self.colours[chosen],
            pose=self.pose[chosen],
            witness=None if self.witness is None else self.witness[chosen],
        )


def _of_both_forms(
    packed: Sequence[bytes],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """As `_unpacked`, of a window that a service of before the witnesses began and this one goes on with."""
    lengths = np.array([len(sample) for sample in packed])
    groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
    parts = [_unpacked([packed[int(i)] for i in group]) for group in groups]
    if len({part[0].shape[1] for part in parts}) > 1:
        raise InvalidTraces("samples differ in their number of regions")
    back = np.argsort(np.concatenate(groups))
    colours, pose, witness = (np.concatenate(same)[back] for same in zip(*parts, strict=True))
    return colours, pose, witness
