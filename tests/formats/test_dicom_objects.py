"""DICOM objects as others judge them (dciodvfy of dicom3tools), and as they were written before."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from delineate.contour import measure, trace_all
from delineate.formats import read as read_image
from delineate.formats import rtstruct, seg, sr
from delineate.formats.dicom import write_series
from delineate.imaging import Category, Code, Grid, Image, LabelMap, place
from tests.formats.dicom_objects import GOLDEN, Row, golden, write_golden

ACCURACY = "round trip: Dice 1.000000, largest distance 0.000 mm"
CATEGORIES = {
    1: Category("kidney_left", code=Code("64033007", "SCT", "Kidney"), laterality="left"),
    2: Category("Ähre"),
    3: Category("lesion", code=Code("52988006", "SCT", "Lesion")),
}
# What an older dciodvfy has not heard of: label map segmentations came with DICOM 2024d.
UNKNOWN = "Information Object Not found"
# Remarks that stay: a category without a code gets one of delineate's own scheme; the number, date
# and side of a study that are not known are empty, not made up.
REMARKS = ("99DELINEATE", "needed to build DICOMDIR", "when actually unknown")


@pytest.fixture
def dciodvfy() -> Callable[[Path], list[str]]:
    """Errors and warnings of a file, less the remarks that are known."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not here; it comes with Debian's package dicom3tools")

    def judge(path: Path) -> list[str]:
        run = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
        lines = run.stderr.decode("utf-8", "replace").splitlines()
        found = [text for text in lines if text.startswith(("Error", "Warning"))]
        return [text for text in found if not any(known in text for known in REMARKS)]

    return judge


def scene(folder: Path, shear: float = 0.0) -> tuple[Image, LabelMap]:
    grid = Grid.regular((4, 6, 8), (3.0, 0.7, 0.5), (-20.0, 7.0, 100.0))
    affine = grid.affine.copy()
    affine[1, 0] = shear
    grid = Grid(grid.shape, affine)
    samples = np.random.default_rng(5).integers(-100, 200, grid.shape).astype(np.int16)
    write_series(Image(samples, grid, "CT"), folder)
    image = read_image(folder)
    array = np.random.default_rng(2).choice([0, 1, 2], grid.shape).astype(np.uint8)
    return image, LabelMap(array, image.grid, CATEGORIES)


@pytest.mark.parametrize("shear", [0.0, 0.9])
def test_a_series_has_no_errors(tmp_path: Path, dciodvfy: Any, shear: float) -> None:
    scene(tmp_path, shear)

    for path in tmp_path.iterdir():
        assert dciodvfy(path) == []


@pytest.mark.parametrize("holes", ["rings", "xor", "keyhole"])
def test_a_structure_set_has_no_errors(tmp_path: Path, dciodvfy: Any, holes: Any) -> None:
    image, labelmap = scene(tmp_path / "ct")
    structures = trace_all(labelmap)

    rtstruct.write(
        structures, image, tmp_path / "rs.dcm", holes=holes, algorithm="a 1", accuracy=ACCURACY
    )

    assert dciodvfy(tmp_path / "rs.dcm") == []


@pytest.mark.parametrize("shear", [0.0, 0.9])
@pytest.mark.parametrize("case", ["one layer", "two layers", "nothing found", "label map"])
def test_a_segmentation_has_no_errors(
    tmp_path: Path, dciodvfy: Any, case: str, shear: float
) -> None:
    image, labelmap = scene(tmp_path / "ct", shear)
    layers = [labelmap]
    if case == "two layers":
        other = np.where(labelmap.array == 1, 7, 0).astype(np.uint8)
        layers.append(LabelMap(other, image.grid, {7: Category("twin")}))
    if case == "nothing found":
        layers = [LabelMap(np.zeros_like(labelmap.array), image.grid, CATEGORIES)]
    kind: Any = "labelmap" if case == "label map" else "binary"

    seg.write(layers, image, tmp_path / "seg.dcm", kind=kind, accuracy=ACCURACY)

    found = dciodvfy(tmp_path / "seg.dcm")
    if any(UNKNOWN in text for text in found):
        assert kind == "labelmap"
        pytest.skip("this dciodvfy is older than label map segmentations")
    assert found == []


