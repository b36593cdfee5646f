"""One closed planar ring."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import grids

from delineate.contour import Contour
from delineate.imaging import Grid


@given(grids(), st.integers(0, 3))
def test_area_is_that_of_the_parallelogram_whichever_way_it_winds(grid: Grid, start: int) -> None:
    square = np.roll(np.array([(0, 0, 0), (0, 0, 4), (0, 3, 4), (0, 3, 0)]), start, axis=0)

    for points in (square, square[::-1]):
        area = Contour(grid.to_world(points)).area
        assert area == pytest.approx(12 * grid.pixel_area, rel=1e-9)


@pytest.mark.parametrize(
    "points", [np.zeros((2, 3)), np.zeros((5, 2)), np.zeros(9), np.zeros((1, 4, 3))]
)
def test_fewer_than_three_points_of_three_coordinates_are_refused(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"at least 3 points of shape \(n, 3\), got"):
        Contour(points)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_points_that_are_nowhere_are_refused(value: float) -> None:
    points = np.eye(3)
    points[1, 2] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        Contour(points)


def test_points_belong_to_the_contour_alone() -> None:
    points = np.eye(3)
    contour = Contour(points)
    points[0, 0] = 9.0

    assert contour.points[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        contour.points[0, 0] = 2.0
