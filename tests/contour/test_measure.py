"""Measurements beside plain numpy, then by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import labelmaps

from delineate.contour import measure
from delineate.errors import GeometryError
from delineate.imaging import Category, Grid, Image, LabelMap

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


@given(labelmaps())
def test_every_label_and_category_is_measured_in_json_with_the_same_keys(
    labelmap: LabelMap,
) -> None:
    found = measure(labelmap, Image(labelmap.array, labelmap.grid))

    assert list(found) == sorted(set(labelmap.present()) | set(labelmap.categories))
    assert len({tuple(sorted(values)) for values in found.values()}) == 1
    assert json.loads(json.dumps(found, allow_nan=False))["1"] == found[1]


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
            "largest_area_mm2": 4.0,
            "largest_area_slice": 1,
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
        }
    }


def test_what_was_not_found_is_empty() -> None:
    labelmap = LabelMap(np.zeros((2, 3, 3), np.uint8), Grid.regular((2, 3, 3)), {5: Category("x")})

    assert measure(labelmap) == {
        5: {
            "voxels": 0,
            "volume_ml": 0.0,
            "largest_area_mm2": 0.0,
            "largest_area_slice": None,
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
