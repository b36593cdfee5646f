"""Overlap and surface metrics: laws, a case by hand, and the peers' figures."""

from __future__ import annotations

import math
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from delineate.errors import GeometryError, InputError
from delineate.evaluation import METRICS, Score, Scoring, score
from delineate.evaluation.overlap import structures
from delineate.evaluation.steps import areas, steps
from delineate.evaluation.surface import Part, Surfaces, surfaces
from delineate.imaging import Category, Grid, LabelMap
from delineate.plugins.outputs import Masks

LIVER = {1: Category("liver")}
LENGTHS = ("hd", "hd95", "assd", "masd", "centroid_distance", "added_path_length")
KINDS = ("voxels", "elements")


def labelmap(array: np.ndarray, grid: Grid | None = None) -> LabelMap:
    array = np.asarray(array, np.uint8)
    return LabelMap(array, grid or Grid.regular(array.shape), LIVER)


def values(scores: tuple[Score, ...], structure: str = "liver") -> dict[str, float]:
    return {one.metric: one.value for one in scores if one.structure == structure}


def scored(
    prediction: np.ndarray, reference: np.ndarray, grid: Grid | None = None, **how: object
) -> dict[str, float]:
    scoring = Scoring(**how)  # type: ignore[arg-type]
    return values(score(labelmap(prediction, grid), labelmap(reference, grid), scoring, threads=1))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two blobs that overlap more or less, neither empty."""
    seed = draw(st.integers(0, 2**32 - 1))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(3, 12), st.integers(3, 12)))
    rng = np.random.default_rng(seed)
    base = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    other = base + rng.normal(size=shape) * draw(st.sampled_from((0.0, 0.02, 0.1, 1.0)))
    one, two = base > np.quantile(base, 0.6), other > np.quantile(other, 0.7)
    one.flat[0] = two.flat[-1] = True
    return one, two


@st.composite
def grids(draw: st.DrawFn, shape: tuple[int, int, int]) -> Grid:
    """Any spacing, any orientation, sheared or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(rng.uniform(0.4, 4, 3))
    affine[:3, 0] += draw(st.sampled_from((0.0, 0.6))) * affine[:3, 1]
    return Grid(shape, affine)


@settings(deadline=None, max_examples=40)
@given(pairs(), st.data(), st.sampled_from(KINDS))
def test_distances_are_those_of_a_search_through_all_pairs(
    pair: tuple[np.ndarray, np.ndarray], data: st.DataObject, kind: str
) -> None:
    reference, prediction = pair
    grid = data.draw(grids(reference.shape))
    parts = [
        Part(mask.astype(np.uint8), 1, tuple(x for n in mask.shape for x in (0, n)))
        for mask in pair
    ]

    found = surfaces(parts[0], parts[1], grid, kind)  # type: ignore[arg-type]

    one, two = (plain_surface(mask, kind) for mask in (reference, prediction))
    world = [(grid.affine[:3, :3] @ places.T).T for places in (one, two)]
    between = np.linalg.norm(world[0][:, None] - world[1][None], axis=2)
    np.testing.assert_allclose(np.sort(found.to_prediction), np.sort(between.min(1)), atol=1e-9)
    np.testing.assert_allclose(np.sort(found.to_reference), np.sort(between.min(0)), atol=1e-9)


def plain_surface(mask: np.ndarray, kind: str) -> np.ndarray:
    """Places of the surface, as the definition says it."""
    flat = mask.shape[0] == 1
    if kind == "voxels":
        cross = ndimage.generate_binary_structure(3, 1)
        if flat:
            cross[[0, 2]] = False
        return np.argwhere(mask & ~ndimage.binary_erosion(mask, cross))
    padded = np.pad(mask, ((0, 0) if flat else (1, 1), (1, 1), (1, 1)))
    size = (1 if flat else 2, 2, 2)
    around = np.lib.stride_tricks.sliding_window_view(padded, size)
    inside = around.reshape(*around.shape[:3], -1)
    return np.argwhere(inside.any(-1) & ~inside.all(-1))


@settings(deadline=None, max_examples=30)
@given(pairs(), st.sampled_from(KINDS))
def test_a_structure_against_itself_is_perfect(pair: tuple, kind: str) -> None:
    mask, _ = pair

    found = scored(mask, mask, surface=kind, tolerance_mm=0)

    assert all(found[name] == 1 for name in ("dice", "iou", "sensitivity", "precision", "nsd"))
    assert all(found[name] == 0 for name in (*LENGTHS, "volume_difference"))


