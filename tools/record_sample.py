"""Record the sample that the home page and the playground show: a simulated face and what a running service says of it.

    beam serve --port 8123
    python tools/record_sample.py http://127.0.0.1:8123

Posts the playground's simulated face as a client would, once with running rates and once for each shorter window, and
writes the answers beside a film of the same frames. The face is a public-domain portrait with a simulated pulse.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import httpx

from beam_api.web.pages.simulated import FPS, SCENE
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rppg_core.simulation.faces import SimulatedFace

FOLDER = Path(__file__).parents[1] / "beam_api" / "web" / "pages" / "static" / "sample"
WINDOWS_S = (10, 15, 20, 25)
"""Lengths from which on the service gives heart rate, respiration, HRV and the stress index."""
SECONDS = 30
MOST_FRAMES = 64  # of a request
MOST_BYTES = 400_000
TOP, HEIGHT = 32, 276  # of the pictures: above is a reflection of the hair, which the service does not mind
FILMS = {"face.mp4": ("mp4", "libx264", 27), "face.webm": ("webm", "libvpx-vp9", 38)}


class Cropped:
    """The same face, without what lies above and below it: what `film` reads of one."""

    def __init__(self) -> None:
        self._face = simulate_face(replace(SCENE, noise=0.4, duration_s=float(SECONDS)))  # noise would fill the film
        self.scene = replace(self._face.scene, frame_size=(SCENE.frame_size[0], HEIGHT))
        self.times_s = self._face.times_s

    def image(self, index: int) -> NDArray[np.uint8]:
        """One frame of the film."""
        return self._face.image(index)[TOP : TOP + HEIGHT]


def main() -> None:
    """Record everything."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("url", help="a running service that gives out sandbox keys")
    url = arguments.parse_args().url
    face = simulate_face(SCENE)
    frames = [(1000 * float(t), face.jpeg(i)) for i, t in enumerate(face.times_s)]
    FOLDER.mkdir(exist_ok=True)
    with httpx.Client(base_url=url, timeout=60) as client:
        client.headers["X-API-Key"] = (
            client.post("/api/keys", json={"name": "sample"}).raise_for_status().json()["data"]["key"]
        )
        *running, complete = measure(client, frames, SECONDS, FPS)
        windows = [measure(client, frames, seconds, MOST_FRAMES)[-1]["data"] for seconds in WINDOWS_S]
    write_recording(face, [answer["data"] for answer in running], [*windows, complete["data"]], complete)
    write_films()


def measure(client: httpx.Client, frames: list[tuple[float, bytes]], seconds: int, batch: int) -> list[dict[str, Any]]:
    """Every answer until the window is full, the last one with the vitals."""
    answers = []
    for start in range(0, len(frames), batch):
        form = {"session_id": f"sample-{seconds}", "duration_ms": str(1000 * seconds), "include_raw": "true"}
        part = frames[start : start + batch]
        answer = client.post(
            "/api/rppg/measure",
            data={**form, "timestamp_ms": [f"{at:.3f}" for at, _ in part]},
            files=[("frame", ("frame.jpg", jpeg, "image/jpeg")) for _, jpeg in part],
        ).raise_for_status()
        answers.append(answer.json())
        if answer.status_code == 200:
            return answers
    message = f"The window of {seconds} s was not filled."
    raise SystemExit(message)


def write_recording(
    face: SimulatedFace, running: list[dict[str, Any]], measured: list[dict[str, Any]], complete: dict[str, Any]
) -> None:
    """Write what the page plays: faces and running rates by time, vitals by window, the wave, and the last answer."""
    raw = measured[-1].pop("raw")
    truth = face.person.truth(0.0, float(SECONDS))
    recording = {
        "truth": {"heart_rate": round(truth.heart_rate_bpm, 1), "hrv": round(truth.rmssd_ms or 0.0, 1)},
        "seconds": SECONDS,
        "running": [
            {
                "at_s": round(data["face"]["timestamp_ms"] / 1000, 2),
                "box": [
                    *cropped(*data["face"]["box"][:2]),
                    data["face"]["box"][2],
                    cropped(0, data["face"]["box"][3], 0)[1],
                ],
                "landmarks": [cropped(*point) for point in data["face"]["landmarks"]],
                "heart_rate": data["partial"] and data["partial"]["heart_rate"],
            }
            for data in running
        ],
        "measured": [
            {name: data[name] for name in (*data["quality"], "interval", "quality") if name in data}
            | {"duration_ms": data["duration_ms"]}
            for data in measured
        ],
        "wave": {
            "sampling_rate": raw["sampling_rate"],
            "ppg": [round(value, 3) for value in raw["ppg"]],
            "beats_ms": [round(at) for at in raw["beats_ms"]],
        },
        "answer": complete,
    }
    (FOLDER / "recording.json").write_text(json.dumps(recording, separators=(",", ":")) + "\n")


def cropped(x: float, y: float, top: int = TOP) -> list[float]:
    """A point of the frame, in fractions of the film's picture."""
    return [round(x, 4), round((y * SCENE.frame_size[1] - top) / HEIGHT, 4)]


def write_films() -> None:
    """Write the same frames as films for every browser, and the first as a picture."""
    face = Cropped()
    for name, (container, codec, rate_factor) in FILMS.items():
        with tempfile.NamedTemporaryFile(suffix=f".{container}") as whole:
            film(cast("SimulatedFace", face), Path(whole.name), container=container, codec=codec, crf=rate_factor)
            content = Path(whole.name).read_bytes()
        if len(content) > MOST_BYTES:
            message = f"{name} has {len(content)} bytes."
            raise SystemExit(message)
        (FOLDER / name).write_bytes(content)
    picture = cv2.cvtColor(face.image(0), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(FOLDER / "face.webp"), picture, [cv2.IMWRITE_WEBP_QUALITY, 80])


if __name__ == "__main__":
    main()
