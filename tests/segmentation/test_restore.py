"""Labels on the scan's grid against full-resolution logits, the plain way."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.imaging import Grid, Image
from delineate.plugins import Monitor
from delineate.segmentation.restore import restore
from delineate.segmentation.working import to_working, working_grid
from tests.strategies import grids

WORKING = Grid.regular((7, 8, 9), (6.0, 6.0, 6.0), (-24.0, -21.0, -18.0))


def _plain(logits: np.ndarray, working: Grid, source: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Argmax of logits interpolated everywhere, and by how much the winner leads."""
    indices = np.stack(np.meshgrid(*map(np.arange, source.shape), indexing="ij"), -1)
    places = working.to_index(source.to_world(indices))
    places = np.clip(places, 0, np.asarray(working.shape) - 1).reshape(-1, 3).T
    full = np.stack(
        [ndimage.map_coordinates(each.astype(float), places, order=1) for each in logits]
    )
    ranked = np.sort(full, axis=0)
    lead = (ranked[-1] - ranked[-2]).reshape(source.shape)
    return full.argmax(0).reshape(source.shape), lead


@settings(deadline=None)
@given(grids(), st.integers(0, 2**31))
def test_every_label_is_that_of_the_interpolated_logits(source: Grid, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = ndimage.gaussian_filter(rng.normal(size=(4, *WORKING.shape)), (0, 1, 1, 1))
    logits = logits.astype(np.float32)
    centred = source.affine.copy()
    centred[:3, 3] = rng.uniform(-20, 20, 3)
    source = Grid(source.shape, centred)

    labels = restore(logits, WORKING, source, Monitor())

    expected, lead = _plain(logits, WORKING, source)
    clear = lead > 1e-4
    np.testing.assert_array_equal(labels[clear], expected[clear])


def test_outlines_are_not_staircases_of_the_working_grid() -> None:
    """A half-space at 30 degrees: at 1 mm its edge strays from a line by less than a sample."""
    k, j, i = np.meshgrid(*map(np.arange, WORKING.shape), indexing="ij")
    distance = (j - 3.5) * np.cos(np.pi / 6) + (i - 4) * np.sin(np.pi / 6) + 0 * k
    logits = np.stack([-distance, distance]).astype(np.float32)
    source = Grid.regular((1, 40, 40), (1.0, 1.0, 1.0), (-18.0, -15.0, -3.0))

    labels = restore(logits, WORKING, source, Monitor())[0]

    rows, columns = np.meshgrid(np.arange(40.0), np.arange(40.0), indexing="ij")
    shift = WORKING.to_index(source.to_world([0, 0, 0]))
    exact = ((rows / 6 + shift[1]) - 3.5) * np.cos(np.pi / 6) + (
        (columns / 6 + shift[2]) - 4
    ) * np.sin(np.pi / 6)
    np.testing.assert_array_equal(labels == 1, exact > 0)


@settings(deadline=None, max_examples=60)
@given(grids(max_size=12))
def test_the_working_grid_holds_the_whole_scan_and_at_least_a_tile(source: Grid) -> None:
    grid = working_grid(source, (6.0, 6.0, 6.0), (4, 4, 4))

    indices = grid.to_index(source.corners)
    assert (indices >= -0.5).all()
    assert (indices <= np.asarray(grid.shape) - 0.5).all()
    assert min(grid.shape) >= 4
    assert grid.orientation == "SPL"


@settings(deadline=None, max_examples=40)
@given(grids(max_size=10), st.integers(0, 2**31))
def test_a_scan_linear_in_the_world_is_sampled_exactly(source: Grid, seed: int) -> None:
    """Whatever the orientation, spacing or shear: h = a x + b y + c z keeps its values."""
    indices = np.stack(np.meshgrid(*map(np.arange, source.shape), indexing="ij"), -1)
    slope = np.random.default_rng(seed).uniform(-1, 1, 3)
    world = source.to_world(indices) - source.to_world([0, 0, 0])
    hu = (world @ slope).astype(np.float32)
    coarse = Grid(source.shape, source.affine)

    working = to_working(Image(hu, coarse, "CT"), (6.0, 6.0, 6.0), (4, 4, 4), Monitor())

    places = np.stack(np.meshgrid(*map(np.arange, working.grid.shape), indexing="ij"), -1)
    at = source.to_index(working.grid.to_world(places))
    blocks = np.maximum(1, np.minimum(np.rint(3.5 / np.asarray(source.spacing)), source.shape))
    whole = (np.asarray(source.shape) // blocks) * blocks
    inside = ((at >= (blocks - 1) / 2) & (at <= whole - 1 - (blocks - 1) / 2)).all(-1)
    exact = (working.grid.to_world(places) - source.to_world([0, 0, 0])) @ slope
    np.testing.assert_allclose(
        working.hu.numpy()[inside], np.clip(exact, -1024, 3071)[inside], atol=0.05
    )


def test_a_thin_scan_is_continued_not_surrounded_by_air() -> None:
    source = Grid.regular((3, 60, 60), (5.0, 5.0, 5.0))
    hu = np.full(source.shape, 40, np.int16)

    working = to_working(Image(hu, source, "CT"), (6.0, 6.0, 6.0), (16, 16, 16), Monitor())

    assert working.grid.shape[0] == 16
    assert float(working.hu.min()) == pytest.approx(40)
    assert 2 <= working.covered.any(axis=(1, 2)).sum() <= 5