@settings(deadline=None, max_examples=30)
@given(pairs(), st.data(), st.sampled_from(KINDS))
def test_exchanging_both_changes_what_it_should_alone(
    pair: tuple, data: st.DataObject, kind: str
) -> None:
    one, two = pair
    grid = data.draw(grids(one.shape))

    here, there = (scored(*sides, grid, surface=kind) for sides in ((one, two), (two, one)))

    same = ("dice", "iou", "nsd", "hd", "hd95", "assd", "masd", "centroid_distance")
    assert {name: here[name] for name in same} == pytest.approx(
        {name: there[name] for name in same}, abs=1e-12
    )
    assert here["sensitivity"] == there["precision"]
    assert here["volume_difference"] == -there["volume_difference"]


@settings(deadline=None, max_examples=30)
@given(pairs(), st.data(), st.sampled_from(KINDS), st.floats(0.2, 5))
def test_lengths_grow_with_the_grid(
    pair: tuple, data: st.DataObject, kind: str, factor: float
) -> None:
    grid = data.draw(grids(pair[0].shape))
    affine = grid.affine.copy()
    affine[:3] *= factor
    larger = Grid(grid.shape, affine)

    here = scored(*pair, grid, surface=kind, tolerance_mm=1.3)
    there = scored(*pair, larger, surface=kind, tolerance_mm=1.3 * factor)

    for name in LENGTHS:
        assert there[name] == pytest.approx(here[name] * factor, rel=1e-6, abs=1e-9), name
    assert there["nsd"] == pytest.approx(here["nsd"], abs=1e-6)
    assert there["dice"] == here["dice"]
    assert there["volume_prediction"] == pytest.approx(here["volume_prediction"] * factor**3)


@settings(deadline=None, max_examples=30)
@given(pairs(), st.data(), st.sampled_from(KINDS))
def test_the_order_and_the_sense_of_the_axes_do_not_count(
    pair: tuple, data: st.DataObject, kind: str
) -> None:
    grid = data.draw(grids(pair[0].shape))
    order = data.draw(st.sampled_from(list(permutations(range(3)))))
    turned = [mask.transpose(order)[:, ::-1] for mask in pair]
    if 1 in (pair[0].shape[0], turned[0].shape[0]):
        return  # a single slice is measured in its plane
    affine = grid.affine.copy()
    affine[:3, :3] = affine[:3, order]
    affine[:3, 3] += affine[:3, 1] * (turned[0].shape[1] - 1)
    affine[:3, 1] *= -1
    other = Grid(turned[0].shape, affine)

    here, there = scored(*pair, grid, surface=kind), scored(*turned, other, surface=kind)

    for name in set(here) - {"added_path_length"}:  # that goes slice by slice
        if kind == "elements" and name in ("nsd", "assd", "masd", "hd95"):
            # Marching cubes cut a bent piece into triangles one way or the other.
            if name != "hd95":
                assert there[name] == pytest.approx(here[name], rel=0.05, abs=1e-9), name
            continue
        assert there[name] == pytest.approx(here[name], abs=1e-9), name


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 5), st.sampled_from(KINDS))
def test_the_more_is_eroded_the_worse(depth: int, kind: str) -> None:
    reference = np.zeros((14, 16, 16), bool)
    reference[1:13, 1:15, 1:15] = True
    found = []
    for times in range(depth):
        eroded = ndimage.binary_erosion(reference, iterations=times) if times else reference
        found.append(scored(eroded, reference, surface=kind, tolerance_mm=1))

    for earlier, later in pairwise(found):
        assert later["dice"] < earlier["dice"]
        assert later["nsd"] <= earlier["nsd"]
        assert all(later[name] > earlier[name] for name in ("hd", "hd95", "assd", "masd"))


def test_a_case_by_hand() -> None:
    """Two squares of 3 x 3 in one slice, one column apart; rows 2 mm apart, columns 1 mm.

    ::

        R R R .        . P P P       reference 9, prediction 9, both 6
        R R R .        . P P P
        R R R .        . P P P
    """
    reference, prediction = np.zeros((1, 5, 6)), np.zeros((1, 5, 6))
    reference[0, 1:4, 1:4] = 1
    prediction[0, 1:4, 2:5] = 1
    grid = Grid.regular((1, 5, 6), (4.0, 2.0, 1.0))

    found = scored(prediction, reference, grid, tolerance_mm=0.5)

    assert found["dice"] == 2 * 6 / 18
    assert found["iou"] == 6 / 12
    assert found["sensitivity"] == found["precision"] == 6 / 9
    assert found["volume_reference"] == pytest.approx(9 * 8 / 1000)
    # All but the middle are border: 8 of each. Those of the reference in columns 1 and 3 are 3
    # and 3, in column 2 two. Its column 1 lies 1 mm from the prediction's column 2; column 2 is
    # the prediction's border at all three rows; in column 3 the middle one is not, and 1 mm off.
    assert found["nsd"] == (4 + 4) / 16
    assert found["hd"] == 1.0
    assert found["assd"] == found["masd"] == 4 / 8
    assert found["centroid_distance"] == 1.0
    # 4 border pixels of the reference are not the prediction's, of (2 + 1) / 2 mm.
    assert found["added_path_length"] == 4 * 1.5


