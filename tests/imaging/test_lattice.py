"""Labels on a grid through the same centres: turned, flipped, cropped, grown, refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelmaps

from delineate.errors import GeometryError
from delineate.imaging import Category, Grid, LabelMap, place

GRID = Grid.regular((3, 4, 5), (5.0, 1.0, 0.5), (-3.0, 7.0, 11.0))
ARRAY = np.zeros(GRID.shape, np.uint8)
ARRAY[1, 1:3, 2:4] = 1
LABELS = LabelMap(ARRAY, GRID, {1: Category("thing")})


def turned(labelmap: LabelMap, order, flips) -> LabelMap:
    """The same labels at the same places, with axes in another order and sense."""
    grid, array = labelmap.grid, labelmap.array.transpose(order)
    affine = np.eye(4)
    affine[:3, 3] = grid.affine[:3, 3]
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        affine[:3, new] = grid.affine[:3, old] * (-1 if flip else 1)
        if flip:
            affine[:3, 3] += grid.affine[:3, old] * (grid.shape[old] - 1)
            array = np.flip(array, new)
    return LabelMap(array, Grid(array.shape, affine), labelmap.categories)


@given(labelmaps(), st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
def test_turned_and_flipped_labels_come_back(labelmap: LabelMap, order, flips) -> None:
    placed = place(turned(labelmap, order, flips), labelmap.grid)

    np.testing.assert_array_equal(placed.array, labelmap.array)
    assert placed.grid is labelmap.grid
    assert placed.categories == labelmap.categories


@given(
    labelmaps(),
    st.permutations(range(3)),
    st.tuples(*[st.booleans()] * 3),
    st.tuples(*[st.integers(0, 3)] * 3),
    st.tuples(*[st.integers(0, 3)] * 3),
)
def test_every_label_is_found_where_it_was(labelmap, order, flips, before, after) -> None:
    shape = tuple(a + n + b for a, n, b in zip(before, labelmap.grid.shape, after, strict=True))
    large = labelmap.grid.crop(tuple(-a for a in before), shape)

    placed = place(turned(labelmap, order, flips), large)

    assert np.count_nonzero(placed.array) == np.count_nonzero(labelmap.array)
    for index in np.argwhere(placed.array):
        old = tuple(np.rint(labelmap.grid.to_index(large.to_world(index))).astype(int))
        assert labelmap.array[old] == placed.array[tuple(index)]


def test_empty_margins_are_cut_off() -> None:
    small = GRID.crop((1, 1, 2), (1, 2, 2))

    assert (place(LABELS, small).array == 1).all()


def test_one_slice_lies_on_its_series_whatever_its_thickness() -> None:
    affine = GRID.crop((1, 0, 0), (1, 4, 5)).affine.copy()
    affine[:3, 0] *= 0.2
    one = LabelMap(ARRAY[1:2], Grid((1, 4, 5), affine), LABELS.categories)

    np.testing.assert_array_equal(place(one, GRID).array, ARRAY)


def test_labels_outside_are_not_lost() -> None:
    with pytest.raises(GeometryError, match="2 labelled samples lie outside the image"):
        place(LABELS, GRID.crop((0, 2, 0), (3, 2, 5)))


def test_labels_beside_the_image_altogether_are_not_lost() -> None:
    with pytest.raises(GeometryError, match="4 labelled samples lie outside the image"):
        place(LABELS, GRID.crop((10, 10, 10), (3, 2, 5)))


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (GRID.crop((0, 0, 0), (3, 4, 5)).with_spacing((5.0, 2.0, 0.5)), "3 x 4 x 5 of 5 x 1 x 0.5"),
        (Grid(GRID.shape, GRID.affine @ np.diag([1, 1, 1.02, 1])), "up to 0.08 apart"),
        (Grid.regular((3, 4, 5), (5.0, 1.0, 0.5), (-3.0, 7.5, 11.0)), "up to 0.50 apart"),
        (Grid.regular((3, 4, 5), unit="px"), "in mm, the image on one in px"),
    ],
    ids=["spacing", "nearly", "half", "unit"],
)
def test_other_samples_are_refused(grid: Grid, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        place(LABELS, grid)


def test_what_headers_round_is_let_through() -> None:
    grid = Grid(GRID.shape, GRID.affine + np.array([[0, 0, 1e-4, 2e-3]] * 3 + [[0] * 4]))

    np.testing.assert_array_equal(place(LABELS, grid).array, ARRAY)
