"""Patches: points stay on what they were set on, whatever is done to a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.detectors.counting import patches
from delineate.detectors.counting.light import relit
from delineate.detectors.counting.patches import PointPatches, Recipe, target_of
from delineate.detectors.counting.pictures import Picture
from delineate.detectors.counting.stickers import cut_out, drawn

RECIPE = Recipe(side=64, zoom=2.0, pasted=0.0, smallest=3.0, largest=40.0)


def dotted(seed: int, size: float = 9.0) -> Picture:
    """A pale picture with dark discs at its points."""
    rng = np.random.default_rng(seed)
    points = np.stack(np.meshgrid(np.arange(20, 180, 40), np.arange(25, 240, 40)), -1)
    points = points.reshape(-1, 2) + rng.integers(-5, 6, (points.size // 2, 2))
    rows, columns = np.indices((180, 240))
    near = np.full((180, 240), np.inf)
    for row, column in points:
        near = np.minimum(near, np.hypot(rows - row, columns - column))
    grey = np.where(near < size / 2, 20, 220).astype(np.uint8)
    kinds = np.zeros(len(points), np.int64)
    pixels = np.repeat(grey[..., None], 3, axis=2)
    return Picture("dots", pixels, points.astype(float), kinds, np.full(len(points), size))


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_targets_peak_on_the_things(number: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "relit", lambda values, _rng: values)
        patch.setattr(PointPatches, "_mixed", lambda _self, values, _rng: values)
        inputs, target, weight = PointPatches([dotted(1)], [], RECIPE, seed=number)(number)

    assert inputs.shape == (3, 1, 64, 64)
    assert target.shape == weight.shape == (1, 1, 64, 64)
    peaks = ((target == 1) & (weight > 0))[0, 0].numpy()
    dark = inputs[0, 0].numpy() < 0
    assert dark[peaks].all()
    inner = weight[0, 0].numpy()[8:-8, 8:-8] > 0
    lonely = dark[8:-8, 8:-8] & (target[0, 0].numpy()[8:-8, 8:-8] < 1e-3) & inner
    assert lonely.mean() < 0.05  # rims of large discs lie beyond three deviations


def test_a_number_gives_one_patch() -> None:
    made = PointPatches([dotted(1)], [dotted(2)], replace(RECIPE, pasted=1.0), seed=3)
    again = PointPatches([dotted(1)], [dotted(2)], replace(RECIPE, pasted=1.0), seed=3)

    for first, second in zip(made(5), again(5), strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(made(5)[0], made(6)[0])


def test_lengths_beyond_what_is_looked_for_say_nothing_or_are_background() -> None:
    """Looked for: 10 to 20. Nothing is said of 8 and 28; 5 and 40 are background."""
    recipe = Recipe(side=64, smallest=10.0, largest=20.0)
    middle = np.array([[32.0, 32.0]])
    kinds = np.zeros(1, np.int64)

    told = {
        length: target_of(middle, kinds, np.array([float(length)]), recipe)
        for length in (5, 8, 15, 28, 40)
    }

    assert [told[length][0].max() for length in told] == [0, 0, 1, 0, 0]
    assert [told[length][1].min() for length in told] == [1, 0, 1, 0, 1]


def test_points_of_two_categories_have_their_own_maps() -> None:
    recipe = Recipe(side=32, kinds=2)
    points, kinds = np.array([[8.0, 8], [20, 24]]), np.array([0, 1])

    target, _ = target_of(points, kinds, np.full(2, 12.0), recipe)

    assert target[0, 8, 8] == target[1, 20, 24] == 1
    assert target[0, 20, 24] == target[1, 8, 8] == 0


def test_a_thing_cut_out_is_opaque_in_its_middle_and_clear_around() -> None:
    sticker = next(iter(cut_out(dotted(1))))
    middle = sticker.values.shape[1] // 2

    assert sticker.values[3, middle, middle] > 0.9
    assert sticker.values[3, 0, 0] == 0
    assert sticker.values[0, middle, middle] < 0.2


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.5, 2))
def test_what_is_pasted_lies_at_the_point_that_is_told(seed: int, zoom: float) -> None:
    rng = np.random.default_rng(seed)
    canvas = np.ones((3, 80, 80), np.float32)

    row, column = next(iter(cut_out(dotted(1)))).paste(canvas, zoom, rng).astype(int)

    assert canvas[0, row, column] < 0.3
    rows, columns = np.nonzero(canvas[0] < 0.5)
    assert np.hypot(rows - row, columns - column).max() <= 9 * zoom


def test_drawn_insects_can_be_pasted() -> None:
    for sticker in drawn(9, seed=1):
        canvas = np.full((3, 80, 80), 0.5, np.float32)
        sticker.paste(canvas, 1.0, np.random.default_rng(2))

        assert np.isfinite(canvas).all()
        assert (np.abs(canvas - 0.5) > 0.1).any()


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_another_light_moves_nothing_and_stays_in_range(seed: int) -> None:
    values = np.full((3, 40, 40), 0.7, np.float32)
    values[:, 18:23, 18:23] = 0.1

    seen = relit(values, np.random.default_rng(seed))

    assert seen.shape == values.shape
    assert seen.dtype == np.float32
    assert seen.min() >= 0
    assert seen.max() <= 1
    outside = np.ones((40, 40), bool)
    outside[12:29, 12:29] = False
    assert seen[:, 19:22, 19:22].mean() < np.median(seen[:, outside]) + 0.02
