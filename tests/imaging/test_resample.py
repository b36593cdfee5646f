"""From one grid to another: identity, exact ramps, no invented labels, majority by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import grids, labelmaps

from delineate.errors import GeometryError
from delineate.imaging import Category, Grid, Image, LabelMap, axis_order, resample, resample_labels

HOW = st.sampled_from(("nearest", "majority"))


@given(grids(6), grids(6), st.tuples(*[st.floats(-3, 3)] * 3))
def test_a_linear_ramp_stays_one(old: Grid, new: Grid, slope: tuple) -> None:
    """Trilinear interpolation is exact on what is linear, whatever the two grids."""
    affine = new.affine.copy()
    affine[:3, 3] = old.corners.mean(axis=0) - new.affine[:3, :3] @ (np.array(new.shape) / 2)
    new = Grid(new.shape, affine)
    everywhere = np.stack(np.indices(old.shape), axis=-1)
    ramp = Image((old.to_world(everywhere) - old.affine[:3, 3]) @ slope, old)

    sampled = resample(ramp, new, outside=-1e6)

    places = new.to_world(np.stack(np.indices(new.shape), axis=-1))
    index = old.to_index(places)
    within = ((index >= 0) & (index <= np.array(old.shape) - 1)).all(axis=-1)
    beyond = ((index < -0.51) | (index > np.array(old.shape) - 0.49)).any(axis=-1)
    expected = (places - old.affine[:3, 3]) @ slope
    np.testing.assert_allclose(sampled.array[within], expected[within], atol=1e-3)
    assert (sampled.array[beyond] == -1e6).all()


@given(grids(), st.randoms(use_true_random=False))
def test_on_its_own_grid_an_image_stays_as_it_is(grid: Grid, chance) -> None:
    samples = np.random.default_rng(chance.randrange(2**32)).integers(-1000, 1000, grid.shape)

    same = resample(Image(samples, grid, "CT"), grid)

    np.testing.assert_allclose(same.array, samples, atol=1e-2)
    assert (same.modality, same.array.dtype) == ("CT", np.float32)


@given(labelmaps(), HOW)
def test_on_their_own_grid_labels_stay_as_they_are(labelmap: LabelMap, how: str) -> None:
    same = resample_labels(labelmap, labelmap.grid, how)

    np.testing.assert_array_equal(same.array, labelmap.array)
    assert same.categories == labelmap.categories


@given(labelmaps(), grids(), HOW)
def test_no_label_arises_that_was_not_there(labelmap: LabelMap, grid: Grid, how: str) -> None:
    brought = resample_labels(labelmap, grid, how)

    assert set(brought.present()) <= set(labelmap.present())


@given(labelmaps(), st.permutations(("R", "A", "I")), st.lists(st.booleans(), min_size=3))
def test_turning_axes_loses_nothing(labelmap: LabelMap, letters: list, flips: list) -> None:
    other = dict(zip("RAI", "LPS", strict=True))
    wanted = "".join(other[x] if flip else x for x, flip in zip(letters, flips, strict=False))
    turned = resample_labels(labelmap, labelmap.grid.oriented(wanted))

    order, flipped = axis_order(labelmap.grid.orientation, wanted)
    expected = np.flip(labelmap.array.transpose(order), np.flatnonzero(flipped))
    np.testing.assert_array_equal(turned.array, expected)
    np.testing.assert_array_equal(resample_labels(turned, labelmap.grid).array, labelmap.array)


@given(labelmaps(), st.tuples(*[st.integers(1, 3)] * 3))
def test_finer_and_back_loses_nothing(labelmap: LabelMap, factors: tuple) -> None:
    finer = labelmap.grid.with_spacing(tuple(np.divide(labelmap.grid.spacing, factors)))

    there = resample_labels(labelmap, finer)

    expected = labelmap.array
    for axis, factor in enumerate(factors):
        expected = expected.repeat(factor, axis)
    np.testing.assert_array_equal(there.array, expected)
    np.testing.assert_array_equal(
        resample_labels(there, labelmap.grid, "majority").array, labelmap.array
    )


@given(labelmaps(max_size=12), st.tuples(*[st.integers(1, 4)] * 3))
def test_the_majority_is_that_of_brute_force(labelmap: LabelMap, factors: tuple) -> None:
    coarse = labelmap.grid.with_spacing(tuple(np.multiply(labelmap.grid.spacing, factors)))
    brought = resample_labels(labelmap, coarse, "majority").array
    padded = np.pad(labelmap.array, [(0, f) for f in factors])  # beyond the grid: background

    for place in np.ndindex(coarse.shape):
        block = padded[tuple(slice(i * f, i * f + f) for i, f in zip(place, factors, strict=True))]
        assert brought[place] == np.bincount(block.ravel()).argmax()


def test_nearest_takes_the_nearest_and_majority_the_most() -> None:
    #   old:  1 2 2 | 2 1 1     three old samples a new one; the middle one is the nearest,
    #   new:    2       1       and the two equal ones the most
    old = LabelMap(np.array([[[1, 2, 2, 1, 2, 1]]]), Grid.regular((1, 1, 6)), {1: Category("x")})
    new = old.grid.with_spacing((1.0, 1.0, 3.0))

    assert resample_labels(old, new, "nearest").array.tolist() == [[[2, 2]]]
    assert resample_labels(old, new, "majority").array.tolist() == [[[2, 1]]]


def test_at_a_tie_the_smaller_label_wins() -> None:
    old = LabelMap(np.array([[[3, 3, 2, 2]]]), Grid.regular((1, 1, 4)), {})
    new = old.grid.with_spacing((1.0, 1.0, 4.0))

    assert resample_labels(old, new, "majority").array.tolist() == [[[2]]]


@pytest.mark.parametrize(("modality", "outside"), [("CT", -1024.0), ("MR", 0.0), ("photo", 0.0)])
def test_outside_there_is_air_or_nothing(modality: str, outside: float) -> None:
    #   samples:      5   7          the border is repeated half a step outwards,
    #   new:    .  5  5 6 7  7  .    then nothing is known
    image = Image(np.array([[[5.0, 7.0]]]), Grid.regular((1, 1, 2)), modality)
    affine = Grid.regular((1, 1, 1), (1.0, 1.0, 0.5), (-1.0, 0.0, 0.0)).affine

    sampled = resample(image, Grid((1, 1, 7), affine))

    assert sampled.array.ravel().tolist() == [outside, 5.0, 5.0, 6.0, 7.0, 7.0, outside]
    assert resample(image, Grid((1, 1, 1), affine), outside=3.5).array.item() == 3.5


def test_channels_are_sampled_one_by_one() -> None:
    samples = np.random.default_rng(0).integers(0, 255, (1, 5, 6, 3), np.uint8)
    grid = Grid.regular((1, 5, 6), unit="px")
    image = Image(samples, grid, "photo", ("red", "green", "blue"))
    finer = grid.with_spacing((1.0, 0.5, 0.5))

    sampled = resample(image, finer)

    assert sampled.channels == image.channels
    for channel in range(3):
        alone = resample(Image(samples[..., channel], grid, "photo"), finer)
        np.testing.assert_array_equal(sampled.array[..., channel], alone.array)


def test_pixels_are_not_millimetres() -> None:
    image = Image(np.zeros((1, 2, 2)), Grid.regular((1, 2, 2), unit="px"))
    labelmap = LabelMap(np.zeros((1, 2, 2), int), image.grid, {})

    with pytest.raises(GeometryError, match="cannot bring a grid in px to one in mm"):
        resample(image, Grid.regular((1, 2, 2)))
    with pytest.raises(GeometryError, match="cannot bring a grid in px to one in mm"):
        resample_labels(labelmap, Grid.regular((1, 2, 2)))
    with pytest.raises(ValueError, match="'nearest' or 'majority'"):
        resample_labels(labelmap, image.grid, "cubic")
