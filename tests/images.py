"""Images for tests, made on the spot."""

from __future__ import annotations

import io
import struct
from functools import cache

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene


@cache
def _still_face(**scene) -> np.ndarray:
    return simulate_face(Scene(**{"duration_s": 1.0, "fps": 5.0} | scene)).image(0)


def still_face(**scene) -> np.ndarray:
    """One frame of the simulated face, upright RGB (440, 480, 3) unless the scene says otherwise."""
    return _still_face(**scene).copy()  # a test may draw on it


def jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    return simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=quality, colorspace="RGB")


def png(image: np.ndarray) -> bytes:
    bgr = image if image.ndim == 2 else image[..., [2, 1, 0, *range(3, image.shape[2])]]
    return cv2.imencode(".png", bgr)[1].tobytes()


def grey_jpeg(image: np.ndarray) -> bytes:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    return simplejpeg.encode_jpeg(np.ascontiguousarray(grey), colorspace="GRAY", colorsubsampling="Gray")


def cmyk_jpeg(image: np.ndarray, quality: int = 92) -> bytes:
    """As a prepress program saves it: four inks."""
    out = io.BytesIO()
    Image.fromarray(image).convert("CMYK").save(out, "JPEG", quality=quality)
    return out.getvalue()


def with_orientation(data: bytes, orientation: int, order: str = ">") -> bytes:
    """A JPEG with an EXIF block that says how to turn it."""
    mark = b"MM" if order == ">" else b"II"
    tiff = mark + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\x00\x00" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def as_stored(image: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera stores so that a viewer who honours `orientation` shows `image` (by the EXIF standard's table)."""
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](image)
    return np.ascontiguousarray(stored)


def huge_header(width: int = 30_000, height: int = 30_000) -> bytes:
    """A real JPEG whose header claims another size."""
    data = jpeg(np.full((16, 16, 3), 120, np.uint8))
    at = data.index(b"\xff\xc0")
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def wall(size: tuple[int, int] = (480, 440), seed: int = 0) -> np.ndarray:
    """A plastered wall: texture and light, no face."""
    rng = np.random.default_rng(seed)
    width, height = size
    rough = cv2.GaussianBlur(rng.normal(0, 30, (height, width)).astype(np.float32), (0, 0), 2.0)
    light = np.linspace(150, 190, width, dtype=np.float32)[None, :]
    return np.clip(np.stack([light + rough, light * 0.95 + rough, light * 0.85 + rough], axis=2), 0, 255).astype(
        np.uint8
    )


def beside(image: np.ndarray, other: np.ndarray, share: float = 1.0) -> np.ndarray:
    """A picture with a second person at its right, scaled to a share of their size."""
    second = cv2.resize(other, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    height = max(len(image), len(second))
    out = np.full((height, image.shape[1] + second.shape[1], 3), (120, 110, 100), np.uint8)
    out[: len(image), : image.shape[1]] = image
    out[height - len(second) :, image.shape[1] :] = second
    return out
