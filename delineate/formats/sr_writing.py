"""Write a measurement report, through highdicom."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from delineate.errors import ExportError
from delineate.formats.derived import (
    SIDES,
    Made,
    fix_times,
    line,
    new_uid,
    patient_and_study,
    series_of,
    title,
    version,
)
from delineate.formats.dicom import DicomSource
from delineate.formats.property_types import is_anatomy, own_code, property_category
from delineate.formats.seg_segments import Segments
from delineate.formats.sr_codes import MEASUREMENTS
from delineate.imaging import Category, Image

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Measured", "write"]

_STORAGE = "1.2.840.10008.5.1.4.1.1.88.34"
_PROCEDURES = {
    "CT": ("25045-6", "LN", "CT unspecified body region"),
    "MR": ("25056-3", "LN", "MRI unspecified body region"),
    "PT": ("44136-0", "LN", "PET unspecified body region"),
}
_IMAGING = ("363679005", "SCT", "Imaging procedure")
_PRESENCE = ("121052", "DCM", "Presence of property")
_PRESENT, _ABSENT = ("52101004", "SCT", "Present"), ("272519000", "SCT", "Absent")
_COMMENT = ("121106", "DCM", "Comment")


class Measured(Protocol):
    """What a measurement group is made of; a finding is one."""

    @property
    def id(self) -> int:
        """Its number: the label, if it is one of a segmentation."""

    @property
    def category(self) -> Category:
        """What it is."""

    @property
    def measurements(self) -> Mapping[str, Any]:
        """Numbers by name, as :func:`delineate.contour.measure` gives them."""

    @property
    def notes(self) -> Sequence[str]:
        """Remarks."""


def write(
    rows: Iterable[Measured],
    image: Image,
    path: Path | str,
    *,
    segmentation: Segments | None = None,
    algorithm: str = "delineate",
    made: Made = "automatic",
    made_of: Mapping[int, Made] = MappingProxyType({}),
    created: datetime | None = None,
    description: str = "",
    accuracy: str = "",
) -> None:
    """Write measurements as a Comprehensive 3D SR by the template TID 1500.

    Each row becomes a measurement group (TID 1411 where it has a segment, else TID 1501) with a
    tracking identifier, the finding's category and type, its site and side where it is anatomy,
    the algorithm, the measurements that :data:`~delineate.formats.sr_codes.MEASUREMENTS` has codes
    for, and the notes as comments. What was looked for and not found (no samples) is a group that
    says "Presence of property: Absent". No person is made up: the observer is a device.

    The same rows, image and arguments give the same file, UIDs included.

    Parameters
    ----------
    rows
        At least one.
    image
        Read from DICOM: what was measured.
    path
        The file to write.
    segmentation
        The segmentation that the rows' numbers are labels of, as
        :func:`delineate.formats.seg.segments` describes it. Rows that are not in it have no region.
    algorithm
        What found the structures.
    made
        How the structures came about: the algorithm is named only where it was one.
    made_of
        The same by id of the row, of those that came about otherwise.
    created
        When; the study's date and time if not given.
    description
        Of the series that the report makes; what viewers list it by.
    accuracy
        What a round trip through the segmentation loses, for a comment on the report.

    Raises
    ------
    ExportError
        If the image does not come from DICOM, or there is no row.
    """
    import highdicom

    source, rows = series_of(image, "an SR"), list(rows)
    named = {
        row.id: algorithm if made_of.get(row.id, made) in ("automatic", "semiautomatic") else None
        for row in rows
    }
    if not rows:
        raise ExportError("there is nothing to report, and an SR needs at least one finding")
    said = [
        (row.id, row.category, sorted((key, repr(x)) for key, x in row.measurements.items()))
        for row in rows
    ]
    notes = [list(row.notes) for row in rows]
    known = "" if segmentation is None else segmentation.sop_instance_uid
    content = hashlib.sha256(
        repr(
            (source.series_uid, algorithm, made, known, str(created), accuracy, said, notes)
        ).encode()
    ).digest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # highdicom's remarks on optional attributes
        groups = [_group(row, source, segmentation, named[row.id], content) for row in rows]
        report = _report(groups, image, accuracy)
        dataset = highdicom.sr.Comprehensive3DSR(
            evidence=_evidence(source, segmentation),
            content=report,
            series_instance_uid=new_uid(content, "series"),
            series_number=1,
            sop_instance_uid=new_uid(content, "instance"),
            instance_number=1,
            manufacturer="delineate",
            manufacturer_model_name="delineate",
            software_versions=version(),
            device_serial_number="0",
            is_complete=True,
        )
        fix_times(dataset)
        dataset.SeriesDescription = line(description, 64) or "Measurements by delineate"
        if created is not None:
            dataset.ContentDate = created.strftime("%Y%m%d")
            dataset.ContentTime = created.strftime("%H%M%S")
        dataset.save_as(Path(path), enforce_file_format=True)


def _report(groups: list[Any], image: Image, accuracy: str) -> Any:
    from highdicom import sr

    observer = sr.ObserverContext(
        observer_type=sr.CodedConcept("121007", "DCM", "Device"),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=new_uid(b"delineate", "device"),
            name="delineate",
            manufacturer_name="delineate",
            model_name="delineate",
        ),
    )
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=sr.CodedConcept(*_PROCEDURES.get(image.modality, _IMAGING)),
        imaging_measurements=groups,
        title=sr.CodedConcept("126000", "DCM", "Imaging Measurement Report"),
    )
    if accuracy:
        report[0].ContentSequence.append(_comment(accuracy))
    return report[0]


def _comment(text: str) -> Any:
    from highdicom import sr

    return sr.TextContentItem(sr.CodedConcept(*_COMMENT), text, "CONTAINS")


def _group(
    row: Measured,
    source: DicomSource,
    segmentation: Segments | None,
    algorithm: str | None,
    content: bytes,
) -> Any:
    from highdicom import sr

    category = row.category
    code = category.code or own_code(category)
    sites = []
    if category.code is not None and is_anatomy(category):
        side = sr.CodedConcept(*_side(category)) if category.laterality else None
        sites = [sr.FindingSite(_concept(category.code), laterality=side)]
    found = row.measurements.get("voxels") != 0
    number = segmentation.numbers.get(row.id) if segmentation is not None else None
    uid = new_uid(content, f"finding {row.id}")
    common = {
        "finding_category": sr.CodedConcept(*property_category(category)),
        "finding_type": _concept(code),
        "finding_sites": sites,
        "algorithm_id": sr.AlgorithmIdentification(name=line(algorithm, 64), version=version())
        if algorithm
        else None,
        "measurements": _measurements(row.measurements),
        "qualitative_evaluations": [
            sr.QualitativeEvaluation(
                sr.CodedConcept(*_PRESENCE), sr.CodedConcept(*(_PRESENT if found else _ABSENT))
            )
        ],
    }
    group: Any
    if segmentation is None or number is None:
        tracking = sr.TrackingIdentifier(uid, line(f"{row.id} {title(category)}", 64))
        group = sr.MeasurementsAndQualitativeEvaluations(tracking, **common)
    else:
        uid = segmentation.tracking_uids[row.id]
        tracking = sr.TrackingIdentifier(uid, line(f"{number} {title(category)}", 64))
        segment = sr.ReferencedSegment(
            segmentation.sop_class_uid,
            segmentation.sop_instance_uid,
            number,
            source_series=sr.SourceSeriesForSegmentation(source.series_uid),
        )
        group = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking, referenced_segment=segment, **common
        )
    for note in row.notes:
        group[0].ContentSequence.append(_comment(note))
    return group


def _side(category: Category) -> tuple[str, str, str]:
    assert category.laterality is not None
    value, meaning = SIDES[category.laterality]
    return value, "SCT", meaning


def _concept(code: Any) -> Any:
    from highdicom import sr

    return sr.CodedConcept(code.value, code.scheme, line(code.meaning, 64))


def _measurements(values: Mapping[str, Any]) -> list[Any]:
    from highdicom import sr

    made = []
    for key, name in MEASUREMENTS.items():
        value = values.get(key)
        if isinstance(value, int | float) and math.isfinite(value):
            derivation = None if name.derivation is None else _concept(name.derivation)
            made.append(
                sr.Measurement(
                    _concept(name.concept), float(value), _concept(name.unit), derivation=derivation
                )
            )
    return made


def _evidence(source: DicomSource, segmentation: Segments | None) -> list[Dataset]:
    """Headers of the instances that were measured, and of the segmentation."""
    instances = dict(zip(source.sop_instance_uids, source.sop_class_uids, strict=True))
    found = [_instance(source, source.series_uid, uid, name) for uid, name in instances.items()]
    if segmentation is not None:
        found.append(
            _instance(
                source,
                segmentation.series_uid,
                segmentation.sop_instance_uid,
                segmentation.sop_class_uid,
            )
        )
    return found


def _instance(source: DicomSource, series: str, uid: str, sop_class: str) -> Dataset:
    dataset = patient_and_study(source)
    dataset.SeriesInstanceUID, dataset.SOPInstanceUID, dataset.SOPClassUID = series, uid, sop_class
    return dataset
