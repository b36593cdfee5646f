"""Write a DICOM Segmentation, through highdicom."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

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
from delineate.formats.property_types import own_code, property_category
from delineate.formats.seg_merge import merged
from delineate.formats.seg_segments import Kind, Segments, segments
from delineate.imaging import Image, LabelMap

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["write"]

_CT = "1.2.840.10008.5.1.4.1.1.2"
_NOT_FOUND = "looked for and not found"


def write(
    layers: Sequence[LabelMap],
    image: Image,
    path: Path | str,
    *,
    algorithm: str = "delineate",
    made: Made = "automatic",
    made_of: Mapping[int, Made] = MappingProxyType({}),
    kind: Kind = "binary",
    description: str = "",
    accuracy: str = "",
) -> None:
    """Write labels as a segmentation of the series that an image was read from.

    The same labels, image and arguments give the same file, UIDs included.

    Parameters
    ----------
    layers
        On the image's grid, each label in one of them. Labels become segments, numbered from 1 in
        ascending order (:func:`~delineate.formats.seg.segments` says which is which); those that
        were looked for and not found become segments without frames, and SegmentDescription says
        so.
    image
        Read from DICOM.
    path
        The file to write. Frames without a sample are left out.
    algorithm
        What made the labels.
    made
        How they came about; a SEG has to say it.
    made_of
        The same by label, of those that came about otherwise.
    kind
        ``"binary"``: one bit a sample and segment, which every reader of segmentations knows, and
        which may overlap. ``"labelmap"``: one number a sample, much smaller for many segments, in
        the standard since 2024; for a single layer.
    description
        Of the series that the segmentation makes; what viewers list it by.
    accuracy
        What a round trip through this file loses, at most 64 characters, for ContentDescription.

    Raises
    ------
    ExportError
        If the image does not come from DICOM, grids differ, a label is in two layers, there is no
        label at all, or ``kind`` cannot hold them.
    """
    source = series_of(image, "a SEG")
    if made == "unknown":
        raise ExportError(
            "a SEG says how its segments were made, and nothing says so of these; state it: "
            "automatic, semiautomatic or manual (--made)"
        )
    known = segments(layers, image, algorithm=algorithm, kind=kind, made_of=made_of)
    present = {label for layer in layers for label in layer.present()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # highdicom's remarks on optional attributes
        descriptions = [
            _description(known, label, label in present, algorithm, made_of.get(label, made))
            for label in known.numbers
        ]
        headers, frames = _headers(image, source)
        parts = [
            _segmentation(layer, known, headers, descriptions, kind, accuracy)
            for layer in [layer for layer in layers if layer.array.any()] or layers[:1]
        ]
        dataset = merged(parts)
        _refer(dataset, frames)
        organisation = new_uid(known.sop_instance_uid.encode(), "dimensions")
        for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
            item.DimensionOrganizationUID = organisation
        fix_times(dataset)
        dataset.SeriesDescription = line(description, 64) or "Segmentation by delineate"
        dataset.save_as(Path(path), enforce_file_format=True)


def _segmentation(
    layer: LabelMap,
    known: Segments,
    headers: list[Dataset],
    descriptions: list[Any],
    kind: Kind,
    accuracy: str,
) -> Dataset:
    import highdicom

    numbers = np.zeros(int(layer.array.max()) + 1, np.uint16)
    for label, number in known.numbers.items():
        if label < len(numbers):
            numbers[label] = number
    array = numbers[layer.array]
    empty: dict[str, Any] = {"omit_empty_frames": True}
    if not array.any():  # a file must have a frame: the first slice stands for all
        position = highdicom.PlanePositionSequence("PATIENT", headers[0].ImagePositionPatient)
        array, empty = array[:1], {"plane_positions": [position], "omit_empty_frames": False}
    dataset = highdicom.seg.Segmentation(
        source_images=headers,
        pixel_array=array.astype(np.uint8) if len(known.numbers) < 256 else array,
        segmentation_type="BINARY" if kind == "binary" else "LABELMAP",
        segment_descriptions=descriptions,
        series_instance_uid=known.series_uid,
        series_number=1,
        sop_instance_uid=known.sop_instance_uid,
        instance_number=1,
        manufacturer="delineate",
        manufacturer_model_name="delineate",
        software_versions=version(),
        device_serial_number="0",
        content_label="DELINEATE",
        content_description=line(accuracy, 64) or None,
        **empty,
    )
    assert isinstance(dataset, highdicom.seg.Segmentation)
    (measures,) = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    measures.SpacingBetweenSlices = measures.SliceThickness  # highdicom gives tilted slices none
    return dataset


def _headers(
    image: Image, source: DicomSource
) -> tuple[list[Dataset], dict[str, tuple[str, str, int]]]:
    """Of each slice what a segmentation takes over; and what the UIDs made for frames stand for.

    highdicom takes frames of one multi-frame instance alone; here each frame stands for itself,
    and what it is (class, instance, number) is put in place afterwards.
    """
    grid, headers, frames = image.grid, [], {}
    row, column = grid.affine[:3, 2] / grid.spacing[2], grid.affine[:3, 1] / grid.spacing[1]
    for index in range(grid.shape[0]):
        frame, uid = source.frame_numbers[index], source.sop_instance_uids[index]
        stand_in = new_uid(f"{uid} {frame}".encode(), "frame") if frame else uid
        if frame:
            frames[stand_in] = source.sop_class_uids[index], uid, frame
        dataset = patient_and_study(source)
        dataset.SOPClassUID = _CT if frame else source.sop_class_uids[index]
        dataset.SOPInstanceUID = stand_in
        dataset.SeriesInstanceUID = source.series_uid
        dataset.FrameOfReferenceUID = source.frame_of_reference_uid or new_uid(
            source.series_uid.encode(), "frame of reference"
        )
        dataset.PositionReferenceIndicator = ""
        dataset.Modality = image.modality
        dataset.SeriesNumber = dataset.InstanceNumber = index + 1
        dataset.Rows, dataset.Columns = grid.shape[1:]
        dataset.SamplesPerPixel = 1
        dataset.PixelSpacing = _decimals(grid.spacing[1:])
        dataset.SliceThickness = _decimals([grid.slice_distance])[0]
        dataset.ImageOrientationPatient = _decimals([*row, *column])
        dataset.ImagePositionPatient = _decimals(grid.to_world((index, 0, 0)))
        headers.append(dataset)
    return headers, frames


def _decimals(values: Any) -> list[str]:
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in values]


def _description(known: Segments, label: int, found: bool, algorithm: str, made: Made) -> Any:
    import highdicom
    from highdicom.color import CIELabColor
    from highdicom.sr.coding import CodedConcept

    category = known.categories[label]
    code = category.code or own_code(category)
    name = title(category)
    identity = highdicom.AlgorithmIdentificationSequence(
        name=line(algorithm, 64),
        family=CodedConcept("123109", "DCM", "Artificial Intelligence"),
        version=version(),
    )
    description = highdicom.seg.SegmentDescription(
        segment_number=known.numbers[label],
        segment_label=line(name, 64),
        segmented_property_category=CodedConcept(*property_category(category)),
        segmented_property_type=CodedConcept(code.value, code.scheme, line(code.meaning, 64)),
        algorithm_type=made.upper(),
        algorithm_identification=None if made == "manual" else identity,
        tracking_uid=known.tracking_uids[label],
        tracking_id=line(f"{known.numbers[label]} {name}", 64),
        display_color=CIELabColor.from_rgb(*category.colour),
    )
    if not found:
        description.SegmentDescription = _NOT_FOUND
    if category.laterality:
        value, meaning = SIDES[category.laterality]
        kind = description.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [CodedConcept(value, "SCT", meaning)]
    return description


def _refer(dataset: Dataset, frames: dict[str, tuple[str, str, int]]) -> None:
    """Put multi-frame instances and frame numbers where single frames stood for them."""
    if not frames:
        return
    for series in dataset.ReferencedSeriesSequence:
        instances = {}
        for item in series.ReferencedInstanceSequence:
            name, uid, _ = frames[item.ReferencedSOPInstanceUID]
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = name, uid
            instances[uid] = item
        series.ReferencedInstanceSequence = list(instances.values())
    for group in dataset.PerFrameFunctionalGroupsSequence:
        for derivation in group.get("DerivationImageSequence") or ():
            for item in derivation.SourceImageSequence:
                if item.ReferencedSOPInstanceUID not in frames:
                    continue  # one item serves all segments of a slice
                name, uid, number = frames[item.ReferencedSOPInstanceUID]
                item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = name, uid
                item.ReferencedFrameNumber = number
