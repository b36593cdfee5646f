"""Read a DICOM Segmentation."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.formats.derived import Made, code_and_side, common_making
from delineate.formats.property_types import OWN_SCHEME
from delineate.formats.seg_frames import Frames, frames_of
from delineate.imaging import Category, LabelMap

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["origin", "read_labels", "read_layers"]

_STORAGE = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_BACKGROUND = ("125040", "DCM")


def read_layers(path: Path | str) -> tuple[LabelMap, ...]:
    """Read a segmentation whose segments may overlap.

    Parameters
    ----------
    path
        The file: binary, fractional or label map; frames in any order, some left out.

    Returns
    -------
    tuple of LabelMap
        At least one, on a grid of its own that spans the frames stored; slices between them that
        are not stored are empty. :func:`delineate.imaging.place` puts them on the grid of the
        series. Labels are the segment numbers, each in the first layer where it overlaps nothing;
        segments without a frame are in the first, as categories alone. Fractional segments, be
        they probabilities or occupancies, are inside from one half on.

    Raises
    ------
    UnreadableFileError
        If it is no segmentation of a patient, is broken, or holds two frames of one segment at
        one position.
    GeometryError
        If its frames do not lie on one regular grid.
    """
    name = Path(path).name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on values that are not used
        dataset = _dataset(Path(path))
        try:
            frames = frames_of(dataset)
            categories = _categories(dataset)
            masks = _labelled(frames) if frames.numbers is None else _segments(frames)
            return _layers(frames, categories, masks)
        except InputError as error:
            raise type(error)(f"{name}: {error}") from None
        except Exception as error:  # pydicom and decoders raise anything on broken values
            # Its message may quote the file, patient included: only its kind is passed on.
            raise UnreadableFileError(
                f"{name} is a broken DICOM Segmentation ({type(error).__name__}); export it again"
            ) from None


def read_labels(path: Path | str) -> LabelMap:
    """Read a segmentation whose segments do not overlap, as :func:`read_layers` does.

    Raises
    ------
    InputError
        If segments overlap.
    UnreadableFileError, GeometryError
        As for :func:`read_layers`.
    """
    layers = read_layers(path)
    if len(layers) > 1:
        raise InputError(
            f"segments of {Path(path).name} overlap, and a label map holds one label a sample; "
            "read them as layers"
        )
    return layers[0]


def origin(path: Path | str) -> tuple[str, str, Made]:
    """UIDs of the frame of reference and the series, empty if not said, and how it was made.

    Raises
    ------
    UnreadableFileError
        If it is no segmentation.
    """
    wanted = ["FrameOfReferenceUID", "ReferencedSeriesSequence", "SegmentSequence"]
    dataset = _dataset(Path(path), wanted)
    series = _first(dataset, "ReferencedSeriesSequence")
    return (
        str(dataset.get("FrameOfReferenceUID") or ""),
        str(series.get("SeriesInstanceUID") or "") if series is not None else "",
        common_making(
            str(one.get("SegmentAlgorithmType") or "")
            for one in dataset.get("SegmentSequence") or ()
        ),
    )


def _dataset(path: Path, only: list[str] | None = None) -> Dataset:
    import pydicom

    tags: Any = [*only, "SOPClassUID", "Modality"] if only else None
    try:
        dataset = pydicom.dcmread(path, specific_tags=tags)
        sop_class = str(dataset.get("SOPClassUID", "") or "")
    except FileNotFoundError:
        raise
    except Exception as error:  # pydicom raises anything on other files
        raise UnreadableFileError(
            f"{path.name} is no DICOM file, or a broken one ({type(error).__name__})"
        ) from None
    if sop_class not in _STORAGE:
        kind = str(dataset.get("Modality", "") or "another kind of file")
        raise UnreadableFileError(
            f"{path.name} is no DICOM Segmentation: expected a SEG, got {kind}"
        )
    return dataset


# Samples inside a segment, frame by frame: the slice and where in it.
Masks = Iterator[tuple[int, list[tuple[int, NDArray[np.bool_]]]]]


def _segments(frames: Frames) -> Masks:
    """Each segment with its frames."""
    assert frames.numbers is not None
    members: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(frames.numbers):
        members[number].append(index)
    for number, indices in sorted(members.items()):
        slices = [frames.slices[index] for index in indices]
        if len(set(slices)) < len(slices):
            raise UnreadableFileError(
                f"segment {number} has two frames at one position; which of them counts is not "
                "said, export one point in time"
            )
        half = frames.largest / 2
        yield number, [(frames.slices[k], frames.samples(k) >= half) for k in indices]


def _labelled(frames: Frames) -> Masks:
    """Each label with its frames."""
    if len(set(frames.slices)) < len(frames.slices):
        raise UnreadableFileError(
            "two frames lie at one position; which of them counts is not said, export one point "
            "in time"
        )
    members: dict[int, list[tuple[int, NDArray[np.bool_]]]] = defaultdict(list)
    for index, k in enumerate(frames.slices):
        samples = frames.samples(index)
        for number in np.unique(samples).tolist():
            if number not in (0, frames.padding):
                members[number].append((k, samples == number))
    yield from sorted(members.items())


def _layers(frames: Frames, categories: dict[int, Category], masks: Masks) -> tuple[LabelMap, ...]:
    volumes: list[NDArray[Any]] = []
    members: list[dict[int, Category]] = []
    dtype = np.uint8 if max(categories, default=0) < 256 else np.uint16
    for number, parts in masks:
        if number not in categories:
            raise UnreadableFileError(
                f"frames belong to segment {number}, which the file does not describe; export it "
                "again"
            )
        for volume in volumes:
            if not any(volume[k][mask].any() for k, mask in parts):
                break
        else:
            volume = np.zeros(frames.grid.shape, dtype)
            volumes.append(volume)
            members.append({})
        for k, mask in parts:
            volume[k][mask] = number
        place = next(i for i, one in enumerate(volumes) if one is volume)
        members[place][number] = categories[number]
    if not volumes:
        volumes, members = [np.zeros(frames.grid.shape, dtype)], [{}]
    named = {number for known in members for number in known}
    members[0] |= {n: category for n, category in categories.items() if n not in named}
    return tuple(
        LabelMap(volume, frames.grid, dict(sorted(known.items())))
        for volume, known in zip(volumes, members, strict=True)
    )


def _categories(dataset: Dataset) -> dict[int, Category]:
    found: dict[int, Category] = {}
    for item in dataset.get("SegmentSequence") or ():
        number = int(item.get("SegmentNumber", -1))
        code = _first(item, "SegmentedPropertyTypeCodeSequence")
        if number == 0:
            value = "" if code is None else str(code.get("CodeValue") or "")
            if value != _BACKGROUND[0]:
                raise GeometryError(
                    "the segment of number 0 is not the background, and a label map has no other "
                    "use for 0; number the segments from 1"
                )
            continue
        if number in found:
            raise UnreadableFileError(f"two segments have the number {number}; export it again")
        if not 1 <= number <= 65535:
            raise UnreadableFileError(f"a segment has the number {number}; export it again")
        found[number] = _category(item, code, number)
    return found


def _first(item: Dataset, sequence: str) -> Any:
    items = item.get(sequence)
    return items[0] if items else None


def _category(item: Dataset, kind: Any, number: int) -> Category:
    from highdicom.color import CIELabColor

    code, side = (None, None) if kind is None else code_and_side(kind)
    if code is not None and code.scheme == OWN_SCHEME:
        code = None
    colour = (-1, -1, -1)
    lab = item.get("RecommendedDisplayCIELabValue")
    if lab:
        red, green, blue = CIELabColor.from_dicom_value(lab).to_rgb()
        colour = (int(red), int(green), int(blue))
    name = str(item.get("SegmentLabel") or "").strip() or f"segment {number}"
    return Category(name, colour, code, side)
