"""Structure sets for other programs: read by plain code of another make, and said in the file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from delineate.contour import Contour, Structure, trace_all
from delineate.errors import ExportError, GeometryError
from delineate.formats import nifti, rtstruct
from delineate.formats import read as read_image
from delineate.formats.dicom import DicomSource
from delineate.formats.property_types import interpreted_type, property_category
from delineate.imaging import Category, Code, Grid, Image, LabelMap
from tests.formats.dicom_objects import from_dicom
from tests.strategies import labelmaps

HOLES: tuple[Any, ...] = ("rings", "xor", "keyhole")


def read_plainly(path: Path, grid: Grid) -> dict[int, Any]:
    """Masks by ROI number: pydicom's numbers, scikit-image's polygons, XOR."""
    found = {}
    for roi in pydicom.dcmread(path).ROIContourSequence:
        mask = np.zeros(grid.shape, bool)
        for contour in roi.get("ContourSequence") or ():
            points = np.array(contour.ContourData, np.float64).reshape(-1, 3)
            index = grid.to_index(points)
            k = int(np.rint(index[:, 0].mean()))
            mask[k] ^= polygon2mask(grid.shape[1:], index[:, 1:])
        found[int(roi.ReferencedROINumber)] = mask
    return found


@given(labelmaps(), st.sampled_from(HOLES))
@settings(max_examples=60)
def test_a_plain_reader_fills_what_is_written_to_the_same_labels(
    labelmap: LabelMap, holes: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rs.dcm"
        rtstruct.write(trace_all(labelmap), from_dicom(labelmap.grid), path, holes=holes)

        found = read_plainly(path, labelmap.grid)

    for label, mask in found.items():
        np.testing.assert_array_equal(mask, labelmap.mask(label))


@pytest.mark.parametrize("holes", HOLES)
@pytest.mark.parametrize("patient", ["002", "008"])
def test_a_real_mask_goes_through_a_file_unchanged(
    shared_data: Path, tmp_path: Path, patient: str, holes: Any
) -> None:
    folder = shared_data / "rtstruct_sts" / f"STS_{patient}"
    image = read_image(folder / "dicom_image")
    shipped = nifti.read_labels(folder / "CT_mask.nii.gz").mask(1)
    bone = (image.array > 250) & ~shipped  # ragged, with many holes
    array = np.where(shipped, 1, np.where(bone, 2, 0)).astype(np.uint8)
    labelmap = LabelMap(array, image.grid, {1: Category("GTV"), 2: Category("bone")})

    rtstruct.write(trace_all(labelmap), image, tmp_path / "rs.dcm", holes=holes)

    back = rtstruct.to_labelmap(rtstruct.read(tmp_path / "rs.dcm"), image.grid)
    np.testing.assert_array_equal(back.array, array)
    plain = read_plainly(tmp_path / "rs.dcm", image.grid)
    np.testing.assert_array_equal(plain[1], shipped)
    np.testing.assert_array_equal(plain[2], bone)


@given(labelmaps(max_label=1))
@settings(max_examples=40)
def test_holes_of_keyholes_wind_against_their_ring(labelmap: LabelMap) -> None:
    """So the area of the ring is that of the samples, and filling by winding is right as well."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rs.dcm"
        turned = [  # holes as another program may have drawn them
            Structure(
                one.number,
                one.category,
                tuple(Contour(c.points[::-1], True) if c.is_hole else c for c in one.contours),
            )
            for one in trace_all(labelmap)
        ]
        rtstruct.write(turned, from_dicom(labelmap.grid), path, holes="keyhole")
        (structure,) = rtstruct.read(path).structures

    depth_two = any(one.is_hole for one in structure.contours)
    area = sum(one.area for one in structure.contours)
    expected = labelmap.mask(1).sum() * labelmap.grid.pixel_area
    if not depth_two:  # rings within what was a hole are islands, and read as holes of the whole
        assert area == pytest.approx(expected, abs=1e-3)


def test_a_channel_keeps_clear_of_sample_centres(tmp_path: Path) -> None:
    """From corner to corner it would be shortest along the diagonal, through two centres."""
    grid = Grid.regular((1, 10, 10))
    array = np.zeros(grid.shape, np.uint8)
    array[0, 1:9, 1:9] = 1
    array[0, 3:7, 3:7] = 0
    structures = trace_all(LabelMap(array, grid, {1: Category("a")}))

    rtstruct.write(structures, from_dicom(grid), tmp_path / "a.dcm", holes="keyhole")

    (ring,) = rtstruct.read(tmp_path / "a.dcm").structures[0].contours
    for start, end in zip(ring.points, np.roll(ring.points, -1, axis=0), strict=True):
        steps = np.linspace(start, end, 997)[:, :2]  # fine enough for such short edges
        centres = np.abs(steps - np.rint(steps)).max(axis=1)
        assert centres.min() > 0.02


