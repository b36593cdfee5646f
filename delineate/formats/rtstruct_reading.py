"""Read an RT Structure Set."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour, Structure
from delineate.errors import InputError, UnreadableFileError
from delineate.formats.rtstruct_nesting import nested
from delineate.imaging import Category, Code

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["RtStruct", "read"]

_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_GEOMETRIC_TYPE = 0x30060042
_CONTOUR_DATA = 0x30060050
_SIDES = {"7771000": "left", "24028007": "right", "G-A101": "left", "G-A100": "right"}


@dataclass(frozen=True, slots=True, eq=False)
class RtStruct:
    """What an RT Structure Set says.

    Parameters
    ----------
    structures
        One a region of interest (ROI), in the order of the file, those without contours included.
        ``number`` is the ROI number, or the next free one where that is 0, negative or taken.
    label
        The name of the set.
    study_uid, series_uid, frame_of_reference_uid
        Of the images it was drawn on; empty where the file does not say. The first where it names
        several.
    sop_instance_uids
        The images of that series, as listed.
    interpreted_types
        By structure number: ``"GTV"``, ``"ORGAN"``, ``"EXTERNAL"`` ...; only those that are given.
    notes
        What was set aside and what was odd, in sentences.
    """

    structures: tuple[Structure, ...]
    label: str = ""
    study_uid: str = ""
    series_uid: str = ""
    frame_of_reference_uid: str = ""
    sop_instance_uids: tuple[str, ...] = ()
    interpreted_types: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "interpreted_types", MappingProxyType(self.interpreted_types))


def read(path: Path | str) -> RtStruct:
    """Read the closed contours of an RT Structure Set.

    Parameters
    ----------
    path
        The file. Points and open lines in it are set aside, and named in ``notes``.

    Returns
    -------
    RtStruct
        ``is_hole`` is true for rings within an odd number of rings of the same slice.

    Raises
    ------
    UnreadableFileError
        If it is no RT Structure Set, or broken.
    """
    name = Path(path).name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on values that are not used
        dataset = _dataset(Path(path))
        try:
            return _content(dataset)
        except InputError:
            raise
        except Exception as error:  # pydicom raises anything on broken values
            # Its message may quote the file, patient included: only its kind is passed on.
            raise UnreadableFileError(
                f"{name} is a broken RT Structure Set ({type(error).__name__}); export it again"
            ) from None


def _dataset(path: Path) -> Dataset:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        dataset = pydicom.dcmread(path, force=True)
        sop_class = str(dataset.get("SOPClassUID", "") or "")
        modality = str(dataset.get("Modality", "") or "")
        has_rois = "ROIContourSequence" in dataset or "StructureSetROISequence" in dataset
        cut_short = _cut_short(dataset)
    except FileNotFoundError:
        raise
    except (InvalidDicomError, Exception) as error:
        raise UnreadableFileError(
            f"{path.name} is no DICOM file, or a broken one ({type(error).__name__})"
        ) from None
    if sop_class != _STORAGE and modality != "RTSTRUCT":
        kind = modality or "another kind of file"
        raise UnreadableFileError(f"expected an RT Structure Set, got {kind} in {path.name}")
    if cut_short or not has_rois:
        raise UnreadableFileError(
            f"{path.name} is an RT Structure Set without any ROI, or cut short; copy or export it "
            "again"
        )
    return dataset


def _cut_short(dataset: Dataset) -> bool:
    """Whether the file ends within an element, which pydicom reads as far as it goes."""
    for tag in dataset.keys():  # noqa: SIM118  (iterating a data set decodes it)
        element = dataset.get_item(tag)
        length = getattr(element, "length", 0)
        value = getattr(element, "value", None)
        if isinstance(value, bytes) and length != 0xFFFFFFFF and len(value) < length:
            return True
    return False


def _content(dataset: Dataset) -> RtStruct:
    notes: list[str] = []
    contours = {
        _number(item.get("ReferencedROINumber")): item
        for item in dataset.get("ROIContourSequence") or ()
    }
    observations = {
        _number(item.get("ReferencedROINumber")): item
        for item in dataset.get("RTROIObservationsSequence") or ()
    }
    rois = [
        (_number(item.get("ROINumber")), str(item.get("ROIName") or "").strip())
        for item in dataset.get("StructureSetROISequence") or ()
    ]
    unnamed = sorted(set(contours) - {number for number, _ in rois})
    if unnamed:
        notes.append(f"{len(unnamed)} ROIs have contours but no name: {unnamed}")
    structures: list[Structure] = []
    types = {}
    taken = {number for number, _ in rois if 1 <= number <= 65535}
    used: set[int] = set()
    for roi, name in (*rois, *((number, "") for number in unnamed)):
        number = roi
        if not 1 <= roi <= 65535 or roi in used:
            number = next(n for n in range(1, 65536) if n not in taken)
            notes.append(f"ROI {name!r} has the number {roi}, which is taken or none: now {number}")
        taken.add(number)
        used.add(number)
        item, observation = contours.get(roi), observations.get(roi)
        rings = _contours(item, name or str(roi), notes)
        code, side, kind = _meaning(observation)
        colour = _colour(item)
        category = Category(name or f"ROI {roi}", colour, code, side)
        structures.append(Structure(number, category, rings))
        if kind:
            types[number] = kind
    study, series, frame, instances = _references(dataset, notes)
    return RtStruct(
        structures=tuple(structures),
        label=str(dataset.get("StructureSetLabel") or ""),
        study_uid=study or str(dataset.get("StudyInstanceUID") or ""),
        series_uid=series,
        frame_of_reference_uid=frame or str(dataset.get("FrameOfReferenceUID") or ""),
        sop_instance_uids=instances,
        interpreted_types=types,
        notes=tuple(notes),
    )


def _number(value: Any) -> int:
    return -1 if value is None or value == "" else int(value)


def _contours(item: Dataset | None, name: str, notes: list[str]) -> tuple[Contour, ...]:
    """Closed rings in slice order, each outer ring before its holes."""
    aside: dict[str, int] = {}
    rings = []
    for one in (item.get("ContourSequence") or ()) if item is not None else ():
        kind = _raw(one, _GEOMETRIC_TYPE).decode("ascii", "replace") or "CLOSED_PLANAR"
        if kind not in _CLOSED:
            aside[kind] = aside.get(kind, 0) + 1
            continue
        points = _points(one, name)
        if len(points) > 1 and np.array_equal(points[0], points[-1]):
            points = points[:-1]  # some programs repeat the first point
        if len(points) < 3:
            aside["degenerate"] = aside.get("degenerate", 0) + 1
            continue
        rings.append(points)
    for kind, count in sorted(aside.items()):
        notes.append(f"{count} contours of ROI {name!r} are {kind} and were set aside")
    return nested(rings)


def _points(item: Dataset, name: str) -> NDArray[np.float64]:
    """``(n, 3)`` from the bytes of ContourData, without pydicom's number objects."""
    text = _raw(item, _CONTOUR_DATA)
    numbers = np.array(text.split(b"\\") if text else [], dtype=np.bytes_).astype(np.float64)
    if len(numbers) % 3 or not np.isfinite(numbers).all():
        raise UnreadableFileError(
            f"a contour of ROI {name!r} has {len(numbers)} coordinates, expected three finite ones "
            "a point; export it again"
        )
    return numbers.reshape(-1, 3)


