"""Fill an array with the samples of a stack, in Hounsfield units where it is a CT."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import DelineateError, UnreadableFileError
from delineate.formats.dicom import jpeg_lossless
from delineate.formats.dicom.quiet import quiet_pydicom
from delineate.formats.dicom.slices import Slice

__all__ = ["read_samples", "syntax_name", "unsupported"]

_IMPLICIT, _EXPLICIT, _BIG = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
)
_DEFLATED = "1.2.840.10008.1.2.1.99"
_RLE = "1.2.840.10008.1.2.5"
_LOSSY_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
_NATIVE = {_IMPLICIT: "<", _EXPLICIT: "<", _BIG: ">"}
_AIR = -1024
_INT16 = np.iinfo(np.int16)


def read_samples(slices: Sequence[Slice]) -> NDArray[Any]:
    """Samples of slices of one size, with their rescale applied: ``(slice, row, column)``.

    Returns
    -------
    ndarray
        Int16 if every sample is a whole number within its range, else float32. The padding value
        of a CT, where it is no plausible Hounsfield unit (-1024 to 3071), becomes -1024.
    """
    shape = (len(slices), slices[0].rows, slices[0].columns)
    if all(one.slope.is_integer() and one.intercept.is_integer() for one in slices):
        array: NDArray[Any] = np.empty(shape, np.int16)
        if _fill(slices, array, _whole):
            return array
        del array
    array = np.empty(shape, np.float32)
    _fill(slices, array, _fraction)
    return array


Convert = Callable[[NDArray[Any], NDArray[Any], Slice], bool]


def _fill(slices: Sequence[Slice], out: NDArray[Any], convert: Convert) -> bool:
    """Read every slice into ``out``; false as soon as one does not fit its dtype."""
    files: dict[str, list[int]] = {}
    for index, one in enumerate(slices):
        files.setdefault(str(one.entry.path), []).append(index)

    def fill_file(indices: list[int]) -> bool:
        reader = _FrameReader(slices[indices[0]])
        if slices[indices[0]].transfer_syntax in _NATIVE:
            return all(convert(reader.frame(slices[k]), out[k], slices[k]) for k in indices)
        with quiet_pydicom():
            return all(convert(reader.frame(slices[k]), out[k], slices[k]) for k in indices)

    native = slices[0].transfer_syntax in _NATIVE
    workers = 1 if native or len(files) == 1 else min(8, os.cpu_count() or 1)
    if workers == 1:
        return all(fill_file(indices) for indices in files.values())
    with ThreadPoolExecutor(workers) as pool:
        return all(pool.map(fill_file, files.values()))


class _FrameReader:
    """Stored samples of the frames of one file."""

    def __init__(self, first: Slice) -> None:
        self._pixels: bytes | None = None
        self._dataset: Any = None
        self._first = first

    def frame(self, one: Slice) -> NDArray[Any]:
        """``(row, column)`` as stored, before rescale; unused high bits may be set."""
        if one.transfer_syntax in _NATIVE:
            return self._native(one)
        try:
            if one.transfer_syntax == _DEFLATED:
                return self._inflated(one)
            return self._decoded(one)
        except (DelineateError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # decoders raise anything, Rust's panics included
            raise UnreadableFileError(
                f"{one.label} cannot be decoded from {syntax_name(one.transfer_syntax)} "
                f"({type(error).__name__}); its pixel data is broken, transfer the series again"
            ) from None

    def _native(self, one: Slice) -> NDArray[Any]:
        kind = "i" if one.signed else "u"
        raw = np.empty(
            (one.rows, one.columns),
            f"{_NATIVE[one.transfer_syntax]}{kind}{one.bits_allocated // 8}",
        )
        with one.entry.path.open("rb", buffering=0) as file:
            file.seek(one.offset + one.frame * raw.nbytes)
            view, done = raw.reshape(-1).view(np.uint8).data, 0
            while done < raw.nbytes and (got := file.readinto(view[done:])):
                done += got
        if done < raw.nbytes:
            raise UnreadableFileError(
                f"{one.label} holds {done} of {raw.nbytes} bytes of pixels; it is cut short, "
                "transfer the series again"
            )
        return raw if raw.dtype.isnative else raw.astype(raw.dtype.newbyteorder("="))

    def _decoded(self, one: Slice) -> NDArray[Any]:
        from pydicom.pixels import get_decoder

        if self._pixels is None:
            with one.entry.path.open("rb") as file:
                file.seek(one.offset)
                self._pixels = file.read(one.length)
        if one.transfer_syntax in jpeg_lossless.SYNTAXES:
            return _lossless(self._pixels, one)
        decoder = get_decoder(one.transfer_syntax)
        _demand_size(self._pixels, one)
        array, _ = decoder.as_array(
            io.BytesIO(self._pixels),
            index=one.frame,
            raw=True,
            rows=one.rows,
            columns=one.columns,
            number_of_frames=one.frames,
            samples_per_pixel=1,
            bits_allocated=one.bits_allocated,
            bits_stored=one.bits_stored,
            photometric_interpretation=one.photometric or "MONOCHROME2",
            pixel_representation=int(one.signed),
            pixel_keyword="PixelData",
            decoding_plugin="pydicom" if one.transfer_syntax == _RLE else "",
            pixel_vr="OB",
        )
        return np.asarray(array).reshape(one.rows, one.columns)

    def _inflated(self, one: Slice) -> NDArray[Any]:
        import pydicom

        if self._dataset is None:
            self._dataset = pydicom.dcmread(one.entry.path, force=True)
        dtype = np.dtype(f"<{'i' if one.signed else 'u'}{one.bits_allocated // 8}")
        count = one.rows * one.columns
        values = np.frombuffer(
            self._dataset.PixelData, dtype, count, one.frame * count * dtype.itemsize
        )
        return values.reshape(one.rows, one.columns)


def _lossless(pixels: bytes, one: Slice) -> NDArray[Any]:
    from pydicom.encaps import get_frame

    stream = get_frame(pixels, one.frame, number_of_frames=one.frames)
    stored, precision = jpeg_lossless.decode(stream, one.rows, one.columns)
    dtype = np.dtype(f"{'i' if one.signed else 'u'}{max(2, one.bits_allocated // 8)}")
    if not one.signed:
        return stored.astype(dtype, copy=False)
    shift = np.uint16(16 - precision)
    return ((stored << shift).view(np.int16) >> np.int16(shift)).astype(dtype, copy=False)


def _demand_size(pixels: bytes, one: Slice) -> None:
    """Compare the size that a JPEG 2000 or JPEG-LS codestream states with that of the header.

    A decoder allocates what the codestream asks for.
    """
    at = pixels.find(b"\xff\x4f\xff\x51", 0, 65536)
    if at >= 0:
        columns, rows, left, top = (
            int.from_bytes(pixels[k : k + 4], "big") for k in range(at + 8, at + 24, 4)
        )
        found = rows - top, columns - left
    else:
        at = pixels.find(b"\xff\xf7", 0, 65536)
        if at < 0 or b"\xff\xd8" not in pixels[:at]:
            return
        rows, columns = (int.from_bytes(pixels[k : k + 2], "big") for k in (at + 5, at + 7))
        found = rows, columns
    if found != (one.rows, one.columns):
        raise UnreadableFileError(
            f"{one.label} says {one.rows} x {one.columns} in its header and {found[0]} x "
            f"{found[1]} in its compressed pixels; one of them is broken"
        )


def _padded(raw: NDArray[Any], one: Slice) -> NDArray[np.bool_] | None:
    """Where a CT is padded with what is no Hounsfield unit."""
    if one.modality != "CT" or one.padding is None:
        return None
    low, high = one.padding
    ends = low * one.slope + one.intercept, high * one.slope + one.intercept
    if any(-_AIR_LIMIT <= end <= _TOP for end in ends):
        return None
    info = np.iinfo(raw.dtype)
    if high < info.min or low > info.max:
        return None
    where = (raw >= max(low, info.min)) & (raw <= min(high, info.max))
    return where if where.any() else None


_AIR_LIMIT, _TOP = 1024, 3071


def _used_bits(raw: NDArray[Any], one: Slice) -> NDArray[Any]:
    """Clear the bits beyond BitsStored (old files keep overlays there) and extend the sign."""
    width = raw.dtype.itemsize * 8
    shift = width - one.bits_stored
    if shift <= 0 or one.transfer_syntax not in _NATIVE:
        return raw
    return (raw << shift) >> shift


def _whole(raw: NDArray[Any], out: NDArray[Any], one: Slice) -> bool:
    where = _padded(raw, one)
    values = _used_bits(raw, one)
    if where is not None:
        values = values.copy()
        values[where] = values[~where].min() if not where.all() else 0
    slope, intercept = int(one.slope), int(one.intercept)
    ends = [slope * int(end) + intercept for end in (values.min(), values.max())]
    if min(ends) < _INT16.min or max(ends) > _INT16.max:
        return False
    if slope == 1 and values.dtype.itemsize == 2:
        # Sums wrap modulo 2**16, and the result is known to fit.
        wrapped = np.uint16(intercept % 65536)
        np.add(values.view(np.uint16), wrapped, out=out.view(np.uint16))
    else:
        out[...] = values.astype(np.int64) * slope + intercept
    if where is not None:
        out[where] = _AIR
    return True


def _fraction(raw: NDArray[Any], out: NDArray[Any], one: Slice) -> bool:
    where = _padded(raw, one)
    values = _used_bits(raw, one)
    out[...] = values * np.float64(one.slope) + one.intercept
    if where is not None:
        out[where] = _AIR
    return True


def unsupported(syntax: str, bits: int) -> str:
    """Why pixels of so many bits in this transfer syntax cannot be read; empty if they can."""
    if syntax in _NATIVE or syntax == _DEFLATED or syntax in jpeg_lossless.SYNTAXES:
        return ""
    if syntax in _LOSSY_JPEG and bits > 8:
        return f"is compressed as {syntax_name(syntax)} of {bits} bits; 8 are read"
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        return f"is stored as {syntax_name(syntax)}, which is not read"
    if decoder.is_available:
        return ""
    return f"is compressed as {syntax_name(syntax)}, for which no decoder is installed"


def syntax_name(syntax: str) -> str:
    """Name of a transfer syntax and its UID."""
    from pydicom.uid import UID

    name = UID(syntax).name
    return f"{name} ({syntax})" if name != syntax else f"transfer syntax {syntax or 'unknown'}"
