"""A face and a motion to frames without a pulse, and a pulse laid over their skin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.fft import irfft, rfft, rfftfreq

from benchmarks.faces.pictures import Clip, Portrait, picture, place_in
from rppg_core.face.regions import CELL, COLUMNS, LEFT, MEMBERSHIP, ROWS, TOP
from rppg_core.pulse.extract import find_pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from benchmarks.faces.motion import Motion

FPS = 30.0
_SIDES = 4.6  # width and height of a frame, in eye distances
_EYES_AT = 0.42  # height of the eyes in it
_MAP = 16  # samples of a blood map to a unit of the canonical frame
_REACH = (1.15, 1.3, 1.75)  # of the face from between the eyes: aside, up, down
_HARMONICS, _OWN_HZ, _OWN_EDGE_HZ = 3, 0.2, 0.05
_NOISE_TILES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Frames of a moving face without a pulse; `size` is (width, height)."""

    name: str
    size: tuple[int, int]
    times_s: NDArray[np.float64]
    motion: NDArray[np.float64] | None  # (n, 5) for a portrait
    source: Clip | tuple[NDArray[np.float32], NDArray[np.float64]]
    blood: NDArray[np.float32]  # on the canonical frame
    removed: NDArray[np.float64] | None  # (n_frames, ROWS, COLUMNS, 3) log of the clip's own pulse
    eyes_px: float

    def frames(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Each frame, (height, width, 3), and where its blood is, (height, width); from the start at each call."""
        yield from self._of_clip() if isinstance(self.source, Clip) else self._of_portrait()

    def _of_clip(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        assert isinstance(self.source, Clip)
        assert self.removed is not None
        frames = self.source.frames
        cells = np.array([[CELL, 0, LEFT + CELL / 2], [0, CELL, TOP + CELL / 2]])
        for index in _to_and_fro(len(frames), len(self.times_s)):
            matrix, shown = self.source.matrices[index], frames[index].astype(np.float32)
            own = cv2.warpAffine(
                self.removed[index].astype(np.float32),
                _after(matrix, cells),
                self.size,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            blood = self._laid(matrix)
            yield shown * np.exp(-own * np.minimum(2 * blood, 1)[..., None]), blood

    def _of_portrait(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        assert not isinstance(self.source, Clip)
        assert self.motion is not None
        still, rest = self.source
        at_rest = self._laid(rest)
        layers = np.dstack([still, at_rest])
        width, height = self.size
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        middle, eyes = rest[:, 2], np.float32(self.eyes_px)
        u, v = (x - np.float32(middle[0])) / eyes, (y - np.float32(middle[1])) / eyes - np.float32(0.4)
        near = np.sqrt(np.clip(1 - (u / 1.5) ** 2 - (v / 2.0) ** 2, 0, None)).astype(np.float32)
        for dx, dy, size, roll, yaw in self.motion:
            scale = np.exp(-size)
            cos, sin = scale * np.cos(roll), scale * np.sin(roll)
            origin = middle - np.array([[cos, sin], [-sin, cos]]) @ (middle + np.array([dx, dy]) * self.eyes_px)
            # What is near the camera moves farther when the head turns; and turned to a lamp, a cheek grows brighter.
            from_x = np.float32(cos) * x + np.float32(sin) * y + np.float32(origin[0]) - np.float32(yaw * eyes) * near
            from_y = np.float32(-sin) * x + np.float32(cos) * y + np.float32(origin[1])
            moved = cv2.remap(layers, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            light = 1 + np.float32(0.2 * yaw) * u * (near > 0)
            yield moved[..., :3] * light[..., None], moved[..., 3]

    def _laid(self, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
        canonical = np.array([[1 / _MAP, 0, -_REACH[0]], [0, 1 / _MAP, -_REACH[1]]])
        return np.asarray(
            cv2.warpAffine(self.blood, _after(matrix, canonical), self.size, flags=cv2.INTER_LINEAR), dtype=np.float32
        )


def take_of_portrait(
    portrait: Portrait, motion: Motion, seed: int, seconds: float, *, eyes_px: float | None = None
) -> Take | None:
    """A portrait that moves as a recorded head did, faster or slower, farther or less far."""
    image = picture(portrait)
    if image is None:
        return None
    rng = np.random.default_rng([62, seed])
    eyes = eyes_px or float(rng.uniform(56, 72))
    matrix = place_in(image)
    scale = eyes / float(np.hypot(matrix[0, 0], matrix[1, 0]))
    side = round(_SIDES * eyes / 2) * 2
    place = np.array([[scale, 0.0, side / 2], [0.0, scale, _EYES_AT * side]])
    place[:, 2] -= place[:, :2] @ matrix[:, 2]
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    still = cv2.warpAffine(image, place, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    rest = _after(place, matrix)
    if rng.random() < 0.5:
        still = np.ascontiguousarray(still[:, ::-1])
        rest = _mirrored(rest, side)
    times = np.arange(round(seconds * FPS) + 1) / FPS
    moves = motion.at(times * rng.uniform(0.7, 1.3) + rng.uniform(0, 10)) * rng.uniform(0.5, 1.5)
    return Take(
        portrait.name, (side, side), times, moves, (still, rest), _blood_map(still[None], rest[None], rng), None, eyes
    )


def take_of_clip(clip: Clip, seed: int, seconds: float) -> Take:
    """A clip, forwards and backwards as often as it takes, without the person's own pulse as far as it can be found."""
    rng = np.random.default_rng([63, seed])
    times = np.arange(round(seconds * FPS) + 1) / FPS
    some = slice(None, None, max(1, len(clip.frames) // 12))
    size = clip.frames.shape[2], clip.frames.shape[1]
    eyes = float(np.hypot(*clip.matrices[0, :, 0]))
    blood = _blood_map(clip.frames[some].astype(np.float32), clip.matrices[some], rng)
    return Take(clip.name, size, times, None, clip, blood, own_pulse(clip), eyes)


def own_pulse(clip: Clip) -> NDArray[np.float64]:
    """Logarithm of what the person's own pulse does to each cell of the canonical frame, (n, ROWS, COLUMNS, 3).

    All that a cell does within 0.2 Hz of the rate that is found, and of its harmonics: noise is taken out with it
    there. What is left of the pulse in face-1 is no stronger than what lies beside it, 0.0003 of the skin's colour; the
    head's own recoil stays.
    """
    n, found = len(clip.frames), find_pulse(clip.trace)
    if found is None:
        return np.zeros((n, ROWS, COLUMNS, 3))
    logs = np.log(np.maximum(clip.trace.colours, 1.0)).reshape(n, -1)
    logs = np.where(np.isfinite(logs).all(axis=0), logs, 0.0)
    longer = np.concatenate([2 * logs[0] - logs[:0:-1], logs, 2 * logs[-1] - logs[-2::-1]])
    freqs = rfftfreq(len(longer), float(np.median(np.diff(clip.trace.times_s))))
    distance = np.min([np.abs(freqs - m * found.rate_bpm / 60) for m in range(1, _HARMONICS + 1)], axis=0)
    gain = np.clip((_OWN_HZ + _OWN_EDGE_HZ - distance) / _OWN_EDGE_HZ, 0, 1)
    own = irfft(rfft(longer, axis=0) * gain[:, None], len(longer), axis=0)[n - 1 : 2 * n - 1].reshape(n, -1, 3)
    weights = MEMBERSHIP.T / np.maximum(MEMBERSHIP.T.sum(axis=1, keepdims=True), 1e-9)
    cells = np.einsum("cr,nrk->nck", weights, own)
    cells[:, weights.sum(axis=1) == 0] = own.mean(axis=1, keepdims=True)
    return np.asarray(cells.reshape(n, ROWS, COLUMNS, 3))


def laid_over(
    frame: NDArray[np.float32], blood: NDArray[np.float32], change: NDArray[np.float64], gain: NDArray[np.float64]
) -> NDArray[np.float32]:
    """A frame whose skin is dimmed by a relative change (3,) of R, G, B, under a light of `gain` (3,)."""
    shown = frame * (1 - blood[..., None] * change.astype(np.float32))
    return np.asarray(shown * gain.astype(np.float32), dtype=np.float32)


class Sensor:
    """A camera's noise, and the rounding to 8 bits that it dithers."""

    def __init__(self, size: tuple[int, int], level: float, seed: int) -> None:
        self._rng, self._size = np.random.default_rng([64, seed]), size
        shape = (size[1] + 48, size[0] + 48, 3)
        self._tiles = [
            (level * self._rng.standard_normal(shape)).astype(np.float32)
            + self._rng.uniform(-0.5, 0.5, shape).astype(np.float32)
            for _ in range(_NOISE_TILES)
        ]

    def photographed(self, frame: NDArray[np.float32]) -> NDArray[np.uint8]:
        """One frame in 8 bits."""
        top, left = self._rng.integers(0, 48, 2)
        width, height = self._size
        tile = self._tiles[int(self._rng.integers(_NOISE_TILES))][top : top + height, left : left + width]
        return np.asarray(np.clip(np.rint(frame + tile), 0, 255), dtype=np.uint8)


def _blood_map(
    frames: NDArray[np.float32], matrices: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Where skin is on the canonical frame, by its colour, and how much blood it has, which differs over a face."""
    width, height = round(2 * _REACH[0] * _MAP), round((_REACH[1] + _REACH[2]) * _MAP)
    grid = np.array([[1 / _MAP, 0, -_REACH[0]], [0, 1 / _MAP, -_REACH[1]]])
    flat = np.median(
        [
            cv2.warpAffine(f, _after(m, grid), (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            for f, m in zip(frames, matrices, strict=True)
        ],
        axis=0,
    )
    y, x = np.mgrid[0:height, 0:width]
    u, v = x / _MAP - _REACH[0], y / _MAP - _REACH[1]
    face = (u / _REACH[0]) ** 2 + np.where(v < 0, v / _REACH[1], v / _REACH[2]) ** 2
    cheeks = (np.abs(np.abs(u) - 0.6) < 0.3) & (np.abs(v - 0.7) < 0.3)
    hue = np.log((flat[..., :2] + 4) / (flat[..., 2:] + 4))  # of red and of green against blue
    level = np.log(flat.mean(axis=2) + 4)
    likely = np.exp(
        -0.5 * np.sum(((hue - np.median(hue[cheeks], axis=0)) / 0.22) ** 2, axis=2)
        - 0.5 * ((level - np.median(level[cheeks])) / 0.7) ** 2
    )
    patchy = cv2.resize(
        cv2.GaussianBlur(rng.random((7, 7)), (0, 0), 1.0), (width, height), interpolation=cv2.INTER_CUBIC
    )
    soft = np.clip((1.0 - face) / 0.15, 0, 1) * likely * (0.6 + 0.8 * patchy)
    return np.asarray(cv2.GaussianBlur(soft.astype(np.float32), (0, 0), 1.0), dtype=np.float32)


def _after(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """One affine map (2, 3) after another."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]], axis=1)


def _mirrored(matrix: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Where a face is in the mirrored picture; its own left is its right then."""
    turned = matrix.copy()
    turned[0] = -turned[0]
    turned[0, 2] += width - 1
    turned[:, 0] = -turned[:, 0]
    return turned


def _to_and_fro(n: int, count: int) -> NDArray[np.intp]:
    at = np.arange(count) % (2 * (n - 1))
    return np.asarray(np.minimum(at, 2 * (n - 1) - at), dtype=np.intp)
