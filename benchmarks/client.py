"""Time the import of the Python client, and a video's frames as JPEG: `python -m benchmarks.client`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from beam_client import _video
from tests import videos

CLIENT = Path(__file__).parents[1] / "clients" / "python"
ROUNDS = 15


def started_ms(program: str) -> float:
    """Least wall time of an interpreter that runs a program and ends; `-I`: no user's packages, no PYTHONPATH."""
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)
        times.append(perf_counter() - start)
    return 1000 * min(times)


def main() -> None:
    """Print both."""
    path = f"import sys; sys.path.insert(0, {str(CLIENT)!r}); "
    print(f"import beam_client: {started_ms(path + 'import beam_client') - started_ms(path):.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "face.mp4"
        file.write_bytes(videos.encoded())
        start = process_time()
        sizes = [len(jpeg) for _, jpeg in _video.frames(file)]
        width, height = videos.pictures()[0].shape[1::-1]
        cost_ms = 1000 * (process_time() - start) / len(sizes)
        print(f"a frame of {width}x{height} as JPEG: {cost_ms:.1f} ms, {sum(sizes) / len(sizes) / 1000:.0f} KB")


if __name__ == "__main__":
    main()
