"""Where the samples of the working grid lie, whatever the image is like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import grids

from delineate.errors import UnsuitableImageError
from delineate.imaging import Grid
from delineate.segmentation.model import Sampling
from delineate.segmentation.working import working_grid

ORIENTATIONS = ("SPL", "RAS", "SAR", "LPS", "PIR")
SIX = Sampling(orientation="SPL", spacing_mm=(6.0, 6.0, 6.0))


@settings(max_examples=60)
@given(grids(max_size=12), st.sampled_from(ORIENTATIONS))
def test_the_grid_holds_the_whole_scan_and_at_least_a_tile(source: Grid, letters: str) -> None:
    working = working_grid(source, Sampling(orientation=letters, spacing_mm=(6.0,) * 3), (4, 3, 5))

    indices = working.grid.to_index(source.corners)
    assert (indices >= -0.51).all()
    assert (indices <= np.asarray(working.grid.shape) - 0.49).all()
    assert all(n >= t for n, t in zip(working.grid.shape, working.tile, strict=True))
    wanted = [4, 3, 5]
    assert [working.tile[axis] for axis in working.order] == wanted
    found = "".join(working.grid.orientation[axis] for axis in working.order)
    assert found == letters
    assert working.grid.orientation[0] in "SI"


@settings(max_examples=80)
@given(grids(max_size=12), st.sampled_from(("centre", "faces", "first")))
def test_places_are_those_of_the_affine(source: Grid, fit: str) -> None:
    sampling = Sampling(orientation="SPL", spacing_mm=(6.0, 2.0, None), fit=fit)  # type: ignore[arg-type]
    working = working_grid(source, sampling, (1, 1, 1))
    numbers = np.arange(int(np.prod(source.shape))).reshape(source.shape)

    index = np.stack(np.meshgrid(*map(np.arange, working.grid.shape), indexing="ij"), -1)
    at = source.to_index(working.grid.to_world(index))

    assert working.turn(numbers).shape == working.turned_shape
    if working.places is None:
        return
    order, flips = working.turned
    for axis, old in enumerate(order):
        place = at[..., old]
        place = source.shape[old] - 1 - place if flips[axis] else place
        line = np.moveaxis(place, axis, 0).reshape(working.grid.shape[axis], -1)
        np.testing.assert_allclose(
            line, np.repeat(working.places[axis][:, None], line.shape[1], 1), atol=1e-6
        )


@settings(max_examples=60)
@given(grids(max_size=12))
def test_the_matrix_maps_the_image_to_the_grid(source: Grid) -> None:
    working = working_grid(source, SIX, (4, 4, 4))
    index = np.random.default_rng(1).uniform(0, 5, (20, 3))

    there = index @ working.matrix[:, :3].T + working.matrix[:, 3]

    np.testing.assert_allclose(working.grid.to_world(there), source.to_world(index), atol=1e-6)


@given(st.integers(1, 300), st.floats(0.3, 8), st.floats(0.3, 8))
def test_fitting_the_faces_counts_as_nnunet(size: int, old: float, new: float) -> None:
    sampling = Sampling(orientation="SPL", spacing_mm=(new, None, None), fit="faces")
    working = working_grid(Grid.regular((size, 1, 1), (old, 1, 1)), sampling, (1, 1, 1))

    assert working.grid.shape[0] == max(1, round(old / new * size))
    span = working.grid.shape[0] * working.grid.spacing[0]
    assert span == pytest.approx(size * old)


@settings(max_examples=25)
@given(st.tuples(*[st.integers(2, 40)] * 3), st.tuples(*[st.floats(0.4, 5)] * 3))
def test_fitting_the_first_sample_is_the_spacing_of_monai(
    shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    import torch
    from monai.data import MetaTensor
    from monai.transforms import Spacing

    grid = Grid.regular(shape, spacing, (5.0, 7.0, 11.0))
    sampling = Sampling(orientation="SPL", spacing_mm=(1.5, 2.0, 3.0), fit="first")
    working = working_grid(grid, sampling, (1, 1, 1))

    theirs = Spacing((1.5, 2.0, 3.0))(
        MetaTensor(torch.zeros(1, *shape), affine=np.diag([*spacing, 1.0]))
    )

    assert working.grid.shape == theirs.shape[1:]
    np.testing.assert_allclose(working.grid.affine[:3, 3], grid.affine[:3, 3])


def test_a_small_image_is_padded_on_both_sides() -> None:
    """Three slices in a tile of eight: two samples before, three after."""
    source = Grid.regular((3, 20, 20), (6.0, 6.0, 6.0), (1.0, 2.0, 3.0))

    working = working_grid(source, SIX, (8, 8, 8))

    assert working.grid.shape == (8, 20, 20)
    assert working.valid == ((2, 5), (0, 20), (0, 20))
    np.testing.assert_allclose(working.grid.to_world([2, 0, 0]), source.to_world([0, 0, 0]))
    np.testing.assert_array_equal(working.places[0], [0, 0, 0, 1, 2, 2, 2, 2])  # type: ignore[index]
    assert working.covered(0, 8).any(axis=(1, 2)).tolist() == [0, 0, 1, 1, 1, 0, 0, 0]


@settings(max_examples=40)
@given(grids(max_size=9))
def test_what_is_covered_lies_within_half_a_step_of_the_image(source: Grid) -> None:
    working = working_grid(source, SIX, (3, 3, 3))
    index = np.stack(np.meshgrid(*map(np.arange, working.grid.shape), indexing="ij"), -1)
    at = source.to_index(working.grid.to_world(index))
    reach = 0.5 + 3.0 / np.asarray(source.spacing) + 1e-6

    covered = working.covered(0, working.grid.shape[0])

    near = ((at >= -reach) & (at <= np.asarray(source.shape) - 1 + reach)).all(-1)
    assert not (covered & ~near).any() or working.places is not None
    inside = ((at >= 0) & (at <= np.asarray(source.shape) - 1)).all(-1)
    assert not (inside & ~covered).any()


def test_a_tilted_scan_is_surrounded_and_a_slightly_turned_one_followed() -> None:
    for degrees, follows in ((4.0, True), (18.5, False)):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        affine = Grid.regular((10, 12, 14), (5.0, 1.0, 1.0)).affine.copy()
        affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ affine[:3, :3]
        working = working_grid(Grid((10, 12, 14), affine), SIX, (2, 2, 2))

        assert (working.places is not None) == follows
        turned = np.abs(working.grid.affine[:3, :3] / 6).max(axis=0).min() < 1 - 1e-9
        assert turned == follows


def test_nnunet_samples_a_thick_axis_apart() -> None:
    def axis(old: tuple[float, float, float], new: tuple[float, float, float]) -> int | None:
        sampling = Sampling(spacing_mm=new, fit="faces", method="cubic", nearest_beyond=3.0)
        return working_grid(Grid.regular((9, 9, 9), old), sampling, (1, 1, 1)).nearest

    assert axis((5.0, 0.8, 0.8), (5.0, 1.0, 1.0)) == 0
    assert axis((2.0, 0.8, 0.8), (5.0, 1.0, 1.0)) == 0
    assert axis((2.0, 0.8, 0.8), (1.5, 1.5, 1.5)) is None
    assert axis((1.0, 4.0, 1.0), (1.0, 1.0, 1.0)) == 1
    assert axis((0.24, 1.25, 1.25), (0.24, 1.25, 1.25)) is None  # two thick axes


def test_a_span_that_no_patient_has_is_refused() -> None:
    with pytest.raises(UnsuitableImageError, match="spans 50000 x 10 x 10 mm; its spacing"):
        working_grid(Grid.regular((50, 10, 10), (1000.0, 1.0, 1.0)), SIX, (4, 4, 4))


def test_a_picture_without_scale_is_refused_by_a_model_that_works_in_mm() -> None:
    picture = Grid.regular((1, 10, 10), unit="px")

    with pytest.raises(UnsuitableImageError, match="size in mm is known"):
        working_grid(picture, SIX, (1, 4, 4))
    kept = working_grid(picture, Sampling(orientation="", fit="faces"), (1, 4, 4))
    assert kept.grid.matches(picture)
