"""RT Structure Sets: what is written is filled to the same labels, what others drew is read."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.contour import Contour, Structure, fill, trace_all
from delineate.errors import ExportError, GeometryError, InputError, UnreadableFileError
from delineate.formats import nifti, rtstruct
from delineate.formats import read as read_image
from delineate.formats.dicom import DicomSource, write_series
from delineate.imaging import Category, Code, Grid, Image, LabelMap
from tests.formats.dicom_objects import from_dicom
from tests.strategies import labelmaps

PATIENTS = ("STS_002", "STS_003", "STS_006", "STS_007", "STS_008", "STS_019")
KIDNEY = Code("64033007", "SCT", "Kidney")
EMPTY = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "ReferringPhysicianName",
    "AccessionNumber",
    "OperatorsName",
    "SeriesNumber",
    "StructureSetDate",
    "StructureSetTime",
    "PositionReferenceIndicator",
]
RING = np.array([[[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 2]]], np.uint8)


def two_rings(tmp_path: Path, **options: Any) -> pydicom.Dataset:
    """One slice: label 1 around a hole, label 2 a single sample, label 3 nowhere."""
    categories = {
        1: Category("kidney", (1, 20, 255), KIDNEY, "left"),
        2: Category("Ähre \\ fine"),
        3: Category("nowhere"),
    }
    grid = Grid.regular((1, 3, 4), (5.0, 2.0, 1.0), (-10.0, 0.0, 1000.123456789))
    labelmap = LabelMap(RING, grid, categories)
    path = tmp_path / "rs.dcm"
    rtstruct.write(trace_all(labelmap), from_dicom(grid), path, **options)
    dataset = pydicom.dcmread(path)
    filled = rtstruct.to_labelmap(rtstruct.read(path), grid)
    np.testing.assert_array_equal(filled.array, RING)
    return dataset


@given(labelmaps(), st.sampled_from(("rings", "xor", "keyhole")))
@settings(deadline=None, max_examples=60)
def test_what_is_written_fills_to_the_same_labels(labelmap: LabelMap, holes: Any) -> None:
    structures = trace_all(labelmap)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rs.dcm"
        rtstruct.write(structures, from_dicom(labelmap.grid), path, holes=holes)

        back = rtstruct.read(path)

    filled = rtstruct.to_labelmap(back, labelmap.grid)
    np.testing.assert_array_equal(filled.array, labelmap.array)
    assert filled.categories == labelmap.categories
    assert back.notes == ()


@given(labelmaps())
@settings(deadline=None, max_examples=40)
def test_rings_come_back_in_order_and_holes_as_holes(labelmap: LabelMap) -> None:
    structures = trace_all(labelmap)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rs.dcm"
        rtstruct.write(structures, from_dicom(labelmap.grid), path)

        back = rtstruct.read(path).structures

    for ours, theirs in zip(structures, back, strict=True):
        assert sum(one.is_hole for one in ours.contours) == sum(
            one.is_hole for one in theirs.contours
        )
        area = sum(-one.area if one.is_hole else one.area for one in theirs.contours)
        expected = labelmap.mask(ours.number).sum() * labelmap.grid.pixel_area
        assert area == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("patient", PATIENTS)
def test_contours_of_others_fill_to_the_mask_that_they_shipped(
    shared_data: Path, patient: str
) -> None:
    folder = shared_data / "rtstruct_sts" / patient
    image = read_image(folder / "dicom_image")
    shipped = nifti.read_labels(folder / "CT_mask.nii.gz")

    drawn = rtstruct.read(folder / "dicom_mask" / "RS.dcm")
    masks = rtstruct.masks(drawn, image.grid)

    assert list(masks) == ["GTV_Mass_CT"]
    assert image.grid.matches(shipped.grid)
    np.testing.assert_array_equal(masks["GTV_Mass_CT"], shipped.mask(1))
    assert drawn.interpreted_types == {1: "GTV"}
    assert isinstance(image.source, DicomSource)
    assert drawn.series_uid == image.source.series_uid


def test_a_real_series_gets_a_structure_set_that_belongs_to_it(
    shared_data: Path, tmp_path: Path
) -> None:
    image = read_image(shared_data / "ct_series" / "head_tilted_ge" / "15.dcm")
    assert isinstance(image.source, DicomSource)
    labelmap = LabelMap((image.array > 300).astype(np.uint8), image.grid, {1: Category("bone")})

    rtstruct.write(trace_all(labelmap), image, tmp_path / "rs.dcm")

    back = rtstruct.read(tmp_path / "rs.dcm")
    assert back.sop_instance_uids == image.source.sop_instance_uids
    assert (back.study_uid, back.series_uid) == (image.source.study_uid, image.source.series_uid)
    np.testing.assert_array_equal(rtstruct.masks(back, image.grid)["bone"], labelmap.mask(1))


def test_a_written_series_and_its_structure_set_go_together(tmp_path: Path) -> None:
    grid = Grid.regular((3, 4, 5), (2.0, 1.0, 1.0))
    write_series(Image(np.zeros(grid.shape, np.int16), grid, "CT"), tmp_path / "ct")
    image = read_image(tmp_path / "ct")
    array = np.random.default_rng(3).integers(0, 3, grid.shape).astype(np.uint8)
    labelmap = LabelMap(array, image.grid, {1: Category("a"), 2: Category("b")})

    rtstruct.write(trace_all(labelmap), image, tmp_path / "rs.dcm")

    dataset = pydicom.dcmread(tmp_path / "rs.dcm")
    slices = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, (tmp_path / "ct").iterdir())}
    assert dataset.PatientID == "phantom"
    for roi in dataset.ROIContourSequence:
        for contour in roi.ContourSequence:
            (reference,) = contour.ContourImageSequence
            place = slices[reference.ReferencedSOPInstanceUID].ImagePositionPatient
            assert set(contour.ContourData[2::3]) == {place[2]}


def test_every_module_of_the_standard_is_filled(tmp_path: Path) -> None:
    dataset = two_rings(tmp_path, label="organs", algorithm="organs.ct 1")

    assert dataset.file_meta.TransferSyntaxUID.is_implicit_VR
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.481.3"
    for name in EMPTY:
        assert name in dataset, name
        assert not dataset[name].value, name
    assert dataset.StructureSetLabel == "organs"
    assert dataset.FrameOfReferenceUID == "1.2.3.5"
    (frame,) = dataset.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    assert study.ReferencedSOPInstanceUID == dataset.StudyInstanceUID == "1.2.3"
    assert series.SeriesInstanceUID == "1.2.3.4"
    assert [one.ReferencedSOPInstanceUID for one in series.ContourImageSequence] == ["1.2.3.4.1"]
    rois = dataset.StructureSetROISequence
    assert [roi.ROIName for roi in rois] == ["kidney left", "Ähre / fine", "nowhere"]
    assert {roi.ROIGenerationAlgorithm for roi in rois} == {"AUTOMATIC"}
    assert {roi.ReferencedFrameOfReferenceUID for roi in rois} == {"1.2.3.5"}
    kidney, fine, nowhere = dataset.ROIContourSequence
    assert kidney.ROIDisplayColor == [1, 20, 255]
    assert [one.ContourGeometricType for one in kidney.ContourSequence] == ["CLOSED_PLANAR"] * 2
    assert [one.NumberOfContourPoints for one in kidney.ContourSequence] == [4, 4]
    assert len(fine.ContourSequence) == 1
    assert "ContourSequence" not in nowhere
    observation = dataset.RTROIObservationsSequence[0]
    (code,) = observation.RTROIIdentificationCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("64033007", "SCT")
    (side,) = code.SegmentedPropertyTypeModifierCodeSequence
    assert (side.CodeValue, side.CodeMeaning) == ("7771000", "Left")


def test_points_worked_by_hand(tmp_path: Path) -> None:
    """Sample (2, 3) of the grid: x from 2.5 to 3.5 from -10, y from 3 to 5, at the slice's z."""
    dataset = two_rings(tmp_path)

    points = np.array(dataset.ROIContourSequence[1].ContourSequence[0].ContourData).reshape(-1, 3)

    corners = {(-7.5, 3.0), (-6.5, 3.0), (-6.5, 5.0), (-7.5, 5.0)}
    assert {(float(x), float(y)) for x, y, _ in points} == corners
    assert {float(z) for z in points[:, 2]} == {1000.123457}


