"""Samples and labels on a grid."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import grids, labelmaps

from delineate.errors import GeometryError
from delineate.imaging import Category, Grid, Image, LabelMap

GRID = Grid.regular((2, 3, 4), (2.0, 0.5, 0.5))


@st.composite
def images(draw: st.DrawFn) -> Image:
    grid = draw(grids(4))
    dtype = draw(st.sampled_from((np.uint8, np.int16, np.float32)))
    return Image(draw(hnp.arrays(dtype, grid.shape)), grid, draw(st.sampled_from(("CT", "MR"))))


@given(images())
def test_the_hash_does_not_depend_on_memory(image: Image) -> None:
    big_endian = image.array.astype(image.array.dtype.newbyteorder(">"))
    for array in (np.asfortranarray(image.array), big_endian, image.array[::-1].copy()[::-1]):
        assert Image(array, image.grid, image.modality).content_hash == image.content_hash


@given(images())
def test_the_hash_depends_on_samples_dtype_place_and_modality(image: Image) -> None:
    bytes_changed = image.array.copy()
    bytes_changed.reshape(-1).view(np.uint8)[-1] ^= 1
    moved = image.grid.affine.copy()
    moved[2, 3] += 0.001
    others = [
        Image(bytes_changed, image.grid, image.modality),
        Image(image.array.astype(np.float64), image.grid, image.modality),
        Image(image.array, Grid(image.grid.shape, moved), image.modality),
        Image(image.array, Grid(image.grid.shape, image.grid.affine, "px"), image.modality),
        Image(image.array, image.grid, "PT"),
    ]

    assert len({image.content_hash, *(other.content_hash for other in others)}) == 6


def test_the_hash_is_the_same_in_every_run() -> None:
    image = Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), GRID, "CT")

    assert image.content_hash == (
        "sha256:1bf73366ddfbbeb888f10e3cf9662dc665112515e8ec3f5f9961296ac758f204"
    )


def test_the_hash_knows_no_negative_zero() -> None:
    affine = GRID.affine.copy()
    affine[affine == 0] = -0.0
    affine[3] = 0.0, 0.0, 0.0, 1.0
    samples = np.zeros(GRID.shape)

    assert (
        Image(samples, Grid(GRID.shape, affine)).content_hash == Image(samples, GRID).content_hash
    )


def test_samples_cannot_be_changed_through_the_image() -> None:
    samples = np.zeros(GRID.shape)
    image = Image(samples, GRID)

    with pytest.raises(ValueError, match="read-only"):
        image.array[0] = 1
    assert np.shares_memory(image.array, samples)
    samples[0] = 1  # what was passed in stays the caller's own


def test_samples_must_fit_the_grid() -> None:
    with pytest.raises(GeometryError, match=r"shape \(2, 3, 4\) for this grid, got \(4, 3, 2\)"):
        Image(np.zeros((4, 3, 2)), GRID)
    with pytest.raises(GeometryError, match=r"shape \(2, 3, 4, 3\)"):
        Image(np.zeros(GRID.shape), GRID, "photo", ("red", "green", "blue"))
    with pytest.raises(GeometryError, match=r"expected labels of shape"):
        LabelMap(np.zeros((4, 3, 2), np.uint8), GRID, {})


@pytest.mark.parametrize("dtype", [np.complex64, "U1", object, "M8[s]"])
def test_samples_must_be_real_numbers(dtype: str) -> None:
    with pytest.raises(TypeError, match="expected real samples"):
        Image(np.zeros(GRID.shape).astype(dtype), GRID)


@pytest.mark.parametrize(
    ("dtype", "value", "kept"),
    [
        (bool, 1, np.uint8),
        (np.int8, 127, np.uint8),
        (np.int64, 255, np.uint8),
        (np.int64, 256, np.uint16),
        (np.uint32, 65535, np.uint16),
        (np.uint16, 255, np.uint8),
        (">u2", 256, np.uint16),
    ],
)
def test_labels_are_kept_as_small_as_they_go(dtype: str, value: int, kept: type) -> None:
    array = np.zeros(GRID.shape, dtype)
    array[1, 2, 3] = value

    labelmap = LabelMap(array, GRID, {})

    assert labelmap.array.dtype == kept
    assert labelmap.array.dtype.isnative
    assert labelmap.present() == (value,)
    assert np.argwhere(labelmap.mask(value)).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("value", [-1, 65536])
def test_labels_out_of_range_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match="expected labels from 0 to 65535"):
        LabelMap(np.full(GRID.shape, value), GRID, {})
    with pytest.raises(ValueError, match="expected categories for labels from 1 to 65535"):
        LabelMap(np.zeros(GRID.shape, int), GRID, {value: Category("x")})


def test_labels_must_be_whole() -> None:
    with pytest.raises(TypeError, match="expected integer labels, got dtype float64"):
        LabelMap(np.zeros(GRID.shape), GRID, {})


def test_background_is_no_category() -> None:
    with pytest.raises(ValueError, match="categories for labels from 1"):
        LabelMap(np.zeros(GRID.shape, np.uint8), GRID, {0: Category("background")})


@given(labelmaps())
def test_present_is_what_is_there(labelmap: LabelMap) -> None:
    assert list(labelmap.present()) == [x for x in np.unique(labelmap.array).tolist() if x]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 40)), min_size=1, max_size=12),
    st.integers(1, 3),
)
def test_present_is_what_is_there_in_runs_too(runs: list[tuple[int, int]], rows: int) -> None:
    flat = np.concatenate([np.full(length, label) for label, length in runs])
    array = np.broadcast_to(flat, (2, rows, len(flat)))
    labelmap = LabelMap(array, Grid(array.shape, np.eye(4)), {})
    assert list(labelmap.present()) == sorted({label for label, _ in runs} - {0})


def test_categories_are_the_label_maps_own() -> None:
    categories = {np.int64(1): Category("liver")}
    labelmap = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, categories)
    categories.clear()

    assert [(type(n), c.name) for n, c in labelmap.categories.items()] == [(int, "liver")]
    with pytest.raises(TypeError):
        labelmap.categories[2] = Category("spleen")


def test_values_go_to_another_process() -> None:
    image = Image(np.ones(GRID.shape), GRID, "CT")
    labelmap = LabelMap(np.ones(GRID.shape, np.uint8), GRID, {1: Category("liver")})

    for value in (image, labelmap):
        back = pickle.loads(pickle.dumps(value))
        np.testing.assert_array_equal(back.array, value.array)
        assert back.grid.matches(value.grid)
        assert not back.array.flags.writeable
    assert pickle.loads(pickle.dumps(labelmap)).categories == labelmap.categories
