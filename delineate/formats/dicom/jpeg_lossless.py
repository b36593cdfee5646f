"""Lossless JPEG (ITU-T T.81 process 14), as old CT archives are packed.

libjpeg-turbo decodes it too, but fills what is broken or missing with made-up samples; here every
code must be in its table, and each scan must end where its samples do.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode"]

_SOF3, _DHT, _SOS, _DRI, _EOI = 0xC3, 0xC4, 0xDA, 0xDD, 0xD9
_LONGEST = 16


class _Stream(NamedTuple):
    """What the markers before the samples say."""

    precision: int
    rows: int
    columns: int
    predictor: int
    point_transform: int
    restart: int
    lengths: NDArray[np.uint8]
    sizes: NDArray[np.uint8]
    start: int


def decode(data: bytes, rows: int, columns: int) -> tuple[NDArray[np.uint16], int]:
    """Decode one grey picture.

    Parameters
    ----------
    data
        From the SOI marker on.
    rows, columns
        What the picture must measure; it is refused before memory is taken if it does not.

    Returns
    -------
    tuple
        Samples ``(rows, columns)`` and their precision in bits.

    Raises
    ------
    ValueError
        If the stream is broken, cut short, of another size or of another JPEG process.
    """
    stream = _markers(data)
    if (stream.rows, stream.columns) != (rows, columns):
        raise ValueError(
            f"{rows} x {columns} in its header and {stream.rows} x {stream.columns} in its "
            "compressed pixels"
        )
    out = np.zeros((rows, columns), np.uint16)
    good = _compiled()(
        np.frombuffer(data, np.uint8),
        stream.start,
        stream.lengths,
        stream.sizes,
        stream.predictor,
        1 << (stream.precision - stream.point_transform - 1),
        stream.restart,
        out,
    )
    if not good:
        raise ValueError("the lossless JPEG stream is broken or cut short")
    return out << np.uint16(stream.point_transform), stream.precision


def _markers(data: bytes) -> _Stream:
    if data[:2] != b"\xff\xd8":
        raise ValueError("no JPEG stream")
    at, restart = 2, 0
    frame: tuple[int, int, int] | None = None
    tables: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError("a marker is missing")
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if marker == 0xFF:
            at += 1
            continue
        if size < 2 or len(body) != size - 2:
            break
        if marker == _SOF3:
            if len(body) < 6 or body[5] != 1 or not 2 <= body[0] <= 16:
                raise ValueError("expected one component of 2 to 16 bits")
            frame = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        elif 0xC0 <= marker <= 0xCF and marker not in (_DHT, 0xC8, 0xCC):
            raise ValueError(f"JPEG process {marker - 0xC0} is not lossless Huffman coding")
        elif marker == _DHT:
            tables.update(_tables(body))
        elif marker == _DRI:
            restart = int.from_bytes(body[:2], "big")
        elif marker == _SOS:
            if frame is None or len(body) < 6 or body[0] != 1 or body[2] >> 4 not in tables:
                break
            predictor, transform = body[3], body[5] & 15
            if not 1 <= predictor <= 7 or transform >= frame[0]:
                break
            if frame[2] == 0 or restart % frame[2]:
                break
            table = tables[body[2] >> 4]
            return _Stream(*frame, predictor, transform, restart, *table, at + 2 + size)
        elif marker == _EOI:
            break
        at += 2 + size
    raise ValueError("the markers before the samples are broken")


def _tables(body: bytes) -> dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Huffman tables by number: for every 16 bits, the code's length and what it stands for."""
    found, at = {}, 0
    while at + 17 <= len(body):
        number, counts = body[at] & 15, body[at + 1 : at + 17]
        symbols = body[at + 17 : at + 17 + sum(counts)]
        if len(symbols) != sum(counts):
            raise ValueError("a Huffman table is cut short")
        at += 17 + len(symbols)
        lengths = np.zeros(1 << _LONGEST, np.uint8)
        sizes = np.zeros(1 << _LONGEST, np.uint8)
        code, index = 0, 0
        for length, count in enumerate(counts, 1):
            for _ in range(count):
                first, width = code << (_LONGEST - length), 1 << (_LONGEST - length)
                if first + width > 1 << _LONGEST or symbols[index] > _LONGEST:
                    raise ValueError("a Huffman table contradicts itself")
                lengths[first : first + width] = length
                sizes[first : first + width] = symbols[index]
                code, index = code + 1, index + 1
            code <<= 1
        found[number] = lengths, sizes
    return found


@cache
def _compiled() -> Any:
    import numba

    return numba.njit(cache=True, nogil=True)(_scan)


def _scan(
    data: NDArray[np.uint8],
    at: int,
    lengths: NDArray[np.uint8],
    sizes: NDArray[np.uint8],
    predictor: int,
    initial: int,
    restart: int,
    out: NDArray[np.uint16],
) -> bool:
    """Decode the samples of one scan into ``out``; false if the stream ends or breaks."""
    rows, columns = out.shape
    bits, have, invented = np.int64(0), np.int64(0), np.int64(0)
    top = 0  # the row that counts as the first, for prediction
    for row in range(rows):
        if restart and row and (row * columns) % restart == 0:
            if at + 1 >= data.size or data[at] != 0xFF or not 0xD0 <= data[at + 1] <= 0xD7:
                return False
            if have - invented >= 8:
                return False
            at += 2
            bits, have, invented, top = np.int64(0), np.int64(0), np.int64(0), row
        for column in range(columns):
            while have <= 40:
                byte = np.int64(0)
                if at < data.size and data[at] != 0xFF:
                    byte = np.int64(data[at])
                    at += 1
                elif at + 1 < data.size and data[at + 1] == 0:
                    byte = np.int64(0xFF)
                    at += 2
                else:
                    invented += 8
                bits = ((bits << 8) | byte) & 0xFFFFFFFFFFFF
                have += 8
            code = (bits >> (have - 16)) & 0xFFFF
            length = np.int64(lengths[code])
            if length == 0:
                return False
            size = np.int64(sizes[code])
            have -= length
            difference = np.int64(0)
            if size == 16:
                difference = np.int64(32768)
            elif size > 0:
                have -= size
                difference = (bits >> have) & ((1 << size) - 1)
                if difference < 1 << (size - 1):
                    difference -= (1 << size) - 1
            if have < invented:
                return False
            if column == 0:
                guess = initial if row == top else np.int64(out[row - 1, 0])
            elif row == top or predictor == 1:
                guess = np.int64(out[row, column - 1])
            else:
                left = np.int64(out[row, column - 1])
                above = np.int64(out[row - 1, column])
                corner = np.int64(out[row - 1, column - 1])
                if predictor == 2:
                    guess = above
                elif predictor == 3:
                    guess = corner
                elif predictor == 4:
                    guess = left + above - corner
                elif predictor == 5:
                    guess = left + ((above - corner) >> 1)
                elif predictor == 6:
                    guess = above + ((left - corner) >> 1)
                else:
                    guess = (left + above) >> 1
            out[row, column] = (guess + difference) & 0xFFFF
    # A marker ends the scan; where there is none, the file may have been made even by a byte.
    return bool(have - invented < (8 if at + 1 < data.size else 16))
