"""The bundled portrait at rest on a canvas, in the skin tone of a scene, with the layers that blood and turning add.

The portrait is NASA's public-domain picture of Eileen Collins.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg

from rppg_core.simulation.scenes import HAIR, SKIN_RGB, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The portrait's own geometry, in its pixels.
_EYES = np.array([224.2, 102.0])  # between the eyes
_EYES_PX = 41.6
_PORTRAIT_PX = 512

# Ratio of ratios of red to blue falls as saturation rises; the simulation's own law, which a measurement calibrated
# on it can recover, and nothing more.
_RED_PER_SATURATION = -0.02
_SATURATION_AT_BLOOD = 98.0


@dataclass(frozen=True, slots=True)
class Portrait:
    """A portrait on its canvas.

    Attributes
    ----------
    skin : ndarray, shape (height, width, 3)
        RGB at rest.
    blood, shade_x, shade_y : ndarray, shape (height, width, 3)
        What a unit of blood takes away, and what a radian of turning to the side or down adds.
    bulge, chin : ndarray, shape (height, width)
        Pixels by which a radian of turning and an open jaw shift the picture.
    middle : ndarray, shape (2,)
        Between the eyes, in pixels.
    grid : tuple of ndarray, each (height, width)
        Across and down, in pixels.
    """

    skin: NDArray[np.float32]
    blood: NDArray[np.float32]
    shade_x: NDArray[np.float32]
    shade_y: NDArray[np.float32]
    bulge: NDArray[np.float32]
    chin: NDArray[np.float32]
    middle: NDArray[np.float64]
    grid: tuple[NDArray[np.float32], NDArray[np.float32]]


def hang_portrait(scene: Scene, rng: np.random.Generator) -> Portrait:
    """Place the portrait on the canvas of a scene."""
    width, height = scene.frame_size
    middle = np.array([width / 2, height * 0.42])
    mask = np.asarray(cv2.imdecode(np.frombuffer(_asset("portrait_skin.png"), np.uint8), cv2.IMREAD_GRAYSCALE))
    covered = (mask.astype(np.float32) / 255.0)[..., None]
    skin = _on_canvas(_toned(scene, covered), scene, middle)
    if scene.glasses:
        _draw_glasses(skin, middle, scene.eyes_px)
    blood = skin * _on_canvas(covered[..., 0], scene, middle)[..., None] * _perfusion(scene, rng) * _blood_rgb(scene)

    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u = (x - np.float32(middle[0])) / np.float32(scene.eyes_px)
    v = (y - np.float32(middle[1])) / np.float32(scene.eyes_px) - np.float32(0.5)
    bulge = np.sqrt(np.clip(1 - (u / 1.5) ** 2 - (v / 2.0) ** 2, 0, None)).astype(np.float32)
    return Portrait(
        skin=skin,
        blood=np.ascontiguousarray(blood, dtype=np.float32),
        shade_x=np.ascontiguousarray(skin * (u * (bulge > 0))[..., None], dtype=np.float32),
        shade_y=np.ascontiguousarray(skin * (v * (bulge > 0))[..., None], dtype=np.float32),
        bulge=bulge * np.float32(scene.eyes_px),
        chin=np.clip((v - 0.3) / 1.2, 0, 1).astype(np.float32) * (bulge > 0) * np.float32(scene.eyes_px),
        middle=middle,
        grid=(x, y),
    )


def _toned(scene: Scene, skin: NDArray[np.float32]) -> NDArray[np.float32]:
    """The portrait in a skin tone, shape (512, 512, 3). `skin` is the share of skin in each pixel, (512, 512, 1)."""
    portrait = simplejpeg.decode_jpeg(_asset("portrait.jpg"), colorspace="RGB").astype(np.float32)
    tone = np.array(SKIN_RGB[scene.skin], np.float32)
    own = (portrait * skin).sum(axis=(0, 1)) / skin.sum()
    toned = np.clip(portrait * (tone / own), 0, 255)
    plain = tone * (0.5 + 0.5 * portrait.mean(axis=2, keepdims=True) / own.mean())
    toned = (1 - scene.paint) * toned + scene.paint * plain
    eyes, mouth = _features()
    features = (eyes | mouth).astype(np.float32)
    # Lids and lips share the skin's tone, eyeballs and teeth half of it.
    tinted = np.maximum(skin[..., 0], 0.7 * cv2.GaussianBlur(features, (0, 0), 1.5))[..., None]
    hair = _hair(skin[..., 0], eyes | mouth)[..., None]
    return np.asarray(
        (portrait + (toned - portrait) * tinted) * (1 - hair * (1 - np.float32(HAIR[scene.skin]))), dtype=np.float32
    )


def _on_canvas(layer: NDArray[np.float32], scene: Scene, middle: NDArray[np.float64]) -> NDArray[np.float32]:
    scale = scene.eyes_px / _EYES_PX
    across = -scale * scene.aspect if scene.mirror else scale * scene.aspect
    place = np.array([[across, 0, middle[0] - across * _EYES[0]], [0, scale, middle[1] - scale * _EYES[1]]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    moved = cv2.warpAffine(layer, place, scene.frame_size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, dtype=np.float32)


def _perfusion(scene: Scene, rng: np.random.Generator) -> NDArray[np.float32]:
    """Blood of each pixel, shape (height, width, 1): it differs over the face; forehead and cheeks carry most."""
    patchy = cv2.GaussianBlur(rng.random((9, 9)).astype(np.float32), (0, 0), 1.2)
    return np.asarray(0.6 + 0.8 * cv2.resize(patchy, scene.frame_size, interpolation=cv2.INTER_CUBIC)[..., None])


def _blood_rgb(scene: Scene) -> NDArray[np.float32]:
    blood = np.array([scene.red_pulse, 1.0, scene.blue_pulse], np.float32)
    blood[0] *= 1 + _RED_PER_SATURATION * (scene.spo2_percent - _SATURATION_AT_BLOOD)
    return blood


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
