"""Frames of a face whose pulse is known: the bundled portrait, given blood, breath, movement, light and a camera.

The portrait is NASA's public-domain picture of Eileen Collins. Blood dims each skin pixel by its share of haemoglobin's
absorption; movement shades and shifts it; the camera adds noise before it rounds and compresses. Everything follows
from the scene and its seed.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg

from rppg_core.face.reader import Frame
from rppg_core.simulation.physiology import Physiology, simulate_person, without_rhythm
from rppg_core.simulation.scenes import HAIR, PULSE_SHARE, SKIN_RGB, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# The portrait's own geometry, in its pixels.
_EYES = np.array([224.2, 102.0])  # between the eyes
_EYES_PX = 41.6
_PORTRAIT_PX = 512

# Ratio of ratios of red to blue falls as saturation rises; the simulation's own law, which a measurement calibrated
# on it can recover, and nothing more.
_RED_PER_SATURATION = -0.02
_SATURATION_AT_BLOOD = 98.0

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
        self._paint()

    def __len__(self) -> int:
        return len(self.times_s)

    def image(self, index: int) -> NDArray[np.uint8]:
        """One frame, shape (height, width, 3), uint8 RGB, before compression."""
        t = self.times_s[index]
        _, _, _, yaw, pitch, _ = self._motion[:, index]
        canvas = self._skin.copy()
        shade = self.scene.side_light
        for layer, weight in (
            (self._blood, -float(self._pulse_at(t))),
            (self._shade_x, shade * yaw),
            (self._shade_y, shade * pitch),
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

    def _paint(self) -> None:
        """Set the portrait at rest on the canvas: skin in its tone, and the layers that blood and turning add."""
        scene = self.scene
        portrait = simplejpeg.decode_jpeg(_asset("portrait.jpg"), colorspace="RGB").astype(np.float32)
        mask = np.asarray(cv2.imdecode(np.frombuffer(_asset("portrait_skin.png"), np.uint8), cv2.IMREAD_GRAYSCALE))
        skin = (mask.astype(np.float32) / 255.0)[..., None]
        tone = np.array(SKIN_RGB[scene.skin], np.float32)
        own = (portrait * skin).sum(axis=(0, 1)) / skin.sum()
        toned = np.clip(portrait * (tone / own), 0, 255)
        toned = (1 - scene.paint) * toned + scene.paint * tone * (
            0.5 + 0.5 * portrait.mean(axis=2, keepdims=True) / own.mean()
        )
        eyes, mouth = _features()
        # Lids and lips share the skin's tone, eyeballs and teeth half of it.
        tinted = np.maximum(skin[..., 0], 0.7 * cv2.GaussianBlur((eyes | mouth).astype(np.float32), (0, 0), 1.5))[
            ..., None
        ]
        hair = _hair(skin[..., 0], eyes | mouth)[..., None]
        portrait = (portrait + (toned - portrait) * tinted) * (1 - hair * (1 - np.float32(HAIR[scene.skin])))

        width, height = scene.frame_size
        scale = scene.eyes_px / _EYES_PX
        across = -scale * scene.aspect if scene.mirror else scale * scene.aspect
        middle = np.array([width / 2, height * 0.42])
        place = np.array([[across, 0, middle[0] - across * _EYES[0]], [0, scale, middle[1] - scale * _EYES[1]]])
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC

        def on_canvas(layer: NDArray[np.float32]) -> NDArray[np.float32]:
            moved = cv2.warpAffine(layer, place, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
            return np.asarray(moved, dtype=np.float32)

        self._skin = on_canvas(portrait)
        if scene.glasses:
            _draw_glasses(self._skin, middle, scene.eyes_px)
        coverage = on_canvas(skin[..., 0])[..., None]
        # Perfusion differs over the face; forehead and cheeks carry most.
        patchy = cv2.GaussianBlur(self._rng.random((9, 9)).astype(np.float32), (0, 0), 1.2)
        perfusion = 0.6 + 0.8 * cv2.resize(patchy, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
        blood = np.array([scene.red_pulse, 1.0, scene.blue_pulse], np.float32)
        blood[0] *= 1 + _RED_PER_SATURATION * (scene.spo2_percent - _SATURATION_AT_BLOOD)
        self._blood = np.ascontiguousarray(self._skin * coverage * perfusion * blood, dtype=np.float32)

        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        u = (x - np.float32(middle[0])) / np.float32(scene.eyes_px)
        v = (y - np.float32(middle[1])) / np.float32(scene.eyes_px) - np.float32(0.5)
        bulge = np.sqrt(np.clip(1 - (u / 1.5) ** 2 - (v / 2.0) ** 2, 0, None)).astype(np.float32)
        self._shade_x = np.ascontiguousarray(self._skin * (u * (bulge > 0))[..., None], dtype=np.float32)
        self._shade_y = np.ascontiguousarray(self._skin * (v * (bulge > 0))[..., None], dtype=np.float32)
        self._bulge = bulge * np.float32(scene.eyes_px)
        self._chin = np.clip((v - 0.3) / 1.2, 0, 1).astype(np.float32) * (bulge > 0) * np.float32(scene.eyes_px)
        self._grid = (x, y)
        self._middle = middle
        self._noise = [
            self._rng.standard_normal((height + 64, width + 64, 3)).astype(np.float32) for _ in range(_NOISE_TILES)
        ]

    def _moved(self, canvas: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Move the head: a similarity, and what is near the camera shifts most when it turns."""
        dx, dy, roll, yaw, pitch, jaw = self._motion[:, index]
        scene, (x, y) = self.scene, self._grid
        cos, sin = np.cos(roll), np.sin(roll)
        shift = np.array([dx, dy]) * scene.eyes_px
        origin = self._middle - np.array([[cos, sin], [-sin, cos]]) @ (self._middle + shift)
        if not (yaw or pitch or jaw):
            inverse = np.array([[cos, sin, origin[0]], [-sin, cos, origin[1]]])
            moved = cv2.warpAffine(
                canvas,
                inverse,
                scene.frame_size,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT,
            )
        else:
            from_x = np.float32(cos) * x + np.float32(sin) * y + np.float32(origin[0]) - np.float32(yaw) * self._bulge
            from_y = np.float32(-sin) * x + np.float32(cos) * y + np.float32(origin[1])
            from_y -= np.float32(pitch) * self._bulge + np.float32(jaw) * self._chin
            moved = cv2.remap(canvas, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(moved, dtype=np.float32)

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


def _draw_glasses(canvas: NDArray[np.float32], middle: NDArray[np.float64], eyes_px: float) -> None:
    thick = max(1, round(0.05 * eyes_px))
    for side in (-0.5, 0.5):
        at = (round(middle[0] + side * eyes_px), round(middle[1]))
        cv2.ellipse(
            canvas,
            at,
            (round(0.36 * eyes_px), round(0.27 * eyes_px)),
            0,
            0,
            360,
            (30.0, 26.0, 24.0),
            thick,
            cv2.LINE_AA,
        )


def _portrait_grid() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Across and down from between the portrait's eyes, in eye distances, each (512, 512)."""
    y, x = np.mgrid[0:_PORTRAIT_PX, 0:_PORTRAIT_PX].astype(np.float32)
    return (x - np.float32(_EYES[0])) / np.float32(_EYES_PX), (y - np.float32(_EYES[1])) / np.float32(_EYES_PX)


def _features() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the portrait's eyes and mouth are."""
    u, v = _portrait_grid()
    eyes = ((np.abs(u) - 0.5) / 0.38) ** 2 + (v / 0.2) ** 2 < 1
    mouth = (u / 0.65) ** 2 + ((v - 1.2) / 0.35) ** 2 < 1
    return eyes, mouth


def _hair(skin: NDArray[np.float32], features: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Where the portrait's head is neither skin nor eye nor mouth, 0-1."""
    u, v = _portrait_grid()
    head = (u / 1.9) ** 2 + ((v - 0.1) / 2.1) ** 2 < 1
    hair = (head & ~features & (v < 1.3)).astype(np.float32) * (1 - skin)
    return np.asarray(cv2.GaussianBlur(hair, (0, 0), 1.5), dtype=np.float32)


def _asset(name: str) -> bytes:
    return (files("rppg_core") / "assets" / name).read_bytes()
