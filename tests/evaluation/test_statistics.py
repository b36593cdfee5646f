"""Statistics of cases, against laws, scipy and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from delineate.errors import InputError
from delineate.evaluation.agreement import bland_altman, consensus, fleiss_kappa, icc
from delineate.evaluation.bootstrap import bootstrapped, intervals, resamples
from delineate.evaluation.classification import auroc
from delineate.evaluation.curves import area, tied
from delineate.evaluation.statistics import compare, holm, summarise, wilson

scores = st.lists(st.floats(0, 1, width=32), min_size=2, max_size=20)


@given(scores)
def test_an_interval_of_a_mean_lies_within_the_values(values: list[float]) -> None:
    column = np.array(values)[:, None]

    low, high = intervals(column, resamples(len(values), 200))[:, 0]

    slack = 1e-9
    if np.ptp(column) > 1e-6:
        assert min(values) - slack <= low <= high <= max(values) + slack


@given(scores, st.floats(0.1, 10), st.floats(-5, 5))
def test_an_interval_moves_and_stretches_with_the_values(
    values: list[float], factor: float, shift: float
) -> None:
    drawn, column = resamples(len(values), 200), np.array(values)[:, None]
    if np.ptp(column) < 1e-3:
        return

    moved = intervals(column * factor + shift, drawn)

    np.testing.assert_allclose(
        moved, intervals(column, drawn) * factor + shift, rtol=1e-3, atol=1e-3 * factor
    )


def test_intervals_are_those_of_scipy_but_for_the_draws() -> None:
    values = np.random.default_rng(3).beta(8, 2, 40)
    ours = intervals(values[:, None], resamples(40, 20_000))[:, 0]

    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval

    width = theirs.high - theirs.low
    np.testing.assert_allclose(ours, (theirs.low, theirs.high), atol=0.04 * width)


def test_values_that_are_not_there_do_not_count() -> None:
    some = np.array([[0.5], [0.7], [0.9], [np.nan], [np.nan]])
    low, high = intervals(some, resamples(5))[:, 0]

    found = summarise(some[:, 0], (low, high))

    assert (found.n, found.undefined) == (3, 2)
    assert found.mean == pytest.approx(0.7)
    assert found.sd == pytest.approx(0.2)
    assert 0.5 <= low < 0.7 < high <= 0.9
    assert np.isnan(intervals(np.full((5, 1), np.nan), resamples(5))).all()


def test_one_value_has_no_interval_and_equal_ones_have_none() -> None:
    values = np.array([[0.8, np.nan], [0.8, 0.3], [0.8, np.nan]])

    found = intervals(values, resamples(3))

    assert np.isnan(found).all()


def test_the_interval_of_a_figure_is_that_of_means_where_it_is_a_mean() -> None:
    values, drawn = np.random.default_rng(4).beta(5, 2, (25, 3)), resamples(25)

    found = bootstrapped(lambda weights: weights @ values / weights.sum(axis=1)[:, None], drawn)

    np.testing.assert_allclose(found[0], values.mean(axis=0))
    np.testing.assert_allclose(found[1:], intervals(values, drawn), rtol=1e-9)


def test_the_interval_of_an_area_is_that_of_scipy_but_for_the_draws() -> None:
    random = np.random.default_rng(8)
    truth = random.random(80) < 0.5
    scores = random.normal(truth * 1.0)

    def theirs(places: np.ndarray) -> float:
        places = places.astype(int)
        return auroc(scores[places], truth[places])

    found = bootstrapped(
        lambda weights: area(*tied(scores, truth, weights))[:, None], resamples(80)
    )[:, 0]

    expected = stats.bootstrap(
        (np.arange(80.0),),
        theirs,
        vectorized=False,
        n_resamples=2000,
        method="BCa",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found[0] == pytest.approx(auroc(scores, truth))
    width = expected.high - expected.low
    np.testing.assert_allclose(found[1:], (expected.low, expected.high), atol=0.12 * width)


def test_a_figure_that_is_the_same_in_every_draw_has_no_interval() -> None:
    same = bootstrapped(lambda weights: np.ones((len(weights), 1)), resamples(5))
    alone = bootstrapped(lambda weights: weights, resamples(1))

    assert same[0, 0] == 1
    assert np.isnan(same[1:]).all()
    assert np.isnan(alone[1:]).all()


@given(st.integers(0, 40), st.integers(1, 40))
def test_the_interval_of_a_share_is_that_of_scipy(hits: int, more: int) -> None:
    of = hits + more

    expected = stats.binomtest(hits, of).proportion_ci(0.95, method="wilson")

    assert wilson(hits, of) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert np.isnan(wilson(0, 0)).all()


def test_holm_and_wilcoxon_are_those_of_their_tables() -> None:
    # Siegel's test of signed ranks, n = 8, W = 3: p = 0.0391 (Wilcoxon 1945, table).
    apart = np.array([8.0, 7, 6, 5, 4, -3, 2, 1])[:, None]

    (found,) = compare(apart, apart * 0, resamples(8), lower_is_better=[False])

    assert found.p == pytest.approx(0.0390625)
    # Holm 1979: the smallest of m is times m, the next times m - 1, never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_summary_by_hand() -> None:
    # 0.2 0.4 0.6 0.8 1.0: sorted, the quantile p lies at place p * 4 / 100.
    found = summarise(np.array([1.0, 0.2, 0.4, 0.8, 0.6]), missed=1)

    assert (found.mean, found.p50, found.p25, found.p75) == pytest.approx((0.6, 0.6, 0.4, 0.8))
    assert (found.p5, found.p95) == pytest.approx((0.24, 0.96))
    assert found.sd == pytest.approx(math.sqrt(0.1))
    assert found.missed == 1


def test_draws_are_the_same_in_every_run_and_draw_as_many_as_there_are() -> None:
    np.testing.assert_array_equal(resamples(7), resamples(7))
    assert set(resamples(7).sum(axis=1).tolist()) == {7}


@given(st.lists(st.floats(0, 1), max_size=12))
def test_corrected_p_values_are_no_smaller_and_in_the_same_order(values: list[float]) -> None:
    found = holm(values)

    assert all(value <= new <= 1 for value, new in zip(values, found, strict=True))
    for one in range(len(values)):
        for two in range(len(values)):
            assert values[one] >= values[two] or found[one] <= found[two]


def test_holm_by_hand() -> None:
    # 0.01 * 3, then max(0.03, 0.02 * 2), then max(0.04, 0.3 * 1); what is no test does not count.
    assert holm([0.3, 0.01, math.nan, 0.02])[::3] == pytest.approx([0.3, 0.04])
    assert holm([0.3, 0.01, math.nan, 0.02])[1] == pytest.approx(0.03)
    assert math.isnan(holm([0.3, 0.01, math.nan, 0.02])[2])


def test_a_comparison_turns_round_with_its_sides() -> None:
    random = np.random.default_rng(0)
    one, two = random.random((9, 2)), random.random((9, 2))
    drawn = resamples(9)

    there = compare(one, two, drawn, lower_is_better=[False, True])
    back = compare(two, one, drawn, lower_is_better=[False, True])

    for first, second in zip(there, back, strict=True):
        assert first.difference == pytest.approx(-second.difference)
        assert (first.better, first.worse) == (second.worse, second.better)
        assert first.p == pytest.approx(second.p)


def test_a_comparison_by_hand() -> None:
    # All six differences are positive: of 64 equally likely signs two are as far out. 2 / 64.
    one = np.array([[0.9], [0.8], [0.85], [0.7], [0.95], [0.6]])
    two = one - np.array([[0.01], [0.02], [0.03], [0.04], [0.05], [0.06]])

    (found,) = compare(one, two, resamples(6), lower_is_better=[False])

    assert found.difference == pytest.approx(0.035)
    assert (found.n, found.better, found.worse) == (6, 6, 0)
    assert found.p == found.p_holm == pytest.approx(0.03125)


def test_what_does_not_differ_is_no_difference() -> None:
    one = np.array([[0.5, 0.5], [0.6, np.nan], [0.7, np.nan]])

    same, alone = compare(one, one, resamples(3), lower_is_better=[False, False])

    assert (same.p, same.difference, same.n) == (1.0, 0.0, 3)
    assert math.isnan(same.low)
    assert math.isnan(alone.p)


def test_cases_that_one_of_two_has_alone_are_counted() -> None:
    one = np.array([[0.5], [0.6], [np.nan], [np.nan], [0.4]])
    two = np.array([[0.4], [np.nan], [0.6], [np.nan], [0.2]])

    (found,) = compare(one, two, resamples(5), lower_is_better=[False])

    assert (found.n, found.only_first, found.only_second) == (2, 1, 1)


def test_limits_of_agreement_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, sd 1. t of 2 degrees is 4.3027.
    found = bland_altman(np.array([11.0, 22, 33, np.nan]), np.array([10.0, 20, 30, 40]))

    assert found is not None
    assert (found.n, found.bias, found.sd) == pytest.approx((3, 2, 1))
    assert (found.lower, found.upper) == pytest.approx((0.04, 3.96))
    assert found.bias_high == pytest.approx(2 + 4.3027 / math.sqrt(3), abs=1e-4)
    assert found.limit_error == pytest.approx(4.3027, abs=1e-4)
    assert bland_altman(np.array([1.0]), np.array([1.0])) is None


def test_the_intraclass_correlation_is_that_of_its_authors() -> None:
    # Shrout and Fleiss 1979, table 2: six targets, four judges; ICC(2,1) = 0.29.
    judged = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]

    found = icc(np.array(judged, float))

    assert found is not None
    assert found.value == pytest.approx(0.2898, abs=1e-4)
    assert (found.low, found.high) == pytest.approx((0.0188, 0.7611), abs=1e-4)


def test_raters_that_agree_correlate_and_a_constant_shift_is_a_disagreement() -> None:
    sizes = np.array([10.0, 20, 30, 40])

    same = icc(np.stack((sizes, sizes), axis=1))
    shifted = icc(np.stack((sizes, sizes + 30), axis=1))

    assert same is not None
    assert same.value == 1
    assert shifted is not None
    assert shifted.value < 0.5
    assert icc(sizes[:1, None].repeat(2, axis=1)) is None


def test_kappa_by_hand() -> None:
    # Two raters, four samples: both, both, one, none -> agreed 3/4; share 5/8, chance 34/64.
    one = np.array([[[True, True, True, False]]])
    two = np.array([[[True, True, False, False]]])
    padded = [np.pad(mask, ((0, 0), (3, 3), (0, 1))) for mask in (one, two)]

    # The box ends where nobody has drawn: three samples, share 5/6, chance 26/36.
    assert fleiss_kappa([one, two]) == pytest.approx((2 / 3 - 26 / 36) / (1 - 26 / 36))
    assert fleiss_kappa(padded) == fleiss_kappa([one, two])
    assert fleiss_kappa([one, one, one]) == 1
    assert fleiss_kappa([one & False, one & False]) == 1


def test_a_consensus_follows_the_raters_who_agree() -> None:
    right = np.zeros((3, 9, 9), bool)
    right[:, 2:6, 2:6] = True
    wrong = np.roll(right, 3, axis=2)

    mask, quality = consensus([right, right, right, wrong])

    np.testing.assert_array_equal(mask, right)
    assert quality[0].tolist() == pytest.approx([1, 1], abs=1e-3)
    assert quality[3, 0] < 0.5
    assert not consensus([right & False, right & False])[0].any()
    with pytest.raises(InputError, match="two raters"):
        consensus([right])
