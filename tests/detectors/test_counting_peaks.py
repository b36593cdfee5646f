"""Peaks and pairs: laws first, then cases by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from delineate.detectors.counting.calibrate import Judged, best_threshold, scores, tallies
from delineate.detectors.counting.loss import point_loss
from delineate.detectors.counting.matching import Tally, count_spread, f1, matched
from delineate.detectors.counting.peaks import apart, local_maxima

places = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 5), st.floats(-0.45, 0.45), st.floats(-0.45, 0.45)),
    min_size=1,
    max_size=20,
    unique_by=lambda each: each[:2],
)
points = st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), max_size=25).map(
    lambda each: np.array(each, float).reshape(-1, 2)
)


def hills(centres: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussians of deviation 2 on 90 x 108 samples; where they meet the higher one counts."""
    rows, columns = np.ogrid[:90, :108]
    layers = [
        height * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)
        for (row, column), height in zip(centres, heights, strict=True)
    ]
    return np.maximum.reduce(layers)


@given(places, st.randoms(use_true_random=False))
def test_peaks_of_gaussians_are_where_their_middles_are(drawn, random) -> None:
    centres = np.array([(9 + 18 * r + a, 9 + 18 * c + b) for r, c, a, b in drawn])
    heights = np.array([random.uniform(0.4, 1.0) for _ in drawn])

    found = local_maxima(hills(centres, heights), 0.3, 2.5)

    assert len(found) == len(centres)
    pairs = matched(found[:, :2], centres, 0.1)
    assert len(pairs) == len(centres)
    assert (np.diff(found[:, 2]) <= 0).all()


def test_a_plateau_is_one_peak_and_a_flat_map_none() -> None:
    heat = np.zeros((20, 20))
    heat[4:7, 10:13] = 0.8

    found = local_maxima(heat, 0.5, 2.5)

    np.testing.assert_allclose(found, [[5, 11, 0.8]])
    assert local_maxima(np.zeros((20, 20)), 0.5, 2.5).shape == (0, 3)


def test_two_peaks_nearer_than_the_distance_are_one() -> None:
    heat = np.zeros((20, 20))
    heat[10, 8], heat[10, 10], heat[10, 13] = 0.9, 0.8, 0.7

    found = local_maxima(heat, 0.5, 2.0)

    np.testing.assert_allclose(found[:, 2], [0.9, 0.7])


@given(points, points, st.floats(0.5, 6))
def test_what_is_kept_is_apart_and_nothing_else_is_dropped(fine, coarse, reach) -> None:
    def ranked(places: NDArray[np.float64], top: float) -> NDArray[np.float64]:
        return np.column_stack([places, np.linspace(top, 0.2, len(places))])

    maps = [ranked(fine, 0.9), ranked(coarse, 0.8)]
    kept = apart(maps, [reach, 2 * reach])
    every = np.concatenate(maps)

    for number, one in enumerate(kept):
        others = np.delete(kept, number, axis=0)
        assert (np.hypot(*(others[:, :2] - one[:2]).T) > reach).all()
    for one in every:
        gaps = np.hypot(*(kept[:, :2] - one[:2]).T)
        high = kept[:, 2] >= 0.75 * one[2]
        assert (gaps[high] <= 2 * reach).any()  # itself, or what stands for it


def test_a_thing_seen_at_two_sizes_counts_once_by_hand() -> None:
    """Fine peaks at 10, 14 and 70; the coarse map, reach 6, saw them at 12 and 71, and one at 40.

    At 12 it is not clearly higher than the two that it would stand for; at 71 it is.
    """
    fine = np.array([[14.0, 0, 0.8], [10.0, 0, 0.6], [70.0, 0, 0.5]])
    coarse = np.array([[12.0, 0, 0.9], [71.0, 0, 0.85], [40.0, 0, 0.7]])

    kept = apart([fine, coarse], [3.0, 6.0])

    np.testing.assert_array_equal(kept, [[71, 0, 0.85], [14, 0, 0.8], [40, 0, 0.7], [10, 0, 0.6]])