def test_surface_elements_by_hand() -> None:
    """One sample of 1 x 2 x 3 mm: eight corners, each cut by the triangle of its edges' middles."""
    mask = np.zeros((3, 3, 3))
    mask[1, 1, 1] = 1
    grid = Grid.regular((3, 3, 3), (1.0, 2.0, 3.0))
    triangle = np.linalg.norm(np.cross([-0.5, 1.0, 0], [-0.5, 0, 1.5])) / 2

    part = Part(mask.astype(np.uint8), 1, (1, 2, 1, 2, 1, 2))
    found = surfaces(part, part, grid, "elements")

    assert len(found.to_prediction) == 8
    np.testing.assert_allclose(found.weights[0], triangle)  # type: ignore[index]


@pytest.mark.parametrize("flat", [False, True])
def test_areas_are_the_same_for_a_code_and_its_complement(flat: bool) -> None:
    axes = tuple(np.diag((1.0, 2.0, 0.7)).ravel())

    measured = areas(axes, flat)

    np.testing.assert_allclose(measured, measured[::-1])
    assert measured[0] == 0
    assert (measured[1:-1] > 0).all()


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=20)
def test_steps_leave_none_out(seed: int, flat: bool) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.diag(rng.uniform(0.5, 2, 3)) + rng.uniform(-0.2, 0.2, (3, 3))

    offsets, lengths = steps(tuple(matrix.ravel()), flat)

    assert (np.diff(lengths) >= 0).all()
    reach = int(np.abs(offsets).max()) + 2
    axis = np.arange(-reach, reach + 1)
    every = np.stack(np.meshgrid(axis[:1] * 0 if flat else axis, axis, axis), -1).reshape(-1, 3)
    assert (np.linalg.norm(every @ matrix.T, axis=1) <= lengths[-1] + 1e-9).sum() == len(offsets)


def test_what_is_missed_invented_or_in_neither_is_told() -> None:
    names = {1: Category("missed"), 2: Category("both"), 3: Category("nowhere")}
    others = {1: Category("both"), 2: Category("invented"), 3: Category("nowhere")}
    reference = np.zeros((3, 4, 4), np.uint8)
    reference[0, :2], reference[1, :2] = 1, 2
    prediction = np.zeros((3, 4, 4), np.uint8)
    prediction[1, :2], prediction[2, 1] = 1, 2
    grid = Grid.regular(reference.shape)

    scores = score(LabelMap(prediction, grid, others), LabelMap(reference, grid, names))

    notes = {one.structure: one.note for one in scores}
    assert notes == {"missed": "missed", "both": "", "nowhere": "absent", "invented": "invented"}
    for name in ("missed", "invented"):
        found = values(scores, name)
        assert found["dice"] == found["iou"] == found["nsd"] == 0
        assert all(math.isnan(found[one]) for one in ("hd", "hd95", "assd", "masd"))
    assert values(scores, "missed")["sensitivity"] == 0
    assert math.isnan(values(scores, "missed")["precision"])
    assert values(scores, "missed")["added_path_length"] == 8  # a row of four, and one under it
    assert values(scores, "invented")["added_path_length"] == 0
    nowhere = values(scores, "nowhere")
    assert nowhere["volume_reference"] == nowhere["volume_prediction"] == 0
    assert all(math.isnan(nowhere[one]) for one in ("dice", "iou", "nsd", "hd", "assd"))


@settings(deadline=None, max_examples=20)
@given(pairs())
def test_masks_score_as_label_maps_do(pair: tuple[np.ndarray, np.ndarray]) -> None:
    grid = Grid.regular(pair[0].shape, (2.0, 1.0, 0.5))
    one, two = (labelmap(mask, grid) for mask in pair)
    masks = Masks(pair[0][None], grid, (LIVER[1],))

    assert repr(score(masks, two)) == repr(score(one, two))
    assert repr(score(two, masks)) == repr(score(two, one))


