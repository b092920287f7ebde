"""Make the detector of faces that look ahead from dlib's own of frontal faces: the first of its filters, at one size.

A picture that is brought to the size of the detector's window needs no search at smaller sizes: they are half the cost.

`python -m benchmarks.front_detector`
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from benchmarks.prune_landmarks import Reader, integer

MODELS = Path(__file__).parents[1] / "rppg_core" / "models"
_ROWS = 3101  # weights of a filter: 10 x 10 cells of 31 features, and its threshold
_LEVELS_AT, _ALL_LEVELS = 8, 1000  # how many sizes of a picture are searched: its place among the integers, and dlib's


def front_detector(detector: bytes) -> bytes:
    """A detector as dlib writes it, with the first of its filters alone, which looks at a picture at one size."""
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
    assert values[_LEVELS_AT] == _ALL_LEVELS
    levels = detector[: starts[_LEVELS_AT]] + integer(1) + detector[starts[_LEVELS_AT + 1] : starts[first - 1]]
    return levels + integer(1) + detector[begin:end] + rest


if __name__ == "__main__":
    whole = (MODELS / "frontal_face_detector.svm").read_bytes()
    (MODELS / "front_face_detector.svm").write_bytes(front_detector(whole))
