"""Make the detector of faces that look ahead from dlib's own of frontal faces: the first of its filters.

`python -m benchmarks.front_detector`
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from benchmarks.prune_landmarks import Reader, integer

MODELS = Path(__file__).parents[1] / "rppg_core" / "models"
_ROWS = 3101  # weights of a filter: 10 x 10 cells of 31 features, and its threshold


def first_filter(detector: bytes) -> bytes:
    """A detector as dlib writes it, with the first of its filters alone."""
    reader, starts, values = Reader(detector), [], []
    while reader.at < len(detector):
        starts.append(reader.at)
        values.append(reader.integer())
    first = values.index(-_ROWS)  # a matrix begins with its rows, by their negative, and columns
    length = 2 + 2 * _ROWS  # and each value is a mantissa and an exponent
    count = values[first - 1]
    assert all(b - a == length for a, b in pairwise([i for i, value in enumerate(values) if value == -_ROWS]))
    after = first + count * length
    begin, end = starts[first], starts[first + length]
    rest = detector[starts[after] :] if after < len(starts) else b""
    return detector[: starts[first - 1]] + integer(1) + detector[begin:end] + rest


if __name__ == "__main__":
    (MODELS / "front_face_detector.svm").write_bytes(first_filter((MODELS / "frontal_face_detector.svm").read_bytes()))
