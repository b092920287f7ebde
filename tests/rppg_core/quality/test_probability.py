"""Probabilities and ranges: their form against the logistic function by hand, and which evidence moves them where."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from rppg_core.face.skin import MIN_REGIONS
from rppg_core.pulse.evidence import Evidence, SparseEvidence
from rppg_core.pulse.whole_picture import PictureEvidence
from rppg_core.quality import probability, sparse
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.table import Calibration

GOOD = Evidence(
    n_regions=24, span_s=30.0, at_edge=False, snr_db=6.0, prominence_db=9.0, agreement=0.95, concentration=0.95,
    stability=1.0, hue=0.98, pallor=0.1, phase_coherence=0.98, motion=0.8, nod=0.002, mismatch_bpm=0.2,
    kept_share=1.0, jitter=0.01, unevenness=0.03, bits_a_pixel=None, picture=PictureEvidence(3.0, 3.0, 1.5),
)  # fmt: skip
SPARSE = SparseEvidence(
    n_regions=24, at_edge=False, log_odds=5.0, margin=4.0, agreement=0.9, hue=0.98, pallor=0.1, phase_coherence=0.98,
    motion=0.8, nod=0.002, picture=0.5,
)  # fmt: skip
WORSE: dict[str, Any] = {
    "span_s": 10.0, "prominence_db": 1.0, "agreement": 0.1, "stability": 0.3, "hue": 0.55, "pallor": 4.0,
    "phase_coherence": 0.55, "motion": 2.5, "nod": 0.05, "mismatch_bpm": 8.0, "kept_share": 0.5, "jitter": 0.1,
    "bits_a_pixel": 0.05, "low_rate": 1.0, "picture": PictureEvidence(9.0, 6.0, 2.0),
}  # fmt: skip


def test_a_row_is_a_logistic_function_of_its_features():
    table = Calibration({"x": {"intercept": -1.0, "a": 2.0, "b": -0.5}}, {})
    for a, b in ((0.0, 0.0), (1.0, 3.0), (-2.0, 0.1)):
        found = probability.probability("x", {"a": a, "b": b, "other": 9.0}, table)
        assert math.log(found / (1 - found)) == pytest.approx(-1 + 2 * a - 0.5 * b)


@pytest.mark.parametrize("score", [-1e9, 1e9])
def test_no_evidence_overflows(score):
    table = Calibration({"x": {"intercept": score}}, {})
    assert 0 < probability.probability("x", {}, table) <= 1


@pytest.mark.parametrize("name", WORSE)
def test_worse_evidence_never_makes_a_heart_rate_likelier(name):
    good, worse = (probability.heart_rate_quality(e) for e in (GOOD, replace(GOOD, **{name: WORSE[name]})))
    assert worse < good


def test_good_evidence_is_believed_and_none_is_not():
    assert probability.heart_rate_quality(GOOD) > 0.98
    assert probability.heart_rate_quality(replace(GOOD, **WORSE)) < 0.01


@pytest.mark.parametrize("fault", [{"hue": 0.3}, {"phase_coherence": 0.2}, {"at_edge": True}])
def test_what_can_be_no_pulse_is_never_believed(fault):
    assert probability.heart_rate_quality(replace(GOOD, **fault)) <= 0.25
    assert sparse.sparse_quality(replace(SPARSE, **fault)) <= 0.25


def test_uneven_beats_count_against_a_rate_where_its_power_is_spread():
    uneven = replace(GOOD, unevenness=0.3)
    assert probability.heart_rate_quality(uneven) == probability.heart_rate_quality(GOOD)  # a steady heart in noise
    spread = replace(uneven, concentration=0.5)
    assert probability.heart_rate_quality(spread) < probability.heart_rate_quality(replace(spread, unevenness=0.03))


def test_beats_of_a_heart_without_rhythm_are_believed_as_far_as_a_beat_more_or_less_lets_them():
    spread = replace(GOOD, concentration=0.4, stability=0.3, unevenness=0.25, mismatch_bpm=12.0, kept_share=0.5)
    assert probability.heart_rate_quality(spread) < 0.1

    qualities = [probability.heart_rate_quality(replace(spread, counted_sigma_bpm=bpm)) for bpm in (0.3, 1.5, 3.0)]
    low, high = probability.rate_interval(80.0, replace(spread, counted_sigma_bpm=1.5), qualities[1])

    assert 0.9 < qualities[0] < probability.SURE  # a miscount can't be excluded
    assert qualities[0] > qualities[1] > qualities[2]
    assert 80.0 - low == pytest.approx(high - 80.0)
    assert 3.0 < 80.0 - low < 4.0


@pytest.mark.parametrize(
    "fault", [{"hue": 0.3}, {"phase_coherence": 0.2}, {"picture": PictureEvidence(12.0, 12.0, 2.5)}]
)
def test_what_can_be_no_pulse_has_no_counted_beats_either(fault):
    assert probability.heart_rate_quality(replace(GOOD, counted_sigma_bpm=0.3, **fault)) <= 0.25


def test_a_rate_that_clear_beats_contradict_is_not_sure():
    assert probability.heart_rate_quality(replace(GOOD, off_count_bpm=2.5)) < probability.SURE
    assert probability.heart_rate_quality(replace(GOOD, off_count_bpm=1.0)) == probability.heart_rate_quality(GOOD)


def test_a_codecs_jumps_are_never_believed():
    assert probability.heart_rate_quality(replace(GOOD, picture=PictureEvidence(12.0, 12.0, 2.5))) <= 0.25


def test_few_regions_are_judged_by_their_own_row():
    few = replace(GOOD, n_regions=MIN_REGIONS - 1)
    features = probability.heart_rate_features(few)
    assert probability.heart_rate_quality(few) == probability.probability("heart_rate_spot", features)


@pytest.mark.parametrize("extreme", [-1e6, 1e6])
def test_features_that_count_stay_within_bounds_whatever_is_seen(extreme):
    wild = replace(GOOD, snr_db=extreme, prominence_db=extreme, span_s=abs(extreme), nod=abs(extreme))
    features = probability.heart_rate_features(wild)
    weighed = {*CALIBRATION.logistic["heart_rate_face"], *CALIBRATION.logistic["heart_rate_spot"]} - {"intercept"}
    assert max(abs(features[name]) for name in weighed) <= 20


def test_a_sparse_rate_is_no_likelier_than_its_odds_against_the_next():
    for margin in np.linspace(-2, 6, 17):
        odds = math.exp(margin - 0.7)  # two rates that are equally likely leave room for a third
        assert sparse.sparse_quality(replace(SPARSE, margin=margin)) <= odds / (1 + odds) + 1e-12


def test_a_sparse_rate_that_explains_little_of_what_halves_of_the_face_share_is_not_believed():
    spread = replace(SPARSE, concentration=0.2, rest_agreement=0.9)
    assert sparse.sparse_quality(spread) < 0.42 < 0.85 < sparse.sparse_quality(SPARSE)
    noisy = replace(spread, rest_agreement=0.3)  # what is left is the camera's noise
    assert sparse.sparse_quality(noisy) == sparse.sparse_quality(SPARSE)


@pytest.mark.parametrize("vital", ["heart_rate", "respiration_rate"])  # RMSSD's follows from its jitter
def test_a_range_holds_its_value_and_narrows_with_quality(vital):
    qualities = np.linspace(0, 1, 41)
    ranges = np.array([probability.interval(vital, 60.0, q, 30.0) for q in qualities])
    assert (ranges[:, 0] <= 60).all()
    assert (np.diff(ranges[:, 1]) < 0).all()


def test_a_rates_range_narrows_with_the_root_of_the_time_seen():
    def half(vital, span_s):
        return probability.interval(vital, 60.0, 0.95, span_s)[1] - 60

    assert half("heart_rate", 10.0) / half("heart_rate", 40.0) == pytest.approx(2)


def test_a_sparse_range_grows_with_the_noise():
    narrow, wide = (sparse.sparse_interval(70.0, sigma, 0.9) for sigma in (0.5, 2.0))
    assert wide[1] - narrow[1] == pytest.approx(1.5 * CALIBRATION.half_width["heart_rate_sparse"][0])


def test_a_sparse_range_is_that_of_its_peak_unless_aliases_are_likely():
    def half(quality):
        return sparse.sparse_interval(70.0, 0.5, quality)[1] - 70

    sure, likely, doubtful = (half(quality) for quality in (0.99, sparse.CLEAR_OF_ALIASES, 0.84))
    assert sure == likely == pytest.approx(0.5 * CALIBRATION.half_width["heart_rate_sparse"][0])
    assert doubtful > 10  # half of the widest range that is answered


def test_the_default_table_has_a_row_for_each_vital_and_no_feature_that_nobody_gives():
    given = {
        "heart_rate_face": probability.heart_rate_features(GOOD),
        "heart_rate_spot": probability.heart_rate_features(GOOD),
        "heart_rate_sparse": sparse.sparse_features(SPARSE),
    }
    for name, features in given.items():
        assert set(CALIBRATION.logistic[name]) - {"intercept"} <= set(features)
    assert {"hrv", "stress_index", "respiration_rate", "spo2"} <= set(CALIBRATION.logistic)
    assert all(math.isfinite(w) for row in CALIBRATION.logistic.values() for w in row.values())
    assert {field.name for field in fields(Calibration)} == {"logistic", "half_width", "rate_range"}
    assert set(CALIBRATION.rate_range) - {"intercept"} == set(probability.rate_range_features(GOOD))


@pytest.mark.parametrize("n_regions", [1, 24])
def test_the_shorter_a_clip_the_less_it_is_believed_and_the_wider_its_range(n_regions):
    spans = [5.0, 6.0, 8.0, 9.5]
    seen = [replace(GOOD, n_regions=n_regions, span_s=span) for span in spans]
    qualities = [probability.heart_rate_quality(evidence) for evidence in seen]
    widths = [np.ptp(probability.interval("heart_rate", 72.0, 0.9, span)) for span in spans]
    assert all(np.diff(qualities) > 0)
    assert all(np.diff(widths) < 0)


def test_five_seconds_need_more_than_a_likely_pulse():
    """What is believed to 0.85 in 10 s is withheld in 5.4 s, for its range."""
    likely = replace(GOOD, span_s=10.0, stability=0.75, prominence_db=6.0, agreement=0.9, kept_share=0.75, jitter=0.02)
    likely = replace(likely, asymmetry=0.15)  # as much as says nothing
    assert probability.heart_rate_quality(likely) > 0.84
    short = replace(likely, span_s=5.4)
    range_ = probability.rate_interval(54.5, short, probability.heart_rate_quality(short))
    assert probability.is_vague("heart_rate", range_)


@pytest.mark.parametrize("change", [{"span_s": 10.0}, {"snr_db": 0.0}, {"mismatch_bpm": 4.0}, {"kept_share": 0.7}])
def test_a_face_s_range_grows_with_what_spreads_its_peak(change):
    usual, spread = (probability.rate_interval(72.0, seen, 0.99) for seen in (GOOD, replace(GOOD, **change)))
    assert np.ptp(spread) > 1.2 * np.ptp(usual)
    assert np.mean(spread) == pytest.approx(72.0)


def test_the_range_of_a_few_spots_follows_from_their_quality():
    spot = replace(GOOD, n_regions=1)
    assert probability.rate_interval(72.0, spot, 0.9) == probability.interval("heart_rate", 72.0, 0.9, 30.0)


def test_doubt_alone_widens_no_range_of_a_long_window():
    """A peak is the pulse's or it isn't: the quality says how likely that is, and the range where the rate then is."""
    assert probability.rate_interval(72.0, GOOD, 0.5) == probability.rate_interval(72.0, GOOD, 0.99)


def test_windows_as_long_as_the_fitted_ones_keep_their_range():
    assert probability.range_unit(20.0) == 1.0
    assert probability.range_unit(9.97) == pytest.approx(math.sqrt(20 / 9.97))


def test_a_sparse_rate_of_few_frames_is_believed_less():
    some, few = (sparse.sparse_quality(replace(SPARSE, log_odds=1.0, n_frames=n)) for n in (60, 20))
    assert few < some == sparse.sparse_quality(replace(SPARSE, log_odds=1.0, n_frames=500))
