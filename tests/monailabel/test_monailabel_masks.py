"""Laws of dense labels and of Markups, without a service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from label_detectors import BONE, SOFT
from strategies import grids, labelmaps

from delineate.delineation import delineate, save
from delineate.errors import ExportError, TooLargeError
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.jobs.markups import markups
from delineate.jobs.masks import mask
from delineate.plugins import DetectorSpec, Instance, Instances, Options

FORM = {"extension": ".nrrd", "dtype": "uint8", "compress": False, "shown": False}


class Echo:
    """Gives the label map that it was made with."""

    labelmap: LabelMap

    def detect(self, image: Image, options: Options) -> LabelMap:
        return self.labelmap


def kept(labelmap: LabelMap, names: list[str], folder: Path) -> Path:
    """A result with these labels in a folder."""
    Echo.labelmap = labelmap
    by_name = {one.name: one for one in labelmap.categories.values()}
    spec = DetectorSpec(
        id="test.echo",
        title="Echo",
        factory=f"{__name__}:Echo",
        categories=tuple(by_name.get(name, Category(name)) for name in names),
    )
    image = Image(np.zeros(labelmap.grid.shape, np.int16), labelmap.grid, "CT")
    save(delineate(image, spec), folder / "result")
    return folder / "result"


def written(result: Path, names: list[str], folder: Path, **form: Any) -> SimpleITK.Image:
    none = {"paths": [], "series": "", "reading": {"names": {}}}
    made = folder / f"made{form.get('extension', '')}"
    mask(str(result), none, names, {**FORM, **form}, str(made))
    return SimpleITK.ReadImage(str(next((made / "file").iterdir())))


@settings(max_examples=12)
@given(st.data(), labelmaps(max_size=5), st.permutations(["a", "b", "c", "d"]))
def test_each_label_gets_the_place_of_its_name_and_stays_where_it_is(
    tmp_path_factory: pytest.TempPathFactory, data: Any, drawn: LabelMap, names: list[str]
) -> None:
    own = data.draw(st.lists(st.integers(1, 250), min_size=3, max_size=3, unique=True))
    table = np.array([0, *own], np.uint8)
    categories = {number: Category(name) for number, name in zip(own, "abc", strict=True)}
    labelmap = LabelMap(table[drawn.array], drawn.grid, categories)
    folder = tmp_path_factory.mktemp("mask")

    made = written(kept(labelmap, names, folder), names, folder)

    array = SimpleITK.GetArrayFromImage(made)
    for label, name in enumerate(names, 1):
        own_number = next((n for n, one in categories.items() if one.name == name), None)
        expected = labelmap.array == own_number if own_number else np.zeros(array.shape, bool)
        np.testing.assert_array_equal(array == label, expected)
    corner = [n - 1 for n in drawn.grid.shape]
    np.testing.assert_allclose(
        made.TransformIndexToPhysicalPoint(corner[::-1]), drawn.grid.to_world(corner), atol=1e-6
    )


def test_a_sheared_grid_stays_sheared_in_nrrd_and_is_refused_as_nifti(tmp_path: Path) -> None:
    affine = np.array([[0, 0, 0.8, 1], [1.2, 0.7, 0, 2], [3.0, 0, 0, 3], [0, 0, 0, 1.0]])
    grid = Grid((3, 4, 5), affine)
    labelmap = LabelMap(np.arange(60).reshape(3, 4, 5).astype(np.uint8) % 2, grid, {1: SOFT})
    result = kept(labelmap, ["soft"], tmp_path)

    made = written(result, ["soft"], tmp_path)

    np.testing.assert_allclose(
        made.TransformIndexToPhysicalPoint((4, 3, 2)), grid.to_world((2, 3, 4)), atol=1e-6
    )
    with pytest.raises(ExportError, match=r"ask for 'result_extension': '\.nrrd'"):
        written(result, ["soft"], tmp_path, extension=".nii.gz")


def test_more_labels_than_the_dtype_holds_are_refused(tmp_path: Path) -> None:
    labelmap = LabelMap(np.ones((2, 2, 2), np.uint8), Grid.regular((2, 2, 2)), {1: SOFT})
    names = [*(f"part {number}" for number in range(255)), "soft"]
    result = kept(labelmap, names, tmp_path)

    with pytest.raises(TooLargeError, match="256 labels do not fit into uint8"):
        written(result, names, tmp_path)
    assert SimpleITK.GetArrayFromImage(written(result, names, tmp_path, dtype="int16")).max() == 256


def test_markups_are_where_a_case_worked_by_hand_says() -> None:
    # Slices lie 3 mm apart towards the head, rows 2 mm, columns 1 mm; index 0 at (10, 20, 30).
    grid = Grid.regular((4, 5, 6), (3.0, 2.0, 1.0), (10.0, 20.0, 30.0))
    found = Instances(
        (
            Instance(SOFT, 0.9, box=((-0.5, 0.5, 1.5), (1.5, 2.5, 4.5))),
            Instance(BONE, 0.25, point=(1.0, 2.0, 3.0)),
        ),
        grid,
    )

    box, points = markups(found, {"soft": 1, "bone": 2})["markups"]

    assert (box["type"], box["name"], box["label"]) == ("ROI", "soft", {"value": 1})
    assert box["center"] == [13.0, 23.0, 31.5]
    assert box["size"] == [3.0, 4.0, 6.0]
    assert box["orientation"] == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert points["controlPoints"][0]["position"] == [13.0, 24.0, 33.0]
    assert points["controlPoints"][0]["label"] == "bone 0.25"


@given(grids(), st.data())
def test_a_box_of_markups_holds_the_corners_of_its_own(grid: Grid, data: Any) -> None:
    """Corners of the box in its own axes, centre + axes * half, are those in the world."""
    low = np.array(data.draw(st.tuples(*[st.floats(-1, 3)] * 3)))
    high = low + np.array(data.draw(st.tuples(*[st.floats(0.5, 4)] * 3)))
    item = Instance(SOFT, 1.0, box=(tuple(low), tuple(high)))

    (box,) = json.loads(json.dumps(markups(Instances((item,), grid), {"soft": 1})))["markups"]

    axes = np.reshape(box["orientation"], (3, 3))
    corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T
    inside = (grid.to_world(corners) - box["center"]) @ axes
    half = np.array(box["size"]) / 2
    scale = max(1.0, float(half.max()))
    assert (np.abs(inside) <= half + 1e-6 * scale).all()
    np.testing.assert_allclose(np.abs(inside).max(axis=0), half, atol=1e-3 * scale)
