"""Where samples lie: inverse, agreement with SimpleITK and nibabel, orientation, refusals."""

from __future__ import annotations

import itertools
import pickle

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import grids

from delineate.errors import GeometryError
from delineate.imaging import Grid, axis_order

ORIENTATIONS = [
    "".join(letters)
    for pairs in itertools.permutations(("RL", "AP", "IS"))
    for letters in itertools.product(*pairs)
]
indices = st.lists(st.tuples(*[st.floats(-50, 600)] * 3), min_size=1, max_size=5)


@given(grids(), indices)
def test_indices_go_to_the_world_and_back(grid: Grid, points: list) -> None:
    np.testing.assert_allclose(grid.to_index(grid.to_world(points)), points, atol=1e-8)
    np.testing.assert_allclose(grid.inverse @ grid.affine, np.eye(4), atol=1e-9)


@given(grids(), indices)
def test_simpleitk_puts_samples_at_the_same_place(grid: Grid, points: list) -> None:
    """Its indices are (column, row, slice), its world LPS. Its directions take no shear."""
    directions = grid.affine[:3, :3] / grid.spacing
    assume(np.allclose(directions.T @ directions, np.eye(3), atol=1e-9))
    image = SimpleITK.Image(grid.shape[::-1], SimpleITK.sitkUInt8)
    image.SetOrigin(grid.affine[:3, 3].tolist())
    image.SetSpacing(grid.spacing[::-1])
    image.SetDirection(directions[:, ::-1].ravel().tolist())

    for point in points:
        theirs = image.TransformContinuousIndexToPhysicalPoint(point[::-1])
        np.testing.assert_allclose(grid.to_world(point), theirs, atol=1e-4)
        back = image.TransformPhysicalPointToContinuousIndex(theirs)[::-1]
        np.testing.assert_allclose(grid.to_index(theirs), back, atol=1e-4)


@given(grids(), indices)
def test_nibabel_puts_samples_at_the_same_place(grid: Grid, points: list) -> None:
    """Its world is RAS: the first two axes point the other way."""
    to_ras = np.diag((-1.0, -1.0, 1.0, 1.0))
    image = nibabel.Nifti1Image(np.zeros(grid.shape, np.uint8), to_ras @ grid.affine)

    theirs = nibabel.affines.apply_affine(image.affine, points) * (-1, -1, 1)

    np.testing.assert_allclose(grid.to_world(points), theirs, atol=1e-4)
    spacing = nibabel.affines.voxel_sizes(image.affine)
    np.testing.assert_allclose(grid.spacing, spacing, rtol=1e-6)


@given(grids())
def test_orientation_is_nibabels_in_other_letters(grid: Grid) -> None:
    cosines = np.abs(grid.affine[:3, :3] / grid.spacing)
    cosines.sort(axis=0)
    assume((cosines[2] - cosines[1] > 0.1).all())  # no axis about as near to two directions
    nearest = np.abs(grid.affine[:3, :3] / grid.spacing).argmax(axis=0)
    assume(len(set(nearest.tolist())) == 3)

    theirs = nibabel.aff2axcodes(np.diag((-1.0, -1.0, 1.0, 1.0)) @ grid.affine)

    assert grid.orientation == "".join(theirs)


@given(grids())
def test_sizes_agree_with_each_other(grid: Grid) -> None:
    assert grid.voxel_size == pytest.approx(abs(np.linalg.det(grid.affine[:3, :3])), rel=1e-9)
    assert grid.slice_distance * grid.pixel_area == pytest.approx(grid.voxel_size)
    assert grid.slice_distance <= grid.spacing[0] * (1 + 1e-9)


def test_a_tilted_gantry_is_shear() -> None:
    #   rows go down, slices up and backwards:     slices are 5 mm apart along their normal,
    #      /--/--/--/                              but each is moved by 2 mm along its rows
    grid = Grid((4, 8, 8), [[0, 0, 1, 0], [2, 1, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1]])

    assert grid.spacing[0] == pytest.approx(np.hypot(5, 2))
    assert grid.slice_distance == pytest.approx(5.0)
    assert grid.voxel_size == pytest.approx(5.0)
    assert grid.orientation == "SPL"


@given(grids(), st.sampled_from(ORIENTATIONS))
def test_oriented_moves_no_sample(grid: Grid, wanted: str) -> None:
    turned = grid.oriented(wanted)
    order, flips = axis_order(grid.orientation, wanted)
    numbers = np.stack(np.indices(grid.shape), axis=-1)
    moved = numbers.transpose(*order, 3)
    moved = np.flip(moved, [axis for axis, flip in enumerate(flips) if flip])

    assert turned.orientation == wanted
    assert moved.shape[:3] == turned.shape
    places = turned.to_world(np.stack(np.indices(turned.shape), axis=-1))
    np.testing.assert_allclose(places, grid.to_world(moved), atol=1e-9)
    assert turned.oriented(grid.orientation).matches(grid, 1e-9)


@given(grids(), st.tuples(*[st.integers(-5, 5)] * 3))
def test_a_cropped_grid_counts_from_its_own_corner(grid: Grid, start: tuple) -> None:
    cropped = grid.crop(start, (2, 3, 4))

    assert cropped.shape == (2, 3, 4)
    np.testing.assert_allclose(
        cropped.to_world((1, 2, 3)), grid.to_world(np.add(start, (1, 2, 3))), atol=1e-9
    )


