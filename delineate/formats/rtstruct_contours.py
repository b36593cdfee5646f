"""ContourData and what surrounds it, encoded by hand.

Contours are nearly all of an RT Structure Set, and pydicom makes an object of every number.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Structure
from delineate.contour.plane import slice_rings
from delineate.errors import ExportError, GeometryError
from delineate.formats.decimals import to_text
from delineate.formats.dicom import DicomSource
from delineate.formats.rtstruct_keyholes import Ring, keyholes
from delineate.imaging import Image

__all__ = ["SEQUENCE", "Holes", "encode_contours"]

Holes = Literal["rings", "xor", "keyhole"]
SEQUENCE = 0x30060039
# How far from the plane of its slice a contour may lie: as far as slices may from their places.
_TOLERANCE_MM, _TOLERANCE = 0.1, 0.01  # the greater of mm and part of the slice distance


def encode_contours(
    structures: Sequence[Structure], image: Image, source: DicomSource, holes: Holes
) -> bytes:
    """ROIContourSequence in implicit VR little endian, tag and length included.

    Raises
    ------
    ExportError
        If a contour is further away than a decimal string can say.
    GeometryError
        If a contour does not lie in a slice of the image.
    """
    references = [_reference(source, index) for index in range(image.grid.shape[0])]
    tolerance = max(_TOLERANCE_MM, _TOLERANCE * image.grid.slice_distance)
    items = []
    for structure in structures:
        rings = _rings(structure, image, tolerance)
        if holes == "keyhole":
            rings = keyholes(rings, image.grid)
        crossed = holes == "xor" and any(ring.is_hole for ring in rings)
        contours = [
            _contour(ring.points, references[ring.slice_number], number, crossed)
            for number, ring in enumerate(rings, 1)
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
    try:
        return to_text(points)
    except ValueError:
        raise ExportError(
            "a contour lies 100 km and more from the origin, too far for DICOM's numbers; the "
            "geometry of the image or of the structures is broken"
        ) from None


def _rings(structure: Structure, image: Image, tolerance: float) -> list[Ring]:
    """Each contour with its slice."""
    try:
        found = slice_rings(structure.contours, image.grid, tolerance)
    except GeometryError as error:
        raise GeometryError(f"structure {structure.category.name!r}: {error}") from error
    starts = found.starts.tolist()
    return [
        Ring(k, contour.points, found.points[start:stop], contour.is_hole)
        for k, contour, start, stop in zip(
            found.slices.tolist(), structure.contours, starts[:-1], starts[1:], strict=True
        )
    ]


def _element(tag: int, value: bytes, padding: bytes = b" ") -> bytes:
    value += padding * (len(value) % 2)
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def _sequence(tag: int, items: Sequence[bytes]) -> bytes:
    head = [struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) for item in items]
    body = b"".join(part for pair in zip(head, items, strict=True) for part in pair)
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(body)) + body
