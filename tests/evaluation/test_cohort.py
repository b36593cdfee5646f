"""Figures of all cases together, against their sources' own programs and worked by hand."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.evaluation import Scored, Scoring
from delineate.evaluation.anomaly import per_region_overlap
from delineate.evaluation.classification import auroc
from delineate.evaluation.cohort import cohort
from delineate.evaluation.columns import columns_of, unified
from delineate.evaluation.curves import coco_precision, ranking
from delineate.evaluation.detection import matched_things
from delineate.evaluation.evidence import judged
from delineate.evaluation.levels import Levels, levels_of, merged
from delineate.imaging import Category, Grid, LabelMap
from delineate.plugins.outputs import Classes, Field, Instance, Instances

PHOTO = Grid.regular((1, 80, 80), unit="px")
BEE = Category("bee")
PIT = Category("pit")


def case(name: str, prediction: object, reference: object) -> Scored:
    """A case as it is kept: to JSON and back."""
    found = judged(prediction, reference, Scoring())  # type: ignore[arg-type]
    held = Scored(
        case=name, scores=found.scores, evidence=found.evidence, cutout=found.picture
    ).to_json()
    return Scored.from_json(json.loads(json.dumps(held)))


def bees(*items: tuple[float, ...], of: Category = BEE) -> Instances:
    """Points ``(row, column, score)``, or boxes ``(row, column, height, width, score)``."""
    return Instances(tuple(_bee(item, of) for item in items), PHOTO)


def _bee(item: tuple[float, ...], of: Category) -> Instance:
    row, column, *size, score = item
    if not size:
        return Instance(of, score, point=(0.0, row, column))
    return Instance(of, score, box=((-0.5, row, column), (0.5, row + size[0], column + size[1])))


def test_things_by_hand() -> None:
    """Two of three found and one alarm; one of one found; nothing where nothing is."""
    (row,) = cohort(
        [
            case(
                "a",
                bees((10, 10, 0.9), (40, 40, 0.4), (70, 10, 0.8)),
                bees((10, 12, 1), (40, 41, 1), (10, 70, 1)),
            ),
            case("b", bees((5, 5, 0.7)), bees((5, 5, 1))),
            case("c", bees(), bees()),
        ]
    )["things"]

    assert (row["structure"], row["cases"]) == ("bee", 3)
    assert (row["references"], row["predictions"], row["hits"]) == (4, 4, 3)
    assert (row["missed"], row["invented"]) == (1, 1)
    assert row["precision"]["value"] == row["recall"]["value"] == row["f1"]["value"] == 3 / 4
    # .9 hit, .8 alarm, .7 hit, .4 hit: precision 1 to recall 1/4, then 3/4 to recall 3/4.
    assert row["average_precision"]["value"] == pytest.approx(1 / 4 + 1 / 2 * 3 / 4)
    sensitivity = {one["rate"]: one["value"] for one in row["froc"]}
    assert (sensitivity[0.25], sensitivity[0.5]) == (1 / 4, 3 / 4)  # one alarm in three cases
    counts = row["counts"]
    assert (counts["mae"]["value"], counts["rmse"]["value"]) == (0, 0)
    # 4 x 4 cells of 20: in one cell one too few, in another one too many; halves as well.
    assert [one["value"] for one in counts["game"]] == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    assert "panoptic" not in row


def test_a_count_of_nothing_that_is_right_counts_in_the_error() -> None:
    (row,) = cohort(
        [case("a", bees((1, 1, 1), (9, 9, 1)), bees()), case("b", bees(), bees((1, 1, 1)))]
        + [case(str(n), bees(), bees()) for n in range(2)]
    )["things"]

    assert row["counts"]["mae"]["value"] == 3 / 4
    assert row["counts"]["rmse"]["value"] == pytest.approx(math.sqrt(5 / 4))
    assert row["counts"]["relative"]["value"] == 3
    assert row["counts"]["limits"]["bias"] == 1 / 4
    assert row["counts"]["pairs"] == [[2, 0], [0, 1], [0, 0], [0, 0]]


def test_panoptic_quality_is_of_all_things_together() -> None:
    """IoU .8 and 1 of three references and three predictions: 1.8 / 3."""
    (row,) = cohort(
        [
            case("a", bees((10, 10, 8, 10, 1)), bees((10, 10, 10, 10, 1))),
            case(
                "b",
                bees((10, 10, 5, 5, 1), (50, 50, 5, 5, 1)),
                bees((10, 10, 5, 5, 1), (70, 10, 5, 5, 1)),
            ),
        ]
    )["things"]

    assert row["segmentation"]["value"] == pytest.approx(0.9)
    # At IoU .5 to .8 a hit of each case and an alarm, above that one hit less; all equally sure.
    assert row["coco"]["by_iou"][0] == {"iou": 0.5, "value": pytest.approx(67 / 101 * 2 / 3)}
    assert row["coco"]["by_iou"][-1]["value"] == pytest.approx(34 / 101 / 3)
    assert row["recognition"]["value"] == pytest.approx(2 / 3)
    assert row["panoptic"]["value"] == pytest.approx(0.6)


def test_kinds_of_things_are_told_apart_and_together() -> None:
    wasp = Category("wasp")
    mixed = Instances((*bees((1, 1, 1)).items, *bees((50, 50, 1), of=wasp).items), PHOTO)
    scored = [case("a", mixed, mixed), case("b", bees((1, 1, 1)), bees())]

    rows = {row["structure"]: row for row in cohort(scored)["things"]}

    assert {name: (row["cases"], row["hits"], row["invented"]) for name, row in rows.items()} == {
        "bee": (2, 1, 1),
        "wasp": (2, 1, 0),
        "": (2, 2, 1),
    }
    assert columns_of(scored).structures == ("bee", "wasp", "")


def test_one_kind_of_things_is_told_once_also_where_a_case_has_none() -> None:
    columns = columns_of([case("a", bees((1, 1, 1)), bees((1, 1, 1))), case("b", bees(), bees())])

    assert columns.structures == ("bee",)
    place = columns.place("bee", "detection_f1")
    assert place is not None
    assert columns.counts(place)["absent"] == 1


def test_things_and_classes_in_one_evaluation_do_not_touch_each_other() -> None:
    scored = [case("a", bees((1, 1, 1)), bees((1, 1, 1))), told("cat", cat=0.9, dog=0.1)]

    assert columns_of(scored).structures == ("bee", "")
    assert set(cohort(scored)) == {"things", "classes"}


def test_names_that_are_one_are_one_in_figures_too() -> None:
    scored = unified(
        [
            case("a", bees((1, 1, 1)), bees((1, 1, 1))),
            case("b", bees((1, 1, 1), of=Category("Bee")), bees((1, 1, 1), of=Category("Bee"))),
        ]
    )

    (row,) = cohort(scored)["things"]

    assert (row["structure"], row["cases"], row["hits"]) == ("bee", 2, 2)


rectangles = st.tuples(
    st.integers(0, 40), st.integers(0, 40), st.integers(2, 30), st.integers(2, 30)
)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.lists(rectangles, max_size=5), st.lists(rectangles, max_size=5)),
        min_size=1,
        max_size=3,
    ),
    st.randoms(use_true_random=False),
)
def test_average_precision_at_101_recalls_is_that_of_coco(cases: list, random: object) -> None:
    number = sum(len(theirs) for _, theirs in cases)
    scores = [(n + 1) / (number + 1) for n in range(number)]
    random.shuffle(scores)  # type: ignore[attr-defined]
    if not any(ours for ours, _ in cases) or not number:
        return
    matched, truth, results = [], [], []
    for image, (ours, theirs) in enumerate(cases):
        sure = [scores.pop() for _ in theirs]
        truth += [(image, one, None) for one in ours]
        results += [(image, one, score) for one, score in zip(theirs, sure, strict=True)]
        prediction = bees(*((*one, score) for one, score in zip(theirs, sure, strict=True)))
        reference = bees(*((*one, 1.0) for one in ours))
        matched.append(matched_things(prediction, reference, Scoring())[""])

    found = [
        coco_precision(ranking([(one.scores, one.coco[n], one.references) for one in matched]))
        for n in range(10)
    ]

    expected = coco(len(cases), truth, results)
    assert found == pytest.approx(expected, abs=1e-9)


def coco(images: int, truth: Sequence[tuple], results: Sequence[tuple]) -> list[float]:
    """Average precision at each IoU from .5 to .95, as pycocotools has it."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def listed(items: Sequence[tuple]) -> list[dict]:
        return [
            {
                "id": number,
                "image_id": image,
                "category_id": 1,
                "bbox": [column, row, width, height],
                "area": width * height,
                "iscrowd": 0,
                **({} if score is None else {"score": score}),
            }
            for number, (image, (row, column, height, width), score) in enumerate(items, 1)
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "images": [{"id": n} for n in range(images)],
            "categories": [{"id": 1, "name": "bee"}],
            "annotations": listed(truth),
        }
        known.createIndex()
        run = COCOeval(known, known.loadRes(listed(results)), "bbox")
        run.params.maxDets = [1000]
        run.evaluate()
        run.accumulate()
    found: list[float] = run.eval["precision"][:, :, 0, 0, 0].mean(axis=1).tolist()
    return found


