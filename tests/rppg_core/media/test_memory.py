"""Pictures of a video are written to the memory of those that were given back, and look the same."""

import io

import numpy as np
import pytest

from rppg_core.face.footage import trace_of
from rppg_core.media.memory import PictureMemory
from rppg_core.media.video import read_video
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.scenes import Scene


@pytest.fixture(scope="module")
def video() -> bytes:
    file = io.BytesIO()
    film(simulate_face(Scene(duration_s=3.0, sway=0.03)), file)
    return file.getvalue()


def test_what_is_given_back_is_taken_again():
    memory = PictureMemory()
    one, other = memory.take((40, 30, 3)), memory.take((40, 30, 3))
    assert one is not other
    memory.give_back([one, other])
    assert {id(memory.take((40, 30, 3))) for _ in range(2)} == {id(one), id(other)}


def test_a_part_of_a_picture_is_not_taken_for_memory():
    memory = PictureMemory()
    memory.give_back([np.zeros((80, 30, 3), np.uint8)[:40]])
    assert memory.take((40, 30, 3)).base is None


def test_pictures_of_another_size_get_memory_of_their_own_and_none_is_hoarded():
    memory = PictureMemory()
    memory.give_back([memory.take((4000, 4000, 3)) for _ in range(3)])
    assert memory._bytes <= 64_000_000
    assert memory.take((40, 30, 3)).shape == (40, 30, 3)
    assert memory._bytes == 0


def test_pictures_that_nobody_gives_back_are_never_overwritten(video):
    memory = PictureMemory()
    kept = [image for _, image in read_video(io.BytesIO(video), memory=memory)]
    alone = [image.copy() for _, image in read_video(io.BytesIO(video))]
    assert all(np.array_equal(a, b) for a, b in zip(kept, alone, strict=True))


@pytest.mark.parametrize("longest_side", [None, 400, 300])
def test_a_trace_is_the_same_and_its_pictures_share_memory(reader, video, longest_side):
    memory, places = PictureMemory(), set()

    def seen():
        for time_s, image in read_video(io.BytesIO(video), longest_side=longest_side, memory=memory):
            places.add(image.ctypes.data)
            yield time_s, image

    again = trace_of(seen(), reader, memory=memory)
    alone = trace_of(read_video(io.BytesIO(video), longest_side=longest_side), reader)
    assert np.array_equal(again.colours, alone.colours, equal_nan=True)
    assert np.array_equal(again.pose, alone.pose)
    assert len(again.times_s) > 2 * len(places)
