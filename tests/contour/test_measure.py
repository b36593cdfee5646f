"""Measurements beside plain numpy and others' software, then by hand, then IBSI's phantom."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist
from skimage import measure as skimage_measure
from strategies import labelmaps

from delineate.contour import measure
from delineate.errors import GeometryError
from delineate.imaging import Category, Grid, Image, LabelMap

# Octahedron of half steps 0.5, 1 and 2.5 mm: eight triangles. The two samples in a row are one cut
# in two, with four flat sides of 1 mm between the halves.
_TRIANGLE = np.linalg.norm(np.cross((-0.5, 1, 0), (-0.5, 0, 2.5))) / 2
WORKED_AREA = 8 * _TRIANGLE + 8 * _TRIANGLE + 4 * np.hypot(1, 2.5)
FACES = ("first slice", "last slice", "first row", "last row", "first column", "last column")


@given(labelmaps())
def test_shapes_agree_with_plain_numpy(labelmap: LabelMap) -> None:
    grid = labelmap.grid
    for label, found in measure(labelmap).items():
        where = np.argwhere(labelmap.array == label)
        assert found["voxels"] == len(where)
        assert found["volume_ml"] == pytest.approx(len(where) * grid.voxel_size / 1000)
        if not len(where):
            continue
        low, high = where.min(axis=0), where.max(axis=0) + 1
        areas = np.count_nonzero(labelmap.array == label, axis=(1, 2))
        centre = grid.to_world(where).mean(axis=0)
        touches = np.stack((low == 0, high == grid.shape), axis=1)
        touches[0] &= grid.shape[0] > 1
        expected = [face for face, there in zip(FACES, touches.ravel(), strict=True) if there]

        np.testing.assert_allclose(found["centroid_mm"], centre, atol=1e-6)
        np.testing.assert_allclose(found["extent_mm"], (high - low) * grid.spacing)
        assert found["bounding_box"] == [low.tolist(), high.tolist()]
        assert found["slices"] == [low[0], high[0] - 1]
        assert found["largest_area_mm2"] == pytest.approx(areas.max() * grid.pixel_area)
        assert found["largest_area_slice"] == areas.argmax()
        assert found["border_faces"] == expected
        assert found["touches_border"] == bool(expected)
        assert ("area_mm2" in found) == (grid.shape[0] == 1)


@given(labelmaps(), st.sampled_from((np.int16, np.uint8, np.float32, ">i2")), st.data())
def test_intensities_agree_with_plain_numpy(
    labelmap: LabelMap, dtype: type, data: st.DataObject
) -> None:
    kind = np.dtype(dtype)
    elements = st.floats(-3e4, 3e4, width=32) if kind.kind == "f" else None
    samples = data.draw(hnp.arrays(kind, labelmap.grid.shape, elements=elements))
    image = Image(samples, labelmap.grid, "CT")

    for label, found in measure(labelmap, image).items():
        values = samples[labelmap.array == label].astype(np.float64)
        if len(values):
            assert found["mean_hu"] == pytest.approx(values.mean(), rel=1e-9, abs=1e-6)
            assert found["sd_hu"] == pytest.approx(values.std(), rel=1e-6, abs=1e-3)
            assert (found["min_hu"], found["max_hu"]) == (values.min(), values.max())
            for part in (5, 25, 50, 75, 95):
                expected = np.percentile(values, part)
                assert found[f"p{part}_hu"] == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(labelmaps())
def test_every_label_and_category_is_measured_in_json_with_the_same_keys(
    labelmap: LabelMap,
) -> None:
    found = measure(labelmap, Image(labelmap.array, labelmap.grid))

    assert list(found) == sorted(set(labelmap.present()) | set(labelmap.categories))
    assert len({tuple(sorted(values)) for values in found.values()}) == 1
    assert json.loads(json.dumps(found, allow_nan=False))["1"] == found[1]


def middles(inside: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Indices of all middles between a sample inside and its neighbour outside."""
    padded = np.pad(inside, 1).astype(np.int8)
    found = []
    for axis in axes:
        step = np.zeros(3)
        step[axis] = 0.5
        found.append(np.argwhere(np.diff(padded, axis=axis)) - 1 + step)
    return np.concatenate(found)


