"""Make the test vectors anew: `python -m tests.vectors.make`. Needed when the reader or the format changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from rppg_core.face.description import reader_description
from rppg_core.face.exchange import write_sample
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.trace.witnesses import COLOURS
from tests.images import still_face

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent
TIME_US = 1_000_000


def frames() -> dict[str, NDArray[np.uint8]]:
    """The pictures, upright RGB."""
    face = still_face(eyes_px=36.0, frame_size=(200, 200), noise=1.0)
    height, width = face.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 12.0, 1.0)
    tilted = cv2.warpAffine(face, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    large = still_face(eyes_px=60.0, frame_size=(300, 290), noise=0.5)
    return {"upright": face, "tilted": np.asarray(tilted, np.uint8), "cut": face[52:], "large": large}


def entry(reader: FaceReader, name: str, image: NDArray[np.uint8]) -> dict[str, Any]:
    """One frame with its landmarks and its sample."""
    (reading,) = reader.read([Frame(TIME_US, np.ascontiguousarray(image))])
    assert reading.sample, name
    assert reading.face, name
    seen = np.concatenate([reading.sample.colours, reading.sample.witness[COLOURS].reshape(-1, 3)])
    return {
        "frame": f"frame-{name}.png",
        "frame_size": [image.shape[1], image.shape[0]],
        "landmarks": reading.face.face.landmarks.tolist(),
        "sample": write_sample(TIME_US, reading.sample, reading.face),
        "colours": [None if np.isnan(region[0]) else [round(float(v), 3) for v in region] for region in seen],
    }


def main() -> None:
    """Write the frames and their samples beside this file."""
    reader = FaceReader()
    entries = []
    for name, image in frames().items():
        cv2.imwrite(str(HERE / f"frame-{name}.png"), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        entries.append(entry(reader, name, image))
    content = {"reader": reader_description(), "entries": entries}
    (HERE / "samples.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
