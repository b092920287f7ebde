"""What a request is answered with that completed windows: one as a rule, several if it passed several strides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from beam_api.store.window_values import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beam_api.services.windows.measure_result import Buffering, Measurement


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished measurement, and whether a request was answered with it before.

    `others` are earlier ones that the same request completed, oldest first.
    """

    measurement: Measurement
    replayed: bool
    warnings: tuple[str, ...] = ()
    others: tuple[Measurement, ...] = ()


def finish_all(
    due: Sequence[Claim | str],
    complete: Callable[[Claim], Buffering | Completed],
    wait: Callable[[str], Buffering | Completed],
    release: Callable[[Claim], None],
) -> Buffering | Completed:
    """Answer with the newest of the windows that are due, and the others beside it.

    Parameters
    ----------
    due : sequence of Claim or str
        Oldest first, at least one: what to analyse, and ids of what others analyse.
    complete, wait : callable
        What to do with either; a Buffering says that there is no result yet.
    release : callable
        Gives back the claims that are left when an analysis fails.
    """
    answers: list[Buffering | Completed] = []
    for i, window in enumerate(due):
        try:
            answers.append(complete(window) if isinstance(window, Claim) else wait(window))
        except Exception:
            for claim in due[i + 1 :]:
                if isinstance(claim, Claim):
                    release(claim)
            raise
    done = [answer for answer in answers if isinstance(answer, Completed)]
    if not done:
        return answers[-1]
    return replace(done[-1], others=tuple(answer.measurement for answer in done[:-1]))