@pytest.mark.parametrize("refers", [True, False])
def test_a_report_has_no_errors(tmp_path: Path, dciodvfy: Any, refers: bool) -> None:
    image, labelmap = scene(tmp_path / "ct")
    values = measure(labelmap, image)
    rows = [Row(n, labelmap.categories[n], values[n], ("a note",)) for n in CATEGORIES]
    known = seg.segments([labelmap], image) if refers else None

    sr.write(rows, image, tmp_path / "sr.dcm", segmentation=known, accuracy=ACCURACY)

    assert dciodvfy(tmp_path / "sr.dcm") == []


def test_multi_frame_series_get_objects_without_errors(
    shared_data: Path, tmp_path: Path, dciodvfy: Any
) -> None:
    folder = shared_data / "ct_labelled" / "dcmqi_liver_spine" / "24x38x3"
    image = read_image(folder / "multiframe" / "mf.dcm")
    array = np.random.default_rng(2).choice([0, 1, 2], image.grid.shape).astype(np.uint8)
    labelmap = LabelMap(array, image.grid, CATEGORIES)
    rows = [Row(n, labelmap.categories[n], values) for n, values in measure(labelmap).items()]

    rtstruct.write(trace_all(labelmap), image, tmp_path / "rs.dcm")
    seg.write([labelmap], image, tmp_path / "seg.dcm")
    sr.write(rows, image, tmp_path / "sr.dcm", segmentation=seg.segments([labelmap], image))

    for name in ("seg.dcm", "sr.dcm"):  # what a viewer lists them by
        assert pydicom.dcmread(tmp_path / name).SeriesDescription.endswith("by delineate")
    for path in tmp_path.iterdir():
        remarks = [text for text in dciodvfy(path) if "Retired Person Name form" not in text]
        assert remarks == []


def test_the_golden_structure_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    image, layers, _ = golden()
    write_golden(tmp_path)

    for path in (GOLDEN / "rtstruct.dcm", tmp_path / "rtstruct.dcm"):
        found = rtstruct.read(path)
        back = rtstruct.to_layers(found, image.grid)

        assert (found.study_uid, found.series_uid) == ("1.2.3", "1.2.3.4")
        assert (found.description, found.notes) == ("golden", ())
        assert found.interpreted_types == {1: "ORGAN"}
        assert len(back) == 2
        for layer, expected in zip(back, layers, strict=True):
            np.testing.assert_array_equal(layer.array, expected.array)
            assert layer.categories == expected.categories


def test_the_golden_segmentation_is_read_as_it_was_written(tmp_path: Path) -> None:
    image, layers, _ = golden()
    write_golden(tmp_path)

    for path in (GOLDEN / "seg.dcm", tmp_path / "seg.dcm"):
        back = [place(layer, image.grid) for layer in seg.read_layers(path)]

        for layer, expected in zip(back, layers, strict=True):
            np.testing.assert_array_equal(layer.array, expected.array)
            for label, category in expected.categories.items():
                found = layer.categories[label]
                assert (found.code, found.laterality) == (category.code, category.laterality)
                assert found.name == category.name
                assert np.abs(np.subtract(found.colour, category.colour)).max() <= 2


def test_the_golden_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    _, _, rows = golden()
    write_golden(tmp_path)

    for path in (GOLDEN / "sr.dcm", tmp_path / "sr.dcm"):
        report = sr.read(path)

        assert report.notes == ("golden",)
        assert [group.segment for group in report.groups] == [1, 2, 3]
        assert [group.found for group in report.groups] == [True, False, True]
        for group, row in zip(report.groups, rows, strict=True):
            known = {key: x for key, x in row.measurements.items() if key != "voxels"}
            assert dict(group.measurements) == known
            assert group.notes == row.notes
            assert group.laterality == row.category.laterality
