"""What a reader does with a frame, as constants for programs: a port reads them instead of copying them."""

from __future__ import annotations

from typing import Any

from rppg_core.face import witnesses
from rppg_core.face.ahead import FOLLOW_US
from rppg_core.face.exchange import DETAIL, MISSING, MOST_LEVEL, N_COLOURS, SAMPLE_FIELDS, SAMPLE_VERSION, STEPS
from rppg_core.face.faces import MIN_FACE_PX
from rppg_core.face.regions import CELL, CORNERS, TEMPLATE
from rppg_core.trace.traces import POSE
from rppg_core.trace.witnesses import CONTROLS

LANDMARKS = (
    "outer corner of the eye on the image's right",
    "inner corner of the same eye",
    "outer corner of the eye on the image's left",
    "inner corner of the same eye",
    "base of the nose",
)


def reader_description() -> dict[str, Any]:
    """The format of a sample, and where its colours come from, as JSON values. docs/mobile.md explains them."""
    return {
        "sample_version": SAMPLE_VERSION,
        "fields": list(SAMPLE_FIELDS),
        "colours": {
            "count": N_COLOURS,
            "encoding": "base64 of little-endian uint16",
            "steps_per_level": STEPS,
            "most_level": MOST_LEVEL,
            "missing": MISSING,
        },
        "pose": {"names": list(POSE), "place": [0.0, 0.4]},
        "landmarks": [
            {"name": name, "template": point} for name, point in zip(LANDMARKS, TEMPLATE.tolist(), strict=True)
        ],
        "regions": [{"corners": corners} for corners in CORNERS.tolist()],
        "cell": CELL,
        "controls": [
            {"name": name, **_box(box, most)}
            for name, box, most in zip(CONTROLS, witnesses.PATCHES, witnesses.PATCH_PX, strict=True)
        ],
        "detail": {
            "names": list(DETAIL),
            "face": _box(witnesses.FACE, witnesses.FACE_PX),
            "around": [CONTROLS[0], CONTROLS[1]],
            "centre_most_px": list(witnesses.CENTRE_PX),
            "floor": witnesses.FLOOR,
        },
        "least_part_px": witnesses.LEAST_PX,
        "least_face_px": MIN_FACE_PX,
        "follow_ms": FOLLOW_US / 1000,
    }


def _box(box: tuple[float, float, float, float], most_px: tuple[int, int]) -> dict[str, list[float]]:
    u, v, half_u, half_v = box
    return {"middle": [u, v], "half": [half_u, half_v], "most_px": list(most_px)}
