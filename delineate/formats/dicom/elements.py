"""The elements of a DICOM header as they are stored.

Nearly all files are walked here, which takes a tenth of the time that pydicom does; whatever is
unusual (big endian, deflated, no preamble, sequences without length) is left to pydicom.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from struct import Struct
from typing import IO, TYPE_CHECKING, Any

from delineate.formats.dicom.quiet import quiet_pydicom

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["DEFLATED", "Elements", "TooMuch", "read_elements"]

DEFLATED = "1.2.840.10008.1.2.1.99"
_IMPLICIT, _EXPLICIT, _BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_GE_PRIVATE = "1.2.840.113619.5.2"
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_FUNCTIONAL_GROUPS = (0x52009229, 0x52009230)
_LONG = frozenset(b"OB OW OF OD OL OV SQ UC UN UR UT SV UV".split())
_VRS = _LONG | frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_BLOCK = 1 << 15
_MAX_HEADER = 16 << 20
_MAX_META_VALUE, _MAX_VALUE = 1 << 16, 64 << 20
_MAX_INFLATED = 512 << 20
_UNDEFINED = 0xFFFFFFFF


class TooMuch(Exception):
    """A header or a deflated file is larger than any real one."""


@dataclass(slots=True)
class Elements:
    """Elements that were asked for.

    ``values`` maps tags to ``(value, VR, little endian)``; values are bytes as stored, or what
    pydicom made of them. ``pixels`` is the tag of the pixel data, 0 if there is none; its value
    begins at ``offset`` and has ``length`` bytes, -1 if it is encapsulated. ``dataset`` is there
    if pydicom read the file.
    """

    syntax: str = ""
    media_class: str = ""
    values: dict[int, tuple[Any, str, bool]] = field(default_factory=dict)
    pixels: int = 0
    offset: int = 0
    length: int = 0
    dataset: Dataset | None = None


def read_elements(file: IO[bytes], tags: Collection[int]) -> Elements:
    """Read the elements ``tags`` that come before the pixel data.

    Raises
    ------
    TooMuch
        If reading on would take more memory than any real header.
    Exception
        Anything that pydicom raises on a broken file.
    """
    found = _Walk(file, frozenset(tags)).run()
    if found is None:
        file.seek(0)
        found = _by_pydicom(file, tags)
    return found


class _Walk:
    """One pass over a little-endian file with preamble; gives up on everything unusual."""

    def __init__(self, file: IO[bytes], tags: frozenset[int]) -> None:
        self._file, self._tags = file, tags
        self._data = file.read(_BLOCK)
        self._complete = len(self._data) < _BLOCK
        self._found = Elements()

    def run(self) -> Elements | None:
        if self._data[128:132] != b"DICM":
            return None
        at = self._elements(132, explicit=True, meta=True)
        syntax = self._found.syntax
        if at is None or syntax in ("", _BIG, DEFLATED, _GE_PRIVATE):
            return None
        if self._elements(at, explicit=syntax != _IMPLICIT, meta=False) is None:
            return None
        return self._found

    def _has(self, end: int) -> bool:
        """Whether the file goes on to ``end``; reads as far."""
        while len(self._data) < end and not self._complete:
            if end > _MAX_HEADER:
                return False
            more = self._file.read(max(_BLOCK, end - len(self._data)))
            self._complete = not more
            self._data += more
        return len(self._data) >= end

    def _elements(self, at: int, *, explicit: bool, meta: bool) -> int | None:
        """Walk from ``at``; where the next part begins, or ``None`` to give up."""
        unpack = Struct("<HH2sH" if explicit else "<HHI").unpack_from
        tags, values = self._tags, self._found.values
        while self._has(at + 12) or self._has(at + 8):
            if explicit:
                group, element, vr, length = unpack(self._data, at)
                start = at + 8
                if vr not in _VRS:
                    return None
                if vr in _LONG:
                    length = int.from_bytes(self._data[at + 8 : at + 12], "little")
                    start = at + 12
            else:
                (group, element, length), vr = unpack(self._data, at), b""
                start = at + 8
            if meta and group != 2:
                return at
            tag = group << 16 | element
            if tag in _PIXELS:
                self._found.pixels, self._found.offset = tag, start
                self._found.length = -1 if length == _UNDEFINED else length
                return at
            if tag > _PIXELS[-1]:
                return at
            if length == _UNDEFINED or tag in _FUNCTIONAL_GROUPS:
                return None
            at = start + length
            if meta or tag in tags:
                if not self._has(at):
                    return None
                value = self._data[start:at]
                if tag == 0x00020010:
                    self._found.syntax = _uid(value)
                elif tag == 0x00020002:
                    self._found.media_class = _uid(value)
                elif value:
                    values[tag] = value, vr.decode(), True
        return at


class _Bounded:
    """A file of which no value is read that is larger than any real one.

    pydicom takes time and memory for every value of a broken header, a microsecond a byte.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.largest = _MAX_META_VALUE
        self.seek, self.tell = file.seek, file.tell
        self._read = file.read

    def read(self, size: int = -1) -> bytes:
        if size > self.largest:
            raise TooMuch(f"has a header value of {size} bytes")
        content = self._read(size)
        if size < 0:  # a deflated file, which pydicom will inflate as a whole
            _demand_bounded_deflate(content)
        return content


def _by_pydicom(file: IO[bytes], tags: Collection[int]) -> Elements:
    import pydicom.filereader
    from pydicom.tag import Tag

    found, bounded = Elements(), _Bounded(file)

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        bounded.largest = _MAX_VALUE  # the file meta is behind
        if tag in _PIXELS:
            found.pixels, found.offset = int(tag), file.tell()
            found.length = -1 if length == _UNDEFINED else length
        return bool(tag >= _PIXELS[0])

    with quiet_pydicom():
        dataset = pydicom.filereader.read_partial(
            bounded, stop_when=at_pixels, force=True, specific_tags=[Tag(tag) for tag in tags]
        )
        for tag in tags:
            if tag in dataset and tag not in _FUNCTIONAL_GROUPS:
                element = dataset.get_item(tag)
                little = bool(getattr(element, "is_little_endian", True))
                if element.value is not None:
                    found.values[tag] = element.value, str(element.VR or ""), little
        meta = dataset.file_meta
        found.syntax = str(meta.get("TransferSyntaxUID", "") or "")[:64] or _guess_syntax(dataset)
        found.media_class = str(meta.get("MediaStorageSOPClassUID", "") or "")[:64]
    found.dataset = dataset
    if found.syntax == DEFLATED:
        found.offset = found.length = 0
    return found


def _uid(value: bytes) -> str:
    return value[:64].decode("ascii", "replace").strip(" \0")


def _guess_syntax(dataset: Dataset) -> str:
    implicit, little = dataset.original_encoding
    if implicit:
        return _IMPLICIT
    return _EXPLICIT if little else _BIG


def _demand_bounded_deflate(content: bytes) -> None:
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while content and not inflater.eof:
        total += len(inflater.decompress(content, 1 << 20))
        content = inflater.unconsumed_tail
        if total > _MAX_INFLATED:
            raise TooMuch(f"inflates to more than {_MAX_INFLATED >> 20} MiB")
