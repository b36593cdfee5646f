"""What in a header forbids reading its pixels: a code and what the file does, or two blanks."""

from __future__ import annotations

import math
from typing import IO

from delineate.formats.dicom.elements import DEFLATED
from delineate.formats.dicom.values import Header

__all__ = ["cut_short", "fault_of", "no_hounsfield"]

_NATIVE = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    DEFLATED,
    "1.2.840.113619.5.2",  # GE private: big endian pixels; refused later by its name
    "",
)
# A compressed slice of more pixels is taken for a bomb.
_MAX_PIXELS = 1 << 26
# An empty picture of 65535 x 65535 compresses this well in no format used for CT.
_MAX_RATIO = 20_000


def fault_of(
    header: Header,
    syntax: str,
    rows: int,
    columns: int,
    allocated: int,
    stored: int,
    frames: int,
    has_pixels: bool,
) -> tuple[str, str]:
    """What the pixel description says that cannot be, or is not read."""
    if not has_pixels:
        return "truncated", "ends before its pixels"
    if rows < 1 or columns < 1 or frames > 100_000:
        return "unreadable", f"claims {rows} rows, {columns} columns and {frames} frames"
    if rows * columns > _MAX_PIXELS and syntax not in _NATIVE:
        return "unreadable", f"claims {rows} x {columns} compressed pixels, more than any scanner"
    if allocated not in (8, 16, 32) or not 1 <= stored <= allocated:
        return "unreadable", f"stores {stored} of {allocated} bits; 8, 16 and 32 are read"
    high = header.integer(0x00280102)
    if high and high != stored - 1:
        return "unreadable", f"keeps its samples in bits {high - stored + 1} to {high}, not from 0"
    slope, intercept = header.number(0x00281053, 1.0), header.number(0x00281052, 0.0)
    if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0:
        return "unreadable", "has a rescale slope or intercept that is no number, or zero"
    return "", ""


def no_hounsfield(types: set[str]) -> tuple[str, str]:
    """Maps of materials, electron densities and the like come as CT; US is "unspecified"."""
    others = sorted(types - {"", "HU", "US", "HU_MOD"})
    if others:
        return "unreadable", f"holds values of type {', '.join(others)[:64]}, not Hounsfield units"
    return "", ""


def cut_short(
    file: IO[bytes], size: int, syntax: str, offset: int, length: int, expected: int
) -> tuple[str, str]:
    """Whether the pixels that the header promises cannot all be in the file."""
    if syntax == DEFLATED:
        return "", ""
    if syntax in _NATIVE:
        present = min(length, size - offset) if length >= 0 else size - offset
        if present < expected:
            return "truncated", f"holds {present} of {expected} bytes of pixels"
        return "", ""
    if length >= 0:
        return "", ""  # encapsulated in a defined length: seen in old files, the decoder will tell
    position, payload = offset, 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(8)
        if head[:4] != b"\xfe\xff\x00\xe0":
            break
        item = int.from_bytes(head[4:], "little")
        if position + 8 + item > size:
            return "truncated", f"ends {position + 8 + item - size} bytes before its pixels do"
        position, payload = position + 8 + item, payload + item
    if payload == 0:
        return "truncated", "holds no compressed pixels"
    if expected > _MAX_RATIO * payload:
        return "truncated", f"holds {payload} bytes of compressed pixels for {expected}"
    return "", ""
