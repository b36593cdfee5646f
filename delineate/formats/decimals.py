"""Decimal strings (DS, PS3.5 6.2) by the million: the coordinates of contours.

Text of a usual form goes through compiled loops, ten times as fast as Python's own; what is odd
goes through Python and means the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_text", "to_text"]

_DECIMALS = 6
_LARGEST = 1e8  # 8 digits, the point, 6 decimals and a sign are the 16 characters of a DS


def from_text(text: bytes) -> NDArray[np.float64]:
    r"""Read numbers between backslashes: ``(n,)``, each the double nearest to its text.

    Blanks and NUL around numbers, a backslash at the end, signs, exponents and decimal commas are
    let through.

    Raises
    ------
    ValueError
        If one of them is no number.
    """
    from delineate.formats.decimal_kernel import parse  # numba is slow to import

    text = text.rstrip(b"\\ \0")
    if not text:
        return np.empty(0)
    numbers = np.empty(text.count(b"\\") + 1)
    if not parse(np.frombuffer(text, np.uint8), numbers):
        if b"_" in text:
            raise ValueError("expected numbers, got an underscore")  # Python reads 1_0 as ten
        parts = text.replace(b",", b".").split(b"\\")
        numbers = np.array([float(part.strip(b" \0")) for part in parts])
    return numbers


def to_text(numbers: NDArray[np.float64]) -> bytes:
    r"""Write numbers to a millionth, at most 16 characters each, with backslashes between.

    Raises
    ------
    ValueError
        If one of them is 100 million or more, or no number.
    """
    from delineate.formats.decimal_kernel import write  # numba is slow to import

    flat = np.rint(np.asarray(numbers, np.float64).ravel() * 10**_DECIMALS)
    if len(flat) and not float(np.abs(flat).max()) < _LARGEST * 10**_DECIMALS:
        raise ValueError(f"expected numbers below {_LARGEST:g}, got {np.abs(numbers).max():g}")
    text = np.empty(22 * len(flat), np.uint8)
    return text[: write(flat.astype(np.int64), _DECIMALS, text)].tobytes()
