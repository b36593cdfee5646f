"""Fewer points and smoother contours: what may not be lost on the way."""

from __future__ import annotations

import random

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import labelmaps

from delineate.contour import Contour, fill, index_points, reslice, simplify, smooth, trace
from delineate.contour.flatten import flatten
from delineate.contour.reshape_kernel import move_points
from delineate.errors import GeometryError
from delineate.imaging import Grid, LabelMap

HOW = st.sampled_from((simplify, smooth))
STYLES = st.sampled_from(("edge", "midpoint"))
TOLERANCES = st.floats(0.01, 20.0)


def in_plane(contour: Contour, grid: Grid) -> NDArray[np.float64]:
    """Points in mm in the plane, ``(n, 2)``: lengths are kept."""
    axes, _ = np.linalg.qr(grid.affine[:3, 2:0:-1])
    return (contour.points - grid.affine[:3, 3]) @ axes


def along(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points close together all along a ring, its corners among them."""
    after = np.roll(points, -1, axis=0)
    parts = np.linspace(0, 1, 25)[None, :, None]
    return (points[:, None] + (after - points)[:, None] * parts).reshape(-1, 2)


def distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Hausdorff distance of two rings; shapely measures from points to edges."""
    rings = shapely.LinearRing(one), shapely.LinearRing(other)
    there = shapely.distance(shapely.points(along(one)), rings[1])
    back = shapely.distance(shapely.points(along(other)), rings[0])
    return float(max(there.max(), back.max()))


def flat(labelmap: LabelMap) -> LabelMap:
    """The same on a grid whose points are its indices: shapely sees them unrounded."""
    return LabelMap(labelmap.array, Grid.regular(labelmap.grid.shape), {})


def block() -> LabelMap:
    """Noise, with holes and islands."""
    rng = np.random.default_rng(8)
    return LabelMap(rng.random((1, 24, 24)) < 0.6, Grid.regular((1, 24, 24)), {})


def polygons(contours: tuple[Contour, ...]) -> list[tuple[float, shapely.Polygon]]:
    """Height and polygon of each outer ring with its holes."""
    found: list[tuple[float, list[NDArray[np.float64]]]] = []
    for contour in contours:
        points = contour.points[:, :2]
        if contour.is_hole:
            found[-1][1].append(points)
        else:
            found.append((float(contour.points[0, 2]), [points]))
    return [(z, shapely.Polygon(outer, holes)) for z, (outer, *holes) in found]


def assert_sound(before: tuple[Contour, ...], after: tuple[Contour, ...]) -> None:
    """Every polygon valid, none over another, each ring inside the rings that it was in."""
    assert [c.is_hole for c in before] == [c.is_hole for c in after]
    shapes = polygons(after)
    assert all(shape.is_valid and shape.area > 0 for _, shape in shapes)
    for i, (z, one) in enumerate(shapes):
        for height, other in shapes[:i]:
            if height == z:
                assert one.relate_pattern(other, "F********")
                assert one.boundary.intersection(other.boundary).length == 0
    assert nesting(before) == nesting(after)
    for one, other in zip(before, after, strict=True):
        assert len(other.points) >= 3
        assert signed_area(one.points) * signed_area(other.points) > 0


def nesting(contours: tuple[Contour, ...]) -> set[tuple[int, int]]:
    rings = [(c.points[0, 2], shapely.Polygon(c.points[:, :2])) for c in contours]
    shapes = np.array([shape for _, shape in rings], dtype=object)
    pairs = shapely.STRtree(shapes).query(shapes, predicate="contains").T.tolist()
    return {(i, j) for i, j in pairs if i != j and abs(rings[i][0] - rings[j][0]) < 1e-6}


def signed_area(points: NDArray[np.float64]) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


@settings(max_examples=60)
@given(labelmaps(), STYLES, HOW, TOLERANCES)
def test_no_contour_is_further_from_what_it_was_than_the_tolerance(
    labelmap: LabelMap, style: str, how, tolerance: float
) -> None:
    before = trace(labelmap, 1, style)

    after = how(before, tolerance)

    assert len(after) == len(before)
    for one, other in zip(before, after, strict=True):
        rings = in_plane(one, labelmap.grid), in_plane(other, labelmap.grid)
        assert distance(*rings) <= tolerance * (1 + 1e-9)
        assert index_points(one, labelmap.grid)[0] == index_points(other, labelmap.grid)[0]


@settings(max_examples=60)
@given(labelmaps(), STYLES, HOW, TOLERANCES)
def test_polygons_stay_valid_and_apart_and_inside_each_other(
    labelmap: LabelMap, style: str, how, tolerance: float
) -> None:
    before = trace(flat(labelmap), 1, style)

    assert_sound(before, how(before, tolerance))


@pytest.mark.parametrize("how", [simplify, smooth])
@pytest.mark.parametrize("style", ["edge", "midpoint"])
@pytest.mark.parametrize("density", [0.3, 0.55, 0.8])
@pytest.mark.parametrize("tolerance", [0.45, 0.8, 3.0])
def test_in_noise_they_do_so_too(how, style: str, density: float, tolerance: float) -> None:
    rng = np.random.default_rng(3)
    labelmap = LabelMap(rng.random((1, 40, 40)) < density, Grid.regular((1, 40, 40)), {})
    before = trace(labelmap, 1, style)

    assert_sound(before, how(before, tolerance))


@settings(max_examples=60)
@given(labelmaps(), STYLES, st.floats(0.1, 4.0), st.randoms(use_true_random=False))
@example(block(), "edge", 3.0, random.Random(0))
@example(block(), "edge", 1.0, random.Random(1))
def test_wherever_points_are_to_go_they_stop_before_they_tear_anything(
    labelmap: LabelMap, style: str, far: float, chance: random.Random
) -> None:
    """Smoothing seldom comes near to it: here points go anywhere."""
    before = trace(flat(labelmap), 1, style)
    if not before:
        return
    rings = flatten(before)
    rng = np.random.default_rng(chance.randrange(2**32))
    aims = rings.points + rng.uniform(-far, far, rings.points.shape)

    moved = move_points(rings.points, aims, rings.starts, rings.planes, np.eye(2), np.empty((0, 2)))

    world = rings.to_world(moved, rings.starts)
    after = list(before)
    for ring, number in enumerate(rings.order.tolist()):
        points = world[rings.starts[ring] : rings.starts[ring + 1]]
        after[number] = Contour(points, before[number].is_hole)
    assert_sound(before, tuple(after))
    assert not np.array_equal(moved, rings.points)


@settings(max_examples=60)
@given(labelmaps(), STYLES, HOW, TOLERANCES)
def test_on_the_grid_that_is_named_filling_stays_exact_whatever_the_tolerance(
    labelmap: LabelMap, style: str, how, tolerance: float
) -> None:
    contours = how(trace(labelmap, 1, style), tolerance, exact_on=labelmap.grid)

    np.testing.assert_array_equal(fill(contours, labelmap.grid), labelmap.mask(1))


@settings(max_examples=60)
@given(labelmaps(), HOW, st.floats(0.01, 0.499), st.tuples(st.floats(0.3, 3), st.floats(0.3, 3)))
def test_below_half_the_spacing_voxel_edges_fill_exactly_without_a_grid(
    labelmap: LabelMap, how, part: float, spacing: tuple[float, float]
) -> None:
    grid = Grid.regular(labelmap.grid.shape, (2.0, *spacing))
    labelmap = LabelMap(labelmap.array, grid, {})

    contours = how(trace(labelmap, 1), part * min(spacing))

    np.testing.assert_array_equal(fill(contours, grid), labelmap.mask(1))


@given(labelmaps(), STYLES, TOLERANCES)
def test_simplifying_keeps_some_of_the_points_as_they_are(
    labelmap: LabelMap, style: str, tolerance: float
) -> None:
    before = trace(labelmap, 1, style)
    for one, other in zip(before, simplify(before, tolerance), strict=True):
        places = {tuple(point): number for number, point in enumerate(one.points.tolist())}
        numbers = [places[tuple(point)] for point in other.points.tolist()]
        assert numbers == sorted(numbers)


@settings(max_examples=30)
@given(labelmaps(), STYLES, HOW, TOLERANCES)
def test_the_same_contours_give_the_same_again(
    labelmap: LabelMap, style: str, how, tolerance: float
) -> None:
    before = trace(labelmap, 1, style)
    for one, other in zip(how(before, tolerance), how(before, tolerance), strict=True):
        assert one.points.tobytes() == other.points.tobytes()
        assert not one.points.flags.writeable


@settings(max_examples=30)
@given(labelmaps(), HOW)
def test_contours_may_come_in_any_order(labelmap: LabelMap, how) -> None:
    before = trace(labelmap, 1)
    for one, other in zip(before, how(before[::-1], 0.3)[::-1], strict=True):
        rings = in_plane(one, labelmap.grid), in_plane(other, labelmap.grid)
        assert one.is_hole == other.is_hole
        assert distance(*rings) <= 0.3 * (1 + 1e-9)


@pytest.mark.parametrize(("how", "style"), [(simplify, "midpoint"), (smooth, "edge")])
def test_without_a_grid_a_great_tolerance_costs_samples(how, style: str) -> None:
    labelmap = ellipse()
    before = trace(labelmap, 1, style)

    with_grid, without = how(before, 1.5, exact_on=labelmap.grid), how(before, 1.5)

    np.testing.assert_array_equal(fill(with_grid, labelmap.grid), labelmap.mask(1))
    assert not np.array_equal(fill(without, labelmap.grid), labelmap.mask(1))


def ellipse() -> LabelMap:
    rows, columns = np.indices((64, 96))
    mask = ((rows - 31.3) / 25) ** 2 + ((columns - 47.6 - 0.3 * (rows - 31.3)) / 40) ** 2 <= 1
    return LabelMap(mask[None], Grid.regular((1, 64, 96)), {})


def true_ellipse() -> shapely.LinearRing:
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    rows = 31.3 + 25 * np.sin(angle)
    return shapely.LinearRing(np.c_[47.6 + 0.3 * (rows - 31.3) + 40 * np.cos(angle), rows])


def off(contour: Contour) -> float:
    """Root mean square distance from the true ellipse."""
    points = shapely.points(along(contour.points[:, :2]))
    return float(np.sqrt(np.mean(shapely.distance(points, true_ellipse()) ** 2)))


def turns(contour: Contour) -> float:
    """How often the direction goes all the way round, every turn counted as positive."""
    steps = np.roll(contour.points, -1, axis=0) - contour.points
    directions = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    return float(np.abs(np.diff(directions)).sum() / (2 * np.pi))


def test_smoothing_comes_nearer_to_the_shape_that_was_sampled() -> None:
    edge, middle = (trace(ellipse(), 1, style)[0] for style in ("edge", "midpoint"))
    (round_,) = smooth((edge,), 0.7, exact_on=ellipse().grid)

    assert off(round_) < 0.6 * off(edge)
    assert off(round_) < 0.8 * off(middle)
    assert turns(edge) > 20
    assert turns(round_) < 3
    assert round_.area == pytest.approx(np.pi * 25 * 40, rel=2e-3)
    assert len(round_.points) < len(edge.points) / 2


@pytest.mark.parametrize("tolerance", [0.75, 1.0, 3.0])
def test_fewer_points_are_left_the_more_it_may_cost(tolerance: float) -> None:
    edge = trace(ellipse(), 1)

    assert len(simplify(edge, tolerance)[0].points) < len(edge[0].points) * 0.6 / tolerance


def test_a_rectangle_keeps_its_corners() -> None:
    labelmap = LabelMap(np.ones((1, 3, 5), int), Grid.regular((1, 3, 5)), {})
    (box,) = trace(labelmap, 1)

    assert simplify((box,), 0.9)[0].points.tolist() == box.points.tolist()


def test_a_slope_of_steps_becomes_straight() -> None:
    #   1 . . .        corners of the steps are 0.35 from the line through their middles,
    #   1 1 . .        and 0.71 from the line from corner to corner
    #   1 1 1 .
    #   1 1 1 1        and so on, eight steps
    labelmap = LabelMap(np.tril(np.ones((8, 8), int))[None], Grid.regular((1, 8, 8)), {})
    edge = trace(labelmap, 1)

    assert [len(simplify(edge, t)[0].points) for t in (0.70, 0.71)] == [18, 3]


@pytest.mark.parametrize("how", [simplify, smooth])
@pytest.mark.parametrize("tolerance", [0.1, 1.0, 100.0])
def test_a_single_sample_does_not_vanish(how, tolerance: float) -> None:
    (after,) = how(
        trace(LabelMap(np.ones((1, 1, 1), int), Grid.regular((1, 1, 1)), {}), 1), tolerance
    )

    assert len(after.points) >= 3
    assert after.area > 0.8


@example("edge", simplify, 30.0)
@settings(max_examples=20)
@given(STYLES, HOW, TOLERANCES)
def test_a_thin_wall_stays_closed(style: str, how, tolerance: float) -> None:
    #   a ring of one sample's width: inner and outer contour are one sample apart
    rows, columns = np.indices((24, 24)) - 11.5
    radius = np.hypot(rows, columns)
    wall = (radius < 9) & (radius > 7.6)
    before = trace(LabelMap(wall[None], Grid.regular((1, 24, 24)), {}), 1)

    assert_sound(before, how(before, tolerance))


def test_sagittal_contours_are_smoothed_in_their_own_plane() -> None:
    rows, columns = np.indices((20, 30))
    mask = np.hypot((rows - 9.5) * 3.0, columns - 14.5) < 12
    upright = LabelMap(mask[:, :, None], Grid.regular((20, 30, 1), (3.0, 1.0, 1.0)), {})
    sagittal = reslice(upright, "sagittal")

    (contour,) = smooth(trace(sagittal, 1), 0.9)

    np.testing.assert_allclose(contour.points[:, 0], 0.0, atol=1e-9)
    assert contour.area == pytest.approx(np.pi * 144, rel=0.02)


@pytest.mark.parametrize("how", [simplify, smooth])
def test_a_hole_drawn_with_a_channel_is_still_one(how) -> None:
    #   +-----------+
    #   |   +---+   |      out and back along the same line
    #   |   |   +---+
    #   |   +---+   |
    #   +-----------+
    outer = [(0, 0), (9, 0), (9, 4), (6, 4), (6, 3), (3, 3), (3, 6), (6, 6), (6, 4), (9, 4)]
    points = np.array([(*p, 0) for p in [*outer, (9, 9), (0, 9)]], float)

    (after,) = how((Contour(points),), 0.5)

    before = fill((Contour(points),), Grid.regular((1, 12, 12), origin=(0.25, 0.25, 0.0)))
    rest = fill((after,), Grid.regular((1, 12, 12), origin=(0.25, 0.25, 0.0)))
    assert rest[0, 4, 4] == before[0, 4, 4] == False  # noqa: E712
    assert np.count_nonzero(rest != before) <= 4


@pytest.mark.parametrize("how", [simplify, smooth])
def test_nothing_comes_of_nothing(how) -> None:
    assert how((), 1.0) == ()


@pytest.mark.parametrize("how", [simplify, smooth])
@pytest.mark.parametrize("tolerance", [0.0, -1.0, np.nan, np.inf])
def test_a_tolerance_is_greater_than_zero(how, tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance_mm greater than 0, got"):
        how(trace(ellipse(), 1), tolerance)


@pytest.mark.parametrize("how", [simplify, smooth])
def test_contours_that_cannot_be_are_refused(how) -> None:
    upright = Contour(np.array([(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.0)]))
    tilted = Contour(upright.points[:, [2, 0, 1]])
    line = Contour(np.array([(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (2.0, 0.0, 0.0)]))

    with pytest.raises(GeometryError, match="not in parallel planes"):
        how((upright, tilted), 0.1)
    with pytest.raises(GeometryError, match="enclose an area"):
        how((line,), 0.1)
    with pytest.raises(GeometryError, match="has slices 0 to 4"):
        how((Contour(upright.points + 9.0),), 0.1, exact_on=Grid.regular((5, 4, 4)))