@settings(max_examples=50)
@given(labelmaps(max_size=6, max_label=2))
def test_diameters_agree_with_a_search_among_all_pairs(labelmap: LabelMap) -> None:
    grid = labelmap.grid
    for label, found in measure(labelmap).items():
        inside = labelmap.array == label
        if not inside.any():
            continue
        longest = []
        for k in range(grid.shape[0]):
            plane = np.zeros_like(inside)
            plane[k] = inside[k]
            points = grid.to_world(middles(plane, (1, 2)))
            longest.append(cdist(points, points).max() if len(points) else 0.0)
        ends = np.array(found["longest_diameter_ends_mm"])

        assert found["longest_diameter_mm"] == pytest.approx(max(longest))
        assert longest[found["longest_diameter_slice"]] == pytest.approx(max(longest))
        assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(max(longest))
        np.testing.assert_allclose(
            grid.to_index(ends)[:, 0], found["longest_diameter_slice"], atol=1e-6
        )
        if grid.shape[0] > 1:
            points = grid.to_world(middles(inside, (0, 1, 2)))
            assert found["diameter_3d_mm"] == pytest.approx(cdist(points, points).max())
            ends = np.array(found["diameter_3d_ends_mm"])
            assert (cdist(ends, points).min(axis=1) < 1e-6).all()


@settings(max_examples=50)
@given(labelmaps(max_size=6, max_label=1))
def test_the_short_axis_is_the_longest_chord_across(labelmap: LabelMap) -> None:
    found = measure(labelmap).get(1)
    if found is None or not found["voxels"]:
        return
    number = found["longest_diameter_slice"]
    plane = np.zeros_like(labelmap.array, bool)
    plane[number] = labelmap.array[number] == 1
    points = labelmap.grid.to_world(middles(plane, (1, 2)))
    long = np.diff(found["longest_diameter_ends_mm"], axis=0)[0]
    along = long / np.linalg.norm(long)
    normal = np.cross(labelmap.grid.affine[:3, 1], labelmap.grid.affine[:3, 2])
    beside = np.cross(normal / np.linalg.norm(normal), along)
    u, v = (points - points[0]) @ along, (points - points[0]) @ beside
    # Chords of a hull: at each height the span between all lines that join two points.
    lengths = []
    for height in np.unique(u.round(9)):
        i, j = np.nonzero((u[:, None] <= height + 1e-7) & (u[None] >= height - 1e-7))
        rise = u[j] - u[i]
        part = np.where(rise > 1e-7, (height - u[i]) / np.where(rise > 1e-7, rise, 1), 0)
        met = v[i] + part * (v[j] - v[i])
        lengths.append(met.max() - met.min())
    across = np.diff(found["short_axis_ends_mm"], axis=0)[0]

    assert found["short_axis_mm"] == pytest.approx(max(lengths), rel=1e-5)
    assert np.linalg.norm(across) == pytest.approx(found["short_axis_mm"])
    assert abs(across @ along) <= 1e-6 * max(1.0, np.linalg.norm(across))
    assert found["short_axis_mm"] <= found["longest_diameter_mm"] * (1 + 1e-9)


@st.composite
def boxes(draw: st.DrawFn) -> LabelMap:
    """A few boxes of samples, on any grid: often without sides of a cell that can be read twice."""
    grid = draw(labelmaps(max_size=9)).grid
    array = np.zeros(grid.shape, np.uint8)
    for _ in range(draw(st.integers(1, 2))):
        part = tuple(
            slice(*sorted((draw(st.integers(0, n)), draw(st.integers(0, n))))) for n in grid.shape
        )
        array[part] = 1
    return LabelMap(array, grid, {1: Category("a")})


