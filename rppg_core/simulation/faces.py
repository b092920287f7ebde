"""Frames of a face whose pulse is known: the bundled portrait, given blood, breath, movement, light and a camera.

Blood dims each skin pixel by its share of haemoglobin's
absorption; movement shades and shifts it; the camera adds noise before it rounds and compresses. Everything follows
from the scene and its seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg

from rppg_core.face.reader import Frame
from rppg_core.simulation.physiology import Physiology, simulate_person, without_rhythm
from rppg_core.simulation.portrait import hang_portrait
from rppg_core.simulation.scenes import PULSE_SHARE, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_NOISE_TILES = 6
_FRAME_US = 1_000_000


class SimulatedFace:
    """A scene, rendered frame by frame.

    Attributes
    ----------
    times_s : ndarray, shape (n_frames,)
        True capture times of the frames that were not dropped, from 0.
    person : Physiology
        The truth: `person.truth(start_s, end_s)`.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._rng = np.random.default_rng([17, scene.seed])
        self.person = person_of(scene)
        self.times_s = self._capture_times()
        self._motion = self._movements()
        self._light = self._illumination()
        self._portrait = hang_portrait(scene, self._rng)
        height, width = self._portrait.skin.shape[:2]
        self._noise = [
            self._rng.standard_normal((height + 64, width + 64, 3)).astype(np.float32) for _ in range(_NOISE_TILES)
        ]

    def __len__(self) -> int:
        return len(self.times_s)

    def image(self, index: int) -> NDArray[np.uint8]:
        """One frame, shape (height, width, 3), uint8 RGB, before compression."""
        t = self.times_s[index]
        _, _, _, yaw, pitch, _ = self._motion[:, index]
        portrait = self._portrait
        canvas = portrait.skin.copy()
        shade = self.scene.side_light
        for layer, weight in (
            (portrait.blood, -float(self._pulse_at(t))),
            (portrait.shade_x, shade * yaw),
            (portrait.shade_y, shade * pitch),
        ):
            if weight:
                cv2.scaleAdd(layer, weight, canvas, canvas)
        canvas = np.asarray(cv2.transform(canvas, np.diag(self.scene.brightness * self._light[:, index])))
        canvas = self._moved(canvas, index)
        return self._photographed(canvas, index)

    def jpeg(self, index: int) -> bytes:
        """One frame as the camera sends it."""
        encoded: bytes = simplejpeg.encode_jpeg(
            self.image(index), quality=self.scene.jpeg_quality, colorspace="RGB", colorsubsampling="420"
        )
        return encoded

    def frames(self, start_us: int = 0) -> Iterator[Frame]:
        """Every frame as JPEG with its capture time, `start_us` being the first second's begin."""
        for index, t in enumerate(self.times_s):
            yield Frame(time_us=start_us + round(t * _FRAME_US), data=self.jpeg(index))

    def _capture_times(self) -> NDArray[np.float64]:
        scene = self.scene
        times = np.arange(round(scene.duration_s * scene.fps) + 1) / scene.fps
        jitter = np.clip(scene.time_jitter * self._rng.standard_normal(len(times)), -0.45, 0.45) / scene.fps
        kept = self._rng.random(len(times)) >= scene.dropped
        kept[[0, -1]] = True
        jitter[[0, -1]] = 0.0
        return np.asarray((times + jitter)[kept])

    def _movements(self) -> NDArray[np.float64]:
        """Shape (6, n_frames): x, y (in eye distances), roll, yaw, pitch (rad), jaw."""
        scene, t = self.scene, self.times_s
        x, y, roll, yaw, pitch = (_wander(self._rng, t, 0.05, 0.6) for _ in range(5))
        nod = np.sin(2 * np.pi * scene.nod_hz * t + self._rng.uniform(0, 2 * np.pi))
        syllables = np.maximum(_wander(self._rng, t, 1.5, 5.0), 0) * (np.abs(_wander(self._rng, t, 0.1, 0.4)) > 0.4)
        recoil = scene.recoil * self.person.blood_volume(t - 0.1)
        unrest_x, unrest_y = (scene.tremor * _wander(self._rng, t, 0.5, 3.0) for _ in range(2))
        return np.array(
            [
                scene.sway * x + unrest_x,
                scene.sway * y + unrest_y + scene.nod * nod + recoil,
                0.4 * scene.sway * roll,
                scene.turn * yaw + 0.6 * unrest_x,
                0.5 * scene.turn * pitch + 0.6 * (unrest_y + scene.nod * nod + recoil),
                scene.talk * syllables,
            ]
        )

    def _illumination(self) -> NDArray[np.float64]:
        """Shape (3, n_frames): gain of R, G, B."""
        scene, t = self.scene, self.times_s
        tone = scene.flicker * np.sin(2 * np.pi * scene.flicker_hz * t + self._rng.uniform(0, 2 * np.pi))
        common = 1 + scene.drift * _wander(self._rng, t, 0.01, 0.15) + tone
        return np.array([common * (1 + scene.tint_drift * _wander(self._rng, t, 0.01, 0.1)) for _ in range(3)])

    def _pulse_at(self, t: float) -> float:
        scene = self.scene
        if scene.pulse == 0:
            return 0.0
        pulse = self.person.blood_volume(t) + 0.5 * self.person.baseline(t)
        return float(pulse) * scene.pulse * PULSE_SHARE[scene.skin]

    def _moved(self, canvas: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Move the head: a similarity, and what is near the camera shifts most when it turns."""
        dx, dy, roll, *turned = self._motion[:, index]
        middle = self._portrait.middle
        rotation = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        origin = middle - rotation @ (middle + np.array([dx, dy]) * self.scene.eyes_px)
        inverse = np.column_stack([rotation, origin])
        if any(turned):
            moved = cv2.remap(canvas, *self._sources(inverse, *turned), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        else:
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            moved = cv2.warpAffine(canvas, inverse, self.scene.frame_size, flags=flags, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(moved, dtype=np.float32)

    def _sources(
        self, inverse: NDArray[np.float64], yaw: float, pitch: float, jaw: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where each pixel of a turned head comes from on the canvas: across and down, each (height, width)."""
        portrait, (x, y) = self._portrait, self._portrait.grid
        (a, b, left), (c, d, top) = inverse.astype(np.float32)
        from_x = a * x + b * y + left - np.float32(yaw) * portrait.bulge
        from_y = c * x + d * y + top
        from_y -= np.float32(pitch) * portrait.bulge + np.float32(jaw) * portrait.chin
        return from_x, from_y

    def _photographed(self, canvas: NDArray[np.float32], index: int) -> NDArray[np.uint8]:
        width, height = self.scene.frame_size
        rng = np.random.default_rng([self.scene.seed, index])
        top, left = rng.integers(0, 64, 2)
        tile = self._noise[int(rng.integers(_NOISE_TILES))][top : top + height, left : left + width]
        # Photons come by chance: their noise grows with the square root of the light.
        level = self.scene.noise * float(np.sqrt(self.scene.brightness))
        cv2.scaleAdd(tile, level, canvas, canvas)
        return np.asarray(cv2.convertScaleAbs(np.maximum(canvas, 0)), dtype=np.uint8)


def simulate_face(scene: Scene) -> SimulatedFace:
    """Prepare a scene; frames are rendered as they are asked for."""
    return SimulatedFace(scene)


def person_of(scene: Scene) -> Physiology:
    """The heart and lungs of a scene."""
    person = simulate_person(
        heart_rate_bpm=scene.heart_rate_bpm,
        duration_s=scene.duration_s,
        rmssd_ms=scene.rmssd_ms,
        lf_ms=0.5 * scene.rmssd_ms,
        respiration_rate_bpm=scene.respiration_rate_bpm,
        ectopic_beats=scene.ectopic_beats,
        seed=scene.seed,
    )
    return without_rhythm(person, scene.irregular, scene.seed) if scene.irregular else person


def _wander(rng: np.random.Generator, t_s: NDArray[np.float64], low_hz: float, high_hz: float) -> NDArray[np.float64]:
    """Smooth chance of unit rms at the times `t_s`, made of tones between two frequencies."""
    tones = [(rng.uniform(low_hz, high_hz), rng.uniform(0, 2 * np.pi), rng.standard_normal()) for _ in range(12)]
    wave = sum((a * np.sin(2 * np.pi * f * t_s + p) for f, p, a in tones), np.zeros(len(t_s)))
    return np.asarray(wave / max(float(np.sqrt(sum(a * a for *_, a in tones) / 2)), 1e-9))