def test_holes_may_be_rings_of_a_type_of_their_own_or_keyholes(tmp_path: Path) -> None:
    kinds = {}
    for holes in ("rings", "xor", "keyhole"):
        kidney, fine, _ = two_rings(tmp_path, holes=holes).ROIContourSequence
        kinds[holes] = [one.ContourGeometricType for one in kidney.ContourSequence]
        assert [one.ContourGeometricType for one in fine.ContourSequence] == ["CLOSED_PLANAR"]
    assert kinds == {
        "rings": ["CLOSED_PLANAR"] * 2,
        "xor": ["CLOSEDPLANAR_XOR"] * 2,
        "keyhole": ["CLOSED_PLANAR"],
    }


def test_patient_and_study_are_repeated_and_nothing_else(tmp_path: Path) -> None:
    header = {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Müller^Änne",
        "PatientID": "7",
        "PatientBirthDate": "19700102",
        "StudyDate": "20200304",
        "StudyDescription": "CT",
        "PatientIdentityRemoved": "YES",
        "DeidentificationMethod": ["one", "two"],
        "PatientComments": "not to be repeated",
        "InstitutionName": "not to be repeated",
    }
    grid = Grid.regular((1, 2, 2))

    rtstruct.write([Structure(1, Category("a"))], from_dicom(grid, **header), tmp_path / "a.dcm")

    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert str(dataset.PatientName) == "Müller^Änne"
    assert dataset.DeidentificationMethod == ["one", "two"]
    assert (dataset.PatientID, dataset.StudyDate) == ("7", "20200304")
    assert "PatientComments" not in dataset
    assert "InstitutionName" not in dataset


