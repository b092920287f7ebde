"""Extractors by name: the one place where a way from a trace to its pulse is registered.

Others' extractors are found by the entry-point group `beam.extractors`; each entry is an `Extraction`, or an
`Extractor` alone. They are looked up when one is asked for by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING

from rppg_core.errors import UnknownExtractor
from rppg_core.methods import METHODS
from rppg_core.pulse.extract import Extractor, find_pulse
from rppg_core.pulse.single import extractor_of
from rppg_core.quality.calibration import CALIBRATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rppg_core.quality.table import Calibration

GROUP = "beam.extractors"
"""The entry-point group of other packages' extractors."""

DEFAULT = "fused"
"""The extractor that the service measures with."""


@dataclass(frozen=True, slots=True, eq=False)
class Extraction:
    """An extractor, and how far to believe what it finds.

    `calibration` is what `python -m benchmarks.calibrate --method NAME` has written for it. With None, that of the
    default extractor is used, whose probabilities are then not those of this one.
    """

    extract: Extractor
    calibration: Calibration | None = None


EXTRACTORS: Mapping[str, Extraction] = MappingProxyType(
    {DEFAULT: Extraction(find_pulse)} | {name: Extraction(extractor_of(method)) for name, method in METHODS.items()}
)
"""Those of this package: our own, and each published method by itself."""


def extraction(name: str) -> Extraction:
    """The extraction of that name, this package's or another's.

    Raises
    ------
    UnknownExtractor
        If there is none of that name, or what its entry point names can't be loaded.
    """
    if name in EXTRACTORS:
        return EXTRACTORS[name]
    for entry in entry_points(group=GROUP, name=name):
        try:
            found = entry.load()
        except (ImportError, AttributeError) as error:
            raise UnknownExtractor(f"The extractor {name} can't be loaded from {entry.value}: {error}") from error
        return found if isinstance(found, Extraction) else Extraction(found)
    raise UnknownExtractor(f"There is no extractor {name}; there are {', '.join(extractor_names())}.")


def calibration_of(found: Extraction) -> Calibration:
    """How far to believe what an extractor finds: by its own table, or by that of the default one."""
    return found.calibration or CALIBRATION


def extractor_names() -> list[str]:
    """The names of all extractors that are installed, this package's first."""
    others = {entry.name for entry in entry_points(group=GROUP)}
    return [*EXTRACTORS, *sorted(others - set(EXTRACTORS))]
