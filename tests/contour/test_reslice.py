"""Contours in other planes than the slices."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import grids, labelmaps

from delineate.contour import fill_all, index_points, plane_grid, reslice, trace_all
from delineate.errors import GeometryError
from delineate.imaging import Category, Grid, LabelMap

PLANES = st.sampled_from(("axial", "sagittal", "coronal"))
WORLD_AXIS = {"axial": 2, "sagittal": 0, "coronal": 1}


def places(grid: Grid) -> NDArray[np.float64]:
    """World positions of all samples: ``shape + (3,)``."""
    return grid.to_world(np.stack(np.indices(grid.shape), axis=-1))


@given(labelmaps(), PLANES)
def test_every_sample_keeps_its_place_and_label(labelmap: LabelMap, plane: str) -> None:
    turned = reslice(labelmap, plane)

    index = turned.grid.to_index(places(labelmap.grid))
    whole = np.rint(index).astype(int)
    np.testing.assert_allclose(index, whole, atol=1e-6)
    np.testing.assert_array_equal(turned.array[tuple(np.moveaxis(whole, -1, 0))], labelmap.array)
    assert turned.array.size == labelmap.array.size
    assert dict(turned.categories) == dict(labelmap.categories)


@given(labelmaps(), PLANES)
def test_slices_lie_along_the_grid_axis_nearest_to_the_bodys(
    labelmap: LabelMap, plane: str
) -> None:
    grid = reslice(labelmap, plane).grid

    letters = {"axial": "SPL", "sagittal": "LIP", "coronal": "PIL"}
    assert grid.orientation == letters[plane]


@given(labelmaps(), PLANES, st.sampled_from(("edge", "midpoint")))
def test_outlines_in_every_plane_fill_exactly_again(
    labelmap: LabelMap, plane: str, style: str
) -> None:
    turned = reslice(labelmap, plane)

    back = fill_all(trace_all(turned, style=style), turned.grid)

    np.testing.assert_array_equal(back.array, turned.array)


@given(labelmaps(), PLANES)
def test_there_and_back_loses_nothing(labelmap: LabelMap, plane: str) -> None:
    upright = reslice(labelmap, "axial")

    again = reslice(reslice(labelmap, plane), "axial")

    np.testing.assert_array_equal(again.array, upright.array)
    assert again.grid.matches(upright.grid, tolerance=1e-6)


@given(labelmaps(), grids())
def test_on_a_grid_a_sample_has_the_label_of_the_voxel_that_holds_it(
    labelmap: LabelMap, target: Grid
) -> None:
    target = centred(target, labelmap.grid)
    index = labelmap.grid.to_index(places(target))
    expected = np.zeros(target.shape, np.uint8)
    for place in np.ndindex(target.shape):
        voxel = tuple(int(i) for i in np.floor(index[place] + 0.5))
        if all(0 <= i < n for i, n in zip(voxel, labelmap.grid.shape, strict=True)):
            expected[place] = labelmap.array[voxel]

    found = reslice(labelmap, target)

    clear = away_from_ties(index)
    np.testing.assert_array_equal(found.array[clear], expected[clear])


@given(labelmaps(), grids())
def test_simpleitk_finds_the_same(labelmap: LabelMap, target: Grid) -> None:
    target = centred(target, labelmap.grid)
    old, new = upright(labelmap.grid), upright(target)  # ITK has no shear
    expected = SimpleITK.GetArrayFromImage(
        SimpleITK.Resample(
            itk(labelmap.array, old),
            itk(np.zeros(new.shape, np.uint8), new),
            SimpleITK.Transform(),
            SimpleITK.sitkNearestNeighbor,
            0.0,
        )
    )

    found = reslice(LabelMap(labelmap.array, old, {}), new)

    clear = away_from_ties(old.to_index(places(new)))
    np.testing.assert_array_equal(found.array[clear], expected[clear])


def centred(grid: Grid, on: Grid) -> Grid:
    """Moved so that the middles are the same, and neither lies beside the other."""
    affine = grid.affine.copy()
    affine[:3, 3] += on.corners.mean(axis=0) - grid.corners.mean(axis=0)
    return Grid(grid.shape, affine)


def upright(grid: Grid) -> Grid:
    """The same, with the nearest axes at right angles."""
    u, _, vt = np.linalg.svd(grid.affine[:3, :3] / grid.spacing)
    affine = grid.affine.copy()
    affine[:3, :3] = u @ vt * grid.spacing
    return Grid(grid.shape, affine)


def itk(array: NDArray[np.uint8], grid: Grid) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.affine[:3, 3].tolist())
    image.SetDirection((grid.affine[:3, 2::-1] / grid.spacing[::-1]).ravel().tolist())
    return image


def away_from_ties(index: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (np.abs(index - np.floor(index) - 0.5) > 1e-5).all(axis=-1)


@settings(max_examples=50)
@given(grids(), st.data())
def test_a_plane_holds_the_point_and_reaches_beyond_the_volume(
    grid: Grid, data: st.DataObject
) -> None:
    normal = np.array(data.draw(st.tuples(*[st.floats(-3, 3)] * 3)))
    if np.linalg.norm(normal) < 0.01:
        normal = np.array((0.0, 0.0, 1.0))
    point = grid.corners.mean(axis=0) + data.draw(st.tuples(*[st.floats(-5, 5)] * 3))

    plane = plane_grid(grid, point, normal)

    np.testing.assert_allclose(plane.spacing, min(grid.spacing), rtol=1e-9)
    steps = plane.affine[:3, :3] / plane.spacing
    np.testing.assert_allclose(steps.T @ steps, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(steps[:, 0], normal / np.linalg.norm(normal), atol=1e-9)
    index = plane.to_index(point)
    np.testing.assert_allclose(index, np.rint(index), atol=1e-6)
    ends = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in grid.shape))).reshape(3, -1).T
    reach = plane.to_index(grid.to_world(ends))[:, 1:]
    assert (reach > -1e-6).all()
    assert (reach < np.array(plane.shape[1:]) - 1 + 1e-6).all()


@settings(max_examples=30)
@given(labelmaps(), st.tuples(*[st.floats(-1, 1)] * 3))
def test_outlines_of_an_oblique_plane_lie_in_it_and_fill_exactly(
    labelmap: LabelMap, tilt: tuple[float, float, float]
) -> None:
    grid = labelmap.grid
    normal = grid.affine[:3, 0] / grid.spacing[0] + 0.3 * np.array(tilt)
    cut = reslice(labelmap, plane_grid(grid, grid.corners.mean(axis=0), normal, 1.0))

    structures = trace_all(cut)

    np.testing.assert_array_equal(fill_all(structures, cut.grid).array, cut.array)
    for structure in structures:
        for contour in structure.contours:
            away = (contour.points - grid.corners.mean(axis=0)) @ normal / np.linalg.norm(normal)
            np.testing.assert_allclose(away, 0, atol=1e-6)
            assert index_points(contour, cut.grid)[0] == 0


def test_a_sagittal_view_has_the_head_up_and_the_nose_to_the_left() -> None:
    #  axial slices of 1 row and 2 columns,      one sagittal slice a column:
    #  the upper one last:                       its rows from the head down
    #
    #     slice 0: 1 2      slice 1: 3 4             3        4
    #                                                1        2
    labelmap = LabelMap(
        np.array([[[1, 2]], [[3, 4]]]), Grid.regular((2, 1, 2), (5.0, 1.0, 1.0)), {}
    )

    sagittal = reslice(labelmap, "sagittal")

    assert sagittal.array.tolist() == [[[3], [1]], [[4], [2]]]
    assert sagittal.grid.affine[:3, 3].tolist() == [0.0, 0.0, 5.0]
    assert trace_all(sagittal)[2].contours[0].points.tolist() == [
        [0.0, -0.5, 7.5],
        [0.0, 0.5, 7.5],
        [0.0, 0.5, 2.5],
        [0.0, -0.5, 2.5],
    ]


def test_a_tilted_gantry_keeps_its_planes() -> None:
    affine = Grid.regular((3, 4, 5), (2.0, 1.0, 1.0)).affine.copy()
    affine[1, 0] = 0.5
    tilted = LabelMap(np.ones((3, 4, 5), int), Grid((3, 4, 5), affine), {1: Category("x")})

    sagittal = reslice(tilted, "sagittal")

    (first, *_), area = trace_all(sagittal)[0].contours, 3 * 4 * 2.0
    assert (len(first.points), first.area) == (4, pytest.approx(area))


def test_what_is_no_plane_is_refused() -> None:
    grid = Grid.regular((1, 2, 2))
    labelmap = LabelMap(np.ones((1, 2, 2), int), grid, {})
    picture = LabelMap(labelmap.array, Grid.regular((1, 2, 2), unit="px"), {})

    with pytest.raises(ValueError, match="one of axial, sagittal, coronal or a grid, got 'up'"):
        reslice(labelmap, "up")
    with pytest.raises(GeometryError, match="no patient orientation"):
        reslice(picture, "sagittal")
    with pytest.raises(GeometryError, match="got a picture in pixels"):
        plane_grid(picture.grid, (0, 0, 0), (0, 0, 1))
    with pytest.raises(GeometryError, match="a normal"):
        plane_grid(grid, (0, 0, 0), (0, 0, 0))
    with pytest.raises(GeometryError, match="positive spacing_mm, got -1"):
        plane_grid(grid, (0, 0, 0), (0, 0, 1), -1)
    with pytest.raises(GeometryError, match="too large"):
        plane_grid(grid, (0, 0, 0), (0, 0, 1), 1e-6)
