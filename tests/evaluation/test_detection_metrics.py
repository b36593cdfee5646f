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
from delineate.evaluation.classification import Told, auroc, calibration_error, confusion
from delineate.evaluation.detection import Found, average_precision, found, froc, game
from delineate.evaluation.matching import match
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


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from((0.1, 0.5, 0.5, 0.9)), st.booleans()), max_size=8))
def test_average_precision_does_not_depend_on_the_order(ranked: list) -> None:
    def case(pairs: list) -> Found:
        scores, hits = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
        return Found(scores.astype(float), hits.astype(bool), scores * 0.0, 9, by_overlap=False)

    assert average_precision([case(ranked)]) == average_precision([case(ranked[::-1])])
    assert 0 <= average_precision([case(ranked)]) <= 1
    split = [case(ranked[:3]), case(ranked[3:])]
    assert [x for _, x in froc(split)] == sorted(x for _, x in froc(split))


def test_average_precision_and_froc_by_hand() -> None:
    """Hit .9, alarm .8, hit .7, of four: precision 1 to recall 1/4, then 2/3 to recall 2/4."""
    case = Found(
        np.array([0.7, 0.9, 0.8]), np.array([True, True, False]), np.zeros(3), 4, by_overlap=False
    )

    assert average_precision([case]) == pytest.approx(1 / 4 + 1 / 4 * 2 / 3)
    assert froc([case], (0.5, 1)) == ((0.5, 1 / 4), (1, 2 / 4))
    assert math.isnan(average_precision([]))


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


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=12))
def test_auroc_is_the_share_of_pairs_in_order(cases: list) -> None:
    scores, truth = (np.array([one[i] for one in cases]) for i in (0, 1))
    true, false = scores[truth], scores[~truth]

    area = auroc(scores.astype(float), truth)

    if not len(true) or not len(false):
        assert math.isnan(area)
    else:
        signs = np.sign(true[:, None].astype(float) - false[None])
        assert area == pytest.approx((signs + 1).mean() / 2)


def test_calibration_and_confusion_by_hand() -> None:
    cases = [Told((("a", 0.85), ("b", 0.15)), truth) for truth in ("a", "a", "a", "b")]

    names, table = confusion(cases)

    assert calibration_error(cases) == pytest.approx(0.85 - 0.75)
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