def told(truth: str, **probabilities: float) -> Scored:
    names = {name: Category(name) for name in {truth, *probabilities}}
    return case(
        truth,
        Classes({names[name]: value for name, value in probabilities.items()}),
        Classes({one: float(name == truth) for name, one in names.items()}),
    )


def test_classes_by_hand() -> None:
    (row,) = cohort(
        [
            told("cat", cat=0.95, dog=0.05),
            told("cat", cat=0.65, dog=0.35),
            told("dog", cat=0.65, dog=0.35),
            told("dog", cat=0.05, dog=0.95),
            told("dog", cat=0.0, dog=0.0),
        ]
    )["classes"]

    assert (row["cases"], row["without_answer"]) == (5, 1)
    assert row["accuracy"]["value"] == 3 / 5
    assert row["names"] == ["(no answer)", "cat", "dog"]
    assert row["confusion"] == [[0, 0, 0], [0, 2, 0], [1, 1, 1]]
    assert row["balanced_accuracy"] == pytest.approx((1 + 1 / 3) / 2)
    # Sure by .95 and right, twice; by .65 and right in one of two: 2/4 * .05 + 2/4 * .15.
    assert row["ece"] == pytest.approx(0.1)
    assert [one["n"] for one in row["bins"]] == [2, 2]
    classes = {one["name"]: one for one in row["classes"]}
    assert classes["dog"]["recall"]["value"] == 1 / 3
    assert classes["cat"]["precision"]["value"] == 2 / 3
    # Cats .95 and .65 against .65, .05 and 0: of six pairs one is a tie.
    assert classes["cat"]["auroc"]["value"] == pytest.approx(5.5 / 6)


