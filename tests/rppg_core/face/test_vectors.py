"""The test vectors: our reader makes their samples, and so does a port by docs/mobile.md and /reader.json alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from rppg_core.face.description import reader_description
from rppg_core.face.exchange import read_samples, write_sample
from rppg_core.face.reader import Frame
from rppg_core.trace.traces import pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.face.reader import FaceReader

HERE = Path(__file__).parents[2] / "vectors"
KEPT: dict[str, Any] = json.loads((HERE / "samples.json").read_text())
ENTRIES = {entry["frame"]: entry for entry in KEPT["entries"]}
NOT_SEEN = [math.nan] * 3


def test_the_vectors_are_of_the_reader_as_it_is():
    assert KEPT["reader"] == json.loads(json.dumps(reader_description()))
    assert len(ENTRIES) == 4
    assert sum(None in entry["colours"] for entry in ENTRIES.values()) == 1
    assert {path.name for path in HERE.glob("*.png")} == set(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_our_reader_makes_the_very_sample(reader: FaceReader, name: str):
    entry = ENTRIES[name]
    (reading,) = reader.read([Frame(1_000_000, (HERE / name).read_bytes())])
    assert reading.sample
    written = json.loads(json.dumps(write_sample(1_000_000, reading.sample, reading.face)))
    assert written["colours"] == entry["sample"]["colours"]
    assert written["detail"] == entry["sample"]["detail"]
    assert written["pose"] == pytest.approx(entry["sample"]["pose"], abs=1e-6)
    assert reading.face.face.landmarks.tolist() == entry["landmarks"]
    (read,) = read_samples([entry["sample"]], tuple(entry["frame_size"]))
    assert pack([read.sample]) == pack([reading.sample])


class Port:
    """A reader as somebody writes it from the page, as plainly as can be."""

    def __init__(self, image: NDArray[np.uint8], landmarks: list[list[float]]) -> None:
        self.about, self.image = KEPT["reader"], image
        template = np.array([one["template"] for one in self.about["landmarks"]])
        rows, wanted = [], []
        for (u, v), (x, y) in zip(template, landmarks, strict=True):
            rows += [[u, -v, 1, 0], [v, u, 0, 1]]
            wanted += [x, y]
        a, b, self.x, self.y = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
        self.matrix, self.size, self.roll = np.array([[a, -b], [b, a]]), math.hypot(a, b), math.atan2(b, a)
        self.points = np.array(landmarks)

    def pose(self) -> list[float]:
        right, left = self.points[:2].mean(axis=0), self.points[2:4].mean(axis=0)
        along = right - left
        yaw = float((self.points[4] - self.points[:4].mean(axis=0)) @ along / (along @ along))
        x, y = self.matrix @ self.about["pose"]["place"] + (self.x, self.y)
        return [float(x), float(y), self.size, self.roll, yaw]

    def skin(self, corners: list[list[float]]) -> list[float]:
        (left, top), (right, bottom) = corners[0], corners[2]
        height, width = self.image.shape[:2]
        at = np.array(corners) @ self.matrix.T + (self.x, self.y)
        if (at < -0.5).any() or (at > (width - 0.5, height - 0.5)).any():
            return NOT_SEEN
        count = max(24, round(self.size))
        us = left + (right - left) * (np.arange(count) + 0.5) / count
        vs = top + (bottom - top) * (np.arange(count) + 0.5) / count
        grid = np.stack(np.meshgrid(us, vs), axis=-1) @ self.matrix.T + (self.x, self.y)
        map_x, map_y = grid[..., 0].astype(np.float32), grid[..., 1].astype(np.float32)
        picture = self.image.astype(np.float32)
        found = cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return found.mean(axis=(0, 1)).tolist()

    def part(self, box: dict[str, list[float]]) -> NDArray[np.uint8] | None:
        (u, v), half = box["middle"], box["half"]
        return self.cut((self.x + u * self.size, self.y + v * self.size), [2 * h * self.size for h in half], box)

    def cut(self, middle: Any, sides: Any, box: dict[str, Any]) -> NDArray[np.uint8] | None:
        wide, high = (min(round(side), most) for side, most in zip(sides, box["most_px"], strict=True))
        left, top = round(middle[0] - wide / 2), round(middle[1] - high / 2)
        part = self.image[max(top, 0) : max(top + high, 0), max(left, 0) : max(left + wide, 0)]
        return part if min(part.shape[:2]) >= self.about["least_part_px"] else None

    def colours(self) -> list[list[float]]:
        skin = [self.skin(region["corners"]) for region in self.about["regions"]]
        parts = [self.part(control) for control in self.about["controls"]]
        return skin + [NOT_SEEN if part is None else part.mean(axis=(0, 1)).tolist() for part in parts]

    def detail(self) -> list[float]:
        about, parts = self.about["detail"], {one["name"]: self.part(one) for one in self.about["controls"]}
        height, width = self.image.shape[:2]
        centre = self.cut((width / 2, height / 2), (width, height), {"most_px": about["centre_most_px"]})
        assert centre is not None
        face = self._details([self.part(about["face"])])
        return [
            *face,
            *self._details([parts[name] for name in about["around"]]),
            self._details([centre])[0],
            float(centre.mean()),
        ]

    def _details(self, parts: list[NDArray[np.uint8] | None]) -> tuple[float, float]:
        seen = [part.astype(int) for part in parts if part is not None]
        between = [np.rint((part[2:] + part[:-2]) / 2) - part[1:-1] for part in seen]
        n = sum(b.size for b in between)
        light = sum(part.mean() * b.size for part, b in zip(seen, between, strict=True)) / n
        size = sum(np.abs(b).sum() for b in between) / n
        power = sum(np.square(b).sum() for b in between) / n
        floor = self.about["detail"]["floor"]
        return math.log((size + floor) / (light + 1)), math.log((math.sqrt(power) + floor) / (light + 1))


@pytest.mark.parametrize("name", ENTRIES)
def test_a_port_by_the_page_comes_as_near_as_the_page_says(name: str):
    entry = ENTRIES[name]
    image = np.ascontiguousarray(cv2.imread(str(HERE / name))[..., ::-1])
    port = Port(image, entry["landmarks"])
    pose = np.array(port.pose()) - entry["sample"]["pose"]
    assert np.abs(pose[:3]).max() < 0.01
    assert np.abs(pose[3:]).max() < 0.0001
    colours = np.array(port.colours()) - np.array([region or NOT_SEEN for region in entry["colours"]])
    seen = np.array([region is not None for region in entry["colours"]])
    assert (np.isfinite(colours).all(axis=1) == seen).all()
    assert np.abs(colours[:30][seen[:30]]).max() < 0.5
    assert np.abs(colours[:30][seen[:30]].mean(axis=0)).max() < 0.25
    assert np.abs(colours[30:][seen[30:]]).max() < 0.02
    assert np.array(port.detail()) == pytest.approx(np.array(entry["sample"]["detail"]), abs=0.02)
