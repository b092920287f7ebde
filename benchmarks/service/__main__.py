"""Cost of the whole service: `beam serve` on its embedded Redis. `python -m benchmarks.service`

The load is on the same machine and shares its cores; its own use of them is printed. Candidates take turns in one
run: frames through HTTP with the core's own time for them, one window with a thousand, one worker with two. So ratios
hold on a busy machine too.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import time  # noqa: E402
from statistics import median  # noqa: E402

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import redis  # noqa: E402

from beam_api.server.embedded_redis import running_url  # noqa: E402
from benchmarks.material import BATCH, FPS, batches, simulated_frames  # noqa: E402
from benchmarks.report import Figure, show  # noqa: E402
from benchmarks.service import scaling, singles, store, windows  # noqa: E402
from benchmarks.service.client import Client  # noqa: E402
from benchmarks.service.started import WORKERS, Service, memory_mb, processes, running_service, start_s  # noqa: E402
from rppg_core.face.reader import FaceReader, Frame  # noqa: E402

TURNS = 25
STARTS = 5


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    frames = simulated_frames(3 * BATCH)
    starts = [start_s() for _ in range(STARTS)]
    with running_service() as service:
        with redis.Redis.from_url(running_url(service.data_dir)) as client:
            figures = [
                Figure("start to ready, first start", median(starts), "s", 3),
                *_latency(service, frames),
                *singles.figures(service, frames),
                *store.figures(service, client, frames),
            ]
        figures += scaling.figures(service, frames)
        figures += _memory(service)
        figures += windows.figures(service, frames)
    show(f"The service, {WORKERS} workers", figures)


def _latency(service: Service, frames: list[bytes]) -> list[Figure]:
    """One person's requests, one after another, in turns with the core's own work on the same frames."""
    reader, state = FaceReader(), None
    client = Client(service, "latency")
    parts = batches(frames)
    client.post(parts[0])
    ratios, whole = [], []
    for turn in range(TURNS):
        part = parts[turn % len(parts)]
        start = time.perf_counter()
        first = turn * BATCH
        readings = reader.read([Frame(round((first + i) * 1e6 / FPS), data) for i, data in enumerate(part)], state)
        core = time.perf_counter() - start
        state = readings[-1].face
        whole.append(client.post(part))
        if turn:  # the first one searches for the face
            ratios.append(whole[-1] / core)
    client.close()
    name = f"{BATCH} frames a request"
    return [
        Figure(f"{name}: whole HTTP path / the core's own time", median(ratios), "x", 1.25),
        *(Figure(f"  p{p}", 1000 * float(np.percentile(whole, p)), "ms") for p in (50, 95, 99)),
    ]


def _memory(service: Service) -> list[Figure]:
    figures = []
    for pid, command in processes(service).items():
        resident, proportional = memory_mb(pid)
        most = (250, 90) if "gunicorn" in command else (None, None)
        figures += [
            Figure(f"{command}: resident", resident, "MB", most[0]),
            Figure(f"{command}: proportional", proportional, "MB", most[1]),
        ]
    return figures


if __name__ == "__main__":
    main()
