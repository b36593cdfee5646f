"""Patches keep their promises: one for each number, flipped only where that is allowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.segmentation.training.appearance import varied
from delineate.segmentation.training.deform import bounds, sampled
from delineate.segmentation.training.organ_cases import IGNORED
from delineate.segmentation.training.patches import Patches, Recipe
from delineate.segmentation.training.samples import Sample


def _kept(folder: Path, inputs: np.ndarray, labels: np.ndarray) -> Sample:
    sample = Sample(folder, 0)
    where = np.argwhere(labels == 1)
    places = np.column_stack([np.ones(len(where), int), where]).astype(np.int32)
    for what, array in (
        ("inputs", inputs.astype(np.float16)),
        ("labels", labels.astype(np.uint8)),
        ("places", places),
    ):
        np.save(folder / f"000000_{what}.npy", array)
    return sample


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Three channels, each of which rises along one axis; one labelled corner."""
    index = np.stack(np.indices((20, 24, 28))) / 8.0
    labels = np.zeros(index.shape[1:], np.uint8)
    labels[2:5, 2:6, 2:6] = 1
    return _kept(tmp_path_factory.mktemp("ramp"), index, labels)


@settings(max_examples=20)
@given(number=st.integers(0, 10_000), seed=st.integers(0, 10_000), flat=st.booleans())
def test_number_and_seed_give_one_patch(ramp: Sample, number: int, seed: int, flat: bool) -> None:
    shape = (1, 14, 10) if flat else (12, 14, 10)
    recipe = Recipe(shape=shape, spacing=(1, 1, 1), classes=2, mirror=(1, 2))

    first, second = (Patches([ramp], recipe, seed)(number) for _ in range(2))

    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    inputs, labels, known = first
    assert inputs.shape == (3, *shape)
    assert labels.shape == shape
    assert torch.isfinite(inputs).all()
    assert set(labels.unique().tolist()) <= {0, 1, IGNORED}
    assert known.all()


@settings(max_examples=10)
@given(mirror=st.sets(st.integers(0, 2)), start=st.integers(0, 1000))
def test_patches_are_flipped_along_the_axes_allowed_and_no_others(
    ramp: Sample, mirror: set[int], start: int
) -> None:
    recipe = Recipe(
        shape=(12, 12, 12),
        spacing=(1, 1, 1),
        classes=2,
        mirror=tuple(mirror),
        rotation_sd_deg=5,
        bend_sd=(0.0, 0.0),
        labelled_share=0,
    )
    draw = Patches([ramp], recipe, seed=1)
    flipped = set()
    for number in range(start, start + 24):
        inputs, _, _ = draw(number)
        for axis in range(3):
            rise = inputs[axis].select(axis, 11).mean() - inputs[axis].select(axis, 0).mean()
            if rise < 0:
                flipped.add(axis)

    assert flipped == mirror


def test_slices_are_never_mixed_by_2d_patches(tmp_path: Path) -> None:
    index = np.broadcast_to(np.arange(9.0)[None, :, None, None], (1, 9, 24, 24))
    labels = np.broadcast_to((np.arange(9) % 2)[:, None, None], (9, 24, 24))
    recipe = Recipe(shape=(1, 16, 16), spacing=(1, 1, 1), classes=2, mirror=(1, 2))
    draw = Patches([_kept(tmp_path, index, labels)], recipe, seed=3)

    for number in range(30):
        _, picked, _ = draw(number)
        assert len(set(picked.unique().tolist()) - {IGNORED}) == 1


def test_a_third_of_the_patches_is_centred_on_a_label(ramp: Sample) -> None:
    recipe = Recipe(shape=(4, 4, 4), spacing=(1, 1, 1), classes=2)
    never = replace(recipe, labelled_share=0.0)
    shares = []
    for each in (recipe, never):
        drawn = [Patches([ramp], each, 1)(number)[1] for number in range(150)]
        shares.append(np.mean([bool((labels == 1).any()) for labels in drawn]))

    assert shares[0] > shares[1] + 0.2


def test_beyond_the_case_nothing_is_known(tmp_path: Path) -> None:
    sample = _kept(tmp_path, np.zeros((1, 4, 4, 4)), np.zeros((4, 4, 4)))
    recipe = Recipe(shape=(12, 12, 12), spacing=(1, 1, 1), classes=2, still_share=1.0)

    _, labels, _ = Patches([sample], recipe, 1)(0)

    assert (labels != IGNORED).sum() == 64


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    start=st.tuples(*[st.floats(-20, 20)] * 3),
    step=st.floats(0.1, 3),
)
def test_the_part_that_is_read_gives_what_the_whole_would(
    shape: tuple[int, int, int], start: tuple[float, float, float], step: float
) -> None:
    values = torch.arange(float(np.prod(shape))).reshape(1, *shape).sin()
    axes = [torch.arange(3) * step + s for s in start]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    low, high = bounds(points, shape)
    part = values[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))]

    found = sampled(part, points - torch.tensor(low), "bilinear")

    torch.testing.assert_close(found, sampled(values, points, "bilinear"), rtol=0, atol=1e-4)


@given(seed=st.integers(0, 1000), value=st.floats(-5, 5))
def test_a_flat_patch_stays_finite_whatever_is_done_to_it(seed: int, value: float) -> None:
    out = varied(torch.full((2, 1, 8, 8), value), np.random.default_rng(seed))

    assert out.shape == (2, 1, 8, 8)
    assert torch.isfinite(out).all()