def test_the_same_contours_give_the_same_bytes_and_others_other_uids(tmp_path: Path) -> None:
    first = two_rings(tmp_path)
    content = (tmp_path / "rs.dcm").read_bytes()
    again = two_rings(tmp_path)
    assert (tmp_path / "rs.dcm").read_bytes() == content
    other = two_rings(tmp_path, label="other")
    dated = two_rings(tmp_path, created=datetime(2026, 1, 2, 3, 4, 5))

    assert first.SOPInstanceUID == again.SOPInstanceUID
    uids = {
        one[name].value
        for one in (first, other, dated)
        for name in ("SOPInstanceUID", "SeriesInstanceUID")
    }
    assert len(uids) == 6
    assert all(uid.is_valid for uid in uids)
    assert (dated.StructureSetDate, dated.StructureSetTime) == ("20260102", "030405")


def test_numbers_fit_decimal_strings_and_contours_outgrow_64_kib(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 2), (1.0, 1.0, 1.0))
    angle = np.linspace(0, 2 * np.pi, 9001)[:-1]
    points = np.stack((np.cos(angle) * 1e-7, np.sin(angle) * 12345.678901, angle * 0), axis=1)
    structure = Structure(1, Category("a"), (Contour(points),))

    rtstruct.write([structure], from_dicom(grid), tmp_path / "a.dcm")

    raw = pydicom.dcmread(tmp_path / "a.dcm").ROIContourSequence[0].ContourSequence[0]
    values = raw.get_item(0x30060050).value.split(b"\\")
    assert max(map(len, values)) <= 16
    (back,) = rtstruct.read(tmp_path / "a.dcm").structures[0].contours
    np.testing.assert_allclose(back.points, points, atol=1e-5)


def test_pydicom_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    from pydicom.config import RAISE
    from pydicom.config import settings as pydicom_settings

    mode = pydicom_settings.reading_validation_mode
    pydicom_settings.reading_validation_mode = RAISE
    try:
        dataset = two_rings(tmp_path)
        assert len(list(dataset.iterall())) > 60
    finally:
        pydicom_settings.reading_validation_mode = mode


def test_long_and_equal_names_stay_apart(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 2))
    structures = [Structure(n, Category("x" * 80)) for n in (1, 2)]

    rtstruct.write(structures, from_dicom(grid), tmp_path / "a.dcm")

    names = [roi.ROIName for roi in pydicom.dcmread(tmp_path / "a.dcm").StructureSetROISequence]
    assert names == ["x" * 64, "x" * 60 + " (2)"]


def test_only_contours_on_a_dicom_series_are_written(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 2))
    plain = Image(np.zeros((1, 2, 2), np.int16), grid, "CT")
    structure = Structure(1, Category("a"))
    off = Structure(2, Category("b"), (Contour(np.array([[0, 0, 9.0], [1, 0, 9], [0, 1, 9]])),))

    with pytest.raises(ExportError, match="DICOM series"):
        rtstruct.write([structure], plain, tmp_path / "a.dcm")
    with pytest.raises(ExportError, match="different numbers"):
        rtstruct.write([structure, structure], from_dicom(grid), tmp_path / "a.dcm")
    with pytest.raises(ExportError, match="at least one"):
        rtstruct.write([], from_dicom(grid), tmp_path / "a.dcm")
    with pytest.raises(GeometryError):
        rtstruct.write([off], from_dicom(grid), tmp_path / "a.dcm")
    other = Image(
        np.zeros((2, 2, 2)), Grid.regular((2, 2, 2)), "CT", source=from_dicom(grid).source
    )
    with pytest.raises(ExportError, match="2 slices"):
        rtstruct.write([structure], other, tmp_path / "a.dcm")
    assert not list(tmp_path.iterdir())


