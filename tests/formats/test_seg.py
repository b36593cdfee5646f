"""DICOM Segmentation: labels come back, and belong to their series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as itk  # noqa: N813

from delineate.errors import ExportError, InputError, UnreadableFileError
from delineate.formats import read as read_image
from delineate.formats import seg
from delineate.formats.dicom import write_series
from delineate.imaging import Category, Code, Grid, Image, LabelMap

KINDS: tuple[Any, ...] = ("binary", "labelmap")
LIVER = "ct_labelled/dcmqi_liver_spine"
CATEGORIES = {
    2: Category("kidney", (10, 200, 30), Code("64033007", "SCT", "Kidney"), "left"),
    5: Category("Ähre"),
    9: Category("not there"),
}


def series(folder: Path, grid: Grid) -> Image:
    write_series(Image(np.zeros(grid.shape, np.int16), grid, "CT"), folder)
    return read_image(folder)


def labelled(image: Image) -> LabelMap:
    array = np.random.default_rng(2).choice([0, 2, 5], image.grid.shape).astype(np.uint8)
    return LabelMap(array, image.grid, CATEGORIES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", ["SPL", "IPL", "ASL", "RSP"])
def test_labels_come_back_where_they_were(tmp_path: Path, kind: Any, orientation: str) -> None:
    grid = Grid.regular((4, 6, 8), (3.0, 0.7, 0.5), (-20.0, 7.0, 100.0)).oriented(orientation)
    image = series(tmp_path / "ct", grid)
    labelmap = labelled(image)

    seg.write(labelmap, image, tmp_path / "seg.dcm", kind=kind)
    back = seg.read(tmp_path / "seg.dcm")

    assert back.grid.matches(image.grid)
    for segment, label in ((1, 2), (2, 5)):
        np.testing.assert_array_equal(back.mask(segment), labelmap.mask(label))
    assert back.categories[1].laterality == "left"
    assert back.categories[1].code == CATEGORIES[2].code
    assert [one.name for one in back.categories.values()] == ["kidney left", "Ähre"]
    colours = [back.categories[n + 1].colour for n in range(2)]
    expected = [CATEGORIES[n].colour for n in (2, 5)]
    assert np.abs(np.array(colours) - expected).max() <= 2  # CIELab and back


def test_a_segmentation_belongs_to_its_series(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((3, 4, 5)))

    seg.write(labelled(image), image, tmp_path / "seg.dcm", algorithm="organs.ct 1")

    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "ct").iterdir())]
    assert dataset.StudyInstanceUID == slices[0].StudyInstanceUID
    assert dataset.FrameOfReferenceUID == slices[0].FrameOfReferenceUID
    assert dataset.PatientID == "phantom"
    (referenced,) = dataset.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == slices[0].SeriesInstanceUID
    uids = {one.ReferencedSOPInstanceUID for one in referenced.ReferencedInstanceSequence}
    assert uids == {one.SOPInstanceUID for one in slices}
    kidney = dataset.SegmentSequence[0]
    assert kidney.SegmentAlgorithmType == "AUTOMATIC"
    assert kidney.SegmentAlgorithmName == "organs.ct 1"


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((2, 4, 5)))
    labelmap = labelled(image)
    for name in ("a", "b"):
        seg.write(labelmap, image, tmp_path / name)
    seg.write(labelmap, image, tmp_path / "c", algorithm="another")

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    first, other = (pydicom.dcmread(tmp_path / name) for name in ("a", "c"))
    assert first.SOPInstanceUID != other.SOPInstanceUID


def test_what_cannot_be_a_segmentation_is_not_written(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", Grid.regular((2, 4, 5)))
    empty = LabelMap(np.zeros((2, 4, 5), np.uint8), image.grid, CATEGORIES)
    elsewhere = LabelMap(np.ones((2, 4, 5), np.uint8), Grid.regular((2, 4, 5), (2, 2, 2)), {})
    plain = Image(image.array, image.grid, "CT")

    with pytest.raises(ExportError, match="no label"):
        seg.write(empty, image, tmp_path / "a")
    with pytest.raises(ExportError, match="grid"):
        seg.write(elsewhere, image, tmp_path / "a")
    with pytest.raises(ExportError, match="DICOM series"):
        seg.write(labelled(plain), plain, tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "nrrd"),
    [("liver.dcm", "liver_seg.nrrd"), ("24x38x3/seg/label.seg", "24x38x3/nrrd/label.nrrd")],
)
def test_segmentations_of_dcmqi_are_read_as_their_nrrd(
    shared_data: Path, name: str, nrrd: str
) -> None:
    theirs = itk.ReadImage(str(shared_data / LIVER / nrrd))

    found = seg.read(shared_data / LIVER / name)

    assert [one.name for one in found.categories.values()] == ["Liver"]
    np.testing.assert_array_equal(found.array > 0, itk.GetArrayFromImage(theirs) > 0)
    place = theirs.TransformIndexToPhysicalPoint((3, 2, 1))
    np.testing.assert_allclose(found.grid.to_world((1, 2, 3)), place, atol=1e-4)


def test_overlapping_and_foreign_files_are_refused(shared_data: Path, tmp_path: Path) -> None:
    odd = shared_data / "odd_files" / "highdicom"

    with pytest.raises(InputError, match="overlap"):
        seg.read(shared_data / LIVER / "partial_overlaps.dcm")
    with pytest.raises(UnreadableFileError, match="no DICOM Segmentation"):
        seg.read(odd / "ct_image.dcm")
    with pytest.raises(UnreadableFileError, match="regular grid"):
        seg.read(odd / "seg_image_sm_control.dcm")  # a microscope slide
    (tmp_path / "a").write_bytes(b"text")
    with pytest.raises(UnreadableFileError):
        seg.read(tmp_path / "a")