@given(grids(), st.tuples(*[st.floats(0.5, 6.0)] * 3))
def test_another_spacing_keeps_the_near_faces_and_nearly_the_far_ones(
    grid: Grid, spacing: tuple
) -> None:
    new = grid.with_spacing(spacing)
    half = np.array((0.5, 0.5, 0.5))

    np.testing.assert_allclose(new.spacing, spacing)
    np.testing.assert_allclose(new.to_world(-half), grid.to_world(-half), atol=1e-9)
    gap = new.to_index(grid.to_world(np.array(grid.shape) - half)) - (np.array(new.shape) - half)
    at_least_one = (np.array(new.shape) == 1) & (gap < 0)
    assert ((np.abs(gap) <= 0.5 + 1e-9) | at_least_one).all()


@given(grids())
def test_a_grid_matches_itself_alone(grid: Grid) -> None:
    moved = grid.affine.copy()
    moved[0, 3] += 0.01
    longer = (grid.shape[0] + 1, *grid.shape[1:])

    assert grid.matches(Grid(grid.shape, grid.affine + 0.0))
    assert not grid.matches(Grid(grid.shape, moved))
    assert grid.matches(Grid(grid.shape, moved), tolerance=0.02)
    assert not grid.matches(Grid(longer, grid.affine))
    assert not grid.matches(Grid(grid.shape, grid.affine, "px"))


def test_small_steps_do_not_make_other_places_the_same() -> None:
    grid = Grid.regular((1, 4, 4), (0.001, 0.00025, 0.00025))
    aside = Grid.regular((1, 4, 4), (0.001, 0.00025, 0.00025), (0.00025, 0.0, 0.0))

    assert grid.matches(grid)
    assert not grid.matches(aside)


def test_a_regular_grid_lies_along_the_patient() -> None:
    grid = Grid.regular((10, 20, 30), (5.0, 0.8, 0.7), (-1.0, -2.0, -3.0))

    assert grid.orientation == "SPL"
    assert grid.spacing == (5.0, 0.8, 0.7)
    assert grid.to_world((1, 2, 3)).tolist() == pytest.approx([1.1, -0.4, 2.0])
    assert grid.corners.shape == (8, 3)
    assert grid.corners.max(axis=0).tolist() == pytest.approx([19.3, 13.2, 42.0])


def test_a_picture_has_no_orientation() -> None:
    picture = Grid.regular((1, 4, 4), unit="px")

    assert picture.orientation == ""
    with pytest.raises(GeometryError, match="no patient orientation"):
        picture.oriented("SPL")


@pytest.mark.parametrize("wanted", ["", "SP", "SPLR", "SPP", "XYZ", "spl", "SRL"])
def test_an_orientation_needs_one_letter_a_direction(wanted: str) -> None:
    with pytest.raises(GeometryError, match="expected an orientation such as 'SPL'"):
        Grid.regular((1, 1, 1)).oriented(wanted)


@pytest.mark.parametrize("shape", [(0, 1, 1), (1, 1), (1, 1, 1, 1), (2, -3, 4), (1.5, 2, 2)])
def test_sizes_that_are_none_are_refused(shape: tuple) -> None:
    with pytest.raises(GeometryError, match="three positive sizes"):
        Grid(shape, np.eye(4))


def broken(row: int, column: int, value: float) -> np.ndarray:
    affine = np.eye(4)
    affine[row, column] = value
    return affine


@pytest.mark.parametrize(
    ("affine", "says"),
    [
        (np.eye(3), r"shape \(4, 4\), got \(3, 3\)"),
        (broken(0, 3, np.nan), "NaN or infinity"),
        (broken(0, 0, np.inf), "NaN or infinity"),
        (broken(3, 3, 2.0), "last row"),
        (broken(3, 0, 1.0), "last row"),
        (broken(0, 0, 0.0), "singular"),
        (np.diag((1.0, 1.0, 0.0, 1.0)) + broken(2, 0, 1.0) - np.eye(4), "singular"),
    ],
)
def test_an_affine_that_is_none_is_refused(affine: np.ndarray, says: str) -> None:
    with pytest.raises(GeometryError, match=says):
        Grid((2, 2, 2), affine)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_very_small_and_very_large_steps_are_no_fault(scale: float) -> None:
    grid = Grid.regular((2, 2, 2), (scale, scale, scale))

    np.testing.assert_allclose(grid.to_index(grid.to_world((1, 0, 1))), (1, 0, 1), atol=1e-9)


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, np.nan)])
def test_spacings_must_be_positive(spacing: tuple) -> None:
    with pytest.raises(GeometryError, match="three positive spacings"):
        Grid.regular((2, 2, 2)).with_spacing(spacing)


def test_a_grid_cannot_be_changed_nor_by_way_of_a_pickle() -> None:
    affine = np.eye(4)
    grid = Grid((2, 2, 2), affine)
    affine[0, 3] = 9.0

    assert grid.affine[0, 3] == 0.0
    for one in (grid, pickle.loads(pickle.dumps(grid))):
        assert one.matches(grid)
        with pytest.raises(ValueError, match="read-only"):
            one.affine[0, 3] = 1.0
