"""Cost of a video: from the file to its vitals, and through the service. `python -m benchmarks.video`

The parts of an analysis are timed in turns in this process, one thread, as a worker has it; the rest is measured on a
running service with two workers. Read the ratios; seconds are this machine's.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

import av  # noqa: E402
import cv2  # noqa: E402
import httpx  # noqa: E402

from beam_api.host.process import give_memory_back  # noqa: E402
from beam_client import Beam, ScanFailed, TimedOut  # noqa: E402
from benchmarks.ingest import cpu_ms  # noqa: E402
from benchmarks.material import BATCH, CLIP, FPS, SIZE, encode  # noqa: E402
from benchmarks.report import Figure, show  # noqa: E402
from benchmarks.service.started import Service, processes, running_service  # noqa: E402
from rppg_core import measure, trace_of_video  # noqa: E402
from rppg_core.face.reader import FaceReader, FaceState, Frame  # noqa: E402
from rppg_core.media.video import read_video  # noqa: E402
from rppg_core.simulation.faces import simulate_face  # noqa: E402
from rppg_core.simulation.film import film  # noqa: E402
from rppg_core.simulation.scenes import Scene  # noqa: E402
from rppg_core.trace.traces import Sample, Trace  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30.0
REPEATS = 5
UPLOADS = 20
LARGE_BYTES = 100 * 1024 * 1024 - 1024
_PATIENCE_S = 300.0


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    give_memory_back()  # as the process that analyses a video does
    with tempfile.TemporaryDirectory(prefix="beam-video-") as folder:
        video = Path(folder, "face.mp4")
        scene = Scene(heart_rate_bpm=72.0, duration_s=SECONDS, fps=FPS, sway=0.01, frame_size=SIZE, seed=3)
        film(simulate_face(scene), video)
        show("30 s of 640x480 H.264 at 30 fps, one core", _analysis(video))
        with running_service() as service:
            figures = [*_memory(service), *_queue(service, video)]
        show("Videos through the service, two web and two video workers", figures)


def _analysis(video: Path) -> list[Figure]:
    reader = FaceReader()
    frames = [Frame(round(1e6 * at), image) for at, image in read_video(video)]
    whole_ms, decode_ms, core_ms = [], [], []
    for _ in range(REPEATS):
        taken, vitals = cpu_ms(lambda: measure(trace_of_video(video, reader)))
        whole_ms.append(taken)
        decode_ms.append(cpu_ms(lambda: _decode(video))[0])
        taken, trace = cpu_ms(lambda: _read(reader, frames))
        core_ms.append(taken + cpu_ms(lambda trace=trace: measure(trace))[0])
    ratio = median(w / (d + c) for w, d, c in zip(whole_ms, decode_ms, core_ms, strict=True))
    posted = _as_posted(reader, frames)
    scanned = vitals.heart_rate_bpm
    return [
        Figure("analysis, file to vitals", median(whole_ms) / 1000, "s", 3.0),
        Figure("bare decode", median(decode_ms) / 1000, "s"),
        Figure("core: frames to colours to vitals", median(core_ms) / 1000, "s"),
        Figure("analysis over bare decode + core", ratio, "x", 1.15),
        Figure("heart rate, scanned", scanned or float("nan"), "bpm"),
        Figure("difference from the same frames posted as JPEGs", abs((scanned or 0) - (posted or 0)), "bpm", 0.5),
        *_clip(reader),
    ]


def _clip(reader: FaceReader) -> list[Figure]:
    if not CLIP.exists():
        return []
    frames = [Frame(round(1e6 * at), image) for at, image in read_video(CLIP)]
    ratios = []
    for _ in range(REPEATS):
        whole_ms, vitals = cpu_ms(lambda: measure(trace_of_video(CLIP, reader)))
        decode_ms, _none = cpu_ms(lambda: _decode(CLIP))
        core_ms, _none = cpu_ms(lambda: measure(_read(reader, frames)))
        ratios.append(whole_ms / (decode_ms + core_ms))
    difference = abs((vitals.heart_rate_bpm or 0) - (_as_posted(reader, frames) or 0))
    return [
        Figure("the same for the real clip, whose pixels are not square", median(ratios), "x", 1.15),
        Figure("the difference for the real clip", difference, "bpm", 0.5),
    ]


def _decode(video: Path) -> None:
    with av.open(str(video)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass


def _read(reader: FaceReader, frames: list[Frame]) -> Trace:
    """What the measure API does with pictures that are decoded already."""
    state: FaceState | None = None
    times: list[float] = []
    samples: list[Sample] = []
    for at in range(0, len(frames), BATCH):
        for reading in reader.read(frames[at : at + BATCH], state):
            if reading.sample is not None and reading.face is not None:
                times.append(reading.time_us / 1e6)
                samples.append(reading.sample)
                state = reading.face
    return Trace.of(times, samples, state.frame_size if state else SIZE)


def _as_posted(reader: FaceReader, frames: list[Frame]) -> float | None:
    """The heart rate of frames that travel as JPEGs, before the measure API rounds it."""
    jpegs = [Frame(frame.time_us, encode(frame.image())) for frame in frames]
    return measure(_read(reader, jpegs)).heart_rate_bpm


def _memory(service: Service) -> list[Figure]:
    """How much a web worker grows while 100 MB come in."""
    workers = [pid for pid, command in processes(service).items() if command == "gunicorn worker"]
    with _client(service) as client:
        _upload_large(client, 2_000_000)  # what is loaded on first use is not the upload's
        before = {pid: _peak_mb(pid, reset=True) for pid in workers}
        statuses = {_upload_large(client, LARGE_BYTES) for _ in range(2)}
        grown = max(_peak_mb(pid) - was for pid, was in before.items())
    assert statuses == {400}, statuses  # zeros are no video: it was all read, and then refused
    return [Figure("memory that an upload of 100 MB adds to a web worker", grown, "MB", 20)]


def _upload_large(client: httpx.Client, size: int) -> int:
    session = client.post("/v1/scan-session").json()["session_id"]
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="v"\r\n\r\n'

    def body() -> Iterator[bytes]:
        yield head
        for at in range(0, size, 65536):
            yield bytes(min(65536, size - at))
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    return client.post(f"/v1/scan-session/{session}/video", content=body(), headers=headers).status_code


def _peak_mb(pid: int, *, reset: bool = False) -> float:
    """Resident memory of a process in MB: now, if it is `reset`, else the most since then."""
    if reset:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    name = "VmRSS" if reset else "VmHWM"
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) / 1024


def _client(service: Service) -> httpx.Client:
    headers = {"Authorization": f"Bearer {service.key}"}
    return httpx.Client(base_url=f"http://{service.address}", headers=headers, timeout=120)


def _queue(service: Service, video: Path) -> list[Figure]:
    """Many uploads at once, on the service's worker and another one."""
    with _second_worker(service.data_dir):
        done_ms: list[float] = []
        began = time.monotonic()
        threads = [threading.Thread(target=_scan, args=(service, video, done_ms)) for _ in range(UPLOADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - began
    return [
        Figure(f"of {UPLOADS} uploads at once, not completed", UPLOADS - len(done_ms), "", 0),
        Figure("all of them, first upload to last vitals", seconds, "s"),
        Figure("a video, of both workers' time", median(done_ms) / 1000 if done_ms else 0.0, "s"),
    ]


def _scan(service: Service, video: Path, done_ms: list[float]) -> None:
    with Beam(f"http://{service.address}", service.key) as client:
        try:
            vitals = client.scan(video, timeout_ms=1000 * _PATIENCE_S, progress=False).data
        except (ScanFailed, TimedOut):
            return
    done_ms.append(vitals["processing_time_ms"])


@contextmanager
def _second_worker(data_dir: Path) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "beam_api.cli", "worker"], env=_environment(data_dir))
    try:
        time.sleep(5)
        yield
    finally:
        process.terminate()
        process.wait()


def _environment(data_dir: Path) -> dict[str, str]:
    return os.environ | {"BEAM_DATA_DIR": str(data_dir), "BEAM_LOG_LEVEL": "WARNING"}


if __name__ == "__main__":
    main()
