"""What is kept of each measurement for the trend of a person: enough to draw it, and little of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from beam_api.services.verdict import verdict
from rppg_core.results import VITALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beam_api.services.windows.measure_result import Measurement
    from beam_api.store.trend import TrendStore
    from beam_api.store.window_values import Session


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One measurement of a trend; `at_ms` is the capture time of its newest frame, `made_us` the server's time."""

    measurement_id: str
    made_us: int
    at_ms: float
    vitals: Mapping[str, float | None]
    confidence: float
    interval: Mapping[str, tuple[float, ...]]
    verdict: str


def trend_entry(measurement: Measurement, newest_us: int) -> bytes:
    """What is kept of a measurement whose newest frame has this capture time."""
    values = [
        measurement.measurement_id,
        measurement.at_us,
        newest_us / 1000,
        [getattr(measurement, vital) for vital in VITALS],
        measurement.confidence,
        measurement.interval,
        verdict(measurement.confidence, measurement.withheld, measurement.guidance),
    ]
    return json.dumps(values, separators=(",", ":"), allow_nan=False).encode()


class Trends:
    """Reads trends."""

    def __init__(self, store: TrendStore) -> None:
        self._store = store

    def of(self, session: Session, most: int) -> list[TrendPoint]:
        """The newest measurements of a person in the last 24 h, the oldest first."""
        points = [_point(json.loads(entry)) for entry in self._store.newest(session, most, round(1000 * time.time()))]
        return sorted(points, key=lambda point: (point.made_us, point.at_ms))  # analysed at once, they end in any order


def _point(values: list[Any]) -> TrendPoint:
    measurement_id, made_us, at_ms, vitals, confidence, interval, judged = values
    return TrendPoint(
        measurement_id, made_us, at_ms, dict(zip(VITALS, vitals, strict=True)), confidence, interval, judged
    )
