"""Write an RT Structure Set (PS3.3 A.19), byte by byte where it is large.

ContourData is decimal text in an element that outgrows the 64 KiB which explicit value
representations allow, so the transfer syntax is implicit VR little endian. The contours are
encoded by hand in :mod:`delineate.formats.rtstruct_contours`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from delineate.contour import Structure
from delineate.errors import ExportError
from delineate.formats.derived import (
    SIDES,
    Made,
    coded,
    line,
    new_uid,
    patient_and_study,
    series_of,
    title,
    version,
)
from delineate.formats.dicom import DicomSource
from delineate.formats.property_types import interpreted_type, property_category
from delineate.formats.rtstruct_contours import SEQUENCE, Holes, encode_contours
from delineate.imaging import Category, Image

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Holes", "write"]

_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
_STUDY = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, retired; what the field asks for
_IMPLICIT = "1.2.840.10008.1.2"
_NOT_FOUND = "looked for and not found: no contours"


def write(
    structures: Sequence[Structure],
    image: Image,
    path: Path | str,
    *,
    label: str = "delineate",
    description: str = "",
    algorithm: str = "",
    made: Made = "automatic",
    made_of: Mapping[int, Made] = MappingProxyType({}),
    holes: Holes = "rings",
    created: datetime | None = None,
    accuracy: str = "",
) -> None:
    """Write structures as an RT Structure Set of the series that an image was read from.

    The same structures, image and arguments give the same file, UIDs included.

    Parameters
    ----------
    structures
        Their numbers become ROI numbers. One without contours becomes an ROI without contours,
        and its ROIDescription says so.
    image
        Read from DICOM; the contours lie in the planes of its slices, up to 0.1 mm or 1 % of
        their distance.
    path
        The file to write.
    label
        Name of the set, at most 16 characters.
    description
        Of the series that the set makes.
    algorithm
        What drew the contours, at most 64 characters.
    made
        How the contours came about, for ROIGenerationAlgorithm; left empty if unknown.
    made_of
        The same by number, of those that came about otherwise.
    holes
        ``"rings"``: rings within rings, of type CLOSED_PLANAR, which nearly every program fills
        by the even-odd rule, though the standard does not say so. ``"xor"``: the same with all
        rings of an ROI that has holes of type CLOSEDPLANAR_XOR, as PS3.3 C.8.8.6.3 asks, which
        editions up to 2018 did not have; programs that do not know it drop such rings.
        ``"keyhole"``: one ring with a channel of no width to each hole, the other way of the
        standard.
    created
        When; left empty if not given.
    accuracy
        What a round trip through this file loses, for StructureSetDescription.

    Raises
    ------
    ExportError
        If the image does not come from DICOM, lacks identifiers, or two structures have the same
        number.
    GeometryError
        If a contour lies in no slice of the image, or between two.
    """
    source = series_of(image, "an RTSTRUCT")
    numbers = [structure.number for structure in structures]
    if len(set(numbers)) != len(numbers):
        raise ExportError(f"expected structures with different numbers, got {sorted(numbers)}")
    if not structures:
        raise ExportError("expected at least one structure; DICOM has no empty structure set")
    frame = source.frame_of_reference_uid or new_uid(
        source.series_uid.encode(), "frame of reference"
    )
    making = [made_of.get(structure.number, made) for structure in structures]
    dataset = _dataset(structures, source, frame, label, algorithm, making, created)
    dataset.SeriesDescription = line(description, 64)
    if accuracy:
        dataset.StructureSetDescription = line(accuracy, 1024)
    contours = encode_contours(structures, image, source, holes)
    dataset.SOPInstanceUID = dataset.SeriesInstanceUID = "2.25.0"
    content = _encoded(dataset) + contours
    dataset.SOPInstanceUID = new_uid(content, "instance")
    dataset.SeriesInstanceUID = new_uid(content, "series")
    _save(dataset, contours, Path(path))


def _dataset(
    structures: Sequence[Structure],
    source: DicomSource,
    frame: str,
    label: str,
    algorithm: str,
    making: Sequence[Made],
    created: datetime | None,
) -> Dataset:
    """All but the contours."""
    from pydicom import Dataset

    dataset = patient_and_study(source)
    dataset.SOPClassUID = _STORAGE
    dataset.Modality = "RTSTRUCT"
    dataset.Manufacturer = dataset.ManufacturerModelName = "delineate"
    dataset.SoftwareVersions = version()
    dataset.SeriesNumber = None
    dataset.OperatorsName = ""
    dataset.FrameOfReferenceUID = frame
    dataset.PositionReferenceIndicator = str(source.header.get("PositionReferenceIndicator") or "")
    dataset.StructureSetLabel = line(label, 16) or "delineate"
    dataset.StructureSetDate = created.strftime("%Y%m%d") if created else ""
    dataset.StructureSetTime = created.strftime("%H%M%S") if created else ""
    dataset.ReferencedFrameOfReferenceSequence = [_referenced(source, frame)]
    rois, observations = [], []
    names = _names(structures)
    for structure, name, made in zip(structures, names, making, strict=True):
        roi = Dataset()
        roi.ROINumber = structure.number
        roi.ReferencedFrameOfReferenceUID = frame
        roi.ROIName = name
        if not structure.contours:
            roi.ROIDescription = _NOT_FOUND
        roi.ROIGenerationAlgorithm = "" if made == "unknown" else made.upper()
        if algorithm and made != "manual":
            roi.ROIGenerationDescription = line(algorithm, 64)
        rois.append(roi)
        observations.append(_observation(structure))
    dataset.StructureSetROISequence = rois
    dataset.RTROIObservationsSequence = observations
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def _names(structures: Sequence[Structure]) -> list[str]:
    """Names of the ROIs: with their side, unique, at most 64 characters."""
    names: list[str] = []
    for structure in structures:
        name = line(title(structure.category), 64)
        if name in names:
            suffix = f" ({structure.number})"
            name = name[: 64 - len(suffix)] + suffix
        names.append(name)
    return names


def _observation(structure: Structure) -> Dataset:
    from pydicom import Dataset

    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = structure.number
    item.RTROIInterpretedType = interpreted_type(structure.category)
    item.ROIInterpreter = ""
    if structure.category.code:
        item.SegmentedPropertyCategoryCodeSequence = [coded(*property_category(structure.category))]
        item.RTROIIdentificationCodeSequence = [_code(structure.category)]
    return item


def _code(category: Category) -> Dataset:
    code = category.code
    assert code is not None
    item = coded(code.value, code.scheme, code.meaning)
    if category.laterality:
        value, meaning = SIDES[category.laterality]
        modifiers = [coded(value, "SCT", meaning)]
        item.SegmentedPropertyTypeModifierCodeSequence = modifiers
    return item


def _referenced(source: DicomSource, frame: str) -> Dataset:
    """Which images the contours were drawn on: every slice of the series."""
    from pydicom import Dataset

    images = []
    for index in range(len(source.sop_instance_uids)):
        image = Dataset()
        image.ReferencedSOPClassUID = source.sop_class_uids[index]
        image.ReferencedSOPInstanceUID = source.sop_instance_uids[index]
        if source.frame_numbers[index]:
            image.ReferencedFrameNumber = source.frame_numbers[index]
        images.append(image)
    series = Dataset()
    series.SeriesInstanceUID = source.series_uid
    series.ContourImageSequence = images
    study = Dataset()
    study.ReferencedSOPClassUID = _STUDY
    study.ReferencedSOPInstanceUID = source.study_uid
    study.RTReferencedSeriesSequence = [series]
    item = Dataset()
    item.FrameOfReferenceUID = frame
    item.RTReferencedStudySequence = [study]
    return item


def _encoded(dataset: Dataset, tags: Any = slice(None)) -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, dataset[tags], "utf-8")
    return bytes(buffer.getvalue())


def _save(dataset: Dataset, contours: bytes, path: Path) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.filewriter import write_file_meta_info
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(_STORAGE)
    meta.MediaStorageSOPInstanceUID = UID(str(dataset.SOPInstanceUID))
    meta.TransferSyntaxUID = UID(_IMPLICIT)
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    head = io.BytesIO()
    write_file_meta_info(head, meta)
    with path.open("wb") as file:
        file.write(b"\0" * 128 + b"DICM")
        file.write(head.getvalue())
        file.write(_encoded(dataset, slice(None, SEQUENCE)))
        file.write(contours)
        file.write(_encoded(dataset, slice(SEQUENCE, None)))
