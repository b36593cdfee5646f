"""Decode one compressed grey frame.

What a codestream says of its size, components and precision is compared with the header before a
decoder sees it, for a decoder allocates what the codestream asks for. The scan of a JPEG or JPEG-LS
stream is followed to its end mark first: where that is missing, libjpeg-turbo makes samples up and
CharLS may never return.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from struct import unpack_from
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delineate.formats.dicom import jpeg_lossless

__all__ = ["COMPRESSED", "DEFLATED", "NATIVE", "WHOLE_CELLS", "Layout", "decode"]

NATIVE = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.2": ">",
}
DEFLATED = "1.2.840.10008.1.2.1.99"
_ENCAPSULATED, _DEFLATED_FRAMES = "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"
_RLE = "1.2.840.10008.1.2.5"
# These keep every bit of a pixel cell, those beyond BitsStored included.
WHOLE_CELLS = frozenset((*NATIVE, DEFLATED, _ENCAPSULATED, _DEFLATED_FRAMES, _RLE))
_JPEG = "1.2.840.10008.1.2.4."
_SOF = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), 0xCD, 0xCE, 0xCF))
_TILE_PART = b"\xff\x90"
_SEQUENTIAL, _JPEG_LS, _SOS, _EOI = (0xC0, 0xC1), 0xF7, 0xDA, 0xD9


class Layout(NamedTuple):
    """What the header says of the pixel cells of a frame."""

    rows: int
    columns: int
    bits: int
    signed: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a pixel cell that is stored whole."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{self.bits // 8}")


def decode(stream: bytes, syntax: str, layout: Layout) -> NDArray[Any]:
    """Decode a frame.

    Parameters
    ----------
    stream
        The whole frame, its fragments joined.
    syntax
        One of `COMPRESSED`, or `DEFLATED`, whose frames are plain once the file is inflated.
    layout
        What the frame must be.

    Returns
    -------
    ndarray
        ``(rows, columns)`` as stored, signed as the header says.

    Raises
    ------
    ValueError, RuntimeError, EOFError, zlib.error
        If the stream is broken, cut short or contradicts the header.
    """
    array = COMPRESSED[syntax](stream, layout) if syntax != DEFLATED else _plain(stream, layout)
    _demand(array.shape == (layout.rows, layout.columns), "samples of that shape", array.shape)
    return array


def _demand(holds: bool, expected: str, found: object) -> None:
    if not holds:
        raise ValueError(f"expected {expected}, got {found}")


def _plain(stream: bytes, layout: Layout) -> NDArray[Any]:
    count = layout.rows * layout.columns
    return np.frombuffer(stream, layout.dtype, count).reshape(layout.rows, layout.columns)


def _inflated(stream: bytes, layout: Layout) -> NDArray[Any]:
    size = layout.rows * layout.columns * layout.dtype.itemsize
    return _plain(zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream, size), layout)


def _rle(stream: bytes, layout: Layout) -> NDArray[Any]:
    """PackBits of each byte of the samples, the highest first (PS3.5 Annex G)."""
    import imagecodecs

    header = np.frombuffer(stream, "<u4", 16)
    width, size = layout.dtype.itemsize, layout.rows * layout.columns
    _demand(header[0] == width, f"{width} segments", header[0])
    ends = [*header[2 : width + 1].tolist(), len(stream)]
    cells = np.empty((layout.rows, layout.columns, width), np.uint8)
    for index, (start, end) in enumerate(zip(header[1 : width + 1].tolist(), ends, strict=True)):
        _demand(64 <= start < end <= len(stream), "segments in order", header[1 : width + 1])
        segment = np.frombuffer(imagecodecs.packbits_decode(stream[start:end]), np.uint8)
        _demand(segment.size >= size, f"{size} bytes in a segment", segment.size)
        cells[..., width - 1 - index] = segment[:size].reshape(layout.rows, layout.columns)
    return cells.reshape(layout.rows, -1).view(layout.dtype)


def _jpeg_2000(stream: bytes, layout: Layout) -> NDArray[Any]:
    import imagecodecs

    start = stream.find(b"\xff\x4f\xff\x51", 0, 1 << 16)  # some files wrap it as JP2
    _demand(start >= 0 and len(stream) - start > 45, "a JPEG 2000 codestream", "none")
    stream = stream[start:]
    right, bottom, left, top, *tile, components = unpack_from(">8IH", stream, 8)
    depth, subsampling = stream[42], stream[43:45]
    _demand_size(layout, bottom - top, right - left, components, (depth & 127) + 1)
    _demand(subsampling == b"\1\1", "no subsampling", subsampling)
    _demand_tiles(stream, right, bottom, tile)
    array = np.asarray(imagecodecs.jpeg2k_decode(stream))
    if (depth >= 128) == layout.signed:
        return array
    return _as_signed(array, (depth & 127) + 1, layout.signed)


def _demand_tiles(stream: bytes, right: int, bottom: int, tile: list[int]) -> None:
    """Demand that every tile is there: OpenJPEG leaves out what is missing, and says nothing."""
    width, height, left, top = tile
    _demand(width > 0 and height > 0, "tiles of some size", (height, width))
    tiles = -(-(right - left) // width) * -(-(bottom - top) // height)
    at, found = 2, set()
    while stream[at : at + 2] not in (_TILE_PART, b""):
        at += 2 + max(2, int.from_bytes(stream[at + 2 : at + 4], "big"))
    while stream[at : at + 2] == _TILE_PART and at + 12 <= len(stream):
        index, size = unpack_from(">HI", stream, at + 4)
        found.add(index)
        at += max(size, 12) if size else len(stream)
    _demand(len(found) == tiles, f"{tiles} tiles", len(found))


def _jpeg_ls(stream: bytes, layout: Layout) -> NDArray[Any]:
    import imagecodecs

    process, precision, scan = _demand_frame(stream, layout)
    _demand(process == _JPEG_LS, "JPEG-LS", f"SOF {process:#x}")
    _demand_end(stream, scan, lowest=0x80)
    array = np.asarray(imagecodecs.jpegls_decode(stream))
    return _as_signed(array, precision, layout.signed)


def _lossy_jpeg(stream: bytes, layout: Layout) -> NDArray[Any]:
    import imagecodecs

    process, precision, scan = _demand_frame(stream, layout)
    _demand(process in _SEQUENTIAL, "sequential Huffman coding", f"SOF {process:#x}")
    _demand_end(stream, scan, lowest=0x01)
    return _as_signed(np.asarray(imagecodecs.jpeg8_decode(stream)), precision, layout.signed)


def _lossless_jpeg(stream: bytes, layout: Layout) -> NDArray[Any]:
    array, precision = jpeg_lossless.decode(stream, layout.rows, layout.columns)
    _demand(precision <= layout.bits, f"at most {layout.bits} bits", precision)
    return _as_signed(array, precision, layout.signed)


def _demand_frame(stream: bytes, layout: Layout) -> tuple[int, int, int]:
    """Compare the frame header of a JPEG or JPEG-LS stream with the header.

    Returns
    -------
    tuple
        Marker of the process, precision in bits, and where the first scan begins.
    """
    _demand(stream[:2] == b"\xff\xd8", "a JPEG stream", "none")
    at, process, precision = 2, 0, 0
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker, size = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == 0xFF:
            at += 1
            continue
        body = stream[at + 4 : at + 2 + size]
        if marker == _SOS and process:
            return process, precision, at + 2 + size
        if marker == _JPEG_LS or marker in _SOF:
            _demand(not process and len(body) >= 6, "one frame header", "another")
            process, precision = marker, body[0]
            rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            _demand_size(layout, rows, columns, body[5], precision)
        at += 2 + max(2, size)
    raise ValueError("the markers before the samples are broken")


def _demand_end(stream: bytes, scan: int, lowest: int) -> None:
    """Demand that the first marker from ``scan`` on, if restarts do not count, is the end.

    ``lowest``: a smaller byte after 0xFF is part of the samples.
    """
    data = np.frombuffer(stream, np.uint8, offset=scan)
    after = data[np.flatnonzero(data[:-1] == 0xFF) + 1]
    markers = after[(after >= lowest) & (after != 0xFF) & ((after < 0xD0) | (after > 0xD7))]
    _demand(markers.size > 0 and markers[0] == _EOI, "an end mark", markers[:1])


def _demand_size(layout: Layout, rows: int, columns: int, components: int, bits: int) -> None:
    if (rows, columns) != (layout.rows, layout.columns):
        raise ValueError(
            f"{layout.rows} x {layout.columns} in its header and {rows} x {columns} in its "
            "compressed pixels"
        )
    _demand(components == 1, "one component", components)
    _demand(1 <= bits <= layout.bits, f"at most {layout.bits} bits", bits)


def _as_signed(array: NDArray[Any], precision: int, signed: bool) -> NDArray[Any]:
    """Samples whose sign the codestream does not tell: two's complement of ``precision`` bits."""
    width = array.dtype.itemsize
    target = np.dtype(f"{'i' if signed else 'u'}{width}")
    shift = 8 * width - precision
    if array.dtype == target or shift == 0:
        return array.view(target)
    lifted: NDArray[Any] = array.view(f"u{width}") << np.dtype(f"u{width}").type(shift)
    return lifted.view(target) >> target.type(shift)  # type: ignore[no-any-return]


COMPRESSED: dict[str, Callable[[bytes, Layout], NDArray[Any]]] = {
    _ENCAPSULATED: _plain,
    _DEFLATED_FRAMES: _inflated,
    _RLE: _rle,
    **{_JPEG + last: _lossy_jpeg for last in ("50", "51")},
    **{_JPEG + last: _lossless_jpeg for last in ("57", "70")},
    **{_JPEG + last: _jpeg_ls for last in ("80", "81")},
    **{_JPEG + last: _jpeg_2000 for last in ("90", "91", "201", "202", "203")},
}
