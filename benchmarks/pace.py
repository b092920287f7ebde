"""Which irregular pace is best for single frames, and whether the service keeps to it. `python -m benchmarks.pace`

First the ways of choosing times, on paper: the strongest alias of 1.5 frames a second, and the most frames that fall
into one minute. Then clients that follow `next_frame_in_ms` with a sandbox key on a running service, for over a minute
of real time.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import redis
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.services.windows.pacing import interval_ms, mean_interval_ms
from beam_api.store.keys import KeyStore
from beam_api.store.window_values import Session
from benchmarks.report import Figure, show
from benchmarks.service.started import Service, running_service
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from rppg_core.trace.aliasing import HIGH_HZ, LOW_HZ, alias_strength

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 100  # requests a minute of a sandbox key
DRAWS = 200
LIVE_S = 75.0
_BOUNDARY = "beam-benchmark"

Times = NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    on_paper()
    with running_service() as service:
        for clients in (1, 2):
            show(f"{clients} following a sandbox key for {LIVE_S:.0f} s", follow(service, clients))


def on_paper() -> None:
    """Print, for each way of choosing times, its strongest alias and how it keeps to a limit."""
    mean = mean_interval_ms(LIMIT, 1) / 1000
    table = Table(
        "times",
        "alias, 15 frames",
        "45 frames",
        "90 frames",
        "most in 60 s",
        title=f"{1 / mean:.2g} frames a second: power of the strongest alias from {LOW_HZ} to {HIGH_HZ} Hz, median "
        f"(95 %) of {DRAWS}",
    )
    for name, way in _ways(mean).items():
        strengths = [[_alias_db(way(n, np.random.default_rng(i))) for i in range(DRAWS)] for n in (15, 45, 90)]
        most = max(_most_in_a_minute(way(600, np.random.default_rng(i))) for i in range(DRAWS))
        cells = [f"{np.median(s):.1f} ({np.quantile(s, 0.95):.1f}) dB" for s in strengths]
        table.add_row(name, *cells, f"{most}" + (" > limit" if most > LIMIT else ""))
    Console(width=120).print(table)


def _ways(mean: float) -> dict[str, Callable[[int, np.random.Generator], Times]]:
    def stratified(width: float) -> Callable[[int, np.random.Generator], Times]:
        return lambda n, rng: mean * (np.arange(n) + width * rng.random(n))

    def additive(spread: float) -> Callable[[int, np.random.Generator], Times]:
        return lambda n, rng: np.cumsum(mean * (1 + spread * rng.uniform(-1, 1, n)))

    def ours(latency_s: float, spread_s: float) -> Callable[[int, np.random.Generator], Times]:
        def times(n: int, rng: np.random.Generator) -> Times:
            session = Session("key", str(rng.integers(1 << 40)))
            intervals = [interval_ms(session, k, 1000 * mean) / 1000 for k in range(1, n)]
            delays = np.maximum(rng.normal(latency_s, spread_s, n - 1), 0) if latency_s else 0.0
            return np.concatenate([[0.0], np.cumsum(np.array(intervals) + delays)])

        return times

    def even(n: int, rng: np.random.Generator) -> Times:
        return mean * np.arange(n) + rng.normal(0, 0.005, n)

    def golden(n: int, rng: np.random.Generator) -> Times:
        return mean * (np.arange(n) + (np.arange(n) * (np.sqrt(5) - 1) / 2 + rng.random()) % 1)

    return {
        "even, delays of 5 ms": even,
        "golden section in each part": golden,
        "independent intervals, +-25 %": additive(0.25),
        "independent intervals, +-50 %": additive(0.5),
        "independent intervals, +-90 %": additive(0.9),
        "independent intervals, exponential": lambda n, rng: np.cumsum(rng.exponential(mean, n)),
        "stratified, half of each part": stratified(0.5),
        "stratified, all of each part": stratified(1.0),
        "next_frame_in_ms, no latency": ours(0.0, 0.0),
        "next_frame_in_ms, 50 +- 15 ms": ours(0.05, 0.015),
        "next_frame_in_ms, 200 +- 60 ms": ours(0.2, 0.06),
    }


def _alias_db(times: Times) -> float:
    distances = np.arange(LOW_HZ, HIGH_HZ, 0.25 / (times[-1] - times[0]))
    power = np.abs(np.exp(-2j * np.pi * np.outer(distances, times)).mean(axis=1)) ** 2
    return float(10 * np.log10(power.max()))


def _most_in_a_minute(times: Times) -> int:
    ordered = np.sort(times)
    return int((np.searchsorted(ordered, ordered + 60) - np.arange(len(ordered))).max())


def follow(service: Service, clients: int) -> list[Figure]:
    """Clients of one sandbox key, each waiting exactly as long as each answer asks."""
    store = redis.Redis.from_url(running_url(service.data_dir))
    key = Keys(KeyStore(store)).create("pace").key
    face = simulate_face(Scene(duration_s=1.0, fps=5.0)).jpeg(0)
    sent: list[list[float]] = [[] for _ in range(clients)]
    refused = [0] * clients

    def run(client: int) -> None:
        end = time.monotonic() + LIVE_S
        connection = http.client.HTTPConnection(service.address, timeout=60)
        while (now := time.monotonic()) < end:
            sent[client].append(now)
            status, told_ms = _post(connection, key, f"{clients}-{client}", face, now)
            refused[client] += status == 429
            time.sleep(told_ms / 1000)
        connection.close()

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    every = np.sort(np.concatenate([np.array(times) for times in sent]))
    windows = [np.array(times)[-round(30 * len(times) / LIVE_S) :] for times in sent]
    return [
        Figure("refused by the limit", sum(refused), "", 0),
        Figure("most requests in a minute", _most_in_a_minute(every), "", LIMIT),
        Figure("frames a second and client", len(every) / LIVE_S / clients),
        Figure("strongest alias of 30 s, worst client", max(alias_strength(times) for times in windows), "", 0.7),
    ]


def _post(connection: http.client.HTTPConnection, key: str, session: str, face: bytes, now: float) -> tuple[int, float]:
    fields = {"session_id": session, "duration_ms": "300000", "timestamp_ms": f"{1000 * now:.3f}"}
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="frame"; filename="f.jpg"\r\n\r\n')
    body = "".join(parts).encode() + face + f"\r\n--{_BOUNDARY}--\r\n".encode()
    headers = {"X-API-Key": key, "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    connection.request("POST", "/api/rppg/measure", body=body, headers=headers)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    told_ms = float(content["data"]["next_frame_in_ms"]) if answer.status == 202 else 1000.0
    return answer.status, told_ms


if __name__ == "__main__":
    main()