def test_areas_under_curves_are_those_of_sklearn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    random = np.random.default_rng(5)
    truth = random.random(60) < 0.4
    scores = np.clip(random.normal(0.4 + 0.2 * truth, 0.2), 0, 1).round(2)  # with ties

    (row,) = cohort(
        [
            told("ill" if ill else "well", ill=float(p), well=1 - float(p))
            for ill, p in zip(truth, scores, strict=True)
        ]
    )["classes"]

    ill = next(one for one in row["classes"] if one["name"] == "ill")
    assert ill["auroc"]["value"] == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert ill["auroc"]["low"] < ill["auroc"]["value"] < ill["auroc"]["high"]
    false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(ill["roc"], np.column_stack((false, true)))


def field(array: np.ndarray) -> Field:
    grid = Grid.regular(array.shape, unit="px")
    return Field(array.astype(np.float32), grid, PIT, "strangeness", 0.5)


def pits(mask: np.ndarray) -> LabelMap:
    return LabelMap(mask.astype(np.uint8), Grid.regular(mask.shape, unit="px"), {1: PIT})


def strange(seed: int, *, good: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = np.zeros((1, 24, 24), bool)
    if not good:
        truth[0, 2:6, 3:8] = truth[0, 15:17, 15:17] = True
    return random.gamma(2, 0.1, truth.shape) * (1 + 1.5 * truth), truth


def test_fields_are_counted_by_sample_by_region_and_by_image() -> None:
    images = [strange(n, good=n > 3) for n in range(6)]

    (row,) = cohort([case("x", field(one), pits(two)) for one, two in images])["fields"]

    scores, truth = (
        np.concatenate([pair[n].ravel() for pair in images]).astype(float) for n in (0, 1)
    )
    assert (row["cases"], row["true_cases"], row["regions"]) == (6, 4, 8)
    assert row["samples"] == truth.size
    assert row["auroc_error"] < 0.001
    assert row["auroc"]["value"] == pytest.approx(auroc(scores, truth > 0), abs=row["auroc_error"])
    assert row["auroc"]["low"] < row["auroc"]["value"] < row["auroc"]["high"]
    peaks = np.array([one.max() for one, _ in images])
    expected = auroc(peaks, np.array([two.any() for _, two in images]))
    assert row["image_auroc"]["value"] == pytest.approx(expected)
    found = peaks >= 0.5
    assert row["image_sensitivity"]["value"] == found[:4].mean()
    assert row["image_specificity"]["value"] == (~found[4:]).mean()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_regions_of_one_image_give_that_images_overlap(seed: int) -> None:
    scores, truth = strange(seed)

    (row,) = cohort([case("x", field(scores), pits(truth))])["fields"]

    assert row["pro"]["value"] == pytest.approx(
        per_region_overlap(scores.astype(np.float32), truth), abs=0.003
    )


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3, width=32), st.booleans()), min_size=1, max_size=30))
def test_levels_keep_the_order_of_scores_and_every_sample(samples: list) -> None:
    scores = np.array([[[score for score, _ in samples]]], np.float32)
    truth = np.array([[[true for _, true in samples]]])

    held = Levels.from_json(json.loads(json.dumps(levels_of(scores, truth).to_json())))

    assert held.true.sum() == truth.sum()
    assert held.false.sum() == (~truth).sum()
    assert held.shares.sum() == pytest.approx(held.regions)
    assert (np.diff(held.levels) < 0).all()
    # Scores in order are on levels in order: those above any score are as many.
    for score in scores.ravel():
        one = levels_of(np.array([[[score]]], np.float32), np.zeros((1, 1, 1), bool)).levels[0]
        above = held.levels > one
        counted = int((held.true + held.false)[above].sum())
        assert counted <= (scores > score).sum()
        apart = scores > score + abs(score) / 256 + 1e-37
        assert counted >= apart.sum()


def test_levels_of_many_images_are_put_on_common_ones() -> None:
    images = [levels_of(*(one[:, :4, :4] for one in strange(n))) for n in range(3)]

    true, false, shares = merged(images)

    assert true.shape == false.shape == shares.shape
    for number, one in enumerate(images):
        assert (true[number].sum(), false[number].sum()) == (one.true.sum(), one.false.sum())
        kept = np.flatnonzero(true[number] + false[number])
        np.testing.assert_array_equal(true[number][kept], one.true)
        np.testing.assert_array_equal(false[number][kept], one.false)


def test_figures_do_not_depend_on_who_comes_first() -> None:
    scored = [
        case("a", bees((10, 10, 0.9), (40, 40, 0.4)), bees((10, 12, 1), (10, 70, 1))),
        case("b", bees((5, 5, 0.7)), bees((5, 5, 1))),
        case("c", bees(), bees((1, 1, 1))),
    ]

    (there,), (back,) = cohort(scored)["things"], cohort(scored[::-1])["things"]

    for name in ("precision", "recall", "f1", "average_precision"):
        assert there[name]["value"] == pytest.approx(back[name]["value"])
