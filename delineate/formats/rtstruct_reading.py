"""Read an RT Structure Set."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from delineate.contour import Structure
from delineate.errors import InputError, UnreadableFileError
from delineate.formats.derived import Made, code_and_side, common_making
from delineate.formats.rtstruct_items import DrawnRoi, drawn_rois
from delineate.formats.rtstruct_nesting import nested
from delineate.formats.rtstruct_rings import closed_rings
from delineate.imaging import Category, Code

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["RtStruct", "read"]

_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"


@dataclass(frozen=True, slots=True, eq=False)
class RtStruct:
    """What an RT Structure Set says.

    Parameters
    ----------
    structures
        One a region of interest (ROI), in the order of the file, those without contours included.
        ``number`` is the ROI number, or the next free one where that is 0, negative or taken.
    label, description
        Of the set; what a round trip through this file loses is in the description.
    study_uid, series_uid, frame_of_reference_uid
        Of the images it was drawn on; empty where the file does not say. The first where it names
        several.
    sop_instance_uids
        The images of that series, as listed.
    interpreted_types
        By structure number: ``"GTV"``, ``"ORGAN"``, ``"EXTERNAL"`` ...; only those that are given.
    made
        How the contours came about, where the file says the same of all that there are.
    notes
        What was set aside and what was odd, in sentences.
    """

    structures: tuple[Structure, ...]
    label: str = ""
    description: str = ""
    study_uid: str = ""
    series_uid: str = ""
    frame_of_reference_uid: str = ""
    sop_instance_uids: tuple[str, ...] = ()
    interpreted_types: Mapping[int, str] = field(default_factory=dict)
    made: Made = "unknown"
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
        If it is no RT Structure Set or broken, or ROIs of different names share a number.
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
    drawn: dict[int, list[DrawnRoi]] = {}
    for item in drawn_rois(dataset):
        drawn.setdefault(_number(item.number), []).append(item)
    observations = {
        _number(item.get("ReferencedROINumber")): item
        for item in dataset.get("RTROIObservationsSequence") or ()
    }
    structures: list[Structure] = []
    types = {}
    for number, roi, name in _rois(dataset, drawn, notes):
        items = drawn.get(roi, [])
        contours = [contour for item in items for contour in item.contours]
        rings = closed_rings(contours, name or str(roi), notes)
        code, side, kind = _meaning(observations.get(roi))
        colour = next((colour for item in items if (colour := _colour(item.colour))), (-1, -1, -1))
        category = Category(name or f"ROI {roi}", colour, code, side)
        found, crossing = nested(rings)
        if crossing:
            notes.append(
                f"{crossing} pairs of contours of ROI {category.name!r} cross each other; what "
                "both hold counts as outside"
            )
        structures.append(Structure(number, category, found))
        if kind:
            types[number] = kind
    study, series, frame, instances = _references(dataset, notes)
    return RtStruct(
        structures=tuple(structures),
        label=str(dataset.get("StructureSetLabel") or ""),
        description=str(dataset.get("StructureSetDescription") or ""),
        study_uid=study or str(dataset.get("StudyInstanceUID") or ""),
        series_uid=series,
        frame_of_reference_uid=frame or str(dataset.get("FrameOfReferenceUID") or ""),
        sop_instance_uids=instances,
        interpreted_types=types,
        made=common_making(
            str(item.get("ROIGenerationAlgorithm") or "")
            for item in dataset.get("StructureSetROISequence") or ()
        ),
        notes=tuple(notes),
    )


def _rois(
    dataset: Dataset, drawn: Mapping[int, list[DrawnRoi]], notes: list[str]
) -> Iterator[tuple[int, int, str]]:
    """The number to be used, the number in the file, and the name of each ROI."""
    rois = [
        (_number(item.get("ROINumber")), str(item.get("ROIName") or "").strip())
        for item in dataset.get("StructureSetROISequence") or ()
    ]
    unnamed = sorted(set(drawn) - {number for number, _ in rois})
    if unnamed:
        notes.append(f"{len(unnamed)} ROIs have contours but no name: {unnamed}")
    taken = {number for number, _ in rois if 1 <= number <= 65535}
    used: set[int] = set()
    known = list(dict.fromkeys(rois))
    if len(known) < len(rois):
        notes.append(f"{len(rois) - len(known)} ROIs are listed twice, with one name and number")
    for roi, name in (*known, *((number, "") for number in unnamed)):
        names = sorted({other for number, other in known if number == roi})
        if len(names) > 1 and roi in drawn:
            raise UnreadableFileError(
                f"ROIs {' and '.join(map(repr, names))} both have the number {roi}, so it is not "
                "said whose its contours are; give them different numbers and export it again"
            )
        number = roi
        if not 1 <= roi <= 65535 or roi in used:
            number = next(n for n in range(1, 65536) if n not in taken)
            notes.append(f"ROI {name!r} has the number {roi}, which is taken or none: now {number}")
        taken.add(number)
        used.add(number)
        yield number, roi, name


def _number(value: Any) -> int:
    return -1 if value is None or value in ("", b"") else int(value)


def _meaning(observation: Dataset | None) -> tuple[Code | None, Any, str]:
    if observation is None:
        return None, None, ""
    kind = str(observation.get("RTROIInterpretedType") or "")
    items = observation.get("RTROIIdentificationCodeSequence")
    if not items:
        return None, None, kind
    code, side = code_and_side(items[0])
    return code, side, kind


def _colour(text: bytes) -> tuple[int, int, int] | None:
    parts = text.split(b"\\")
    if len(parts) != 3:
        return None
    red, green, blue = (min(255, max(0, int(float(part)))) for part in parts)
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
