"""The body is found, and nothing of it is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import grids

from delineate.imaging import Grid, Image
from delineate.phantom import Phase, torso
from delineate.segmentation.body import Body, find_body
from delineate.segmentation.model import Sampling
from delineate.segmentation.working import Working, working_grid


def _laid(image: Image, mm: float = 4.0) -> Working:
    return working_grid(image.grid, Sampling(spacing_mm=(mm, mm, mm)), (4, 4, 4))


def _held(body: Body, working: Working, where: np.ndarray) -> np.ndarray:
    """Whether the samples of an image that a mask names lie in the body's boxes."""
    index = np.argwhere(where)
    places = index @ working.matrix[:, :3].T + working.matrix[:, 3]
    k, j, i = np.clip(np.rint(places).astype(int), 0, np.array(working.grid.shape) - 1).T
    low, high = body.low[k], body.high[k]
    inside = (low[:, 0] <= j) & (j < high[:, 0]) & (low[:, 1] <= i) & (i < high[:, 1])
    return np.asarray(inside)


@pytest.mark.parametrize("seed", [3, 11])
def test_all_organs_of_a_phantom_lie_in_it(seed: int) -> None:
    image, truth = torso(seed, (6.0, 4.0, 4.0), (-250.0, 200.0), phase=Phase.PORTAL)
    working = _laid(image)

    body = find_body(image, working)

    assert _held(body, working, truth.array > 0).all()
    boxed = (body.high - body.low).prod(axis=1).sum()
    assert boxed < 0.95 * np.prod(working.grid.shape)


@settings(max_examples=40)
@given(grids(max_size=20), st.integers(0, 2**31))
def test_a_block_of_tissue_lies_in_it_whatever_the_orientation(source: Grid, seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = np.full(source.shape, -1000, np.int16)
    box = []
    for count in source.shape:
        a, b = np.sort(rng.integers(0, count + 1, 2))
        box.append(slice(int(a), int(b)))
    array[tuple(box)] = 40
    steps = np.maximum(1, np.rint(5.0 / np.asarray(source.spacing)))
    size = np.array([part.stop - part.start for part in box])
    if (size < 3 * steps).any() or np.prod(size) * source.voxel_size < 20_000:
        return  # too thin or too small to be told from a table or noise
    image = Image(array, source, "CT")
    working = _laid(image, 6.0)

    body = find_body(image, working)

    assert _held(body, working, array > 0).all()


def test_a_table_below_the_body_does_not_count() -> None:
    """A cylinder of tissue, and a plate one sample thick 80 mm below it."""
    grid = Grid.regular((20, 100, 100), (5.0, 5.0, 5.0))
    array = np.full(grid.shape, -1000, np.int16)
    y, x = np.mgrid[:100, :100]
    array[:, (y - 40) ** 2 + (x - 50) ** 2 < 20**2] = 30
    array[:, 78, 10:90] = 100
    image = Image(array, grid, "CT")
    working = _laid(image, 5.0)

    body = find_body(image, working)

    assert body.high[:, 0].max() < 70
    assert body.low[:, 1].min() > 20


def test_a_crop_within_the_body_is_all_body() -> None:
    grid = Grid.regular((10, 30, 30), (2.0, 2.0, 2.0))
    image = Image(np.full(grid.shape, 50, np.int16), grid, "CT")
    working = _laid(image)

    body = find_body(image, working)

    assert body.box(0, working.grid.shape[0]) == tuple((0, n) for n in working.grid.shape)


def test_there_is_none_in_air() -> None:
    grid = Grid.regular((10, 30, 30), (4.0, 4.0, 4.0))
    noise = np.random.default_rng(1).normal(-1000, 60, grid.shape).astype(np.int16)

    body = find_body(Image(noise, grid, "CT"), _laid(Image(noise, grid, "CT")))

    assert body.extent == (0, 0)
    assert body.box(0, 10) is None


def test_a_part_of_it_by_hand() -> None:
    whole = Body.everywhere(((1, 4), (2, 9), (0, 5)))

    part = whole.within(((2, 9), (0, 6), (3, 9)))

    assert part.extent == (2, 4)
    assert part.box(0, 4) == ((0, 4), (2, 6), (3, 5))
    assert whole.within(((0, 9), (20, 30), (0, 9))).extent == (0, 0)
