"""How far masks are apart: a slow reference, the empty cases, one case by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from delineate.contour import Deviation, deviation
from delineate.imaging import Grid

SHAPE = (3, 4, 5)
MASKS = arrays(np.bool_, SHAPE)
GRIDS = st.sampled_from(
    (
        Grid.regular(SHAPE),
        Grid.regular(SHAPE, (5.0, 0.7, 0.9)),
        Grid(
            SHAPE, np.array([[0, 0, -0.8, 3], [1.2, 0.9, 0, 5], [5.0, 0.1, 0, -7], [0, 0, 0, 1.0]])
        ),
    )
)


def hausdorff(one, other, grid) -> float:
    """All distances of all pairs."""
    a, b = (grid.to_world(np.argwhere(mask).astype(float)) for mask in (one, other))
    distances = np.linalg.norm(a[:, None] - b[None], axis=-1)
    return max(distances.min(axis=0).max(), distances.min(axis=1).max())


@given(MASKS, MASKS, GRIDS)
def test_it_is_the_hausdorff_distance_and_the_dice_of_the_plain_definitions(
    one, other, grid
) -> None:
    found = deviation(one, other, grid)

    if not one.any() and not other.any():
        assert found == Deviation(1.0, 0.0)
    else:
        assert found.dice == pytest.approx(2 * (one & other).sum() / (one.sum() + other.sum()))
        if one.any() and other.any():
            assert found.largest_distance == pytest.approx(hausdorff(one, other, grid))
        else:
            assert found.largest_distance is None
    assert found.exact == np.array_equal(one, other)
    assert deviation(other, one, grid) == found


def test_a_block_that_lost_a_far_sample() -> None:
    grid = Grid.regular((1, 4, 9), (5.0, 1.0, 0.5))
    whole = np.zeros(grid.shape, bool)
    whole[0, 1:3, 1:4] = True
    lost = whole.copy()
    whole[0, 2, 7] = True  # 4 columns from the block: 2 mm

    found = deviation(whole, lost, grid)

    assert found == Deviation(2 * 6 / 13, 2.0)
    assert not found.exact


def test_a_deep_mask_is_compared_by_its_rim_alone() -> None:
    grid = Grid.regular((20, 20, 20), (2.0, 1.0, 1.0))
    one = np.zeros(grid.shape, bool)
    one[2:18, 2:18, 2:18] = True
    other = one.copy()
    other[2, :, :] = False

    assert deviation(one, other, grid).largest_distance == 2.0
