"""Some frames of a request at once: decoded into the same memory, and the face followed through all of them in one go.

Each decode, and whatever else reads pixels, drives the landmark model out of the processor's caches, and fetching it
again costs more than a prediction does with the model there. So the landmarks of several frames are predicted before
anything else is done with them. Pixels overwrite those of the frames before, so that no new memory is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rppg_core.errors import RppgError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rppg_core.face.face import Face
    from rppg_core.face.faces import FaceFinder
    from rppg_core.face.reader import FaceState, Frame

    Pixels = NDArray[np.uint8] | RppgError

FOLLOW_US = 200_000
"""A face may be followed over at most this gap; beyond it, it is searched for."""

_TOGETHER_BYTES = 1_700_000  # pixels decoded together, and one image more at most: two of VGA stay in the caches


@dataclass(slots=True)
class Memory:
    """Arrays that the frames of a request are decoded into, some at a time: the next ones overwrite these."""

    arrays: list[NDArray[np.uint8] | None] = field(default_factory=list)

    def decode(self, frames: Sequence[Frame]) -> list[Pixels]:
        """Pixels of the first frames, or what is wrong with them."""
        pictures: list[Pixels] = []
        held = 0
        for slot, frame in enumerate(frames):
            if slot == len(self.arrays):
                self.arrays.append(None)
            try:
                image = frame.image(self.arrays[slot])
            except RppgError as error:
                # Its traceback would keep the image, in a circle that only the garbage collector breaks.
                pictures.append(error.with_traceback(None))
                continue
            pictures.append(image)
            if isinstance(frame.data, bytes):
                self.arrays[slot] = image
            held += image.nbytes
            if held >= _TOGETHER_BYTES:
                break
        return pictures


class Step(NamedTuple):
    """A face, and the one in an earlier frame that it was followed from."""

    origin: Face
    face: Face


def steps(
    finder: FaceFinder, frames: Sequence[Frame], pictures: Sequence[Pixels], last: FaceState | None
) -> list[Step | None]:
    """Follow the last face through pictures in a row, as far as it can be followed."""
    found: list[Step | None] = [None] * len(pictures)
    if last is None:
        return found
    face, time_us = last.face, last.time_us
    for at, (frame, picture) in enumerate(zip(frames, pictures, strict=False)):
        if isinstance(picture, RppgError):
            continue
        if abs(frame.time_us - time_us) > FOLLOW_US or picture.shape[1::-1] != last.frame_size:
            break
        try:
            step = Step(face, finder.follow(picture, face))
        except RppgError:
            break
        found[at], face, time_us = step, step.face, frame.time_us
    return found