def awkward() -> pydicom.Dataset:
    """Two ROIs of one name, one without a number, one unnamed; points, lines and repeated ends."""
    dataset = pydicom.Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    dataset.Modality = "RTSTRUCT"
    square = [0, 0, 0, 4, 0, 0, 4, 4, 0, 0, 4, 0]
    rois = []
    for number, name in ((1, "GTV"), (1, "GTV"), (0, "zero")):
        roi = pydicom.Dataset()
        roi.ROINumber, roi.ROIName = number, name
        rois.append(roi)
    dataset.StructureSetROISequence = rois
    items = []
    for number, kinds in ((1, ("CLOSED_PLANAR", "POINT", "OPEN_PLANAR")), (5, ("CLOSED_PLANAR",))):
        item = pydicom.Dataset()
        item.ReferencedROINumber = number
        item.ContourSequence = []
        for kind in kinds:
            contour = pydicom.Dataset()
            contour.ContourGeometricType = kind
            contour.ContourData = square[:3] if kind == "POINT" else square + square[:3]
            item.ContourSequence.append(contour)
        items.append(item)
    dataset.ROIContourSequence = items
    return dataset


def test_awkward_sets_are_read_and_what_is_odd_is_said(tmp_path: Path) -> None:
    awkward().save_as(tmp_path / "a.dcm", implicit_vr=True, little_endian=True)

    found = rtstruct.read(tmp_path / "a.dcm")
    masks = rtstruct.masks(found, Grid.regular((1, 6, 6)))

    assert [(one.number, one.category.name) for one in found.structures] == [
        (1, "GTV"),
        (2, "zero"),
        (5, "ROI 5"),
    ]
    assert len(found.structures[0].contours[0].points) == 4
    assert any("POINT" in note for note in found.notes)
    assert any("OPEN_PLANAR" in note for note in found.notes)
    assert any("listed twice" in note for note in found.notes)
    assert list(masks) == ["GTV", "zero", "ROI 5"]
    assert masks["ROI 5"].sum() == 16
    with pytest.raises(InputError, match="overlap"):
        rtstruct.to_labelmap(found, Grid.regular((1, 6, 6)))


@pytest.mark.parametrize(
    ("name", "contours"),
    [
        ("odd_files/pydicom_test_files/rtstruct.dcm", [3, 0, 0]),
        ("odd_files/dicompyler_core/example_data/rtss.dcm", [141, 0, 2, 48, 33, 165, 4, 6, 18, 24]),
        ("odd_files/rt_utils/mock_data/rt.dcm", [2]),
        ("odd_files/rt_utils/mock_data/invalid_reference_rt.dcm", [3, 3, 3, 3]),
        ("odd_files/rt_utils/mock_data/non_existent_reference_rt.dcm", [3, 3, 3, 3]),
    ],
)
def test_sets_of_other_programs_are_read(shared_data: Path, name: str, contours: list[int]) -> None:
    found = rtstruct.read(shared_data / name)

    assert [len(structure.contours) for structure in found.structures] == contours


def test_what_is_no_structure_set_is_refused(shared_data: Path, tmp_path: Path) -> None:
    good = (shared_data / "rtstruct_sts" / "STS_002" / "dicom_mask" / "RS.dcm").read_bytes()
    place = good.index(b"\x06\x30\x50\x00") + 8
    broken = {
        "nothing": b"",
        "text": b"some text that is no DICOM at all" * 20,
        "a CT": (
            shared_data / "rtstruct_sts" / "STS_002" / "dicom_image" / "000000.dcm"
        ).read_bytes(),
        "letters for numbers": good[:place] + b"abc\\" + good[place + 4 :],
        "two of three coordinates": good[:place] + b"1\\" * 2 + good[place + 4 :],
    }
    for content in broken.values():
        (tmp_path / "a.dcm").write_bytes(content)
        with pytest.raises(UnreadableFileError):
            rtstruct.read(tmp_path / "a.dcm")


def test_a_set_that_is_cut_short_is_never_read_in_part(shared_data: Path, tmp_path: Path) -> None:
    two_rings(tmp_path)
    theirs = shared_data / "rtstruct_sts" / "STS_002" / "dicom_mask" / "RS.dcm"
    for path in (theirs, tmp_path / "rs.dcm"):
        good = path.read_bytes()
        end = good.index(b"\x06\x30\x80\x00")  # the contours are before it
        for cut in range(0, end, end // 40):
            (tmp_path / "a.dcm").write_bytes(good[:cut])
            with pytest.raises(UnreadableFileError):
                rtstruct.read(tmp_path / "a.dcm")


def test_contours_beside_the_grid_are_told_with_their_roi(tmp_path: Path) -> None:
    awkward().save_as(tmp_path / "a.dcm", implicit_vr=True, little_endian=True)
    found = rtstruct.read(tmp_path / "a.dcm")

    with pytest.raises(GeometryError, match="'GTV'"):
        rtstruct.masks(found, Grid.regular((1, 6, 6), origin=(0, 0, 50)))
    assert not fill(found.structures[1].contours, Grid.regular((1, 6, 6))).any()