@settings(max_examples=60)
@given(boxes())
def test_mesh_volume_and_surface_are_those_of_marching_cubes(labelmap: LabelMap) -> None:
    grid, found = labelmap.grid, measure(labelmap)[1]
    if grid.shape[0] == 1 or not found["voxels"] or touches_itself(labelmap.array == 1):
        return
    if has_twisted_cell(labelmap.array == 1):
        return
    padded = np.pad(labelmap.array, 1).astype(np.float32)
    vertices, faces, _, _ = skimage_measure.marching_cubes(padded, 0.5)
    mesh = trimesh.Trimesh(grid.to_world(vertices - 1), faces, process=False)
    assert found["mesh_volume_ml"] * 1000 == pytest.approx(abs(mesh.volume), rel=1e-4)
    assert found["surface_area_mm2"] == pytest.approx(mesh.area, rel=1e-4)


def has_twisted_cell(inside: np.ndarray) -> bool:
    """Whether four of eight neighbours inside form a chain that turns out of its plane.

    Their polygon is a hexagon that is not flat, and scikit-image does not always cut it alike.
    """
    padded = np.pad(inside, 1)
    corners = [
        padded[
            k : k + padded.shape[0] - 1, j : j + padded.shape[1] - 1, i : i + padded.shape[2] - 1
        ]
        for k, j, i in np.ndindex(2, 2, 2)
    ]
    beside = [[n ^ 1, n ^ 2, n ^ 4] for n in range(8)]
    counts = sum(corner.astype(int) for corner in corners)
    ends = sum(
        (corners[n] & (sum(corners[m].astype(int) for m in beside[n]) == 1)).astype(int)
        for n in range(8)
    )
    middles = sum(
        (corners[n] & (sum(corners[m].astype(int) for m in beside[n]) == 2)).astype(int)
        for n in range(8)
    )
    return bool(((counts == 4) & (ends == 2) & (middles == 2)).any())


def touches_itself(inside: np.ndarray) -> bool:
    """Whether two samples inside, or two outside, meet at an edge that others part."""
    padded = np.pad(inside, 1)
    for axis in range(3):
        one = np.moveaxis(padded, axis, 0)
        a, b, c, d = one[:, :-1, :-1], one[:, :-1, 1:], one[:, 1:, :-1], one[:, 1:, 1:]
        if ((a == d) & (b == c) & (a != b)).any():
            return True
    return False


@settings(max_examples=40)
@given(labelmaps(max_size=6, max_label=2), st.permutations(range(3)), st.integers(0, 7))
def test_a_body_measures_the_same_however_it_is_stored(
    labelmap: LabelMap, order: list[int], flips: int
) -> None:
    grid = labelmap.grid
    array, affine = labelmap.array.transpose(order), grid.affine.copy()
    affine[:, :3] = affine[:, order]
    for axis in range(3):
        if flips >> axis & 1:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
    stored = measure(LabelMap(array, Grid(array.shape, affine), labelmap.categories))
    if grid.shape[0] == 1 or array.shape[0] == 1:
        return
    for label, found in measure(labelmap).items():
        for key in ("mesh_volume_ml", "surface_area_mm2", "diameter_3d_mm"):
            expected = found[key]
            assert stored[label][key] == (expected and pytest.approx(expected, rel=1e-6))


@settings(max_examples=40)
@given(labelmaps(max_size=7))
def test_what_simpleitk_measures_is_the_same(labelmap: LabelMap) -> None:
    matrix = labelmap.grid.affine[:3, [2, 1, 0]]
    steps = np.linalg.norm(matrix, axis=0)
    picture = SimpleITK.GetImageFromArray(labelmap.array)
    picture.SetSpacing(steps.tolist())
    samples = np.arange(labelmap.array.size, dtype=np.float32).reshape(labelmap.array.shape) % 97
    theirs = SimpleITK.LabelIntensityStatisticsImageFilter()
    values = SimpleITK.GetImageFromArray(samples)
    values.SetSpacing(steps.tolist())
    theirs.Execute(picture, values)
    ours = measure(labelmap, Image(samples, labelmap.grid))

    for label in theirs.GetLabels():
        found = ours[label]
        assert found["voxels"] == theirs.GetNumberOfPixels(label)
        index = np.array(theirs.GetCentroid(label)) / steps  # theirs knows no shear
        world = labelmap.grid.to_world(index[::-1])
        np.testing.assert_allclose(found["centroid_mm"], world, atol=1e-6)
        x, y, z, dx, dy, dz = theirs.GetBoundingBox(label)
        assert found["bounding_box"] == [[z, y, x], [z + dz, y + dy, x + dx]]
        assert found["mean_value"] == pytest.approx(theirs.GetMean(label))
        assert found["min_value"] == theirs.GetMinimum(label)
        assert found["max_value"] == theirs.GetMaximum(label)
        if found["voxels"] > 1:  # theirs divides by n - 1
            n = found["voxels"]
            assert found["sd_value"] ** 2 * n / (n - 1) == pytest.approx(theirs.GetVariance(label))


