"""What objects derived from a DICOM series (RTSTRUCT, SEG, SR) repeat of it, and share."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from delineate.errors import ExportError
from delineate.formats.dicom import DicomSource
from delineate.formats.dicom.quiet import quiet_pydicom
from delineate.imaging import Category, Code, Image
from delineate.imaging.category import Laterality

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = [
    "SIDES",
    "Made",
    "code_and_side",
    "coded",
    "common_making",
    "fix_times",
    "line",
    "new_uid",
    "patient_and_study",
    "series_of",
    "title",
    "version",
]

# How structures came about, as DICOM tells it apart.
Made = Literal["automatic", "semiautomatic", "manual", "unknown"]

# Left and right as SNOMED CT has them (CID 244).
SIDES = {"left": ("7771000", "Left"), "right": ("24028007", "Right")}
_SIDES_READ: Mapping[str, Laterality] = MappingProxyType(
    {"7771000": "left", "24028007": "right", "G-A101": "left", "G-A100": "right"}
)

# Of the patient and the study, copied as they are. The first are required, if only empty.
_REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
_OPTIONAL = (
    "IssuerOfPatientID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "StudyDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
)
COPIED = (*_REQUIRED, *_OPTIONAL)


def series_of(image: Image, what: str) -> DicomSource:
    """The series that an image was read from.

    Raises
    ------
    ExportError
        If there is none, it lacks identifiers that a derived object must refer to, or the image is
        no longer as it was read. ``what`` names the object.
    """
    source = image.source
    if not isinstance(source, DicomSource):
        raise ExportError(
            f"{what} refers to the slices of a DICOM series, but the image was read from "
            f"{source.format}; delineate the DICOM series itself, or export NIfTI or GeoJSON"
        )
    missing = [
        name
        for name, value in (
            ("StudyInstanceUID", source.study_uid),
            ("SeriesInstanceUID", source.series_uid),
            ("SOPInstanceUID", all(source.sop_instance_uids) and source.sop_instance_uids),
            ("SOPClassUID", all(source.sop_class_uids)),
        )
        if not value
    ]
    if missing:
        raise ExportError(
            f"the DICOM series lacks {' and '.join(missing)}, which {what} must refer to; "
            "export the series again from its archive"
        )
    if len(source.sop_instance_uids) != image.grid.shape[0]:
        raise ExportError(
            f"the image has {image.grid.shape[0]} slices, its series "
            f"{len(source.sop_instance_uids)}; write {what} on the image as it was read"
        )
    return source


def patient_and_study(source: DicomSource) -> Dataset:
    """A data set that holds what the series says of its patient and study, and no more.

    Values that the standard requires and the series does not give are empty; text is UTF-8.
    """
    from pydicom import Dataset

    header, dataset = source.header, Dataset()
    with quiet_pydicom():  # odd values are passed on as they are
        dataset.SpecificCharacterSet = "ISO_IR 192"
        for name in _REQUIRED:
            setattr(dataset, name, _text(header, name))
        for name in _OPTIONAL:
            if name in header:
                setattr(dataset, name, _text(header, name))
        codes = header.get("DeidentificationMethodCodeSequence")
        if codes:
            parts = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
            dataset.DeidentificationMethodCodeSequence = [
                coded(*(_text(code, part) for part in parts)) for code in codes
            ]
        dataset.StudyInstanceUID = source.study_uid
    return dataset


def _text(header: Dataset, name: str) -> str:
    from pydicom.multival import MultiValue

    value = header.get(name)
    parts = value if isinstance(value, MultiValue) else ["" if value is None else value]
    return "\\".join(str(part) for part in parts)


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded concept as the item of a sequence."""
    from pydicom import Dataset

    item = Dataset()
    if len(value) > 16:
        item.LongCodeValue = value
    else:
        item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = line(meaning, 64)
    return item


def code_and_side(item: Dataset) -> tuple[Code | None, Laterality | None]:
    """What the item of a sequence of coded concepts says, its modifiers included."""
    value = str(item.get("CodeValue") or item.get("LongCodeValue") or "")
    scheme = str(item.get("CodingSchemeDesignator") or "")
    code = Code(value, scheme, str(item.get("CodeMeaning") or "")) if value and scheme else None
    modifiers = item.get("SegmentedPropertyTypeModifierCodeSequence") or ()
    sides = (_SIDES_READ.get(str(modifier.get("CodeValue") or "")) for modifier in modifiers)
    return code, next((side for side in sides if side), None)


def line(text: str, length: int) -> str:
    """One line of at most ``length`` characters; a backslash would part it in two."""
    return " ".join(text.replace("\\", "/").split())[:length].strip()


def fix_times(dataset: Dataset) -> None:
    """Replace the time of writing, which would make every file another one, by the study's."""
    for item in dataset.get("ContributingEquipmentSequence") or ():
        item.pop("ContributionDateTime", None)
    for name in ("ContentDate", "InstanceCreationDate", "SeriesDate"):
        if name in dataset:
            setattr(dataset, name, str(dataset.StudyDate or "19700101"))
    for name in ("ContentTime", "InstanceCreationTime", "SeriesTime"):
        if name in dataset:
            setattr(dataset, name, str(dataset.StudyTime or "000000"))


def new_uid(content: bytes, purpose: str) -> str:
    """A UID that follows from what it identifies (PS3.5 B.2)."""
    digest = hashlib.sha256(purpose.encode() + b"\0" + content).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def title(category: Category) -> str:
    """The name of a category with its side, where the name does not have it."""
    side = category.laterality
    if side and side not in category.name.lower():
        return f"{category.name} {side}"
    return category.name


def version() -> str:
    """The version of delineate, for provenance."""
    from importlib import metadata

    try:
        return metadata.version("delineate")
    except metadata.PackageNotFoundError:
        return "unknown"


def common_making(said: Iterable[str]) -> Made:
    """How all of some structures were made, from DICOM's words; unknown where they differ."""
    words = {str(one or "").strip().lower() for one in said}
    only = words.pop() if len(words) == 1 else ""
    known: dict[str, Made] = {
        "automatic": "automatic",
        "semiautomatic": "semiautomatic",
        "manual": "manual",
    }
    return known.get(only, "unknown")
