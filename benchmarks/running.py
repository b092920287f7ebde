"""What the running heart rate of a filling window costs. `python -m benchmarks.running`

Two services of this process take the same frames in turns, a second at a time, over one embedded Redis: one tells the
running rate, the other doesn't. So the ratio holds on a busy machine too. Memory is kept and returned
as in a web process.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402

import cv2  # noqa: E402

from beam_api.host.process import return_large_memory  # noqa: E402
from beam_api.server.embedded_redis import EmbeddedRedis  # noqa: E402
from beam_api.services.windows.measure_request import Post  # noqa: E402
from beam_api.services.windows.measuring import Measuring  # noqa: E402
from beam_api.services.windows.rolling_rate import LOOK  # noqa: E402
from beam_api.store.client import connect  # noqa: E402
from beam_api.store.results import ResultStore  # noqa: E402
from beam_api.store.window_values import Look, Session  # noqa: E402
from beam_api.store.windows import WindowStore  # noqa: E402
from benchmarks.material import BATCH, FPS, batches, simulated_frames  # noqa: E402
from benchmarks.report import Figure, show  # noqa: E402
from rppg_core import measure  # noqa: E402
from rppg_core.face.reader import FaceReader  # noqa: E402
from rppg_core.guidance import advise  # noqa: E402

SECONDS = 30
ROUNDS = 3


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    return_large_memory()
    parts = batches(simulated_frames(SECONDS * BATCH))
    with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder, EmbeddedRedis(Path(folder)) as server:
        redis, reader = connect(server.url), FaceReader()

        def service(look: Look | None) -> Measuring:
            return Measuring(WindowStore(redis), ResultStore(redis), reader, analyse=measure, advise=advise, look=look)

        telling, silent = service(LOOK), service(None)
        ratios, extra = [], []
        for turn in range(ROUNDS):
            took = {"telling": 0.0, "silent": 0.0}
            reported: set[object] = set()
            for second, part in enumerate(parts):
                pair = [("telling", telling), ("silent", silent)]
                for name, measuring in pair if (second + turn) % 2 else pair[::-1]:
                    start_us = round((second * BATCH) * 1e6 / FPS)
                    times = tuple(start_us + round(i * 1e6 / FPS) for i in range(len(part)))
                    post = Post(Session(f"{name}{turn}", "a"), tuple(part), times, None, 300_000_000, False)
                    begin = time.perf_counter()
                    answer = measuring.post(post)
                    took[name] += time.perf_counter() - begin
                    reported |= {getattr(answer, "partial", None)} - {None}
            ratios.append(took["telling"] / took["silent"])
            extra.append((took["telling"] - took["silent"]) / len(reported))
        redis.close()
    show(
        f"A window that fills: {SECONDS} s, {BATCH} frames a request, the running rate found {len(reported)} times",
        [
            Figure("with the running rate / without", median(ratios), "x", 1.15),
            Figure("finding it once", 1000 * median(extra), "ms"),
        ],
    )


if __name__ == "__main__":
    main()