def test_a_bar_measures_as_many_steps_as_it_has_samples() -> None:
    array = np.zeros((3, 9, 9), np.uint8)
    array[1, 4, 2:7] = 1

    found = measure(LabelMap(array, Grid.regular(array.shape, (4.0, 1.0, 0.5)), {}))[1]

    assert found["longest_diameter_mm"] == pytest.approx(2.5)
    assert found["short_axis_mm"] == pytest.approx(1.0)
    # In space from the middle below one end to that above the other: the slice is thick.
    assert found["diameter_3d_mm"] == pytest.approx(np.hypot(2.0, 4.0))


@pytest.mark.parametrize(("spacing", "bias"), [((1.0, 1.0, 1.0), 0.09), ((5.0, 0.8, 0.8), 0.21)])
def test_the_surface_of_a_ball_is_too_large_by_what_the_docs_say(
    spacing: tuple[float, float, float], bias: float
) -> None:
    axes = [np.arange(-int(33 / s), int(33 / s) + 1) * s for s in spacing]
    k, r, c = np.meshgrid(*axes, indexing="ij")
    array = (k * k + r * r + c * c < 900).astype(np.uint8)
    found = measure(LabelMap(array, Grid.regular(array.shape, spacing), {}))[1]

    assert found["surface_area_mm2"] / (4 * np.pi * 900) == pytest.approx(1 + bias, abs=0.012)
    assert found["mesh_volume_ml"] == pytest.approx(found["volume_ml"], rel=0.004)
    assert found["longest_diameter_mm"] == pytest.approx(60, abs=max(spacing[1:]))
    assert found["diameter_3d_mm"] == pytest.approx(60, abs=max(spacing))


def test_the_perimeter_of_a_disc_is_too_long_by_what_the_docs_say() -> None:
    r, c = np.mgrid[-60:61, -60:61]
    array = (r * r + c * c < 2500).astype(np.uint8)[None]
    found = measure(LabelMap(array, Grid.regular(array.shape, unit="px"), {}))[1]

    assert found["perimeter_px"] / (100 * np.pi) == pytest.approx(1.055, abs=0.01)
    assert found["longest_diameter_px"] == pytest.approx(100, abs=1.5)


def test_a_hole_has_a_perimeter_too() -> None:
    array = np.ones((1, 3, 3), np.uint8)
    array[0, 1, 1] = 0
    grid = Grid.regular(array.shape, (1.0, 2.0, 1.0))

    found = measure(LabelMap(array, grid, {}))[1]

    corner = np.sqrt(0.5**2 + 1)
    assert found["perimeter_mm"] == pytest.approx(2 * 2 + 2 * 4 + 4 * corner + 4 * corner)


# IBSI's digital phantom (CC BY 4.0, Zwanenburg et al.): grey levels by slice, row and column, 0
# where a voxel is not in the region; steps of 2 mm. The values are IBSI's consensus.
IBSI = """
14411 14611 41641 44641
14411 11611 01311 44611
14400 11111 11011 11611
14400 11111 11111 11611
"""