def test_threads_change_nothing() -> None:
    rng = np.random.default_rng(5)
    grid = Grid.regular((8, 20, 20))
    categories = {n: Category(f"organ {n}") for n in range(1, 6)}
    one, two = (
        LabelMap(rng.integers(0, 6, grid.shape, np.uint8), grid, categories) for _ in range(2)
    )

    assert repr(score(one, two, threads=1)) == repr(score(one, two, threads=4))


def test_other_grids_and_two_of_a_name_are_refused() -> None:
    one = labelmap(np.ones((2, 3, 3)))
    moved = labelmap(np.ones((2, 3, 3)), Grid.regular((2, 3, 3), origin=(1.0, 0.0, 0.0)))
    twice = LabelMap(one.array, one.grid, {1: Category("liver"), 2: Category("liver")})

    with pytest.raises(GeometryError, match="resample it first"):
        score(moved, one)
    with pytest.raises(InputError, match="two structures named 'liver'"):
        score(twice, one)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(InputError, match="expected metrics among dice"):
        Scoring(metrics=("dise",))
    with pytest.raises(InputError, match="tolerance_mm of liver"):
        Scoring(tolerances_mm={"liver": -1})
    with pytest.raises(InputError, match="surface of voxels or elements"):
        Scoring(surface="mesh")  # type: ignore[arg-type]


def test_only_the_metrics_asked_for_are_computed() -> None:
    one = labelmap(np.ones((2, 3, 3)))

    assert [each.metric for each in score(one, one, Scoring(metrics=("nsd", "dice")))] == [
        "dice",
        "nsd",
    ]
    assert {each.metric for each in score(one, one)} <= set(METRICS)
    assert structures(one, one)[0].samples == (18, 18, 18)


def test_tolerances_of_their_own() -> None:
    reference, prediction = np.zeros((1, 9, 9)), np.zeros((1, 9, 9))
    reference[0, 2:5, 2:5] = 1
    prediction[0, 2:5, 4:7] = 1

    strict = scored(prediction, reference, tolerance_mm=0, tolerances_mm={"spleen": 9})
    lax = scored(prediction, reference, tolerance_mm=0, tolerances_mm={"liver": 2})

    assert strict["nsd"] < 1
    assert lax["nsd"] == 1


@pytest.mark.filterwarnings("ignore::FutureWarning:monai")
@pytest.mark.parametrize("kind", KINDS)
def test_monai_gives_the_same(kind: str) -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(3)
    base = ndimage.gaussian_filter(rng.normal(size=(20, 30, 26)), 3)
    reference = base > 0.02
    prediction = ndimage.gaussian_filter(base + rng.normal(size=base.shape) * 0.05, 1) > 0.02
    spacing = (2.5, 0.9, 0.7)

    found = scored(prediction, reference, Grid.regular(base.shape, spacing), surface=kind)

    one, two = (torch.from_numpy(mask)[None, None] for mask in (prediction, reference))
    same = {"include_background": True, "spacing": spacing}
    peers = {
        "nsd": metrics.compute_surface_dice(
            one, two, [2.0], use_subvoxels=kind == "elements", **same
        )
    }
    if kind == "voxels":
        peers |= {
            "hd": metrics.compute_hausdorff_distance(one, two, **same),
            "hd95": metrics.compute_hausdorff_distance(one, two, percentile=95, **same),
            "assd": metrics.compute_average_surface_distance(one, two, symmetric=True, **same),
        }
    peers["dice"] = metrics.compute_dice(one, two, include_background=True)
    for name, value in peers.items():
        assert found[name] == pytest.approx(float(value), abs=1e-5), name


def test_the_documentation_has_every_metric_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")

    for metric in METRICS.values():
        definition = metric.definition.replace("|", "&#124;")
        row = f"| `{metric.name}` {metric.title} | {definition} | {metric.better or '–'} |"
        assert row in page, metric.name


@given(
    st.lists(st.sampled_from([0.0, 0.1, 1.0, 1.5, 2.75, 1e6]) | st.floats(0, 50), min_size=1),
    st.floats(0, 100) | st.sampled_from([0.0, 50.0, 95.0, 100.0]),
)
@example([6.1, 7.3], 95.0)  # numpy counts from the nearer end, which is another number here
def test_percentiles_are_those_of_numpy_to_the_last_bit(found: list[float], percent: float) -> None:
    distances = np.array(found)
    measured = Surfaces(distances, distances[:1], None)
    expected = max(np.percentile(distances, percent), distances[0])
    assert measured.hausdorff(percent) == expected