def test_contours_between_or_across_slices_are_not_written(tmp_path: Path) -> None:
    grid = Grid.regular((3, 4, 4), (5.0, 1.0, 1.0))
    square = np.array([[0, 0, 5.0], [2, 0, 5.0], [2, 2, 5.0]])

    def write(points: Any) -> None:
        structure = Structure(3, Category("a"), (Contour(points),))
        rtstruct.write([structure], from_dicom(grid), tmp_path / "a.dcm")

    up, aside = np.array([0.0, 0, 1]), np.array([1.0, 0, 0])
    write(square + 0.09 * up)  # as far as slices may lie beside their places
    for points in (square + 0.2 * up, square + 2 * up, square[:, [2, 0, 1]]):
        with pytest.raises(GeometryError, match="structure 'a'"):
            write(points)
    with pytest.raises(ExportError, match="too far"):
        write(square + 3e8 * aside)


def test_the_file_says_what_it_loses_and_what_was_not_found(tmp_path: Path) -> None:
    grid = Grid.regular((1, 3, 3))
    array = np.zeros(grid.shape, np.uint8)
    array[0, 1, 1] = 1
    structures = trace_all(LabelMap(array, grid, {1: Category("a"), 2: Category("nowhere")}))
    said = "round trip: Dice 1.000000, largest distance 0.000 mm"

    rtstruct.write(structures, from_dicom(grid), tmp_path / "a.dcm", accuracy=said, algorithm="x 1")
    rtstruct.write(structures, from_dicom(grid), tmp_path / "b.dcm")

    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert dataset.StructureSetDescription == said
    assert rtstruct.read(tmp_path / "a.dcm").description == said
    assert "StructureSetDescription" not in pydicom.dcmread(tmp_path / "b.dcm")
    here, nowhere = dataset.StructureSetROISequence
    assert here.ROIGenerationDescription == "x 1"
    assert "ROIDescription" not in here
    assert nowhere.ROIDescription == "looked for and not found: no contours"


def test_contours_on_a_multi_frame_series_name_their_frames(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "ct_labelled" / "dcmqi_liver_spine" / "24x38x3"
    image = read_image(folder / "multiframe" / "mf.dcm")
    assert isinstance(image.source, DicomSource)
    structures = trace_all(LabelMap(np.ones(image.grid.shape, np.uint8), image.grid, {}))

    rtstruct.write(structures, image, tmp_path / "rs.dcm")

    dataset = pydicom.dcmread(tmp_path / "rs.dcm")
    uids = set(image.source.sop_instance_uids)
    (series,) = (
        dataset.ReferencedFrameOfReferenceSequence[0]
        .RTReferencedStudySequence[0]
        .RTReferencedSeriesSequence
    )
    listed = [int(one.ReferencedFrameNumber) for one in series.ContourImageSequence]
    assert listed == list(image.source.frame_numbers)
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        (reference,) = contour.ContourImageSequence
        assert {reference.ReferencedSOPInstanceUID} == uids
        k = image.source.frame_numbers.index(reference.ReferencedFrameNumber)
        assert contour.ContourData[2] == pytest.approx(image.grid.to_world((k, 0, 0))[2])


@pytest.mark.parametrize(
    ("category", "kind", "group"),
    [
        (Category("liver", code=Code("10200004", "SCT", "Liver")), "ORGAN", "Anatomical Structure"),
        (Category("x", code=Code("T-62000", "SRT", "Liver")), "ORGAN", "Anatomical Structure"),
        (Category("x", code=Code("55603005", "SCT", "Fat")), "ORGAN", "Tissue"),
        (Category("Kidney_L"), "ORGAN", "Anatomical Structure"),
        (Category("body"), "EXTERNAL", "Anatomical Structure"),
        (Category("EXTERNAL"), "EXTERNAL", "Anatomical Structure"),
        (Category("GTVp 1"), "GTV", "Tissue"),
        (Category("ctvision"), "", "Tissue"),
        (Category("GTV_Mass_CT"), "GTV", "Tissue"),
        (Category("ptv 60"), "PTV", "Tissue"),
        (Category("CouchSurface"), "SUPPORT", "Tissue"),
        (
            Category("liver lesion", code=Code("52988006", "SCT", "Lesion")),
            "",
            "Morphologically Abnormal Structure",
        ),
        (Category("stent", code=Code("19923001", "SCT", "Catheter")), "", "Physical object"),
        (Category("ear of grain"), "", "Tissue"),
    ],
)
def test_interpreted_type_and_property_category_follow_from_the_category(
    category: Category, kind: str, group: str
) -> None:
    assert interpreted_type(category) == kind
    assert property_category(category)[2] == group


def test_interpreted_types_are_in_the_file(tmp_path: Path) -> None:
    liver = Category("liver", code=Code("10200004", "SCT", "Liver"))
    structures = [Structure(2, liver), Structure(3, Category("spot"))]

    rtstruct.write(structures, from_dicom(Grid.regular((1, 2, 2))), tmp_path / "a.dcm")

    assert rtstruct.read(tmp_path / "a.dcm").interpreted_types == {2: "ORGAN"}
    observation = pydicom.dcmread(tmp_path / "a.dcm").RTROIObservationsSequence[0]
    (category,) = observation.SegmentedPropertyCategoryCodeSequence
    assert category.CodeMeaning == "Anatomical Structure"


def test_only_the_series_that_was_read_can_be_referred_to(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 2))
    plain = Image(np.zeros((1, 2, 2), np.int16), grid, "CT")

    with pytest.raises(ExportError, match="DICOM series"):
        rtstruct.write([Structure(1, Category("a"))], plain, tmp_path / "a.dcm")
