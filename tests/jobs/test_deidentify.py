"""Files without their patient: nothing of them is left, and everything else is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from canaries import CANARY, planted
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from service import series

from delineate import formats
from delineate.contour import trace_all
from delineate.errors import NotFoundError, UnavailableError, UploadError
from delineate.formats import rtstruct
from delineate.imaging import Category, LabelMap
from delineate.jobs.confidentiality import rule_of
from delineate.jobs.deidentify import clean_file
from delineate.jobs.pseudonyms import Pseudonyms
from delineate.jobs.reidentify import reidentify


@pytest.fixture
def pseudonyms(tmp_path: Path) -> Pseudonyms:
    return Pseudonyms(tmp_path / "identity" / "local")


@pytest.fixture
def slices(tmp_path: Path) -> list[Path]:
    """Two slices of a CT, full of canaries; each refers to the other."""
    paths = series(tmp_path / "ct")[:2]
    uids = [str(pydicom.dcmread(path).SOPInstanceUID) for path in paths]
    for path, other in zip(paths, reversed(uids), strict=True):
        planted(path, other).save_as(path)
    return paths


def old_uids(dataset: Dataset) -> Iterator[str]:
    names = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
    return (str(dataset[name].value) for name in names)


def test_nothing_of_the_patient_is_left(pseudonyms: Pseudonyms, slices: list[Path]) -> None:
    before = pydicom.dcmread(slices[0])
    assert CANARY.encode() in slices[0].read_bytes()

    clean_file(slices[0], pseudonyms)

    left = slices[0].read_bytes()
    assert CANARY.encode() not in left
    for told in (*old_uids(before), "19511231", "20200229", "20200301", "070Y"):
        assert told.encode() not in left
    after = pydicom.dcmread(slices[0])
    assert not [element for element in after.iterall() if element.tag.is_private]
    assert re.fullmatch(r"P[0-9A-F]{16}", after.PatientID)
    assert after.PatientIdentityRemoved == "YES"
    codes = [code.CodeValue for code in after.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107"]


def test_what_is_kept_of_it_cannot_be_read_without_the_key(
    pseudonyms: Pseudonyms, slices: list[Path], tmp_path: Path
) -> None:
    old = list(old_uids(pydicom.dcmread(slices[0])))
    clean_file(slices[0], pseudonyms)
    folder = tmp_path / "identity" / "local"

    kept = b"".join(path.read_bytes() for path in folder.iterdir())
    assert CANARY.encode() not in kept
    assert not [uid for uid in old if uid.encode() in kept]
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    (folder / "key").unlink()
    with pytest.raises(UnavailableError):
        Pseudonyms(folder).taken(str(pydicom.dcmread(slices[0]).StudyInstanceUID))


def test_the_image_is_the_same(pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    paths = series(tmp_path / "whole")
    before = formats.read(paths)

    for path in paths:
        clean_file(path, pseudonyms)

    after = formats.read(paths)
    np.testing.assert_array_equal(after.array, before.array)
    assert after.grid.matches(before.grid)
    assert after.modality == before.modality


def test_references_hold_between_files(pseudonyms: Pseudonyms, slices: list[Path]) -> None:
    for path in slices:
        clean_file(path, pseudonyms)

    first, second = (pydicom.dcmread(path) for path in slices)
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.PatientID == second.PatientID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    pointed = first.ReferencedImageSequence[0]
    assert pointed.ReferencedSOPInstanceUID == second.SOPInstanceUID
    assert pointed.ReferencedSOPClassUID == second.SOPClassUID
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID


def test_dates_move_together_and_times_stay(pseudonyms: Pseudonyms, slices: list[Path]) -> None:
    clean_file(slices[0], pseudonyms)
    after = pydicom.dcmread(slices[0])

    study, scan = _day(after.StudyDate), _day(after.SeriesDate)
    assert scan - study == timedelta(days=1)
    assert timedelta(days=0) < date(2020, 2, 29) - study <= timedelta(days=3650)
    assert after.AcquisitionDateTime == f"{after.SeriesDate}101112.5+0100"
    assert after.StudyTime == "101112"
    assert after.PatientBirthDate == ""


def test_cleaning_again_changes_nothing_and_a_changed_file_is_cleaned(
    pseudonyms: Pseudonyms, slices: list[Path], tmp_path: Path
) -> None:
    clean_file(slices[0], pseudonyms)
    once = slices[0].read_bytes()
    clean_file(slices[0], pseudonyms)
    assert slices[0].read_bytes() == once

    named = pydicom.dcmread(slices[0])
    named.PatientName = CANARY
    named.save_as(slices[0])
    clean_file(slices[0], pseudonyms)
    assert CANARY.encode() not in slices[0].read_bytes()

    clean_file(slices[0], Pseudonyms(tmp_path / "identity" / "other"))
    assert pydicom.dcmread(slices[0]).PatientID != pydicom.dcmread(slices[1]).PatientID


def test_the_same_file_gives_the_same_again(pseudonyms: Pseudonyms, slices: list[Path]) -> None:
    copy, link = slices[0].with_name("copy"), slices[0].with_name("link")
    before = slices[0].read_bytes()
    copy.write_bytes(before)
    link.hardlink_to(slices[0])

    clean_file(slices[0], pseudonyms)
    clean_file(copy, pseudonyms)

    assert copy.read_bytes() == slices[0].read_bytes() != before
    assert link.read_bytes() == before
    assert not list(copy.parent.glob("*.clean"))


def test_a_series_that_is_numbered_as_its_patient_loses_its_number(
    pseudonyms: Pseudonyms, slices: list[Path]
) -> None:
    dataset = pydicom.dcmread(slices[0])
    dataset.PatientID, dataset.SeriesNumber, dataset.InstanceNumber = "123456", 123456, 7
    dataset.save_as(slices[0])

    clean_file(slices[0], pseudonyms)

    assert b"123456" not in slices[0].read_bytes()
    assert pydicom.dcmread(slices[0]).InstanceNumber == 7


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "drawn into its pixels"),
        ({"Modality": "US"}, "drawn into its pixels"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "drawn into its pixels"),
        ({"PixelData": None}, "holds no image"),
        ({"StudyInstanceUID": ""}, "lacks the UIDs"),
    ],
)
def test_what_cannot_be_cleaned_is_refused(
    pseudonyms: Pseudonyms, slices: list[Path], changes: dict[str, str | None], why: str
) -> None:
    dataset = pydicom.dcmread(slices[0])
    for name, value in changes.items():
        if value is None:
            del dataset[name]
        else:
            setattr(dataset, name, value)
    dataset.save_as(slices[0])

    with pytest.raises(UploadError, match=why):
        clean_file(slices[0], pseudonyms)


def test_an_ultrasound_that_says_that_nothing_is_drawn_is_taken(
    pseudonyms: Pseudonyms, slices: list[Path]
) -> None:
    dataset = pydicom.dcmread(slices[0])
    dataset.Modality, dataset.BurnedInAnnotation = "US", "NO"
    dataset.save_as(slices[0])

    clean_file(slices[0], pseudonyms)


def test_no_dicom_is_refused(pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(b"\0" * 400)

    with pytest.raises(UploadError, match="no DICOM file"):
        clean_file(tmp_path / "a.nii", pseudonyms)


def test_the_owner_gets_the_patient_back_into_results(
    pseudonyms: Pseudonyms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = series(tmp_path / "whole")
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.PatientID, dataset.StudyDate = CANARY, "4711", "20200229"
        dataset.save_as(path)
    whole = formats.read(paths)
    labels = LabelMap((whole.array > 0).astype(np.uint8), whole.grid, {1: Category("bright")})
    rtstruct.write(trace_all(labels), whole, tmp_path / "expected.dcm")
    for path in paths:
        clean_file(path, pseudonyms)
    image = formats.read(paths)
    labels = LabelMap((image.array > 0).astype(np.uint8), image.grid, {1: Category("bright")})
    rtstruct.write(trace_all(labels), image, tmp_path / "made.dcm")
    series_uid = str(pydicom.dcmread(paths[0]).SeriesInstanceUID)
    monkeypatch.setenv("DELINEATE_DATA", str(tmp_path))

    made, target = str(tmp_path / "made.dcm"), str(tmp_path / "true.dcm")
    reidentify(made, target, "local", [str(path) for path in paths], series_uid)

    assert CANARY.encode() not in (tmp_path / "made.dcm").read_bytes()
    told = pydicom.dcmread(tmp_path / "true.dcm")
    expected = pydicom.dcmread(tmp_path / "expected.dcm")
    for one in (told, expected):  # the object's own UIDs and time
        for name in ("SOPInstanceUID", "SeriesInstanceUID", "StructureSetDate", "StructureSetTime"):
            del one[name]
    assert (told.PatientName, told.PatientID, told.StudyDate) == (CANARY, "4711", "20200229")
    assert "PatientIdentityRemoved" not in told
    assert told.ReferencedFrameOfReferenceSequence == expected.ReferencedFrameOfReferenceSequence
    assert told.ROIContourSequence == expected.ROIContourSequence
    assert told.StudyInstanceUID == expected.StudyInstanceUID


def test_texts_get_their_uids_back_and_strangers_nothing(
    pseudonyms: Pseudonyms, slices: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = str(pydicom.dcmread(slices[0]).SeriesInstanceUID)
    clean_file(slices[0], pseudonyms)
    files = [str(slices[0])]
    monkeypatch.setenv("DELINEATE_DATA", str(tmp_path))
    made, target = tmp_path / "made.json", tmp_path / "true.json"
    made.write_text(f'{{"series": "{pseudonyms.uid(old)}", "other": "2.25.7"}}')

    reidentify(str(made), str(target), "local", files, pseudonyms.uid(old))

    assert target.read_text() == f'{{"series": "{old}", "other": "2.25.7"}}'
    for tenant, asked in (("local", "1.2.3"), ("local", ""), ("nobody", pseudonyms.uid(old))):
        with pytest.raises(NotFoundError):
            reidentify(str(made), str(target), tenant, files, asked)
    with pytest.raises(NotFoundError):  # never cleaned
        reidentify(str(made), str(target), "local", [str(slices[1])], old)


@given(st.text("0123456789.", min_size=1, max_size=64))
def test_uids_become_valid_ones_that_differ(
    tmp_path_factory: pytest.TempPathFactory, old: str
) -> None:
    one = Pseudonyms(tmp_path_factory.getbasetemp() / "one")
    other = Pseudonyms(tmp_path_factory.getbasetemp() / "other")

    assert pydicom.uid.UID(one.uid(old)).is_valid
    assert one.uid(old) == one.uid(old) != other.uid(old)
    assert one.uid(old) != one.uid(old + "1")
    assert 1 <= one.days(old) <= 3650


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("PatientName", "Z"),
        ("PatientBirthDate", "Z"),
        ("AccessionNumber", "Z"),
        ("StudyDate", "Z"),
        ("StudyInstanceUID", "U"),
        ("ReferencedImageSequence", "XZU"),
        ("InstitutionName", "XZD"),
        ("SeriesDescription", "X"),
        ("ContentDate", "ZD"),
        ("PixelSpacing", None),
        ("RescaleSlope", None),
    ],
)
def test_the_table_is_the_standards(name: str, rule: str | None) -> None:
    from pydicom.datadict import tag_for_keyword

    assert rule_of(int(tag_for_keyword(name) or 0)) == rule


def _day(told: str) -> date:
    return date(int(told[:4]), int(told[4:6]), int(told[6:]))
