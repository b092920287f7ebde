"""`AsyncBeam` does what `Beam` does, beside other tasks."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from beam_client import AsyncBeam, Beam, InvalidKey, Measurement
from tests import videos

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.services import Service

pytestmark = pytest.mark.integration


def test_several_people_are_measured_beside_each_other(
    service: Service, make_key: Callable[..., str], clip: Path, frames: list[tuple[float, bytes]]
) -> None:
    async def stream():
        for frame in frames:
            yield frame

    async def both() -> list[Measurement]:
        async with AsyncBeam(service.url, make_key()) as client:
            return list(
                await asyncio.gather(
                    client.measure(clip), client.measure(stream(), duration_ms=10_000), client.scan(clip)
                )
            )

    results = asyncio.run(both())
    assert [result.heart_rate.value for result in results] == [pytest.approx(videos.RATE_BPM, abs=2)] * 3


def test_the_other_calls_answer_too(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    async def calls() -> None:
        async with AsyncBeam(service.url, make_key()) as client:
            assert (await client.check(frames[0][1])).face
            assert (await client.key_info()).tier == "starter"
            assert (await client.create_key()).key
            result = await client.measure(frames, session_id="dora")
            assert await client.measurement(result.measurement_id) == result
            states = [state async for state in client.watch("dora", timeout_ms=300)]
            assert result in states
            assert await client.session("dora")
            await client.forget("dora")
            assert await client.session("dora") is None
        async with AsyncBeam(service.url, "wrong") as client:
            with pytest.raises(InvalidKey):
                await client.check(frames[0][1])

    asyncio.run(calls())


def test_a_measurement_can_be_cancelled(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    sent: list[float] = []

    def slowly():
        for frame in frames:
            time.sleep(0.02)
            yield frame

    async def cancelled() -> None:
        async with AsyncBeam(service.url, make_key()) as client:
            task = asyncio.create_task(client.measure(slowly(), progress=lambda progress: sent.append(progress.share)))
            while not sent:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    assert len(sent) == 1


def test_both_clients_have_the_same_calls() -> None:
    def calls(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")} - {"close", "aclose"}

    assert calls(Beam) == calls(AsyncBeam)
