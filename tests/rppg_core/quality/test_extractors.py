"""Extractors by name: published methods by themselves, and those that other packages bring."""

import sys

import numpy as np
import pytest

import rppg_core
from rppg_core import measure
from rppg_core.errors import UnknownExtractor
from rppg_core.methods import METHODS
from rppg_core.pulse.single import extractor_of
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.extractors import EXTRACTORS, Extraction, calibration_of, extraction, extractor_names
from rppg_core.quality.table import Calibration
from tests.rppg_core.same_answers import face, photograph, uneven


@pytest.mark.parametrize("name", METHODS)
def test_each_published_method_alone_finds_the_pulse_of_a_still_face(name):
    trace = face(84.0, light_drift=0.004, sway_px=0.5, jitter_px=0.1)
    found = extraction(name)

    pulse = found.extract(trace)
    vitals = measure(trace, extract=found.extract, calibration=calibration_of(found))

    assert pulse.rate_bpm == pytest.approx(84.0, abs=1.0)
    assert pulse.evidence.agreement > 0.9
    assert pulse.evidence.hue > 0.9
    assert vitals.heart_rate_bpm == pytest.approx(84.0, abs=1.0)


@pytest.mark.parametrize("name", EXTRACTORS)
def test_no_extractor_is_sure_of_a_photograph(name):
    for trace in (photograph(), photograph(n_regions=1), photograph(nod_px=6.0)):
        assert measure(trace, extract=extraction(name).extract).heart_rate_bpm is None


def test_one_region_is_enough_for_a_method():
    trace = face(69.0, n_regions=1, amplitude=0.02, jitter_px=0.0, sway_px=0.0)

    pulse = extraction("green").extract(trace)

    assert pulse.rate_bpm == pytest.approx(69.0, abs=1.0)
    assert pulse.evidence.agreement == 0.0


def test_a_method_that_shows_nothing_gives_no_pulse():
    nothing = extractor_of(lambda traces, fs: np.zeros(traces.shape[:2]))

    vitals = measure(face(), extract=nothing)

    assert set(vitals.withheld.values()) == {"LOW_SIGNAL"}
    assert "NO_PULSE" in vitals.guidance


def test_the_default_is_that_which_measures_without_a_name():
    trace = face(66.0, 12.0)

    assert measure(trace, extract=extraction("fused").extract).heart_rate_bpm == measure(trace).heart_rate_bpm
    assert calibration_of(extraction("fused")) is CALIBRATION


def test_sparse_frames_are_for_the_default_alone():
    trace = uneven(72.0, 60.0, 1.6)

    assert measure(trace).heart_rate_bpm == pytest.approx(72.0, abs=1.0)
    assert measure(trace, extract=extraction("pos").extract).withheld["heart_rate"] == "LOW_FRAME_RATE"


def test_another_calibration_is_believed_instead():
    doubtful = {name: {**row, "intercept": -40.0} for name, row in CALIBRATION.logistic.items()}

    vitals = measure(face(), calibration=Calibration(doubtful, CALIBRATION.half_width))

    assert vitals.heart_rate_bpm is None
    assert vitals.confidence < 0.01


def test_another_packages_extractor_is_found_by_its_entry_point(tmp_path, monkeypatch):
    (tmp_path / "others_method.py").write_text(
        "from rppg_core.quality.extractors import Extraction\n"
        "from rppg_core.pulse.extract import find_pulse\n"
        "def bare(trace): return find_pulse(trace)\n"
        "whole = Extraction(bare)\n"
    )
    info = tmp_path / "others_method-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others-method\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[beam.extractors]\nbare = others_method:bare\nwhole = others_method:whole\nbroken = others_method:missing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    assert extractor_names() == [*EXTRACTORS, "bare", "broken", "whole"]
    assert "others_method" not in sys.modules  # until one of them is asked for
    assert isinstance(extraction("bare"), Extraction)
    assert extraction("whole").extract is sys.modules["others_method"].bare
    with pytest.raises(UnknownExtractor, match="can't be loaded"):
        extraction("broken")
    del sys.modules["others_method"]


def test_a_name_that_nobody_has_is_refused_with_those_there_are():
    with pytest.raises(UnknownExtractor, match="fused, pos, chrom"):
        extraction("nobodys")
    with pytest.raises(rppg_core.RppgError):
        rppg_core.measure_video("face.mp4", method="nobodys")
