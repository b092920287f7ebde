"""A frame and the face in it -> its sample, and what the sample alone says of the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.errors import NoFaceDetected
from rppg_core.face.colour import mean_colours
from rppg_core.face.regions import fit
from rppg_core.face.witnesses import witness
from rppg_core.trace.traces import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.face.face import Face

_COLOUR_JUMP = 0.12  # median change of green from frame to frame, as a share; light flickers less, a cut more
_GREY_SPREAD = 0.75  # levels between channels, below which a picture has no colour


def sample_of(image: NDArray[np.uint8], face: Face) -> Sample:
    """The sample of a frame. Raises NoFaceDetected where no region lies in the image."""
    place = fit(face.landmarks)
    colours = mean_colours(image, place)
    if not np.isfinite(colours[:, 0]).any():
        raise NoFaceDetected("The face is cut off by the frame's edge.", guidance=("FACE_OFF_CENTRE",))
    return Sample(colours=colours, pose=place.pose, witness=witness(image, place))


def is_grey(sample: Sample) -> bool:
    """Whether no region has colour."""
    for red, green, blue in sample.colours.tolist():  # one that isn't seen is NaN, and is passed over
        if abs(red - green) >= _GREY_SPREAD or abs(green - blue) >= _GREY_SPREAD:
            return False
    return True


def jumps(before: NDArray[np.float32] | None, now: NDArray[np.float32]) -> bool:
    """Whether the colours of the regions seen in both changed more than light does: by their median."""
    if before is None:
        return True
    change = np.abs((now[:, 1] + 1.0) / (before[:, 1] + 1.0) - 1.0)
    more, less = np.count_nonzero(change > _COLOUR_JUMP), np.count_nonzero(change <= _COLOUR_JUMP)
    return bool(more >= less)  # also where none was seen in both
