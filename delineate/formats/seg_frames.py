"""The frames of a DICOM Segmentation: where they lie, whose they are, and their samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError, UnreadableFileError
from delineate.formats.dicom.frames import FrameValues, frame_values
from delineate.imaging import Grid

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Frames", "frames_of"]

_SAME_PLANE_MM = 0.01
_SAME_DIRECTION = 1e-3
_SAME_SPACING = 1e-4
# A frame lies at most this far from its place on the regular grid, as slices of series do.
_TOLERANCE_MM, _TOLERANCE = 0.1, 0.01
_PARTS = 4  # the nearest two frames may be this many slices apart, if nothing says otherwise


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Frames on a grid.

    Parameters
    ----------
    grid
        Spans all of them.
    slices
        Of each frame.
    numbers
        Of each frame its segment; ``None`` where samples are labels.
    largest
        The sample value that stands for wholly inside; 1 for binary ones.
    padding
        The label that stands for nothing, beside 0.
    samples
        The samples of one frame, ``(row, column)``.
    """

    grid: Grid
    slices: list[int]
    numbers: list[int] | None
    largest: int
    padding: int
    samples: Callable[[int], NDArray[Any]]


def frames_of(dataset: Dataset) -> Frames:
    """Frames of a segmentation, their samples not yet decoded.

    Raises
    ------
    UnreadableFileError
        If it is no segmentation of a patient's slices, or lacks what is needed.
    GeometryError
        If frames do not lie on one regular grid.
    """
    count = int(dataset.get("NumberOfFrames") or 1)
    kind = str(dataset.get("SegmentationType") or "")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise UnreadableFileError(
            f"expected the segmentation type BINARY, FRACTIONAL or LABELMAP, got {kind or 'none'}"
        )
    values = frame_values(dataset, count)
    if not values or any(
        one.position is None or one.orientation is None or one.spacing is None for one in values
    ):
        raise UnreadableFileError(
            "its frames have no position, orientation and spacing in a patient (a microscope slide "
            "or a radiograph?), so they make no volume"
        )
    grid, slices = _grid(dataset, values)
    return Frames(
        grid=grid,
        slices=slices,
        numbers=None if kind == "LABELMAP" else _numbers(dataset, count),
        largest=int(dataset.MaximumFractionalValue) if kind == "FRACTIONAL" else 1,
        padding=int(dataset.get("PixelPaddingValue") or 0),
        samples=_decoder(dataset, count),
    )


