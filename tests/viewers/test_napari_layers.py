"""The napari plugin: layers stand where the patient does; files come in and go out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from delineate import formats
from delineate.contour import trace_all
from delineate.errors import Cancelled, ExportError
from delineate.formats import dicom
from delineate.formats.annotations import read_annotation
from delineate.imaging import Category, Code, Grid, Image, LabelMap, place
from delineate.viewers.napari.layers import (
    KEY,
    frame,
    image_layer,
    label_layer,
    outline_layer,
    result,
)
from delineate.viewers.napari.reading import read_layers, reader
from delineate.viewers.napari.work import Told, here
from delineate.viewers.napari.writing import write_labels
from tests.strategies import grids

LIVER = Category("liver", code=Code("10200004", "SCT", "Liver"))


def scan(shape: tuple[int, int, int] = (4, 12, 10)) -> tuple[Image, LabelMap]:
    grid = Grid.regular(shape, (3.0, 0.8, 0.7), (-20.0, -30.0, 5.0))
    array = np.full(shape, -1000, np.int16)
    array[1:3, 3:8, 2:6] = 60
    labels = LabelMap((array > 0).astype(np.uint8), grid, {1: LIVER})
    return Image(array, grid, "CT"), labels


@settings(deadline=None, max_examples=50)
@given(grids())
def test_every_step_keeps_its_length_and_axes_stay_apart(grid: Grid) -> None:
    made = frame(grid)[:3, :3]

    np.testing.assert_allclose(np.linalg.norm(made, axis=0), grid.spacing, rtol=1e-3)
    assert abs(np.linalg.det(made)) == pytest.approx(np.prod(grid.spacing), rel=1e-2)


@pytest.mark.parametrize("orientation", ["SPL", "IAR", "LSP", "PLS"])
def test_a_scan_along_the_patients_axes_is_at_its_true_place(orientation: str) -> None:
    grid = Grid.regular((3, 4, 5), (3.0, 0.8, 0.7), (-20.0, -30.0, 5.0)).oriented(orientation)
    index = np.array([1, 2, 3, 1.0])

    z, y, x, _ = frame(grid) @ index

    np.testing.assert_allclose((x, y, z), grid.to_world(index[:3]))


def test_a_result_folder_opens_as_labels_with_their_names(tmp_path: Path) -> None:
    image, labels = scan()
    layer, shown, kind = label_layer(labels, image)

    assert kind == "labels"
    assert shown["features"]["name"] == ["background", "liver"]
    assert shown["colormap"][1] == LIVER.hex_colour
    np.testing.assert_array_equal(layer, labels.array)
    assert layer.flags.writeable


def test_a_series_opens_in_its_window(tmp_path: Path) -> None:
    image, _ = scan()
    dicom.write_series(image, tmp_path)

    assert reader(str(tmp_path)) is read_layers
    ((array, shown, kind),) = read_layers(str(tmp_path))

    assert kind == "image"
    np.testing.assert_array_equal(array, image.array)
    assert shown["contrast_limits"] == (-160.0, 240.0)
    np.testing.assert_allclose(shown["affine"], frame(image.grid), atol=1e-4)


def test_what_is_not_ours_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{}")

    assert reader(str(tmp_path / "settings.json")) is None
    assert reader(str(tmp_path / "nowhere.nii")) is None


@pytest.mark.parametrize("name", ["liver.dcm", "liver.seg.dcm", "liver.nii.gz", "liver.geojson"])
def test_painted_labels_are_written_and_read_back(tmp_path: Path, name: str) -> None:
    image, labels = scan()
    dicom.write_series(image, tmp_path / "ct")
    image = formats.read(tmp_path / "ct")
    array, shown, _ = label_layer(LabelMap(labels.array, image.grid, {1: LIVER}), image)
    array[1, 4, 3] = 0  # a hand was here

    (written,) = write_labels(str(tmp_path / name), array, shown)

    (layer,) = read_annotation(written, image.grid).layers
    np.testing.assert_array_equal(place(layer, image.grid).array > 0, array > 0)
    assert [one.name for one in layer.categories.values()] == ["liver"]


def test_labels_of_nowhere_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="does not say where its samples lie"):
        write_labels(str(tmp_path / "x.nii.gz"), np.ones((2, 3, 3), int), {"metadata": {}})
    image, labels = scan()
    array, shown, _ = label_layer(labels, image)
    with pytest.raises(ExportError, match="expected a file that ends in"):
        write_labels(str(tmp_path / "x.docx"), array, shown)


def test_outlines_lie_on_the_indices_of_their_image() -> None:
    image, labels = scan()
    rings = [(one.category, ring) for one in trace_all(labels) for ring in one.contours]

    shapes, shown, kind = outline_layer(rings, image.grid)

    assert kind == "shapes"
    assert len(shapes) == 2
    np.testing.assert_allclose(shapes[0][:, 1].min(), 2.5)
    np.testing.assert_allclose(shapes[0][:, 1].max(), 7.5)
    assert shown["features"]["name"] == ["liver", "liver"]


@pytest.mark.filterwarnings("ignore")  # what napari imports is not ours
def test_napari_takes_the_layers() -> None:
    components = pytest.importorskip("napari.components")
    layers = pytest.importorskip("napari.layers")
    image, labels = scan()
    viewer = components.ViewerModel()

    for layer in (image_layer(image), label_layer(labels, image)):
        viewer.add_layer(layers.Layer.create(*layer))

    low, high = viewer.layers[0].extent.world
    np.testing.assert_allclose(low, image.grid.to_world((0, 0, 0))[::-1])
    np.testing.assert_allclose(high, image.grid.to_world((3, 11, 9))[::-1])
    assert viewer.layers[1].metadata[KEY]["categories"][1] is LIVER


def test_a_run_tells_how_far_it_is_and_gives_what_was_found() -> None:
    image, _ = scan((6, 24, 24))
    steps, told = here(image, "bright-spots", {}, Told()), []

    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            found = end.value
            break

    assert found.detector.id == "bright-spots"
    assert all(0 <= fraction <= 1 for fraction, _ in told)
    assert [kind for _, _, kind in result(found)]


def test_a_run_that_is_stopped_ends_as_cancelled() -> None:
    image, _ = scan((6, 24, 24))
    monitor = Told()
    monitor.stop()

    with pytest.raises(Cancelled):
        list(here(image, "bright-spots", {}, monitor))