def test_ibsi_digital_phantom() -> None:
    levels = np.array([[[int(v) for v in row] for row in x.split()] for x in IBSI.split("\n") if x])
    assert levels.shape == (4, 4, 5)
    grid = Grid.regular((4, 4, 5), (2.0, 2.0, 2.0))
    labelmap = LabelMap((levels > 0).astype(np.uint8), grid, {})

    found = measure(labelmap, Image(levels.astype(np.int16), grid))[1]

    assert found["volume_ml"] * 1000 == pytest.approx(592)
    assert round(found["mesh_volume_ml"] * 1000) == 556
    assert round(found["surface_area_mm2"]) == 388
    assert round(found["diameter_3d_mm"], 1) == 13.1
    assert round(found["mean_value"], 2) == 2.15
    assert round(found["sd_value"] ** 2, 2) == 3.05
    assert (found["min_value"], found["p50_value"], found["max_value"]) == (1, 1, 6)
    assert found["p75_value"] - found["p25_value"] == 3  # its interquartile range


def test_a_label_worked_by_hand() -> None:
    #   slice 0    slice 1      steps of 5 mm between slices, 2 between rows, 1 between columns
    #   . . . .    . 7 7 .
    #   . 7 . .    . . . .      3 samples of 10 mm³
    array = np.zeros((2, 2, 4), np.uint8)
    array[0, 1, 1] = array[1, 0, 1] = array[1, 0, 2] = 7
    grid = Grid.regular((2, 2, 4), (5.0, 2.0, 1.0), (100.0, 200.0, 300.0))
    samples = np.zeros(array.shape, np.int16)
    samples[array == 7] = 30, 40, 80

    found = measure(LabelMap(array, grid, {}), Image(samples, grid, "CT"))

    assert found == {
        7: {
            "voxels": 3,
            "volume_ml": 0.03,
            # Octahedra round the three centres, the two in a row with what lies between them.
            "mesh_volume_ml": pytest.approx((2 * 10 / 6 + 10 / 2) / 1000),
            "surface_area_mm2": pytest.approx(WORKED_AREA),
            "largest_area_mm2": 4.0,
            "largest_area_slice": 1,
            # The middles round the two are a hexagon, 2 mm wide and high: across its corners.
            "longest_diameter_mm": pytest.approx(np.sqrt(5)),
            "longest_diameter_slice": 1,
            "longest_diameter_ends_mm": [[101.0, 199.0, 305.0], [102.0, 201.0, 305.0]],
            "short_axis_mm": pytest.approx(0.8 * np.sqrt(5)),
            "short_axis_ends_mm": [
                pytest.approx([100.5, 200.0, 305.0]),
                pytest.approx([102.1, 199.2, 305.0]),
            ],
            # From the middle above the first slice to that below the second.
            "diameter_3d_mm": pytest.approx(np.sqrt(1 + 4 + 100)),
            "diameter_3d_ends_mm": [[101.0, 202.0, 297.5], [102.0, 200.0, 307.5]],
            "centroid_mm": pytest.approx([100 + 4 / 3, 200 + 2 / 3, 300 + 10 / 3]),
            "extent_mm": [10.0, 4.0, 2.0],
            "bounding_box": [[0, 0, 1], [2, 2, 3]],
            "slices": [0, 1],
            "touches_border": True,
            "border_faces": ["first slice", "last slice", "first row", "last row"],
            "mean_hu": 50.0,
            "sd_hu": pytest.approx(np.sqrt((400 + 100 + 900) / 3)),
            "min_hu": 30.0,
            "max_hu": 80.0,
            "p5_hu": 31.0,
            "p25_hu": 35.0,
            "p50_hu": 40.0,
            "p75_hu": 60.0,
            "p95_hu": pytest.approx(76.0),
        }
    }


def test_what_was_not_found_is_empty() -> None:
    labelmap = LabelMap(np.zeros((2, 3, 3), np.uint8), Grid.regular((2, 3, 3)), {5: Category("x")})

    assert measure(labelmap) == {
        5: {
            "voxels": 0,
            "volume_ml": 0.0,
            "mesh_volume_ml": 0.0,
            "surface_area_mm2": 0.0,
            "largest_area_mm2": 0.0,
            "largest_area_slice": None,
            "longest_diameter_mm": None,
            "longest_diameter_slice": None,
            "longest_diameter_ends_mm": None,
            "short_axis_mm": None,
            "short_axis_ends_mm": None,
            "diameter_3d_mm": None,
            "diameter_3d_ends_mm": None,
            "centroid_mm": None,
            "extent_mm": None,
            "bounding_box": None,
            "slices": None,
            "touches_border": False,
            "border_faces": [],
        }
    }