def _numbers(dataset: Dataset, count: int) -> list[int]:
    """Segment of each frame."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or [None]
    each = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    found = []
    for group in [*each, *[None] * count][:count]:
        items = next(
            (
                one.SegmentIdentificationSequence
                for one in (group, shared[0])
                if one is not None and one.get("SegmentIdentificationSequence")
            ),
            None,
        )
        if items is None:
            raise UnreadableFileError("a frame does not say which segment it belongs to")
        found.append(int(items[0].ReferencedSegmentNumber))
    return found


def _grid(dataset: Dataset, values: tuple[FrameValues, ...]) -> tuple[Grid, list[int]]:
    """Grid through all frames, slices ascending along their normal, and the slice of each."""
    orientations = np.array([one.orientation for one in values])
    spacings = np.array([one.spacing for one in values])
    if np.abs(orientations - orientations[0]).max() > _SAME_DIRECTION:
        raise GeometryError("its frames differ in direction; export one orientation at a time")
    if np.abs(spacings - spacings[0]).max() > _SAME_SPACING:
        raise GeometryError("its frames differ in pixel spacing; export one grid at a time")
    row, column = orientations[0][:3], orientations[0][3:]
    normal = np.cross(row, column)
    if abs(float(np.linalg.norm(normal)) - 1) > 0.1:
        raise GeometryError("its ImageOrientationPatient is no pair of perpendicular unit vectors")
    normal /= np.linalg.norm(normal)
    places = np.array([one.position for one in values])
    heights = places @ normal
    order = np.argsort(heights, kind="stable")
    apart = np.diff(heights[order], prepend=heights[order[0]]) > _SAME_PLANE_MM
    planes = np.empty(len(values), np.int64)
    planes[order] = np.cumsum(apart)
    firsts = np.array([places[planes == k].mean(axis=0) for k in range(int(planes.max()) + 1)])
    numbers, step = _steps(dataset, firsts, normal)
    off = np.linalg.norm(places - firsts[0] - numbers[planes][:, None] * step, axis=1)
    tolerance = max(_TOLERANCE_MM, _TOLERANCE * float(abs(step @ normal)))
    if off.max() > tolerance:
        raise GeometryError(
            f"a frame lies {off.max():.2f} mm from its place on a regular grid of slices; the "
            "series it was drawn on is uneven, or frames are shifted against one another"
        )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 3] = step, firsts[0]
    affine[:3, 1], affine[:3, 2] = column * spacings[0][0], row * spacings[0][1]
    shape = int(numbers[-1]) + 1, int(dataset.Rows), int(dataset.Columns)
    return Grid(shape, affine), numbers[planes].tolist()


def _steps(
    dataset: Dataset, firsts: NDArray[np.float64], normal: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Slice number of each plane, and the step from one slice to the next."""
    stated = _measure(dataset, "SpacingBetweenSlices")
    if len(firsts) == 1:
        return np.zeros(1, np.int64), normal * (
            stated or _measure(dataset, "SliceThickness") or 1.0
        )
    heights = (firsts - firsts[0]) @ normal
    nearest = float(np.diff(heights).min())
    whole = float(np.linalg.norm(firsts[-1] - firsts[0]))
    candidates = [stated, stated * float(heights[-1]) / whole]  # along the normal, or as tilted
    candidates += [nearest / n for n in range(1, 2 if stated else _PARTS + 1)]
    for spacing in candidates:
        if not 0 < spacing <= nearest * (1 + _TOLERANCE) + _SAME_PLANE_MM:
            continue
        numbers = np.rint(heights / spacing)
        even = heights[-1] * numbers / numbers[-1]
        if np.abs(heights - even).max() <= max(_TOLERANCE_MM / 2, _TOLERANCE * spacing):
            return numbers.astype(np.int64), (firsts[-1] - firsts[0]) / numbers[-1]
    raise GeometryError(
        f"its frames lie {nearest:.2f} mm and more apart, on no regular grid of slices; the series "
        "it was drawn on is uneven"
    )


def _measure(dataset: Dataset, name: str) -> float:
    """A number of the pixel measures that all frames share, or of the first; 0.0 if none."""
    for sequence in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in (dataset.get(sequence) or ())[:1]:
            for measures in (group.get("PixelMeasuresSequence") or ())[:1]:
                if measures.get(name):
                    return abs(float(measures[name].value))
    return 0.0


def _decoder(dataset: Dataset, count: int) -> Callable[[int], NDArray[Any]]:
    from pydicom.pixels import pixel_array

    shape = int(dataset.Rows), int(dataset.Columns)
    size, bits = shape[0] * shape[1], int(dataset.BitsAllocated)
    packed = not dataset.file_meta.TransferSyntaxUID.is_encapsulated
    if packed and len(dataset.PixelData) * 8 < count * size * bits:
        raise UnreadableFileError(
            f"it holds {len(dataset.PixelData)} bytes of samples, expected "
            f"{-(-count * size * bits // 8)}; it was cut short, copy it again"
        )
    if not (packed and bits == 1):
        return lambda index: np.asarray(pixel_array(dataset, index=index, raw=True))
    pixels = np.frombuffer(dataset.PixelData, np.uint8)

    def samples(index: int) -> NDArray[Any]:
        start, stop = index * size // 8, -(-(index + 1) * size // 8)
        shift = index * size - start * 8
        unpacked = np.unpackbits(pixels[start:stop], bitorder="little")
        return unpacked[shift : shift + size].reshape(shape)

    return samples