def _raw(item: Dataset, tag: int) -> bytes:
    """The text of an element as it is stored."""
    element = item.get_item(tag) if tag in item else None
    value = element.value if element is not None else None
    if isinstance(value, bytes):
        return value.strip(b" \0")
    parts = [] if value is None else [value] if isinstance(value, (str, int, float)) else value
    return "\\".join(str(part) for part in parts).encode()


def _meaning(observation: Dataset | None) -> tuple[Code | None, Any, str]:
    if observation is None:
        return None, None, ""
    kind = str(observation.get("RTROIInterpretedType") or "")
    items = observation.get("RTROIIdentificationCodeSequence")
    if not items:
        return None, None, kind
    item = items[0]
    value = str(item.get("CodeValue") or item.get("LongCodeValue") or "")
    scheme, meaning = (
        str(item.get(key) or "") for key in ("CodingSchemeDesignator", "CodeMeaning")
    )
    code = Code(value, scheme, meaning) if value and scheme else None
    modifiers = item.get("SegmentedPropertyTypeModifierCodeSequence") or ()
    sides = [_SIDES.get(str(modifier.get("CodeValue") or "")) for modifier in modifiers]
    return code, next((side for side in sides if side), None), kind


def _colour(item: Dataset | None) -> tuple[int, int, int]:
    value = item.get("ROIDisplayColor") if item is not None else None
    if value is None or isinstance(value, str) or len(value) != 3:
        return (-1, -1, -1)
    red, green, blue = (min(255, max(0, int(part))) for part in value)
    return red, green, blue


def _references(dataset: Dataset, notes: list[str]) -> tuple[str, str, str, tuple[str, ...]]:
    """UIDs of study, series, frame of reference and images that the contours were drawn on."""
    frames = dataset.get("ReferencedFrameOfReferenceSequence") or ()
    found = []
    for frame in frames:
        for study in frame.get("RTReferencedStudySequence") or ():
            for series in study.get("RTReferencedSeriesSequence") or ():
                uids = tuple(
                    str(one.get("ReferencedSOPInstanceUID") or "")
                    for one in series.get("ContourImageSequence") or ()
                )
                found.append(
                    (
                        str(study.get("ReferencedSOPInstanceUID") or ""),
                        str(series.get("SeriesInstanceUID") or ""),
                        str(frame.get("FrameOfReferenceUID") or ""),
                        uids,
                    )
                )
    if len(found) > 1:
        notes.append(f"it refers to {len(found)} series; the first is taken")
    if found:
        return found[0]
    frame = str(frames[0].get("FrameOfReferenceUID") or "") if frames else ""
    return "", "", frame, ()
