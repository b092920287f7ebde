"""Images go when their frame has been read, at once and not when the garbage collector comes by."""

import gc
import weakref

import pytest

from rppg_core.face.reader import Frame
from tests.images import still_face, wall


@pytest.mark.parametrize("picture", [wall, still_face], ids=["wall", "face"])
def test_no_reading_keeps_its_image(reader, picture):
    gc.disable()  # a circle of references would be broken only by it
    try:
        image = picture()
        alive = weakref.ref(image)
        readings = reader.read([Frame(0, image)])
        del image
        assert alive() is None
        assert len(readings) == 1
    finally:
        gc.enable()
