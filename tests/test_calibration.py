"""A calibration is fitted, written as a module, and believed."""

import importlib.util

import numpy as np
import pytest

from benchmarks.calibrate import SIGNS, SPOT_SEEDS
from benchmarks.calibration_module import Fit, write_module
from benchmarks.fitting import Finding, can_be_fitted, fit
from benchmarks.spots import spot
from benchmarks.tuning_windows import judged_spot
from rppg_core import measure
from rppg_core.quality.calibration import CALIBRATION
from tests.rppg_core.same_answers import face
from tests.thorough import thorough


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_probabilities_of_a_fit_come_true_on_windows_it_has_not_seen():
    rng = np.random.default_rng(1)
    clear, noise = rng.normal(size=(2, 3000))
    right = rng.random(3000) < 1 / (1 + np.exp(-(0.5 + 2 * clear)))
    findings = [
        Finding("hrv", {"clear": c, "noise": n}, 0.0 if good else 99.0, i % 5)
        for i, (c, n, good) in enumerate(zip(clear, noise, right, strict=True))
    ]

    row = fit(findings, {"clear": 1, "noise": -1}, tolerance=1.0)

    assert row.weights["clear"] == pytest.approx(2.0, abs=0.3)
    assert row.weights["noise"] == pytest.approx(0.0, abs=0.15)
    for low, high in ((0.1, 0.4), (0.4, 0.7), (0.7, 0.95)):
        inside = (row.said >= low) & (row.said < high)
        assert row.right[inside].mean() == pytest.approx(row.said[inside].mean(), abs=0.05)


def test_a_row_without_right_and_wrong_windows_in_every_part_is_not_fitted():
    right = [Finding("hrv", {}, 0.0, fold) for fold in range(5)]
    wrong = [Finding("hrv", {}, 99.0, fold) for fold in (0, 1)]

    assert can_be_fitted(right + wrong, 1.0)
    assert not can_be_fitted(right + wrong[:1], 1.0)
    assert not can_be_fitted([], 1.0)


@pytest.mark.parametrize("method", ["fused", pytest.param("green", marks=thorough)])
def test_single_spots_are_fitted_by_what_distinguishes_a_pulse_from_none(method):
    findings = [found for seed in SPOT_SEEDS[:60] for found in judged_spot(seed, method)]

    row = fit(findings, SIGNS["heart_rate_spot"], tolerance=2.0)

    assert {finding.error == float("inf") for finding in findings} == {True, False}
    assert row.said[row.right].mean() > row.said[~row.right].mean() + 0.3


def test_a_third_of_the_spots_have_no_pulse():
    assert [spot(seed).person is None for seed in range(6)] == [True, False, False] * 2


def test_a_calibration_is_written_as_a_module_that_says_how_it_was_made(tmp_path):
    path = tmp_path / "pca_calibration.py"
    made = Fit("pca", ("python", "-m", "benchmarks.calibrate"), (10_000, 10_099), 100, {"hrv": 321}, {"hrv": 0.8})

    write_module(path, CALIBRATION, made)

    written = load(path).CALIBRATION
    assert {row: dict(weights) for row, weights in written.logistic.items()} == CALIBRATION.logistic
    assert dict(written.half_width) == CALIBRATION.half_width
    assert dict(written.rate_range) == CALIBRATION.rate_range
    text = path.read_text()
    assert "`pca`" in text
    assert "10000 to 10099" in text
    assert "321 windows, 80% right" in text
    assert text.count("carried over") == len(CALIBRATION.logistic) - 1
    assert measure(face(), calibration=written).confidence == measure(face()).confidence
