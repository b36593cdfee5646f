"""Bring segmentations of one series together, each with other segments: they may overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["merged"]


def merged(parts: Sequence[Dataset]) -> Dataset:
    """One segmentation with the frames of all, by segment and position.

    Parameters
    ----------
    parts
        Binary, uncompressed segmentations that differ in nothing but their frames; the first is
        changed and given back. A single one may be of any kind.
    """
    whole = parts[0]
    if len(parts) == 1:
        return whole
    groups = [group for part in parts for group in part.PerFrameFunctionalGroupsSequence]
    frames = np.concatenate([_frames(part) for part in parts])
    normal = _normal(whole)
    heights = np.round([_position(group) @ normal for group in groups], 3)
    numbers = [
        int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber) for group in groups
    ]
    places = np.unique(heights, return_inverse=True)[1] + 1
    order = np.lexsort((heights, np.array(numbers))).tolist()
    for k, group in enumerate(groups):
        content = group.FrameContentSequence[0]
        content.DimensionIndexValues = [numbers[k], int(places[k])]
    whole.PerFrameFunctionalGroupsSequence = [groups[k] for k in order]
    whole.NumberOfFrames = len(groups)
    whole.SegmentsOverlap = "YES"
    pixels = frames[order].tobytes() if _whole_bytes(whole) else _packed(frames[order])
    whole.PixelData = pixels + b"\0" * (len(pixels) % 2)
    return whole


def _whole_bytes(part: Dataset) -> bool:
    return int(part.Rows) * int(part.Columns) % 8 == 0


def _frames(part: Dataset) -> NDArray[np.uint8]:
    """``(frame, n)``: bytes where frames are made of whole ones, else bits."""
    pixels, count = np.frombuffer(part.PixelData, np.uint8), int(part.NumberOfFrames)
    size = part.Rows * part.Columns
    if _whole_bytes(part):
        return pixels[: count * size // 8].reshape(count, -1)
    return np.unpackbits(pixels, bitorder="little")[: count * size].reshape(count, -1)


def _packed(bits: NDArray[np.uint8]) -> bytes:
    return np.packbits(bits.ravel(), bitorder="little").tobytes()


def _normal(part: Dataset) -> NDArray[np.float64]:
    orientation: Any = (
        part.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    )
    return np.cross(*np.array(orientation, np.float64).reshape(2, 3))


def _position(group: Dataset) -> NDArray[np.float64]:
    return np.array(group.PlanePositionSequence[0].ImagePositionPatient, np.float64)
