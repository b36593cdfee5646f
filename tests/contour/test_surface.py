"""Surfaces: closed, facing outwards, true to the voxels; then beside scikit-image, then by hand."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import measure as skimage_measure
from strategies import grids, labelmaps

from delineate.contour import Surface, fill_surface, surface, surface_loss, surfaces
from delineate.errors import GeometryError
from delineate.formats import nifti
from delineate.imaging import Category, Grid, LabelMap

styles = st.sampled_from(("edge", "smooth"))


def edges(found: Surface) -> np.ndarray:
    """Every edge of every triangle, in the sense in which the triangle runs."""
    return found.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)


def of(array: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> LabelMap:
    return LabelMap(array.astype(np.uint8), Grid.regular(array.shape, spacing), {})


def ball(radius: float, spacing: tuple[float, float, float]) -> LabelMap:
    sizes = [2 * int(radius / step) + 7 for step in spacing]
    axes = [(np.arange(n) - n // 2) * s + 0.123 for n, s in zip(sizes, spacing, strict=True)]
    k, r, c = np.meshgrid(*axes, indexing="ij")
    return of(k * k + r * r + c * c < radius * radius, spacing)


@settings(max_examples=60)
@given(labelmaps(max_size=6), styles)
def test_every_edge_belongs_to_two_triangles_that_run_along_it_in_opposite_senses(
    labelmap: LabelMap, style: str
) -> None:
    for found in surfaces(labelmap, style):
        there = edges(found)
        assert len(np.unique(there, axis=0)) == len(there)
        assert {tuple(e) for e in there.tolist()} == {tuple(e) for e in there[:, ::-1].tolist()}
        assert set(found.faces.ravel().tolist()) == set(range(len(found.vertices)))


@settings(max_examples=60)
@given(labelmaps(max_size=6), styles)
def test_the_triangles_round_a_vertex_are_one_fan(labelmap: LabelMap, style: str) -> None:
    for found in surfaces(labelmap, style):
        following: dict[int, dict[int, int]] = {}
        for face in found.faces.tolist():
            for i in range(3):
                following.setdefault(face[i], {})[face[i - 2]] = face[i - 1]
        for around in following.values():
            start = at = next(iter(around))
            steps = 0
            while steps == 0 or at != start:
                at = around[at]
                steps += 1
            assert steps == len(around)


@settings(max_examples=60)
@given(labelmaps(max_size=6))
def test_the_edge_style_encloses_the_volume_of_the_voxels(labelmap: LabelMap) -> None:
    for found in surfaces(labelmap, "edge"):
        voxels = np.count_nonzero(labelmap.array == found.number)
        expected = voxels * labelmap.grid.voxel_size / 1000
        assert found.volume_ml == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert found.deviation_mm == 0


@settings(max_examples=80)
@given(labelmaps(max_size=6), styles, st.booleans())
def test_filling_gives_the_label_back(labelmap: LabelMap, style: str, single: bool) -> None:
    for found in surfaces(labelmap, style):
        vertices = found.vertices.astype(np.float32) if single else found.vertices
        rounded = Surface(found.number, found.category, vertices, found.faces)

        np.testing.assert_array_equal(
            fill_surface(rounded, labelmap.grid), labelmap.array == found.number
        )


@settings(max_examples=60)
@given(labelmaps(max_size=6, max_label=1), grids(max_size=6), styles)
def test_filling_another_grid_agrees_with_winding_numbers(
    labelmap: LabelMap, other: Grid, style: str
) -> None:
    found = surface(labelmap, 1, style)
    step = labelmap.grid.to_world((0.27, 0.31, 0.23)) - labelmap.grid.affine[:3, 3]
    affine = labelmap.grid.affine.copy()
    affine[:3, 3] += step
    grid = Grid(other.shape, affine)
    filled = fill_surface(found, grid)

    corners = found.vertices[found.faces]
    for index in np.ndindex(grid.shape):
        a, b, c = np.moveaxis(corners - grid.to_world(index), 1, 0)
        la, lb, lc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
        dots = (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        turns = np.arctan2((a * np.cross(b, c)).sum(1), la * lb * lc + dots).sum() / (2 * np.pi)
        assert filled[index] == (abs(turns) > 0.5)


@settings(max_examples=60)
@given(labelmaps(max_size=6))
def test_smoothing_stays_within_half_a_voxel_and_says_how_far_it_went(labelmap: LabelMap) -> None:
    ends = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]) / 2
    diagonal = np.linalg.norm(ends @ labelmap.grid.affine[:3, :3].T, axis=1).max()
    for plain, smooth in zip(surfaces(labelmap, "edge"), surfaces(labelmap), strict=True):
        assert smooth.deviation_mm is not None
        assert smooth.deviation_mm <= diagonal
        if len(plain.faces):
            # The vertices come in the same order: the deviation is that of corresponding points.
            moved = np.linalg.norm(plain.vertices - smooth.vertices, axis=1).max()
            assert moved == pytest.approx(smooth.deviation_mm, rel=1e-6)


@settings(max_examples=60)
@given(labelmaps(max_size=6))
def test_a_smooth_surface_stays_closed_where_vertices_are_joined_by_place(
    labelmap: LabelMap,
) -> None:
    for found in surfaces(labelmap):
        if len(found.faces):
            joined = trimesh.Trimesh(found.vertices.astype(np.float32), found.faces)
            assert joined.is_watertight
            assert joined.is_winding_consistent
            assert joined.volume / 1000 == pytest.approx(found.volume_ml, rel=1e-3, abs=1e-7)
            assert found.volume_ml > 0


@settings(max_examples=40)
@given(labelmaps(max_size=6), styles)
def test_all_at_once_are_the_same_as_one_by_one(labelmap: LabelMap, style: str) -> None:
    for found in surfaces(labelmap, style):
        alone = surface(labelmap, found.number, style)

        np.testing.assert_array_equal(found.vertices, alone.vertices)
        np.testing.assert_array_equal(found.faces, alone.faces)
        assert alone.category == found.category


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 0.8, 0.8)])
def test_a_ball_is_smooth_and_keeps_its_volume(spacing: tuple[float, float, float]) -> None:
    labelmap = ball(30.0, spacing)
    found = surface(labelmap, 1)
    plain = surface(labelmap, 1, "edge")
    vertices, faces, _, _ = skimage_measure.marching_cubes(
        labelmap.array.astype(np.float32), 0.5, spacing=spacing
    )
    cubes = skimage_measure.mesh_surface_area(vertices, faces)
    true = 4 * np.pi * 30.0**2

    assert found.volume_ml == pytest.approx(plain.volume_ml, rel=0.002)
    assert found.area_mm2 == pytest.approx(true, rel=0.04)
    assert abs(found.area_mm2 - true) < abs(cubes - true) < abs(plain.area_mm2 - true)


def test_two_voxels_that_meet_at_an_edge_are_two_bodies() -> None:
    #   . 1     voxels of 1 mm³, 12 triangles each; on the two faces of each that meet the common
    #   1 .     edge, 5 instead of 2: two from each end of it, one from each other edge
    array = np.array([[[0, 1], [1, 0]]])
    for style in ("edge", "smooth"):
        found = surface(of(array), 1, style)
        body = trimesh.Trimesh(found.vertices, found.faces, process=False)
        assert len(found.faces) == 2 * (4 * 2 + 2 * 5)
        assert body.body_count == 2
        assert body.is_watertight
    assert surface(of(array), 1, "edge").volume_ml == pytest.approx(0.002)


def test_two_voxels_that_meet_at_a_corner_are_two_bodies() -> None:
    array = np.zeros((2, 2, 2))
    array[0, 0, 0] = array[1, 1, 1] = 1

    found = surface(of(array), 1, "edge")

    assert (len(found.vertices), len(found.faces)) == (16, 24)
    assert trimesh.Trimesh(found.vertices, found.faces, process=False).body_count == 2


def test_a_hole_with_an_island_has_three_shells() -> None:
    array = np.ones((7, 7, 7))
    array[1:6, 1:6, 1:6] = 0
    array[3, 3, 3] = 1

    found = surface(of(array), 1, "edge")
    shells = trimesh.Trimesh(found.vertices, found.faces, process=False).split()

    assert sorted(round(shell.volume) for shell in shells) == [-125, 1, 343]
    assert found.volume_ml == pytest.approx((343 - 125 + 1) / 1000)


def test_one_voxel_worked_by_hand() -> None:
    grid = Grid.regular((1, 1, 1), (5.0, 2.0, 1.0), (10.0, 20.0, 30.0))
    found = surface(LabelMap(np.ones((1, 1, 1), np.uint8), grid, {1: Category("a")}), 1, "edge")

    assert found.vertices.min(axis=0).tolist() == [9.5, 19.0, 27.5]
    assert found.vertices.max(axis=0).tolist() == [10.5, 21.0, 32.5]
    assert (len(found.vertices), len(found.faces)) == (8, 12)
    assert found.area_mm2 == pytest.approx(2 * (5 * 2 + 5 * 1 + 2 * 1))
    assert found.volume_ml == pytest.approx(0.01)


def test_what_was_not_found_has_no_triangles() -> None:
    labelmap = LabelMap(np.zeros((2, 2, 2), np.uint8), Grid.regular((2, 2, 2)), {3: Category("x")})

    (found,) = surfaces(labelmap)

    assert (found.number, found.category.name, len(found.faces)) == (3, "x", 0)
    assert (found.volume_ml, found.area_mm2, found.deviation_mm) == (0.0, 0.0, 0.0)
    assert not fill_surface(found, labelmap.grid).any()
    assert surface_loss(found, labelmap).dice == 1.0


def test_an_open_surface_is_not_filled() -> None:
    found = surface(of(np.ones((3, 3, 3))), 1, "edge")
    open_one = Surface(1, Category("a"), found.vertices, found.faces[1:])

    with pytest.raises(GeometryError, match="closed"):
        fill_surface(open_one, Grid.regular((3, 3, 3)))


def test_the_error_of_a_mesh_is_that_of_smoothing_and_of_the_file() -> None:
    labelmap = ball(6.0, (2.0, 1.0, 1.0))
    written = surface(labelmap, 1)
    shifted = Surface(1, written.category, written.vertices + np.array((0, 0, 0.01)), written.faces)

    error = surface_loss(shifted, labelmap, written)

    assert error.dice == 1.0
    assert error.largest_mm == pytest.approx(written.deviation_mm + 0.01)
    assert error.volume_ml == pytest.approx(error.voxels_ml, rel=0.02)
    with pytest.raises(ValueError, match="beside the written"):
        surface_loss(shifted, labelmap)
    fewer = Surface(1, written.category, written.vertices, written.faces[:-1])
    with pytest.raises(ValueError, match="triangles"):
        surface_loss(fewer, labelmap, written)


def test_a_grid_in_pixels_is_refused() -> None:
    labelmap = LabelMap(np.ones((1, 2, 2), np.uint8), Grid.regular((1, 2, 2), unit="px"), {})

    with pytest.raises(GeometryError, match="pixels"):
        surface(labelmap, 1)


def test_a_broken_surface_is_refused() -> None:
    with pytest.raises(ValueError, match="vertices 0 to 1"):
        Surface(1, Category("a"), np.zeros((2, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="NaN"):
        Surface(1, Category("a"), np.full((3, 3), np.nan), np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="shape"):
        Surface(1, Category("a"), np.zeros((3, 2)), np.array([[0, 1, 2]]))


def test_a_pickle_keeps_everything() -> None:
    found = surface(of(np.ones((2, 2, 2))), 1)

    again = pickle.loads(pickle.dumps(found))

    np.testing.assert_array_equal(again.vertices, found.vertices)
    assert not again.vertices.flags.writeable
    assert (again.number, again.deviation_mm) == (1, found.deviation_mm)


def test_real_organs_are_closed_and_fill_back(shared_data: Path) -> None:
    folder = shared_data / "ct_labelled" / "abdomen_3mm"
    labelmap = nifti.read_labels(folder / "labels_v1_104classes_fullres_model.nii.gz")
    sizes = np.bincount(labelmap.array.ravel())
    for number in np.argsort(sizes[1:])[-8:] + 1:
        found = surface(labelmap, int(number))
        error = surface_loss(found, labelmap)
        assert error.dice == 1.0
        assert error.volume_ml == pytest.approx(error.voxels_ml, rel=0.03)
        assert trimesh.Trimesh(found.vertices, found.faces).is_watertight
