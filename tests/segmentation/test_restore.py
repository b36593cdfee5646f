"""Labels on the image's own grid, against interpolating all logits everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import grids

from delineate.imaging import Grid
from delineate.segmentation.merge import Slab
from delineate.segmentation.model import Sampling
from delineate.segmentation.restore import Restorer, label_table
from delineate.segmentation.working import Working, working_grid

SAMPLING = Sampling(orientation="SPL", spacing_mm=(5.0, 4.0, 4.0))
PLAIN = label_table("softmax", ())


def _slabs(logits: np.ndarray, sigmoid: bool, cuts: list[int]) -> list[Slab]:
    """Logits ``(slice, row, column, class)`` cut as a merger would hand them out."""
    if sigmoid:
        code = ((logits > 0) << np.arange(logits.shape[-1])).sum(axis=-1).astype(np.uint8)
    else:
        code = logits.argmax(axis=-1).astype(np.uint8)
    found, fresh = [], 0
    for stop in sorted({*(cut for cut in cuts if 0 < cut < len(logits)), len(logits)}):
        first = max(0, fresh - 1)
        last = stop == len(logits)
        found.append(Slab(first, fresh, (0, 0), logits[first:stop], code[first:stop], last))
        fresh = stop
    return found


def _restored(
    working: Working,
    logits: np.ndarray,
    cuts: list[int],
    sigmoid: bool = False,
    table: np.ndarray = PLAIN,
) -> np.ndarray:
    restorer = Restorer(working, logits.shape[-1], sigmoid, table, 1)
    for slab in _slabs(logits, sigmoid, cuts):
        restorer.add(slab)
    return restorer.labels


def _interpolated(working: Working, logits: np.ndarray) -> np.ndarray:
    """All logits at all samples of the image, ``(class, slice, row, column)``."""
    shape = working.source.shape
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    places = index @ working.matrix[:, :3].T + working.matrix[:, 3]
    for axis, (low, high) in enumerate(working.valid):
        places[..., axis] = np.clip(places[..., axis], low, high - 1)
        if axis == working.nearest:
            places[..., axis] = np.floor(places[..., axis] + 0.5)
    return np.stack(
        [
            ndimage.map_coordinates(each.astype(float), np.moveaxis(places, -1, 0), order=1)
            for each in np.moveaxis(logits, -1, 0)
        ]
    )


def _noise(working: Working, classes: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(*working.grid.shape, classes)), (1, 1, 1, 0))
    return smooth.astype(np.float32)


@settings(max_examples=60)
@given(grids(max_size=14), st.integers(0, 2**31), st.lists(st.integers(1, 12), max_size=4))
def test_labels_are_those_of_logits_interpolated_everywhere(
    source: Grid, seed: int, cuts: list[int]
) -> None:
    working = working_grid(source, SAMPLING, (5, 6, 4))
    logits = _noise(working, 4, seed)

    labels = _restored(working, logits, cuts)

    full = _interpolated(working, logits)
    ordered = np.sort(full, axis=0)
    clear = ordered[-1] - ordered[-2] > 1e-5
    np.testing.assert_array_equal(labels[clear], full.argmax(axis=0)[clear])


@settings(max_examples=30)
@given(grids(max_size=14), st.integers(0, 2**31), st.lists(st.integers(1, 12), max_size=3))
def test_regions_are_those_of_logits_interpolated_everywhere(
    source: Grid, seed: int, cuts: list[int]
) -> None:
    working = working_grid(source, SAMPLING, (5, 6, 4))
    logits = _noise(working, 3, seed)
    table = label_table("sigmoid", (2, 3, 1))

    labels = _restored(working, logits, cuts, sigmoid=True, table=table)

    full = _interpolated(working, logits)
    expected = np.zeros(source.shape, np.uint8)
    for region, label in zip(full, (2, 3, 1), strict=True):
        expected[region > 0] = label
    clear = (np.abs(full) > 1e-5).all(axis=0)
    np.testing.assert_array_equal(labels[clear], expected[clear])


def test_along_a_thick_axis_the_nearest_slice_counts() -> None:
    sampling = Sampling(spacing_mm=(6.0, 2.0, 2.0), fit="faces", method="cubic", nearest_beyond=2.9)
    working = working_grid(Grid.regular((9, 20, 20), (2.0, 1.0, 1.0)), sampling, (1, 4, 4))
    logits = _noise(working, 3, 5)
    assert working.nearest == 0

    labels = _restored(working, logits, [1])

    np.testing.assert_array_equal(labels, _interpolated(working, logits).argmax(axis=0))
    np.testing.assert_array_equal(labels[0], labels[2])


def test_outlines_are_not_staircases_of_the_working_grid() -> None:
    """A half-space at 30 degrees: at 1 mm its edge strays from a line by less than a sample."""
    source = Grid.regular((1, 40, 40), (1.0, 1.0, 1.0))
    working = working_grid(source, Sampling(spacing_mm=(6.0, 6.0, 6.0)), (1, 1, 1))
    k, j, i = np.meshgrid(*map(np.arange, working.grid.shape), indexing="ij")
    x, y, _ = np.moveaxis(working.grid.to_world(np.stack([k, j, i], -1)), -1, 0)
    distance = (y - 19.2) * np.cos(np.pi / 6) + (x - 20.3) * np.sin(np.pi / 6)
    logits = np.stack([-distance, distance], -1).astype(np.float32)

    labels = _restored(working, logits, [])[0]

    rows, columns = np.meshgrid(np.arange(40.0), np.arange(40.0), indexing="ij")
    exact = (rows - 19.2) * np.cos(np.pi / 6) + (columns - 20.3) * np.sin(np.pi / 6)
    inner = slice(3, 37)  # beyond the outermost working samples these are repeated
    np.testing.assert_array_equal(labels[inner, inner] == 1, exact[inner, inner] > 0)


def test_labels_that_are_not_wanted_still_compete() -> None:
    working = working_grid(Grid.regular((4, 6, 6), (2.0, 2.0, 2.0)), SAMPLING, (1, 1, 1))
    logits = _noise(working, 4, 3)
    table = np.where(np.isin(PLAIN, (2,)), PLAIN, 0).astype(np.uint8)

    some, everything = _restored(working, logits, [], table=table), _restored(working, logits, [])

    np.testing.assert_array_equal(some, np.where(everything == 2, 2, 0))


@pytest.mark.parametrize(
    ("code", "label"), [(0b000, 0), (0b001, 5), (0b010, 2), (0b011, 2), (0b111, 7)]
)
def test_of_regions_that_hold_the_last_one_counts(code: int, label: int) -> None:
    assert label_table("sigmoid", (5, 2, 7))[code] == label
