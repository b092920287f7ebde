"""Figures of agreement, against numbers worked by hand and against plain second implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rppg_core.validation import (
    FIGURES,
    agreement,
    bias,
    interval_coverage,
    limits_of_agreement,
    mean_absolute_error,
    pearson_r,
    rate_upper_bound,
    reliability,
    return_rate,
    root_mean_square_error,
    within_tolerance,
)

NAN = float("nan")
# Errors: +1, −1, +3, none, −3.
MEASURED = [71.0, 59.0, 83.0, NAN, 97.0]
REFERENCE = [70.0, 60.0, 80.0, 90.0, 100.0]
ERROR = [1.0, -1.0, 3.0, NAN, -3.0]


def test_errors_by_hand():
    assert return_rate(MEASURED) == 0.8
    assert mean_absolute_error(ERROR) == 2.0  # (1 + 1 + 3 + 3) / 4
    assert root_mean_square_error(ERROR) == pytest.approx(math.sqrt(5))  # (1 + 1 + 9 + 9) / 4
    assert bias([1.0, NAN, 4.0]) == 2.5
    # The sample's variance is 20 / 3.
    assert limits_of_agreement(ERROR) == pytest.approx((-1.96 * math.sqrt(20 / 3), 1.96 * math.sqrt(20 / 3)))
    assert within_tolerance(ERROR, 2.0) == (0.6, 0.5)


def test_correlation_by_hand():
    # Deviations (−1, 0, 1) and (−1, 1, 0): covariance 1, both powers 2.
    assert pearson_r([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert pearson_r([1, 2, NAN, 3], [2, 4, 100, 6]) == pytest.approx(1.0)
    assert pearson_r([3, 2, 1], [1, 2, 3]) == pytest.approx(-1.0)
    assert math.isnan(pearson_r([70, 70, 70], [60, 70, 80]))
    assert math.isnan(pearson_r([70.0], [71.0]))


def test_coverage_counts_ranges_that_have_a_reference():
    low, high = [68, 61, NAN, 80, 90], [72, 65, NAN, 90, 99]
    assert interval_coverage(low, high, [70, 60, 80, NAN, 99]) == (2 / 3, 3)
    share, count = interval_coverage([NAN], [NAN], [70])
    assert (math.isnan(share), count) == (True, 0)


def test_the_bound_of_no_failure_is_the_rule_of_three():
    assert rate_upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert rate_upper_bound(0, 0) == rate_upper_bound(4, 4) == 1.0


def test_an_agreement_holds_the_single_figures():
    found = agreement(MEASURED, REFERENCE, low=[69, 58, 79, NAN, 90], high=[72, 60, 82, NAN, 99])
    assert (found.recordings, found.returned, found.people) == (5, 4, 5)
    low, high = limits_of_agreement(ERROR)
    expected = (0.8, 2.0, math.sqrt(5), 0.0, low, high, pearson_r(MEASURED, REFERENCE), 0.75)
    assert [found.figures[name].value for name in FIGURES] == pytest.approx(expected)
    kept = np.isfinite(MEASURED)
    by_numpy = np.corrcoef(np.array(MEASURED)[kept], np.array(REFERENCE)[kept])[0, 1]
    assert found.figures["pearson_r"].value == pytest.approx(by_numpy)


def test_recordings_without_a_reference_are_left_out():
    with_one = agreement([*MEASURED, 70.0, NAN], [*REFERENCE, NAN, NAN])
    assert repr(with_one) == repr(agreement(MEASURED, REFERENCE))  # two NaN are not equal


def test_the_bootstrap_resamples_people_and_not_recordings():
    """Ten recordings of each of six people are no more people: the interval is that of the six."""
    rng = np.random.default_rng(1)
    offset = rng.normal(0, 3, 6)
    truth = rng.uniform(55, 95, 6)
    once = agreement(truth + offset, truth).figures["bias"]
    people = np.repeat(np.arange(6), 10)
    clustered = agreement((truth + offset)[people], truth[people], people=people.tolist()).figures["bias"]
    naive = agreement((truth + offset)[people], truth[people]).figures["bias"]
    assert (clustered.low, clustered.high) == pytest.approx((once.low, once.high))
    assert naive.high - naive.low < 0.5 * (clustered.high - clustered.low)


def test_the_interval_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(2)
    error = rng.normal(0.5, 2, 80)
    found = agreement(70 + error, np.full(80, 70.0)).figures["bias"]
    plain = [rng.choice(error, 80).mean() for _ in range(4000)]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(plain, (0.025, 0.975))), abs=0.06)
    assert agreement(70 + error, np.full(80, 70.0)).figures["bias"] == found


def test_nothing_is_made_up_where_there_is_too_little():
    none = agreement([], [])
    assert (none.recordings, none.people) == (0, 0)
    assert all(math.isnan(e.value) and math.isnan(e.low) for e in none.figures.values())
    withheld = agreement([NAN, NAN], [70.0, 80.0])
    assert withheld.figures["return_rate"].value == 0.0
    assert math.isnan(withheld.figures["bias"].value)
    one = agreement([71.0, 72.0], [70.0, 70.0], people=["a", "a"])
    assert one.figures["bias"].value == 1.5
    assert math.isnan(one.figures["bias"].low)


@pytest.mark.parametrize(("measured", "people"), [([1.0], None), ([1.0, 2.0], ["a"])])
def test_lengths_that_differ_are_refused(measured, people):
    with pytest.raises(ValueError, match=r"differ|people"):
        agreement(measured, [1.0, 2.0], people=people)


def test_reliability_by_hand():
    stated = [0.2, 0.6, 0.65, 0.99, 1.0, 1.0]
    error = [NAN, 1.0, 5.0, 0.5, -1.5, -2.5]
    low, high = reliability(stated, error, 2.0)
    assert (low.low, low.high, low.count, low.right, low.mean_absolute_error) == (0.5, 0.7, 2, 0.5, 3.0)
    assert low.stated == pytest.approx(0.625)
    assert (high.count, high.mean_absolute_error) == (3, 1.5)
    assert high.right == pytest.approx(2 / 3)


def test_what_was_not_returned_is_not_right():
    [found] = reliability([0.4, 0.45], [NAN, 0.0], 2.0)
    assert (found.right, found.mean_absolute_error) == (0.5, 0.0)
