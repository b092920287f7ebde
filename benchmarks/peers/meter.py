"""What a run costs. Imported by the runners, which live in environments of their own: the standard library only."""

from __future__ import annotations

import json
import resource
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def cpu_s() -> float:
    """CPU time of this process, all its threads, and of the children it has waited for."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def report(loaded_s: float, run: Callable[[], float | None]) -> None:
    """Run twice, and print what the second time cost and found, as JSON."""
    run()
    used, began = cpu_s(), time.perf_counter()
    rate = run()
    passed, used = time.perf_counter() - began, cpu_s() - used
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    found = {"load_s": loaded_s, "cpu_s": used, "wall_s": passed, "rate": rate}
    print(json.dumps(found | {"peak_mb": own * 1024 / 1e6, "child_mb": child * 1024 / 1e6}))
