"""One tree's process of `benchmarks.analysis`: reads the name of a trace, prints the CPU seconds of its analysis."""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path

from beam_api.host.process import return_large_memory
from rppg_core import Trace, measure
from rppg_core.rolling import partial


def main() -> None:
    """Answer until the input ends."""
    return_large_memory()
    root, file = sys.argv[1:]
    assert Path(sys.modules[Trace.__module__].__file__ or "").is_relative_to(root), "the wrong tree"
    made = pickle.loads(Path(file).read_bytes())
    traces = {
        name: Trace(times, colours, pose, (640, 480), seen) for name, (times, colours, pose, seen) in made.items()
    }
    for line in sys.stdin:
        name = line.strip()
        analyse = partial if name.startswith("partial") else measure
        began = time.process_time()
        analyse(traces[name])
        print(time.process_time() - began, flush=True)


if __name__ == "__main__":
    main()