def test_nothing_at_all_is_measured_as_nothing() -> None:
    labelmap = LabelMap(np.zeros((1, 2, 2), np.uint8), Grid.regular((1, 2, 2)), {})

    assert measure(labelmap, Image(labelmap.array, labelmap.grid)) == {}


def test_a_photograph_is_measured_in_pixels() -> None:
    grid = Grid.regular((1, 4, 6), unit="px")
    array = np.zeros(grid.shape, np.uint8)
    array[0, 1:3, 2:5] = 1

    (found,) = measure(LabelMap(array, grid, {}), Image(array * 9, grid, "photo")).values()

    assert found["area_px"] == found["largest_area_px"] == 6.0
    assert found["centroid_px"] == [3.0, 1.5, 0.0]
    assert found["extent_px"] == [1.0, 2.0, 3.0]
    # Corners cut off: sides of 2 and 1 between their middles.
    assert found["perimeter_px"] == pytest.approx(2 * 2 + 2 * 1 + 4 * np.sqrt(0.5))
    assert found["longest_diameter_px"] == pytest.approx(np.sqrt(10))
    assert found["longest_diameter_slice"] == 0
    assert "volume_ml" not in found
    assert found["mean_value"] == 9.0
    assert not found["touches_border"]
    assert not [key for key in found if key.endswith(("_mm", "_mm2", "_ml", "_hu"))]


def test_a_colour_image_has_no_intensities() -> None:
    grid = Grid.regular((1, 2, 2), unit="px")
    colours = Image(np.ones((1, 2, 2, 3), np.uint8), grid, "photo", ("red", "green", "blue"))

    found = measure(LabelMap(np.ones(grid.shape, np.uint8), grid, {}), colours)

    assert found == measure(LabelMap(np.ones(grid.shape, np.uint8), grid, {}))


def test_samples_that_are_no_numbers_are_left_out() -> None:
    grid = Grid.regular((1, 1, 4))
    samples = np.array([[[np.nan, 2.0, np.inf, 4.0]]])
    labels = np.array([[[1, 1, 1, 1]]], np.uint8)

    found = measure(LabelMap(labels, grid, {}), Image(samples, grid))[1]

    assert (found["mean_value"], found["min_value"], found["max_value"]) == (3.0, 2.0, 4.0)
    lost = measure(LabelMap(labels, grid, {}), Image(samples * np.nan, grid))[1]
    assert lost["mean_value"] is lost["sd_value"] is lost["min_value"] is None


def test_the_deviation_does_not_drown_far_from_zero() -> None:
    grid = Grid.regular((1, 1, 2))
    samples = np.array([[[1e9, 1e9 + 2]]])

    found = measure(LabelMap(np.ones((1, 1, 2), np.uint8), grid, {}), Image(samples, grid))[1]

    assert found["sd_value"] == 1.0


def test_samples_of_another_grid_are_refused() -> None:
    labelmap = LabelMap(np.zeros((1, 2, 2), np.uint8), Grid.regular((1, 2, 2)), {})
    image = Image(np.zeros((1, 2, 2)), Grid.regular((1, 2, 2), (1.0, 1.0, 2.0)))

    with pytest.raises(GeometryError, match="resample one of them"):
        measure(labelmap, image)


def test_every_measurement_is_defined_in_the_docs() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "measurements.md").read_text(encoding="utf-8")
    for slices in (1, 2):
        grid = Grid.regular((slices, 2, 2))
        labelmap = LabelMap(np.ones(grid.shape, np.uint8), grid, {})
        for name in measure(labelmap, Image(labelmap.array, grid, "CT"))[1]:
            assert f"`{name}`" in docs
