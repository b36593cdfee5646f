"""Where a contour lies in the indices of a grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import grids, labelmaps

from delineate.contour import Contour, index_points, trace
from delineate.contour.plane import slice_rings
from delineate.errors import GeometryError
from delineate.imaging import Grid, LabelMap


@given(grids(), st.data())
def test_indices_come_back_from_the_world(grid: Grid, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, grid.shape[0] - 1))
    place = st.tuples(st.floats(-20, 20), st.floats(-20, 20))
    points = np.array(data.draw(st.lists(place, min_size=3, max_size=6)))
    world = grid.to_world(np.insert(points, 0, k, axis=1))

    number, found = index_points(Contour(world), grid)

    assert number == k
    np.testing.assert_allclose(found, points, atol=2e-6)


@given(labelmaps())
def test_traced_corners_lie_exactly_between_samples(labelmap: LabelMap) -> None:
    for contour in trace(labelmap, 1):
        _, points = index_points(contour, labelmap.grid)

        np.testing.assert_array_equal(points + 0.5, np.rint(points + 0.5))


@given(labelmaps())
def test_a_point_has_the_same_index_alone_and_among_many(labelmap: LabelMap) -> None:
    """Else polygons that share an edge might not share it after the mapping."""
    contours = trace(labelmap, 1)
    together = slice_rings(contours, labelmap.grid)

    for i, contour in enumerate(contours):
        number, alone = index_points(contour, labelmap.grid)
        assert number == together.slices[i]
        part = together.points[together.starts[i] : together.starts[i + 1]]
        np.testing.assert_array_equal(alone, part)


def test_a_contour_of_another_series_is_refused() -> None:
    square = Contour(np.array([(0.0, 0.0, 7.0), (1.0, 0.0, 7.0), (1.0, 1.0, 7.0)]))

    with pytest.raises(GeometryError, match=r"slice 7\.00, but the grid has slices 0 to 4"):
        index_points(square, Grid.regular((5, 4, 4)))
