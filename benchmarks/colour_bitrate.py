"""What the browser's package sends a second, of a simulated and of a real face. `python -m benchmarks.colour_bitrate`

Needs `npm run build` in clients/js.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.material import FPS, clip_frames, simulated_frames
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.trace.witnesses import COLOURS

if TYPE_CHECKING:
    from rppg_core import Sample

TOOL = Path(__file__).parents[1] / "clients" / "js" / "tools" / "bitrate.mjs"
N_FRAMES = 90


def main() -> None:
    """Read frames, and print what their samples take."""
    for name, frames in (("simulated face", simulated_frames(N_FRAMES)), ("real face", clip_frames(N_FRAMES))):
        timed = [Frame(round(i * 1e6 / FPS), data) for i, data in enumerate(frames)]
        rows = [_row(reading.sample) for reading in FaceReader().read(timed) if reading.sample]
        if not rows:
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write("\n".join(rows))
            file.flush()
            done = subprocess.run(["node", TOOL, file.name], capture_output=True, text=True, check=True)
        print(f"{name}\n{done.stdout}")


def _row(sample: Sample) -> str:
    colours = np.concatenate([sample.colours, sample.witness[COLOURS].reshape(-1, 3)]).tolist()
    return json.dumps(
        {
            "pose": [float(value) for value in sample.pose],
            "colours": [colour if np.isfinite(colour).all() else None for colour in colours],
            "detail": [float(v) if np.isfinite(v) else None for v in sample.witness[: COLOURS.start]],
        }
    )


if __name__ == "__main__":
    main()
