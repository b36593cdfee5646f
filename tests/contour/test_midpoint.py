"""Contours through the middles of the cracks: laws, then masks worked by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage
from shapely import Polygon
from skimage import measure as skimage_measure
from strategies import labelmaps

from delineate.contour import Contour, fill, index_points, trace, trace_all
from delineate.imaging import Grid, LabelMap

Segment = tuple[tuple[float, float], tuple[float, float]]


def drawn(picture: str) -> LabelMap:
    """A label map of one slice, from lines of digits and dots."""
    rows = [[int(x.replace(".", "0")) for x in line.split()] for line in picture.split("\n")]
    array = np.array([rows], np.uint8)
    return LabelMap(array, Grid.regular(array.shape), {})


def rings(labelmap: LabelMap, label: int = 1) -> list[NDArray[np.float64]]:
    return [index_points(c, labelmap.grid)[1] for c in trace(labelmap, label, style="midpoint")]


def pieces(ring: NDArray[np.float64]) -> set[Segment]:
    """The ring cut at every middle of a crack: segments that marching squares would draw."""
    found = set()
    for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        step = np.abs(b - a)
        count = round(step.max() if step.min() == 0 else step.max() * 2)
        between = [tuple((a + (b - a) * i / count).tolist()) for i in range(count + 1)]
        found |= set(pairwise(between))
    return found


@given(labelmaps())
def test_filling_midpoint_contours_gives_every_label_back(labelmap: LabelMap) -> None:
    for structure in trace_all(labelmap, style="midpoint"):
        back = fill(structure.contours, labelmap.grid)

        np.testing.assert_array_equal(back, labelmap.mask(structure.number))


@given(labelmaps())
def test_they_are_what_marching_squares_draws_at_one_half(labelmap: LabelMap) -> None:
    """scikit-image as the judge; with 4-connected samples inside and outside all around."""
    for label in labelmap.present():
        contours = trace(labelmap, label, style="midpoint")
        found: list[set[Segment]] = [set() for _ in labelmap.array]
        for contour in contours:
            k, points = index_points(contour, labelmap.grid)
            assert not found[k] & pieces(points)
            found[k] |= pieces(points)
        for k, plane in enumerate(labelmap.mask(label)):
            judged = skimage_measure.find_contours(np.pad(plane, 1).astype(float), 0.5)
            expected = {
                (tuple(a), tuple(b))
                for ring in judged
                for a, b in zip((ring[1:] - 1).tolist(), (ring[:-1] - 1).tolist(), strict=True)
            }
            assert found[k] in (expected, {(b, a) for a, b in expected})
            assert len(judged) == sum(index_points(c, labelmap.grid)[0] == k for c in contours)


@given(labelmaps())
def test_every_ring_is_simple_and_every_outer_ring_with_its_holes_a_valid_polygon(
    labelmap: LabelMap,
) -> None:
    for label in labelmap.present():
        polygons: list[tuple[int, list[NDArray[np.float64]]]] = []
        for contour in trace(labelmap, label, style="midpoint"):
            k, points = index_points(contour, labelmap.grid)
            if contour.is_hole:
                polygons[-1][1].append(points)
            else:
                polygons.append((k, [points]))
        shapes = [(k, Polygon(outer, holes)) for k, (outer, *holes) in polygons]
        assert all(shape.is_valid for _, shape in shapes)
        assert not any(
            a.intersects(b) for i, (k, a) in enumerate(shapes) for m, b in shapes[:i] if k == m
        )


@given(labelmaps())
def test_outer_rings_are_the_components_and_no_three_points_lie_in_a_line(
    labelmap: LabelMap,
) -> None:
    for label in labelmap.present():
        contours = trace(labelmap, label, style="midpoint")
        components = sum(ndimage.label(plane)[1] for plane in labelmap.mask(label))
        assert components == sum(not contour.is_hole for contour in contours)
        for contour in contours:
            _, points = index_points(contour, labelmap.grid)
            before, after = points - np.roll(points, 1, 0), np.roll(points, -1, 0) - points
            assert (before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]).all()


@given(labelmaps())
def test_outer_rings_run_as_edge_rings_do_and_holes_against_them(labelmap: LabelMap) -> None:
    for contour in trace(labelmap, 1, style="midpoint"):
        rows, columns = index_points(contour, labelmap.grid)[1].T
        area = np.sum(columns * np.roll(rows, -1) - np.roll(columns, -1) * rows) / 2

        assert area < 0 if contour.is_hole else area > 0


@settings(max_examples=30)
@given(hnp.arrays(bool, st.tuples(st.just(1), st.integers(1, 30), st.integers(1, 30))))
def test_a_corner_cut_off_is_an_eighth_of_a_sample(mask: NDArray[np.bool_]) -> None:
    """Each corner of the cracks loses (or, where they turn in, wins) a triangle of 1/8."""
    labelmap = LabelMap(mask.astype(np.uint8), Grid.regular(mask.shape), {})
    area = sum(-c.area if c.is_hole else c.area for c in trace(labelmap, 1, style="midpoint"))
    padded = np.pad(mask[0], 1).astype(int)
    around = padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]
    ambiguous = (around == 2) & (padded[:-1, :-1] == padded[1:, 1:])
    lost = (around == 1).sum() + 2 * ambiguous.sum() - (around == 3).sum()

    assert area == pytest.approx(mask.sum() - lost / 8)


def test_a_single_sample_is_a_diamond() -> None:
    #       .
    #      / \
    #    ./ 1 \.       half a sample from its centre
    #     \   /
    #      \ /
    #       .
    (diamond,) = rings(drawn(". . .\n. 1 .\n. . ."))

    assert sorted(diamond.tolist()) == [[0.5, 1.0], [1.0, 0.5], [1.0, 1.5], [1.5, 1.0]]


def test_at_the_border_the_corners_are_cut_too() -> None:
    #    /-----\
    #   | 1   1 |
    #    \-----/
    (ring,) = rings(drawn("1 1"))

    assert ring.tolist() == [[0, -0.5], [-0.5, 0], [-0.5, 1], [0, 1.5], [0.5, 1], [0.5, 0]]


def test_a_slope_of_single_steps_is_one_straight_line() -> None:
    #   1 . .
    #   1 1 .        the slope from (-0.5, 0) to (2, 2.5)
    #   1 1 1
    (ring,) = rings(drawn("1 . .\n1 1 .\n1 1 1"))

    assert sorted(ring.tolist()) == [
        [-0.5, 0.0],
        [0.0, -0.5],
        [2.0, -0.5],
        [2.0, 2.5],
        [2.5, 0.0],
        [2.5, 2.0],
    ]


def test_samples_that_meet_at_a_corner_are_apart() -> None:
    assert [len(ring) for ring in rings(drawn("1 .\n. 1"))] == [4, 4]


def test_holes_that_meet_at_a_corner_are_one() -> None:
    contours = trace(drawn("1 1 1 1\n1 . 1 1\n1 1 . 1\n1 1 1 1"), 1, style="midpoint")

    assert [(c.is_hole, c.area) for c in contours] == [(False, 15.5), (True, 1.5)]


def test_a_bay_that_closes_at_a_corner_is_open() -> None:
    (contour,) = trace(drawn("1 1 1\n1 . 1\n1 1 ."), 1, style="midpoint")

    assert not contour.is_hole


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="expected style='edge' or 'midpoint', got 'smooth'"):
        trace(drawn("1"), 1, style="smooth")


def test_points_belong_to_no_caller() -> None:
    contour: Contour = trace(drawn("1"), 1, style="midpoint")[0]

    assert not contour.points.flags.writeable
