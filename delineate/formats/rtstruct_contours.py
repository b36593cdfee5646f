"""ContourData and what surrounds it, encoded by hand.

Contours are nearly all of an RT Structure Set, and pydicom makes an object of every number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Structure
from delineate.contour.plane import slice_rings
from delineate.formats.dicom import DicomSource
from delineate.imaging import Image

__all__ = ["SEQUENCE", "Holes", "encode_contours"]

Holes = Literal["rings", "xor", "keyhole"]
SEQUENCE = 0x30060039
_DECIMALS = 6  # of a millimetre


def encode_contours(
    structures: Sequence[Structure], image: Image, source: DicomSource, holes: Holes
) -> bytes:
    """ROIContourSequence in implicit VR little endian, tag and length included.

    Raises
    ------
    GeometryError
        If a contour lies in no slice of the image.
    """
    references = [_reference(source, index) for index in range(image.grid.shape[0])]
    items = []
    for structure in structures:
        slices = slice_rings(structure.contours, image.grid).slices.tolist()
        rings = [
            (k, contour.points, contour.is_hole)
            for k, contour in zip(slices, structure.contours, strict=True)
        ]
        if holes == "keyhole":
            rings = _keyholes(rings)
        crossed = {k for k, _, is_hole in rings if is_hole} if holes == "xor" else set()
        contours = [
            _contour(points, references[k], number, k in crossed)
            for number, (k, points, _) in enumerate(rings, 1)
        ]
        colour = "\\".join(str(part) for part in structure.category.colour)
        item = [_element(0x3006002A, colour.encode())]
        if contours:
            item.append(_sequence(0x30060040, contours))
        item.append(_element(0x30060084, str(structure.number).encode()))
        items.append(b"".join(item))
    return _sequence(SEQUENCE, items)


def _reference(source: DicomSource, index: int) -> bytes:
    parts = [
        _element(0x00081150, source.sop_class_uids[index].encode(), b"\0"),
        _element(0x00081155, source.sop_instance_uids[index].encode(), b"\0"),
    ]
    if source.frame_numbers[index]:
        parts.append(_element(0x00081160, str(source.frame_numbers[index]).encode()))
    return _sequence(0x30060016, [b"".join(parts)])


def _contour(points: NDArray[np.float64], reference: bytes, number: int, xor: bool) -> bytes:
    kind = b"CLOSEDPLANAR_XOR" if xor else b"CLOSED_PLANAR"
    return b"".join(
        (
            reference,
            _element(0x30060042, kind),
            _element(0x30060046, str(len(points)).encode()),
            _element(0x30060048, str(number).encode()),
            _element(0x30060050, _decimal_strings(points)),
        )
    )


def _decimal_strings(points: NDArray[np.float64]) -> bytes:
    """Numbers of at most 16 characters: 10 digits, sign, point and exponent."""
    numbers = (np.round(points.ravel(), _DECIMALS) + 0.0).tolist()
    return ("%.10g\\" * len(numbers) % tuple(numbers))[:-1].encode()


def _keyholes(
    rings: Iterable[tuple[int, NDArray[np.float64], bool]],
) -> list[tuple[int, NDArray[np.float64], bool]]:
    """Join each hole to the outer ring before it, by the shortest channel between corners."""
    joined: list[tuple[int, NDArray[np.float64], bool]] = []
    for k, points, is_hole in rings:
        if not (is_hole and joined and joined[-1][0] == k):
            joined.append((k, points, False))
            continue
        outer = joined[-1][1]
        gaps = np.linalg.norm(outer[:, None] - points[None], axis=2)
        i, j = np.unravel_index(int(gaps.argmin()), gaps.shape)
        hole = np.roll(points, -int(j), axis=0)
        whole = np.concatenate((outer[: i + 1], hole, hole[:1], outer[i:]))
        joined[-1] = (k, whole, False)
    return joined


def _element(tag: int, value: bytes, padding: bytes = b" ") -> bytes:
    value += padding * (len(value) % 2)
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def _sequence(tag: int, items: Sequence[bytes]) -> bytes:
    head = [struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) for item in items]
    body = b"".join(part for pair in zip(head, items, strict=True) for part in pair)
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(body)) + body
