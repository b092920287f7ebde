"""Frames of one person to samples: decode, follow the face, verify it, reduce to skin colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rppg_core.errors import RppgError
from rppg_core.traces import Sample


@dataclass(frozen=True, slots=True)
class Frame:
    """An encoded image (JPEG or PNG) and its capture time in whole microseconds."""

    time_us: int
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class FaceState:
    """Where the face was last seen and verified, so that the next frame need not search for it."""

    time_us: int
    frame_size: tuple[int, int]  # width, height in pixels
    landmarks: NDArray[np.float64]  # (n_points, 2) x, y in pixels of the upright image

    def to_bytes(self) -> bytes:
        """Pack losslessly, so that following goes on exactly in another process."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, packed: bytes) -> FaceState | None:
        """Undo `to_bytes`; None for anything else (soft state: a stranger's bytes mean a fresh search)."""
        raise NotImplementedError

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width, height as fractions of the upright image."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What became of one frame: its sample and face, or the error that rejects it."""

    time_us: int
    sample: Sample | None
    face: FaceState | None
    error: RppgError | None


class FaceReader:
    """Reads frames with one landmark model; holds no state of any person. Safe to share between threads."""

    def __init__(self, landmarks: str = "5") -> None:
        """`landmarks`: "5", "68", or a path to a dlib shape predictor. Raises ModelUnavailable."""
        raise NotImplementedError

    def read(self, frames: Sequence[Frame], last: FaceState | None = None) -> list[Reading]:
        """Read the frames of one request, in any order; the readings come in the order of `frames`.

        Frames are followed in the order of their times; the newest reading with a `face` is the state to keep.
        """
        raise NotImplementedError
