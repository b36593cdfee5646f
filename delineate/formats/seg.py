"""DICOM Segmentation: label maps beside the series that they were made on, through highdicom."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from delineate.errors import (
    ExportError,
    GeometryError,
    InputError,
    MissingExtraError,
    UnreadableFileError,
)
from delineate.formats.derived import (
    SIDES,
    line,
    new_uid,
    patient_and_study,
    series_of,
    version,
)
from delineate.formats.dicom import DicomSource
from delineate.imaging import Category, Code, Grid, Image, LabelMap

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["read", "write"]

Kind = Literal["binary", "labelmap"]

_STORAGE = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_ANATOMY = ("91723000", "SCT", "Anatomical Structure")
_OWN_SCHEME = "99DELINEATE"
_SIDES_READ = {"7771000": "left", "24028007": "right"}


def write(
    labelmap: LabelMap,
    image: Image,
    path: Path | str,
    *,
    algorithm: str = "delineate",
    kind: Kind = "binary",
) -> None:
    """Write a label map as a segmentation of the series that an image was read from.

    The same label map, image and arguments give the same file, UIDs included.

    Parameters
    ----------
    labelmap
        On the image's grid. Labels become segments, numbered from 1 in ascending order; those
        that were looked for and not found are left out, since a segment must have samples.
    image
        Read from DICOM, one instance a slice.
    path
        The file to write.
    algorithm
        What made the labels.
    kind
        ``"binary"``: one bit a sample and segment, which every reader of segmentations knows.
        ``"labelmap"``: one number a sample, much smaller for many segments, in the standard
        since 2024.

    Raises
    ------
    ExportError
        If the image does not come from DICOM or comes from a multi-frame instance, if grids
        differ, or if there is no label.
    """
    source = series_of(image, "a SEG")
    if any(source.frame_numbers):
        raise ExportError(
            "a SEG of a multi-frame series is not written; export RTSTRUCT or NIfTI instead"
        )
    if not labelmap.grid.matches(image.grid):
        raise ExportError("expected labels on the grid of the image that the SEG refers to")
    present = labelmap.present()
    if not present:
        raise ExportError(
            "there is no label to write, and a SEG cannot be empty; the measurements say what was "
            "looked for"
        )
    if len(present) > 255 and kind == "labelmap":
        raise ExportError(f"expected at most 255 segments, got {len(present)}; use kind='binary'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # highdicom's remarks on optional attributes
        dataset = _segmentation(labelmap, present, image, source, algorithm, kind)
        dataset.save_as(Path(path), enforce_file_format=True)


def read(path: Path | str) -> LabelMap:
    """Read a segmentation whose segments do not overlap.

    Returns
    -------
    LabelMap
        On a grid of its own that spans the slices stored; slices between them that are not
        stored are empty. Labels are the segment numbers. Fractional segments are inside from a
        half on.

    Raises
    ------
    UnreadableFileError
        If it is no segmentation, or does not lie on a regular grid.
    InputError
        If segments overlap.
    """
    highdicom = _highdicom()
    name = Path(path).name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = highdicom.seg.segread(path)
        except FileNotFoundError:
            raise
        except Exception as error:  # highdicom and pydicom raise anything on other files
            raise UnreadableFileError(
                f"{name} is no DICOM Segmentation, or a broken one ({type(error).__name__})"
            ) from None
        try:
            if dataset.coordinate_system != highdicom.CoordinateSystemNames.PATIENT:
                raise GeometryError("its coordinates are not those of a patient")
            volume = dataset.get_volume(combine_segments=False, rescale_fractional=True)
        except Exception as error:
            raise UnreadableFileError(
                f"{name} does not lie on a regular grid of slices ({type(error).__name__})"
            ) from None
    inside, affine = np.asarray(volume.array) >= 0.5, np.array(volume.affine)
    if inside.ndim == 3:
        inside = inside[..., None]
    if affine[:3, 0] @ np.cross(affine[:3, 2], affine[:3, 1]) < 0:  # as series are read
        affine[:3, 3] += affine[:3, 0] * (len(inside) - 1)
        affine[:3, 0] *= -1
        inside = inside[::-1]
    numbers = np.array(list(dataset.segment_numbers), dtype=np.uint16)
    if (inside.sum(axis=-1, dtype=np.uint16) > 1).any():
        raise InputError(
            f"segments of {name} overlap; a label map holds one label a sample, export them one by "
            "one"
        )
    labels = (inside * numbers).sum(axis=-1, dtype=np.uint16)
    grid = Grid((labels.shape[0], labels.shape[1], labels.shape[2]), affine)
    categories = {int(n): _category(dataset.get_segment_description(int(n))) for n in numbers}
    return LabelMap(labels if labels.max() > 255 else labels.astype(np.uint8), grid, categories)


def _highdicom() -> Any:
    try:
        import highdicom
    except ImportError as error:
        raise MissingExtraError(
            "DICOM Segmentations need the package highdicom; install it with pip install highdicom"
        ) from error
    return highdicom


def _segmentation(
    labelmap: LabelMap,
    present: tuple[int, ...],
    image: Image,
    source: DicomSource,
    algorithm: str,
    kind: Kind,
) -> Dataset:
    highdicom = _highdicom()
    numbers = np.zeros(max(present) + 1, np.uint16)
    numbers[list(present)] = np.arange(1, len(present) + 1)
    array = numbers[labelmap.array]
    descriptions = [
        _description(int(numbers[label]), labelmap.categories.get(label), label, algorithm)
        for label in present
    ]
    content = hashlib.sha256(array.tobytes()).digest() + source.series_uid.encode()
    content += repr([(n, labelmap.categories.get(n)) for n in present]).encode()
    content += f"{algorithm} {kind}".encode()
    dataset = highdicom.seg.Segmentation(
        source_images=_headers(image, source),
        pixel_array=array.astype(np.uint8) if len(present) < 256 else array,
        segmentation_type="BINARY" if kind == "binary" else "LABELMAP",
        segment_descriptions=descriptions,
        series_instance_uid=new_uid(content, "series"),
        series_number=1,
        sop_instance_uid=new_uid(content, "instance"),
        instance_number=1,
        manufacturer="delineate",
        manufacturer_model_name="delineate",
        software_versions=version(),
        device_serial_number="0",
        content_label="DELINEATE",
        omit_empty_frames=True,
    )
    organisation = new_uid(content, "dimensions")
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
    for item in dataset.get("ContributingEquipmentSequence") or ():
        item.pop("ContributionDateTime", None)
    # When it was written would make every file another one; when the patient was seen is known.
    for name in ("ContentDate", "InstanceCreationDate", "SeriesDate"):
        if name in dataset:
            setattr(dataset, name, str(dataset.StudyDate or "19700101"))
    for name in ("ContentTime", "InstanceCreationTime", "SeriesTime"):
        if name in dataset:
            setattr(dataset, name, str(dataset.StudyTime or "000000"))
    return dataset


def _headers(image: Image, source: DicomSource) -> list[Dataset]:
    """Of each slice what a segmentation takes over."""
    grid, headers = image.grid, []
    row, column = grid.affine[:3, 2] / grid.spacing[2], grid.affine[:3, 1] / grid.spacing[1]
    for index in range(grid.shape[0]):
        dataset = patient_and_study(source)
        dataset.SOPClassUID = source.sop_class_uids[index]
        dataset.SOPInstanceUID = source.sop_instance_uids[index]
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
    return headers


def _decimals(values: Any) -> list[str]:
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in values]


def _description(number: int, category: Category | None, label: int, algorithm: str) -> Any:
    import highdicom
    from highdicom.color import CIELabColor
    from highdicom.sr.coding import CodedConcept

    category = category or Category(f"label {label}")
    code = category.code or Code(_own_code(category.name), _OWN_SCHEME, category.name)
    kind = CodedConcept(code.value, code.scheme, line(code.meaning, 64))
    name = category.name
    if category.laterality and category.laterality not in name.lower():
        name = f"{name} {category.laterality}"
    description = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=line(name, 64),
        segmented_property_category=CodedConcept(*_ANATOMY),
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=line(algorithm, 64),
            family=CodedConcept("123109", "DCM", "Artificial Intelligence"),
            version=version(),
        ),
        display_color=CIELabColor.from_rgb(*category.colour),
    )
    if category.laterality:
        value, meaning = SIDES[category.laterality]
        modifiers = [CodedConcept(value, "SCT", meaning)]
        description.SegmentedPropertyTypeCodeSequence[
            0
        ].SegmentedPropertyTypeModifierCodeSequence = modifiers
    return description


def _own_code(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _category(description: Any) -> Category:
    from highdicom.color import CIELabColor

    item = description.SegmentedPropertyTypeCodeSequence[0]
    value = str(item.get("CodeValue") or item.get("LongCodeValue") or "")
    scheme = str(item.get("CodingSchemeDesignator") or "")
    meaning = str(item.get("CodeMeaning") or "")
    code = Code(value, scheme, meaning) if value and scheme not in ("", _OWN_SCHEME) else None
    modifiers = item.get("SegmentedPropertyTypeModifierCodeSequence") or ()
    sides = [_SIDES_READ.get(str(one.get("CodeValue") or "")) for one in modifiers]
    side: Any = next((one for one in sides if one), None)
    colour = (-1, -1, -1)
    lab = description.get("RecommendedDisplayCIELabValue")
    if lab:
        red, green, blue = CIELabColor.from_dicom_value(lab).to_rgb()
        colour = (int(red), int(green), int(blue))
    name = (
        str(description.get("SegmentLabel") or "").strip() or f"segment {description.SegmentNumber}"
    )
    return Category(name, colour, code, side)
