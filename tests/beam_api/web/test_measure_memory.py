"""What a request leaves behind: nothing, and that at once, without waiting for the garbage collector."""

import gc
import tracemalloc

import numpy as np
import pytest

from beam_api.services.measure_request import Post
from beam_api.store.window_values import Session
from beam_api.web.context import Parts
from rppg_core.errors import NoFaceDetected
from tests.images import jpeg, wall


def test_a_request_that_fails_keeps_none_of_its_images(parts: Parts) -> None:
    rough = wall((1200, 900)) ^ np.random.default_rng(0).integers(0, 32, (900, 1200, 3), dtype=np.uint8)
    image = jpeg(rough, 98)

    def fail(at: int) -> None:
        post = Post(Session("key", "default"), (bytes(bytearray(image)),), (at,), None, 10_000_000, False)
        with pytest.raises(NoFaceDetected):
            parts.measuring.post(post)

    fail(0)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for at in range(1, 4):
            fail(10_000 * at)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert kept < len(image)
