"""Measurement reports: what is said is read back, and belongs to the series and its segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.contour import measure
from delineate.errors import ExportError, UnreadableFileError
from delineate.formats import seg, sr
from delineate.formats.sr_codes import MEASUREMENTS
from delineate.imaging import Category, Code, Grid, Image, LabelMap
from tests.formats.dicom_objects import Row, from_dicom

LESION = Code("52988006", "SCT", "Lesion")
CATEGORIES = {
    2: Category("kidney_left", code=Code("64033007", "SCT", "Kidney"), laterality="left"),
    5: Category("Ähre"),
    9: Category("lesion", code=LESION),
}
GRID = Grid.regular((3, 8, 9), (4.0, 0.5, 0.5))


def image() -> Image:
    plain = from_dicom(GRID)
    samples = np.random.default_rng(1).normal(40, 30, GRID.shape).astype(np.float32)
    return Image(samples, GRID, "CT", source=plain.source)


def labelled() -> LabelMap:
    array = np.zeros(GRID.shape, np.uint8)
    array[0:2, 1:5, 1:6] = 2
    array[2, 3:7, 2:4] = 5
    return LabelMap(array, GRID, CATEGORIES)


def findings() -> list[Row]:
    values = measure(labelled(), image())
    notes = {2: ("touches the border: cut by the field of view", "second note, Ä")}
    return [
        Row(label, CATEGORIES[label], values[label], notes.get(label, ())) for label in CATEGORIES
    ]


def written(tmp_path: Path, **options: Any) -> tuple[sr.Report, pydicom.Dataset]:
    sr.write(findings(), image(), tmp_path / "sr.dcm", **options)
    return sr.read(tmp_path / "sr.dcm"), pydicom.dcmread(tmp_path / "sr.dcm")


def test_every_coded_measurement_comes_back_exactly(tmp_path: Path) -> None:
    report, _ = written(tmp_path)

    for finding, group in zip(findings(), report.groups, strict=True):
        expected = {
            key: value
            for key, value in finding.measurements.items()
            if key in MEASUREMENTS and value is not None
        }
        assert dict(group.measurements) == expected
        assert group.notes == finding.notes
    kidney, ear, lesion = report.groups
    assert {"volume_ml", "mean_hu", "sd_hu", "longest_diameter_mm"} <= set(kidney.measurements)
    assert (kidney.code, kidney.laterality) == (CATEGORIES[2].code, "left")
    assert (ear.code, ear.title) == (None, "5 Ähre")
    assert (lesion.code, lesion.laterality) == (LESION, None)
    assert [group.found for group in report.groups] == [True, True, False]


@given(st.dictionaries(st.sampled_from(sorted(MEASUREMENTS)), st.floats(-1e9, 1e9)))
def test_any_value_comes_back(tmp_path_factory: Any, values: dict[str, float]) -> None:
    path = tmp_path_factory.mktemp("sr") / "sr.dcm"

    sr.write([Row(1, CATEGORIES[2], values)], image(), path)

    (group,) = sr.read(path).groups
    assert dict(group.measurements) == values


def test_groups_refer_to_the_segments_of_the_segmentation_beside_it(tmp_path: Path) -> None:
    known = seg.segments([labelled()], image(), algorithm="organs.ct 1")
    seg.write([labelled()], image(), tmp_path / "seg.dcm", algorithm="organs.ct 1")
    segmentation = pydicom.dcmread(tmp_path / "seg.dcm")

    report, dataset = written(tmp_path, segmentation=known, algorithm="organs.ct 1")

    segments = {one.SegmentNumber: one for one in segmentation.SegmentSequence}
    for group, number in zip(report.groups, (1, 2, 3), strict=True):
        assert group.segmentation_uid == segmentation.SOPInstanceUID
        assert group.segment == number
        assert group.tracking_uid == segments[number].TrackingUID
        assert group.title == segments[number].TrackingID
    (evidence,) = dataset.CurrentRequestedProcedureEvidenceSequence
    series = {one.SeriesInstanceUID for one in evidence.ReferencedSeriesSequence}
    assert segmentation.SeriesInstanceUID in series
    assert dataset.StudyInstanceUID == "1.2.3"


def test_highdicom_reads_the_report_as_a_measurement_report(tmp_path: Path) -> None:
    import highdicom

    known = seg.segments([labelled()], image())
    written(tmp_path, segmentation=known)

    content = highdicom.sr.srread(tmp_path / "sr.dcm").content

    groups = content.get_volumetric_roi_measurement_groups()
    assert len(groups) == 3
    kidney = groups[0]
    assert kidney.finding_type.value == "64033007"
    assert kidney.finding_sites[0].laterality.value == "7771000"
    concept = highdicom.sr.CodedConcept("52988006", "SCT", "Lesion")
    volume = kidney.get_measurements(highdicom.sr.CodedConcept("118565006", "SCT", "Volume"))[0]
    assert (volume.value, volume.unit.value) == (40 * 4.0 * 0.5 * 0.5 / 1000, "cm3")
    assert len(content.get_volumetric_roi_measurement_groups(finding_type=concept)) == 1


def test_the_observer_is_a_device_and_nobody_is_made_up(tmp_path: Path) -> None:
    _, dataset = written(tmp_path, accuracy="round trip: Dice 1.000000")

    texts = [str(one.value) for one in dataset.iterall() if one.VR == "PN" and one.value]
    assert texts == []
    codes = [one.CodeValue for one in items(dataset) if "CodeValue" in one]
    assert "121007" in codes  # Device
    assert "121008" not in codes  # Person observer name
    assert sr.read(tmp_path / "sr.dcm").notes == ("round trip: Dice 1.000000",)


def test_the_same_findings_give_the_same_bytes_and_others_other_uids(tmp_path: Path) -> None:
    _, first = written(tmp_path)
    content = (tmp_path / "sr.dcm").read_bytes()
    written(tmp_path)
    assert (tmp_path / "sr.dcm").read_bytes() == content
    _, other = written(tmp_path, algorithm="another")

    assert first.SOPInstanceUID != other.SOPInstanceUID
    assert first.SeriesInstanceUID != other.SeriesInstanceUID


def test_only_findings_on_a_dicom_series_are_reported(tmp_path: Path) -> None:
    plain = Image(image().array, GRID, "CT")

    with pytest.raises(ExportError, match="DICOM series"):
        sr.write(findings(), plain, tmp_path / "a.dcm")
    with pytest.raises(ExportError, match="at least one"):
        sr.write([], image(), tmp_path / "a.dcm")
    assert not list(tmp_path.iterdir())


def test_reports_of_others_are_read_and_other_files_refused(
    shared_data: Path, tmp_path: Path
) -> None:
    odd = shared_data / "odd_files"

    report = sr.read(odd / "highdicom" / "sr_document_with_multiple_groups.dcm")

    assert report.groups
    assert any(group.measurements for group in report.groups)
    for path in (odd / "highdicom" / "ct_image.dcm", odd / "pydicom_test_files" / "reportsi.dcm"):
        with pytest.raises(UnreadableFileError):
            sr.read(path)
    (tmp_path / "a").write_bytes(b"text")
    with pytest.raises(UnreadableFileError):
        sr.read(tmp_path / "a")


def items(dataset: Any) -> Any:
    """Every data set within a data set."""
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for one in element.value:
                yield from items(one)
