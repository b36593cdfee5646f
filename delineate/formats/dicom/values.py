"""Values of a header, decoded here: tolerant of wrong VRs, and much quicker than pydicom."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from delineate.formats.dicom.elements import Elements

__all__ = ["Header"]

_ABSENT = (b"", "", True)


class Header:
    """The elements of one file, by tag."""

    def __init__(self, elements: Elements) -> None:
        self._values = elements.values

    def _raw(self, tag: int) -> tuple[Any, str, bool]:
        return self._values.get(tag, _ABSENT)

    def text(self, tag: int) -> str:
        """The value as text, without padding."""
        value, _, _ = self._raw(tag)
        if isinstance(value, bytes):
            try:
                return value.decode().strip(" \0")
            except UnicodeDecodeError:
                return value.decode("latin-1").strip(" \0")
        if isinstance(value, Iterable) and not isinstance(value, str):
            return "\\".join(str(part) for part in value)
        return str(value).strip(" \0")

    def integer(self, tag: int) -> int:
        """An unsigned binary integer, 0 if absent."""
        value, vr, little = self._raw(tag)
        if isinstance(value, bytes) and vr not in ("IS", "DS") and tag != 0x00280008:
            return int.from_bytes(value[:4], "little" if little else "big")
        return self.whole(tag) or 0

    def whole(self, tag: int) -> int | None:
        """A whole number written as text."""
        match = re.match(r"\s*([+-]?\d{1,9})", self.text(tag))
        return int(match[1]) if match else None

    def numbers(self, tag: int) -> tuple[float, ...]:
        """Finite numbers written as text; none at all if one of them is none."""
        return _floats(self.text(tag))

    def number(self, tag: int, default: float) -> float:
        """One number written as text; NaN if it is none."""
        text = self.text(tag)
        if not text:
            return default
        values = _floats(text)
        return values[0] if values else math.nan

    def triple(self, tag: int) -> tuple[float, float, float] | None:
        """Three numbers, or nothing."""
        values = self.numbers(tag)
        return (values[0], values[1], values[2]) if len(values) == 3 else None

    def padding(self, signed: bool) -> tuple[int, int] | None:
        """Lowest and highest padding value as stored; a wrong VR (US for SS) does not matter."""
        ends = []
        for tag in (0x00280120, 0x00280121):
            value, vr, little = self._raw(tag)
            if isinstance(value, bytes) and len(value) >= 2 and vr not in ("IS", "DS"):
                number = int.from_bytes(value[:2], "little" if little else "big")
                ends.append(number - 65536 if signed and number >= 32768 else number)
        return (min(ends), max(ends)) if ends else None

    def direction(self, tag: int) -> tuple[float, ...] | None:
        """Six numbers, or nothing."""
        values = self.numbers(tag)
        return values if len(values) == 6 else None

    def pair(self, tag: int) -> tuple[float, float] | None:
        """Two positive numbers, or nothing."""
        values = self.numbers(tag)
        return (values[0], values[1]) if len(values) == 2 and min(values) > 0 else None

    def step(self) -> float | None:
        """SpacingBetweenSlices, else SliceThickness, in mm."""
        for tag in (0x00180088, 0x00180050):
            value = abs(self.number(tag, 0.0))
            if math.isfinite(value) and value > 0:
                return value
        return None


def _floats(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part.replace(",", ".")) for part in text.split("\\"))
    except ValueError:
        return ()
    return values if all(math.isfinite(value) for value in values) else ()
