"""Metrics of things found one by one, of classes and of fields."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.errors import GeometryError, InputError
from delineate.evaluation import Score, Scoring, score
from delineate.evaluation.anomaly import per_region_overlap
from delineate.evaluation.classification import NOTHING, Told, auroc, calibration, confusion
from delineate.evaluation.curves import (
    FROC_RATES,
    area,
    average_precision,
    froc,
    ranking,
    tied,
)
from delineate.evaluation.curves_kernel import precision_and_froc
from delineate.evaluation.detection import found, game
from delineate.evaluation.matching import match, overlaps, ranked_hits
from delineate.imaging import Category, Grid, LabelMap
from delineate.plugins.outputs import Classes, Field, Instance, Instances

MOTH = Category("moth")
PHOTO = Grid.regular((1, 80, 80), unit="px")


def point(row: float, column: float, confidence: float = 1.0, of: Category = MOTH) -> Instance:
    return Instance(of, confidence, point=(0.0, row, column))


def box(row: float, column: float, height: float, width: float, score: float = 1.0) -> Instance:
    return Instance(MOTH, score, box=((-0.5, row, column), (0.5, row + height, column + width)))


def things(*items: Instance, grid: Grid = PHOTO) -> Instances:
    return Instances(items, grid)


def values(scores: tuple[Score, ...], structure: str = "moth") -> dict[str, float]:
    return {one.metric: one.value for one in scores if one.structure == structure}


points = st.lists(st.tuples(st.floats(0, 79), st.floats(0, 79)), max_size=7)


@settings(deadline=None, max_examples=60)
@given(points, points, st.floats(1, 60))
def test_partners_are_as_many_as_can_be_and_of_these_the_nearest(
    one: list, two: list, most: float
) -> None:
    between = np.array([[math.dist(a, b) for b in two] for a in one]).reshape(len(one), len(two))

    partners = match(-between, -most)

    pairs = [(i, j) for i, j in enumerate(partners) if j >= 0]
    assert len({j for _, j in pairs}) == len(pairs)
    assert all(between[i, j] <= most for i, j in pairs)
    number, total = best(between, most)
    assert len(pairs) == number
    assert sum(between[i, j] for i, j in pairs) == pytest.approx(total, rel=1e-6, abs=1e-6)


def best(between: np.ndarray, most: float, row: int = 0, used: int = 0) -> tuple[int, float]:
    """Most pairs, and of these the least total distance, by trying everything."""
    if row == between.shape[0]:
        return 0, 0.0
    choices = [best(between, most, row + 1, used)]
    for column in range(between.shape[1]):
        if not used >> column & 1 and between[row, column] <= most:
            number, total = best(between, most, row + 1, used | 1 << column)
            choices.append((number + 1, total + between[row, column]))
    return min(choices, key=lambda each: (-each[0], each[1]))


def test_points_by_hand() -> None:
    """Three moths; one found 3 px off, one 25 px off (too far), one alarm elsewhere."""
    reference = things(point(10, 10), point(40, 40), point(70, 10))
    prediction = things(point(10, 13, 0.9), point(40, 65, 0.8), point(75, 75, 0.3))

    found_ = values(score(prediction, reference, Scoring(distance=20)))

    assert found_["detection_precision"] == found_["detection_recall"] == 1 / 3
    assert found_["detection_f1"] == 1 / 3
    assert found_["count_error"] == found_["count_relative_error"] == 0
    # 20 px cells: (0,0) agrees; (2,2) and (3,0) have one too few, (2,3) and (3,3) one too many.
    assert found_["game"] == 4
    assert found_["average_precision"] == 1 / 3
    assert "panoptic_quality" not in found_


def test_boxes_by_hand() -> None:
    """A box of 10 x 10 found with IoU 80/100 and one with 40/160; the second is no partner."""
    reference = things(box(10, 10, 10, 10), box(50, 50, 10, 10))
    prediction = things(box(10, 10, 8, 10, 0.9), box(56, 50, 10, 10, 0.8))

    found_ = values(score(prediction, reference))

    assert found_["detection_f1"] == 0.5
    assert found_["recognition_quality"] == 0.5
    assert found_["segmentation_quality"] == pytest.approx(0.8)
    assert found_["panoptic_quality"] == pytest.approx(0.4)


def test_polygons_overlap_by_their_areas() -> None:
    def triangle(shift: float) -> Instance:
        ring = np.array([[0, 10 + shift, 10], [0, 10 + shift, 40], [0, 40 + shift, 10]])
        return Instance(MOTH, 1.0, polygon=ring)

    matched = found([triangle(0)], [triangle(5)], PHOTO, Scoring())

    # The common triangle has legs of 25 instead of 30.
    assert matched.likeness[0] == pytest.approx(25**2 / (2 * 30**2 - 25**2), abs=0.02)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), max_size=5), st.data())
def test_boxes_overlap_as_shapely_says(sides: list, data: st.DataObject) -> None:
    from shapely.geometry import box as rectangle

    others = data.draw(st.lists(st.tuples(*[st.integers(0, 9)] * 4), max_size=5))
    drawn = [[(a, b, c + 1, d + 1) for a, b, c, d in side] for side in (sides, others)]
    shapes = [[rectangle(b, a, b + d, a + c) for a, b, c, d in side] for side in drawn]
    expected = [
        [one.intersection(two).area / one.union(two).area for two in shapes[1]] for one in shapes[0]
    ]

    found_ = overlaps(*([box(*map(float, each)) for each in side] for side in drawn))

    np.testing.assert_allclose(
        found_, np.array(expected).reshape(len(sides), len(others)), atol=1e-12
    )


def test_an_outline_is_as_thick_as_its_slice() -> None:
    ring = np.array([(2, 9.5, 4.5), (2, 9.5, 14.5), (2, 19.5, 14.5), (2, 19.5, 4.5)])
    outline = Instance(MOTH, 1.0, polygon=ring)
    low, high = (1.5, 9.5, 4.5), (2.5, 19.5, 14.5)
    around = Instance(MOTH, 1.0, box=(low, high))
    flat = Instance(MOTH, 1.0, box=((2.0, 9.5, 4.5), (2.0, 19.5, 14.5)))
    beside = Instance(MOTH, 1.0, box=((2.5, 9.5, 4.5), (3.5, 19.5, 14.5)))

    assert overlaps([outline, flat], [around, flat, beside]).tolist() == [[1, 1, 0], [1, 1, 0]]


def test_categories_are_scored_apart_and_together() -> None:
    fly = Category("fly")
    reference = things(point(10, 10), point(30, 30, of=fly))
    prediction = things(point(10, 10, of=fly), point(30, 30, of=fly))

    scores = score(prediction, reference)

    assert {one.structure for one in scores} == {"moth", "fly", ""}
    assert values(scores)["detection_recall"] == 0
    assert next(one.note for one in scores if one.structure == "moth") == "missed"
    assert values(scores, "fly")["detection_precision"] == 0.5
    assert values(scores, "")["detection_f1"] == 1


def test_nothing_found_and_nothing_there() -> None:
    missed = values(score(things(), things(point(1, 1))))
    nothing = score(things(), things())

    assert missed["detection_recall"] == missed["average_precision"] == missed["detection_f1"] == 0
    assert math.isnan(missed["detection_precision"])
    assert values(nothing, "")["count_error"] == 0
    assert {one.note for one in nothing} == {"absent"}


def test_things_in_millimetres_are_matched_in_millimetres() -> None:
    grid = Grid.regular((1, 80, 80), (1.0, 0.1, 0.1))
    reference, prediction = things(point(10, 10), grid=grid), things(point(10, 40), grid=grid)

    assert values(score(prediction, reference, Scoring(distance=3.1)))["detection_f1"] == 1
    assert values(score(prediction, reference, Scoring(distance=2.9)))["detection_f1"] == 0


scored_things = st.lists(
    st.tuples(st.sampled_from((0.1, 0.5, 0.5, 0.9)), st.booleans()), max_size=8
)


@settings(deadline=None, max_examples=60)
@given(scored_things)
def test_average_precision_does_not_depend_on_the_order(ranked: list) -> None:
    def of(*cases: list) -> tuple[float, list[float]]:
        held = [
            (np.array([a for a, _ in one], float), np.array([b for _, b in one], bool), 9)
            for one in cases
        ]
        ones, together = np.ones((1, len(cases))), ranking(held)
        return float(average_precision(together, ones)[0]), froc(together, ones)[0].tolist()

    precision, _ = of(ranked)
    assert precision == of(ranked[::-1])[0]
    assert 0 <= precision <= 1
    _, sensitivities = of(ranked[:3], ranked[3:])
    assert sensitivities == sorted(sensitivities)


def test_average_precision_and_froc_by_hand() -> None:
    """Hit .9, alarm .8, hit .7, of four: precision 1 to recall 1/4, then 2/3 to recall 2/4."""
    one = ranking([(np.array([0.7, 0.9, 0.8]), np.array([True, True, False]), 4)])

    assert average_precision(one, np.ones((1, 1)))[0] == pytest.approx(1 / 4 + 1 / 4 * 2 / 3)
    assert froc(one, np.ones((1, 1)), (0.5, 1)).tolist() == [[1 / 4, 2 / 4]]
    assert math.isnan(average_precision(ranking([]), np.ones((1, 0)))[0])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(scored_things, st.integers(8, 12)), min_size=1, max_size=4), st.data())
def test_a_case_that_is_drawn_twice_counts_as_two(cases: list, data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(cases), max_size=len(cases)))
    if not sum(times):
        return
    held = [
        (np.array([a for a, _ in one], float), np.array([b for _, b in one], bool), of)
        for one, of in cases
    ]
    weights = np.array([times], float)
    drawn = ranking([one for one, number in zip(held, times, strict=True) for _ in range(number)])
    ones = np.ones((1, sum(times)))

    np.testing.assert_allclose(
        average_precision(ranking(held), weights), average_precision(drawn, ones)
    )
    np.testing.assert_allclose(froc(ranking(held), weights), froc(drawn, ones))
    one = ranking(held)
    (compiled,) = precision_and_froc(
        weights, one.case, one.hits, one.last, one.references, np.array(FROC_RATES)
    )
    assert compiled[0] == pytest.approx(average_precision(one, weights)[0])
    np.testing.assert_allclose(compiled[1:], froc(one, weights)[0])


@settings(deadline=None, max_examples=60)
@given(points, points, st.lists(st.sampled_from((0.2, 0.4, 0.6)), min_size=7, max_size=7))
def test_the_surest_chooses_first_and_never_two_take_one(
    one: list, two: list, scores: list[float]
) -> None:
    between = -np.array([[math.dist(a, b) for b in two] for a in one]).reshape(len(one), len(two))
    sure = np.array(scores[: len(one)])

    hits = ranked_hits(between, sure, -20)

    assert hits.sum() <= len(two)
    assert hits.sum() <= (match(between, -20) >= 0).sum()
    order = np.random.default_rng(0).permutation(len(one))
    np.testing.assert_array_equal(
        np.sort(sure[hits]), np.sort(sure[order][ranked_hits(between[order], sure[order], -20)])
    )
    if len(one) and len(two):
        top = sure == sure.max()
        assert hits[top].sum() == (match(between[top], -20) >= 0).sum()


def test_a_count_right_in_sum_and_wrong_in_place_is_no_good_game() -> None:
    assert game([point(5, 5)], [point(75, 75)], PHOTO) == 2
    assert game([point(5, 5)], [point(6, 6)], PHOTO) == 0


def test_classes_by_hand() -> None:
    benign, malignant = Category("benign"), Category("malignant")
    truth = Classes({benign: 0.0, malignant: 1.0})

    found_ = values(score(Classes({benign: 0.3, malignant: 0.7}), truth), "")
    wrong = values(score(Classes({benign: 0.6, malignant: 0.4}), truth), "")

    assert found_ == {"correct": 1.0, "true_probability": 0.7, "brier": pytest.approx(0.18)}
    assert wrong["correct"] == 0
    with pytest.raises(InputError, match="one class is the most probable"):
        score(truth, Classes({benign: 0.5, malignant: 0.5}))


def test_no_answer_is_no_right_answer_whatever_comes_first_by_name() -> None:
    truth, none = (Classes({Category("a"): p, Category("b"): 0.0}) for p in (1.0, 0.0))

    assert values(score(none, truth), "")["correct"] == 0
    names, table = confusion([Told((("a", 0.0), ("b", 0.0)), "a")])
    assert names == (NOTHING, "a")
    assert table.tolist() == [[0, 0], [1, 0]]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=12))
def test_auroc_is_the_share_of_pairs_in_order(cases: list) -> None:
    scores, truth = (np.array([one[i] for one in cases]) for i in (0, 1))
    true, false = scores[truth], scores[~truth]

    here = auroc(scores.astype(float), truth)

    if not len(true) or not len(false):
        assert math.isnan(here)
    else:
        signs = np.sign(true[:, None].astype(float) - false[None])
        assert here == pytest.approx((signs + 1).mean() / 2)
        assert area(*tied(scores.astype(float), truth, np.ones((1, len(truth)))))[
            0
        ] == pytest.approx(here)


def test_calibration_and_confusion_by_hand() -> None:
    cases = [Told((("a", 0.85), ("b", 0.15)), truth) for truth in ("a", "a", "a", "b")]

    names, table = confusion(cases)
    (one,) = calibration(cases)

    assert (one["n"], one["confidence"], one["accuracy"]) == pytest.approx((4, 0.85, 0.75))
    assert (one["from"], one["to"]) == (0.8, 0.9)
    assert names == ("a", "b")
    assert table.tolist() == [[3, 0], [1, 0]]


def test_fields_by_hand() -> None:
    truth = np.zeros((1, 10, 10), np.uint8)
    truth[0, :2, :5] = 1
    scores = np.zeros((1, 10, 10))
    scores[0, :2, :5] = 0.9
    scores[0, 9] = 0.6
    grid = Grid.regular(truth.shape, unit="px")
    pit = Category("pit")

    found_ = values(
        score(Field(scores, grid, pit, "share", 0.5), LabelMap(truth, grid, {1: pit})), "pit"
    )

    assert found_["dice"] == 2 * 10 / (20 + 10)
    assert found_["sensitivity"] == 1
    assert found_["auroc"] == 1
    assert found_["pro"] == pytest.approx(1)
    with pytest.raises(GeometryError, match="a field on the reference's grid"):
        score(
            Field(scores[:, :5], Grid.regular((1, 5, 10), unit="px"), pit, "share", 0.5),
            LabelMap(truth, grid, {1: pit}),
        )


def test_every_region_counts_alike_in_pro() -> None:
    """A large region found at once, a small one never: half, whatever their sizes."""
    truth = np.zeros((1, 20, 20), bool)
    truth[0, :10, :10] = truth[0, 15, 15] = True
    scores = np.where(truth, 1.0, 0.5)
    scores[0, 15, 15] = 0.0

    assert per_region_overlap(scores, truth) == pytest.approx(0.5)
    assert math.isnan(per_region_overlap(scores, np.zeros_like(truth)))


def test_kinds_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="of kind Instances cannot be scored against a reference"):
        score(things(), Classes({}))
