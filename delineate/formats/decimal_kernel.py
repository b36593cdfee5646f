"""Decimal text to numbers and back; see :mod:`delineate.formats.decimals`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["parse", "write"]

_POWERS = 10.0 ** np.arange(23)  # each exact
_MOST = 2**53  # every whole number up to here is exact
_POINT, _PLUS, _MINUS, _BACKSLASH, _SPACE, _ZERO = 46, 43, 45, 92, 32, 48


@kernel
def parse(text: NDArray[np.uint8], numbers: NDArray[np.float64]) -> bool:
    r"""Read numbers between backslashes; false where one of them is not simple.

    A simple one has at most 15 digits that count and a power of ten up to 22, which one division
    or product of exact numbers turns into the nearest double [1]_.

    Parameters
    ----------
    text
        Bytes of the text.
    numbers
        Filled; as many as backslashes, and one.

    References
    ----------
    .. [1] Clinger, "How to read floating point numbers accurately", PLDI 1990,
       doi:10.1145/93542.93557
    """
    place, end = 0, len(text)
    for number in range(len(numbers)):
        while place < end and text[place] == _SPACE:
            place += 1
        negative = False
        if place < end and (text[place] == _MINUS or text[place] == _PLUS):
            negative = text[place] == _MINUS
            place += 1
        mantissa, scale, digits, after = 0, 0, 0, False
        while place < end:
            digit = int(text[place]) - _ZERO
            if 0 <= digit <= 9:
                mantissa = mantissa * 10 + digit
                if mantissa >= _MOST:
                    return False
                digits += 1
                if after:
                    scale -= 1
            elif text[place] == _POINT and not after:
                after = True
            else:
                break
            place += 1
        if digits == 0:
            return False
        if place < end and (text[place] == 69 or text[place] == 101):  # E, e
            place += 1
            lower = False
            if place < end and (text[place] == _MINUS or text[place] == _PLUS):
                lower = text[place] == _MINUS
                place += 1
            power, digits = 0, 0
            while place < end and _ZERO <= text[place] <= _ZERO + 9 and digits < 4:
                power = power * 10 + int(text[place]) - _ZERO
                digits += 1
                place += 1
            if digits == 0:
                return False
            scale += -power if lower else power
        if scale < -22 or scale > 22:
            return False
        value = mantissa / _POWERS[-scale] if scale < 0 else mantissa * _POWERS[scale]
        numbers[number] = -value if negative else value
        while place < end and text[place] == _SPACE:
            place += 1
        if number < len(numbers) - 1:
            if place >= end or text[place] != _BACKSLASH:
                return False
            place += 1
    return place == end


@kernel
def write(values: NDArray[np.int64], decimals: int, text: NDArray[np.uint8]) -> int:
    r"""Write whole numbers of ``10**-decimals`` as decimals between backslashes.

    Parameters
    ----------
    values
        The numbers.
    decimals
        How many digits stand behind the point, less the zeros at the end.
    text
        Filled; 22 bytes a number are enough.

    Returns
    -------
    int
        How many bytes were filled.
    """
    digits = np.empty(20, np.uint8)
    place = 0
    for number in range(len(values)):
        if number:
            text[place] = _BACKSLASH
            place += 1
        value = values[number]
        if value < 0:
            text[place] = _MINUS
            place += 1
            value = -value
        count = 0
        while value > 0 or count <= decimals:
            rest = value // 10
            digits[count] = value - rest * 10
            value = rest
            count += 1
        last = 0
        while last < decimals and digits[last] == 0:
            last += 1
        for k in range(count - 1, decimals - 1, -1):
            text[place] = _ZERO + digits[k]
            place += 1
        if last < decimals:
            text[place] = _POINT
            place += 1
            for k in range(decimals - 1, last - 1, -1):
                text[place] = _ZERO + digits[k]
                place += 1
    return place
