"""ROIContourSequence, read without making an object of every element.

Contours are nearly all of an RT Structure Set. Where the sequence came with a length, pydicom
leaves its bytes alone until they are asked for, and they are walked here; else pydicom has made
its objects, and what is needed is taken from those.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from delineate.errors import UnreadableFileError

if TYPE_CHECKING:
    from pydicom import Dataset

Part = TypeVar("Part")

__all__ = ["DrawnContour", "DrawnRoi", "drawn_rois"]

_ROI_CONTOURS = 0x30060039
_CONTOURS = 0x30060040
_NUMBER, _COLOUR = 0x30060084, 0x3006002A
_KIND, _OFFSET, _COUNT, _DATA = 0x30060042, 0x30060045, 0x30060046, 0x30060050
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UR", b"UT", b"UN", b"SV", b"UV")


@dataclass(frozen=True, slots=True)
class DrawnContour:
    """One contour: the texts of its type, offset, number of points and coordinates."""

    kind: bytes
    offset: bytes
    count: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class DrawnRoi:
    """One item: the texts of the ROI's number and colour, and its contours."""

    number: bytes
    colour: bytes
    contours: list[DrawnContour] = field(default_factory=list)


def drawn_rois(dataset: Dataset) -> list[DrawnRoi]:
    """Items of ROIContourSequence in the order of the file.

    Raises
    ------
    UnreadableFileError
        If lengths in it contradict one another.
    """
    if _ROI_CONTOURS not in dataset:
        return []
    element: Any = dataset.get_item(_ROI_CONTOURS)
    if not (isinstance(element.value, bytes) and element.is_little_endian):
        return [_made(item) for item in dataset.get("ROIContourSequence") or ()]
    implicit = element.is_implicit_VR or element.VR == "UN"
    buffer = element.value
    try:
        return [
            _walked(buffer, start, stop, implicit)
            for start, stop in _items(buffer, 0, len(buffer), implicit)
        ]
    except (struct.error, IndexError):
        raise UnreadableFileError(
            "the contours of the RT Structure Set are broken: an element in them is longer than "
            "what holds it; copy or export it again"
        ) from None


def _walked(buffer: bytes, start: int, stop: int, implicit: bool) -> DrawnRoi:
    values: dict[int, bytes] = {}
    contours: list[DrawnContour] = []
    for tag, begin, end, inner in _elements(buffer, start, stop, implicit):
        if tag == _CONTOURS:
            for low, high in _items(buffer, begin, end, inner):
                parts = {
                    name: buffer[a:b]
                    for name, a, b, _ in _elements(buffer, low, high, inner)
                    if name in (_KIND, _OFFSET, _COUNT, _DATA)
                }
                contours.append(
                    DrawnContour(
                        *(_text(parts.get(name)) for name in (_KIND, _OFFSET, _COUNT, _DATA))
                    )
                )
        elif tag in (_NUMBER, _COLOUR):
            values[tag] = buffer[begin:end]
    return DrawnRoi(_text(values.get(_NUMBER)), _text(values.get(_COLOUR)), contours)


def _elements(
    buffer: bytes, place: int, stop: int, implicit: bool
) -> Iterator[tuple[int, int, int, bool]]:
    """Tag, start and end of each value, and whether what is within is implicit VR."""
    while place < stop:
        group, element = struct.unpack_from("<HH", buffer, place)
        tag, inner = group << 16 | element, implicit
        if tag == _ITEM_END:
            return
        if implicit:
            (length,) = struct.unpack_from("<L", buffer, place + 4)
            place += 8
        elif buffer[place + 4 : place + 6] in _LONG:
            inner = buffer[place + 4 : place + 6] == b"UN"
            (length,) = struct.unpack_from("<L", buffer, place + 8)
            place += 12
        else:
            (length,) = struct.unpack_from("<H", buffer, place + 6)
            place += 8
        end = _end_of_items(buffer, place, stop, inner) if length == _UNDEFINED else place + length
        if end > stop:
            raise IndexError
        yield tag, place, end, inner
        place = end + 8 if length == _UNDEFINED else end


def _items(buffer: bytes, place: int, stop: int, implicit: bool) -> Iterator[tuple[int, int]]:
    """Start and end of each item of a sequence."""
    while place < stop:
        group, element, length = struct.unpack_from("<HHL", buffer, place)
        tag = group << 16 | element
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM:
            raise IndexError
        place += 8
        if length == _UNDEFINED:
            end = _end_of_item(buffer, place, stop, implicit)
            yield place, end
            place = end + 8
        else:
            if place + length > stop:
                raise IndexError
            yield place, place + length
            place += length


def _end_of_item(buffer: bytes, place: int, stop: int, implicit: bool) -> int:
    """Where the delimiter of an item of undefined length stands."""
    while struct.unpack_from("<HH", buffer, place) != (0xFFFE, 0xE00D):
        _, begin, end, _ = _first(_elements(buffer, place, stop, implicit))
        undefined = struct.unpack_from("<L", buffer, begin - 4)[0] == _UNDEFINED
        place = end + 8 if undefined else end
    return place


def _end_of_items(buffer: bytes, place: int, stop: int, implicit: bool) -> int:
    """Where the delimiter of a sequence of undefined length stands."""
    while struct.unpack_from("<HH", buffer, place) != (0xFFFE, 0xE0DD):
        start, end = _first(_items(buffer, place, stop, implicit))
        undefined = struct.unpack_from("<L", buffer, start - 4)[0] == _UNDEFINED
        place = end + 8 if undefined else end
    return place


def _first(found: Iterator[Part]) -> Part:
    part = next(found, None)
    if part is None:
        raise IndexError
    return part


def _made(item: Dataset) -> DrawnRoi:
    contours = [
        DrawnContour(*(_raw(one, tag) for tag in (_KIND, _OFFSET, _COUNT, _DATA)))
        for one in item.get("ContourSequence") or ()
    ]
    return DrawnRoi(_raw(item, _NUMBER), _raw(item, _COLOUR), contours)


def _raw(item: Dataset, tag: int) -> bytes:
    """The text of an element as it is stored."""
    element = item.get_item(tag) if tag in item else None
    value = element.value if element is not None else None
    if isinstance(value, bytes):
        return _text(value)
    parts = [] if value is None else [value] if isinstance(value, (str, int, float)) else value
    return "\\".join(str(part) for part in parts).encode()


def _text(value: bytes | None) -> bytes:
    return (value or b"").strip(b" \0")
