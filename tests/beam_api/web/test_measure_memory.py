"""What a request leaves behind: nothing, and that at once, without waiting for the garbage collector."""

import gc
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from beam_api.services.windows.measure_request import Post
from beam_api.store.window_values import Session
from beam_api.web.context import Parts
from rppg_core.errors import InvalidImage, NoFaceDetected
from tests.images import jpeg, wall


def kept_bytes(fail: Callable[[int], None]) -> int:
    """What three failures leave behind without the collector; one came before, for what is loaded once."""
    fail(0)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for number in range(1, 4):
            fail(number)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()


def test_a_request_that_fails_keeps_none_of_its_images(parts: Parts) -> None:
    rough = wall((1200, 900)) ^ np.random.default_rng(0).integers(0, 32, (900, 1200, 3), dtype=np.uint8)
    image = jpeg(rough, 98)

    def fail(number: int) -> None:
        frames = (bytes(bytearray(image)),)
        with pytest.raises(NoFaceDetected):
            parts.measuring.post(Post(Session("key", "default"), frames, (10_000 * number,), None, 10_000_000, False))

    assert kept_bytes(fail) < len(image)


def test_a_check_that_fails_keeps_none_of_its_image(parts: Parts) -> None:
    image = b"\xff\xd8\xff" + bytes(500_000)

    def fail(_number: int) -> None:
        with pytest.raises(InvalidImage):
            parts.measuring.check(bytes(bytearray(image)))

    assert kept_bytes(fail) < len(image)
