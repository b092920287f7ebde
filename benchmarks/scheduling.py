"""SVT-AV1 makes the thread that opens it a real-time one, where that is root's, and never takes it back."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scheduled_as_before() -> Iterator[None]:
    """Give this thread its scheduling back: else it, and each process that it starts later, would starve all others."""
    if not hasattr(os, "sched_getscheduler"):  # only Linux has it
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)
