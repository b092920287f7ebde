"""The example of docs/extending.md works as it is printed."""

import re
import sys
from pathlib import Path

import pytest

from rppg_core import extraction, measure
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.extractors import GROUP, calibration_of
from tests.rppg_core.same_answers import face, photograph

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[::-1])  # the first of each language


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The example as a package that is installed."""
    (tmp_path / "pca_pulse.py").write_text(BLOCKS["python"])
    info = tmp_path / "pca_pulse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pca-pulse\nVersion: 1.0\n")
    (group, entry) = re.fullmatch(r'\[project\.entry-points\."(.+)"\]\n(\w+) = "(.+)"\n', BLOCKS["toml"]).group(1, 3)
    assert group == GROUP
    (info / "entry_points.txt").write_text(f"[{group}]\npca = {entry}\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("pca_pulse", None)


@pytest.mark.parametrize("rate_bpm", [52.0, 75.0, 130.0])
def test_the_example_finds_the_pulse_under_its_name(installed, rate_bpm):
    pca = extraction("pca")
    trace = face(rate_bpm, light_drift=0.003, sway_px=0.5, jitter_px=0.1)

    pulse = pca.extract(trace)
    vitals = measure(trace, extract=pca.extract, calibration=calibration_of(pca))

    assert pulse.rate_bpm == pytest.approx(rate_bpm, abs=1.0)
    assert pulse.evidence.hue > 0.9
    assert vitals.heart_rate_bpm == pytest.approx(rate_bpm, abs=1.0)
    assert calibration_of(pca) is CALIBRATION


def test_the_example_answers_nothing_for_a_photograph(installed):
    assert measure(photograph(), extract=extraction("pca").extract).heart_rate_bpm is None


def test_every_method_of_the_page_is_there():
    line = re.search(r"`NAME` is (.+?), or one that", PAGE, re.DOTALL)[1]

    for name in re.findall(r"`(\w+)`", line):
        extraction(name)
