"""`AsyncBeam` has the calls of `Beam`, with the same arguments: they are written by hand twice."""

from __future__ import annotations

import inspect
from typing import Any

from beam_client import AsyncBeam, Beam


def calls(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if callable(value) and not name.startswith("_")}


def test_both_clients_have_the_same_calls_with_the_same_arguments() -> None:
    blocking, asynchronous = calls(Beam), calls(AsyncBeam)
    assert blocking.keys() - {"close"} == asynchronous.keys() - {"aclose"}
    for name in blocking.keys() - {"close"}:
        here, there = (inspect.signature(one[name]).parameters for one in (blocking, asynchronous))
        assert list(here) == list(there), name
        for one, other in zip(here.values(), there.values(), strict=True):
            assert (one.kind, one.default) == (other.kind, other.default), (name, one.name)
            assert one.annotation == other.annotation, (name, one.name)
