"""Write a simulated face as a video file, with its capture times as presentation times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import av

if TYPE_CHECKING:
    from rppg_core.simulation.faces import SimulatedFace

_CLOCK_HZ = 90_000  # fine enough for any capture time, and what players expect


def film(
    face: SimulatedFace, file: Path | BinaryIO, *, container: str = "mp4", codec: str = "libx264", crf: int = 23
) -> None:
    """Encode every frame of a recording.

    Parameters
    ----------
    face : SimulatedFace
        Its frames need not be evenly spaced.
    file : Path or binary file
        Where to write.
    container, codec : str
        As FFmpeg names them.
    crf : int
        Constant rate factor, for the codecs that know one: 18 is fine, 28 is coarse.
    """
    with av.open(str(file) if isinstance(file, Path) else file, "w", format=container) as out:
        stream = cast("av.VideoStream", out.add_stream(codec, rate=round(face.scene.fps), options={"crf": str(crf)}))
        stream.width, stream.height = (side // 2 * 2 for side in face.scene.frame_size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _CLOCK_HZ)
        for index, time_s in enumerate(face.times_s):
            picture = face.image(index)[: stream.height, : stream.width]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time_s * _CLOCK_HZ), Fraction(1, _CLOCK_HZ)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
