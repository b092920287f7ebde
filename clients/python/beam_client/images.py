"""Pictures of any kind to JPEG or PNG bytes. Packages that encode are imported when a picture needs one."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, Union

from beam_client.errors import MissingDependency, SourceError

Image = Union[bytes, bytearray, memoryview, str, "PathLike[str]", Callable[[], Any], Any]
"""JPEG or PNG bytes, a path to them, an RGB array (height, width, 3) of uint8, a PIL image, or what makes one."""

QUALITY = 95  # a codec or a camera has taken enough of the pulse
_NO_TURN = 1
_ORIENTATIONS = {
    # (transposed, mirrored, upside down): the EXIF number of a picture that is to be shown so
    (False, False, False): _NO_TURN,
    (False, True, False): 2,
    (False, True, True): 3,
    (False, False, True): 4,
    (True, False, False): 5,
    (True, True, False): 6,
    (True, True, True): 7,
    (True, False, True): 8,
}


def as_bytes(image: Image) -> bytes:
    """Return a picture as JPEG or PNG bytes. Bytes are passed on as they are: the service looks into them."""
    if callable(image):
        image = image()
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, (str, PathLike)):
        return read(Path(image))
    if hasattr(image, "shape") and hasattr(image, "dtype"):
        return _encode(image)
    if hasattr(image, "save") and hasattr(image, "convert"):
        return _of_pil(image)
    raise SourceError(
        f"A {type(image).__name__} is no picture. Pass JPEG or PNG bytes, a path, or an RGB array of uint8."
    )


def read(path: Path) -> bytes:
    """Return the bytes of a file. Raises SourceError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}.") from error


def is_picture(head: bytes) -> bool:
    """Whether a file that begins so is a picture: JPEG, PNG, GIF, BMP, TIFF, WebP or HEIC."""
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    if head[4:8] == b"ftyp":
        return head[8:12] in (b"heic", b"heix", b"mif1", b"avif")
    return head.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*"))


def refuse_picture(path: Path, head: bytes) -> None:
    """Raise SourceError if a file in the place of a video is a picture, by its first 64 bytes."""
    if is_picture(head):
        raise SourceError(
            f"{path} is a picture. A pulse needs a video of at least 10 s; check() looks at a single picture."
        )


def exif_orientation(*, transposed: bool, mirrored: bool, upside_down: bool) -> int:
    """EXIF's number for a picture that is to be transposed first, then mirrored, then turned upside down."""
    return _ORIENTATIONS[transposed, mirrored, upside_down]


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Return a JPEG that says how it is to be turned. Nothing is encoded again."""
    if orientation == _NO_TURN:
        return jpeg
    tiff = b"MM" + struct.pack(">HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def _encode(image: Any) -> bytes:
    """An RGB array by the first encoder that is installed."""
    shape = tuple(image.shape)
    if len(shape) != 3 or shape[2] != 3 or str(image.dtype) != "uint8":
        raise SourceError(f"An array {shape} of {image.dtype} is no picture: pass RGB (height, width, 3) of uint8.")
    for encode in (_by_simplejpeg, _by_pillow, _by_opencv, _by_pyav):
        with suppress(ImportError):
            return encode(image)
    raise MissingDependency("Arrays need a JPEG encoder: pip install pillow")


def _by_simplejpeg(image: Any) -> bytes:
    import numpy as np
    import simplejpeg

    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=QUALITY, colorspace="RGB"))


def _by_pillow(image: Any) -> bytes:
    from PIL import Image as Pillow

    return _of_pil(Pillow.fromarray(image))


def _by_opencv(image: Any) -> bytes:
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    return bytes(cv2.imencode(".jpg", image[..., ::-1].copy(), options)[1].tobytes())


def _by_pyav(image: Any) -> bytes:
    import av

    from beam_client._jpeg import JpegEncoder

    return JpegEncoder().encode(av.VideoFrame.from_ndarray(image.copy(), format="rgb24"))


def _of_pil(image: Any) -> bytes:
    import io

    out = io.BytesIO()
    # The full resolution of colour: the pulse is in it.
    image.convert("RGB").save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue()
