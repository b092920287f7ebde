"""Cost of a long video: `python -m benchmarks.long_videos [MINUTES ...]` (1, 5, 15 and 60).

Each length is analysed as a worker does it, in a process of its own: 30 s of 640x480 H.264 at 30 fps, again and again.
Memory ought not to follow the length beyond a window of five minutes.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import av  # noqa: E402
import cv2  # noqa: E402

from beam_api.host.process import give_memory_back, trim_heap  # noqa: E402
from benchmarks.material import FPS, SIZE  # noqa: E402
from benchmarks.report import Figure, show  # noqa: E402
from rppg_core import measure  # noqa: E402
from rppg_core.course.long_video import windows_of_video  # noqa: E402
from rppg_core.course.series import series  # noqa: E402
from rppg_core.course.whole_video import Measured, whole_of  # noqa: E402
from rppg_core.face.reader import FaceReader  # noqa: E402
from rppg_core.media.video import probe  # noqa: E402
from rppg_core.media.video_cost import predicted_s  # noqa: E402
from rppg_core.simulation.faces import simulate_face  # noqa: E402
from rppg_core.simulation.film import film  # noqa: E402
from rppg_core.simulation.scenes import Scene  # noqa: E402

MINUTES = (1, 5, 15, 60)
MOST_MB = 300.0
SECONDS, RATE_BPM = 30.0, 72.0  # 36 beats, so that the pulse goes on evenly


def main(minutes: list[float]) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="beam-long-") as folder:
        once, video = io.BytesIO(), Path(folder, "long.mp4")
        scene = Scene(heart_rate_bpm=RATE_BPM, duration_s=SECONDS, fps=FPS, frame_size=SIZE, seed=3)
        film(simulate_face(scene), once)
        for length in minutes:
            repeat(once, video, 60 * length)
            command = [sys.executable, "-m", "benchmarks.long_videos", "--one", str(video)]
            found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            figures = [
                Figure("memory at most", found["peak_mb"], "MB", MOST_MB),
                Figure("of which before the video", found["base_mb"], "MB"),
                Figure("processor time", found["cpu_s"], "s"),
                Figure("the same over the prediction", found["cpu_s"] / found["predicted_s"], "x", 1.0),
                Figure("windows", found["windows"]),
                Figure("frames", found["frames"]),
            ]
            show(f"{length:g} min of 640x480 at 30 fps, {video.stat().st_size / 2**20:.0f} MB", figures)


def repeat(once: io.BytesIO, file: Path, seconds: float) -> None:
    """Write a film again and again, without encoding it anew."""
    once.seek(0)
    with av.open(once, "r") as source, av.open(str(file), "w", format="mp4") as target:
        pictures = source.streams.video[0]
        stream = target.add_stream_from_template(pictures)
        kept = [(bytes(p), p.pts or 0, p.dts or 0, p.is_keyframe) for p in source.demux(pictures) if p.size]
        base = pictures.time_base
        assert base is not None
        for number in range(round(seconds * FPS)):
            data, pts, dts, is_key = kept[number % len(kept)]
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = stream, base, is_key
            later = round(number // len(kept) * len(kept) / FPS / base)
            packet.pts, packet.dts = pts + later, dts + later
            target.mux(packet)


def one(video: Path) -> None:
    """Analyse a video; prints JSON."""
    cv2.setNumThreads(1)
    give_memory_back()
    reader = FaceReader()
    base_mb, begun_s = _peak_mb(), time.process_time()
    found: list[Measured] = []
    for window in windows_of_video(video, reader):
        trim_heap()
        vitals = measure(window.trace)
        if not window.is_look:
            found.append(Measured.of(window, vitals, series(window.trace), after_s=found[-1].end_s if found else -1.0))
    whole = whole_of(found)
    print(
        json.dumps(
            {
                "peak_mb": _peak_mb(),
                "base_mb": base_mb,
                "cpu_s": time.process_time() - begun_s,
                "predicted_s": predicted_s(probe(video)),
                "frames": whole.frames,
                "windows": len(found),
            }
        )
    )


def _peak_mb() -> float:
    """Of this process since it began; `getrusage` would count the one that started it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(Path(sys.argv[2]))
    else:
        main([float(minutes) for minutes in sys.argv[1:]] or list(MINUTES))