@given(points, points, st.floats(1, 20))
def test_pairs_use_each_point_once_within_the_distance(first, second, distance) -> None:
    pairs = matched(first, second, distance)

    assert len(set(pairs[:, 0].tolist())) == len(set(pairs[:, 1].tolist())) == len(pairs)
    gaps = np.hypot(*(first[pairs[:, 0]] - second[pairs[:, 1]]).T)
    assert (gaps <= distance).all()
    assert len(matched(second, first, distance)) == len(pairs)
    assert len(matched(first, first, distance)) == len(first)


def test_as_many_pairs_as_can_be_by_hand() -> None:
    """One line: a found at 0 and 4, set at 3 and 8. The nearest pair alone would leave one over."""
    found, there = np.array([[0.0, 0], [4, 0]]), np.array([[3.0, 0], [8, 0]])

    assert matched(found, there, 4.0).tolist() == [[0, 0], [1, 1]]


def test_f1_by_hand() -> None:
    assert f1([Tally(hits=6, extra=2, missed=0), Tally(hits=1, extra=0, missed=3)]) == 14 / 19
    assert f1([Tally(0, 0, 0)]) is None


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=40))
def test_95_of_100_counts_lie_within_their_interval(counts) -> None:
    there, found = zip(*counts, strict=True)

    per_item, relative = count_spread(there, found)

    at_least_one = np.maximum(found, 1)
    half = 1.96 * np.sqrt(per_item * at_least_one + (relative * at_least_one) ** 2)
    within = np.abs(np.array(found) - there) <= half + 1e-6
    assert within.sum() >= 0.95 * len(counts) - 1e-9


def judged(there, found) -> Judged:
    return Judged("a", np.array(there, float), np.zeros(len(there), int), (np.array(found, float),))


def test_the_threshold_that_parts_good_from_bad_is_chosen() -> None:
    one = judged([[5, 5], [20, 20]], [[5, 6, 0.8], [20, 19, 0.6], [40, 40, 0.3]])

    threshold = best_threshold([[one]], 3.0)

    assert 0.3 < threshold <= 0.6
    assert tallies([one], threshold, 3.0) == [Tally(2, 0, 0)]


def test_scores_by_hand() -> None:
    """Two pictures: 4 there and 5 found; 2 there and 1 found."""
    counted = [Tally(4, 1, 0), Tally(1, 0, 1)]

    told = scores(counted)

    assert told["f1"] == pytest.approx(10 / 12, abs=1e-4)
    assert told["count_error"] == pytest.approx((1 / 4 + 1 / 2) / 2, abs=1e-4)
    assert told["total_error"] == 0
    low, high = told["f1_interval"]
    assert low <= told["f1"] <= high


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-8, 8)), min_size=1, max_size=9))
def test_no_map_has_less_loss_than_the_target_itself(samples: list[tuple[float, float]]) -> None:
    target, logits = torch.tensor(samples).T.reshape(2, 1, 1, 1, -1)
    weight = torch.ones_like(target)

    least = point_loss(torch.logit(target, eps=1e-6), target, weight)

    assert abs(float(least)) < 1e-3
    assert point_loss(logits, target, weight) >= least - 1e-3


def test_the_loss_is_least_for_a_map_that_is_right() -> None:
    target = torch.zeros(1, 1, 9, 9)
    target[0, 0, 4, 4] = 1
    weight = torch.ones(1, 1, 9, 9)
    right = torch.where(target == 1, 9.0, -9.0)

    assert point_loss(right, target, weight) < 0.02
    for row, column in ((4, 4), (0, 0)):
        wrong = right.clone()
        wrong[0, 0, row, column] *= -1
        assert point_loss(wrong, target, weight) > 1
        weight[0, 0, row, column] = 0
        assert point_loss(wrong, target, weight) < 0.02
        weight[0, 0, row, column] = 1
