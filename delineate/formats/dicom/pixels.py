"""Fill an array with the samples of a stack, in Hounsfield units where it is a CT."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import UnreadableFileError
from delineate.formats.dicom.codecs import (
    COMPRESSED,
    DEFLATED,
    NATIVE,
    WHOLE_CELLS,
    Layout,
    decode,
)
from delineate.formats.dicom.quiet import quiet_pydicom
from delineate.formats.dicom.slices import Slice

__all__ = ["read_samples", "syntax_name", "unsupported"]

_AIR, _TOP = -1024, 3071
_INT16 = np.iinfo(np.int16)


def read_samples(slices: Sequence[Slice]) -> NDArray[Any]:
    """Samples of slices of one size, rescaled or mapped by their table: ``(slice, row, column)``.

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
    if all(one.transfer_syntax in NATIVE for one in slices):  # threads make these slower
        return all(convert(_native(one), out[k], one) for k, one in enumerate(slices))

    def finish(index: int, stream: bytes | None) -> bool:
        one = slices[index]
        stored = _native(one) if stream is None else _decoded(stream, one)
        return convert(stored, out[index], one)

    workers = min(8, os.cpu_count() or 1)
    pending: deque[Future[bool]] = deque()
    with quiet_pydicom(), ThreadPoolExecutor(workers) as pool:
        for index, stream in _streams(slices):
            pending.append(pool.submit(finish, index, stream))
            if len(pending) > 2 * workers and not pending.popleft().result():
                return False
        return all(task.result() for task in pending)


def _streams(slices: Sequence[Slice]) -> Iterator[tuple[int, bytes | None]]:
    """The stored bytes of every slice with its index, file by file; ``None`` for native pixels."""
    files: dict[Path, dict[int, int]] = {}
    for index, one in enumerate(slices):
        files.setdefault(one.entry.path, {})[one.frame] = index
    for wanted in files.values():
        first = slices[next(iter(wanted.values()))]
        if first.transfer_syntax in NATIVE:
            yield from ((index, None) for index in wanted.values())
            continue
        count = 0
        try:
            for frame, stream in enumerate(_frames(first)):
                count += 1
                if frame in wanted:
                    yield wanted[frame], stream
        except Exception as error:  # pydicom raises anything on broken files
            raise _broken(first, type(error).__name__) from None
        if count != first.frames:
            raise UnreadableFileError(
                f"{first.label} is in a file of {first.frames} frames of which {count} are found; "
                "its pixel data is broken, transfer the series again"
            )


def _frames(first: Slice) -> Iterator[bytes]:
    """What each frame of a file with compressed pixels is stored as."""
    import pydicom
    from pydicom.encaps import generate_frames

    if first.transfer_syntax == DEFLATED:
        pixels = pydicom.dcmread(first.entry.path, force=True).PixelData
        size = first.rows * first.columns * first.bits_allocated // 8
        yield from (pixels[frame * size : (frame + 1) * size] for frame in range(first.frames))
        return
    with first.entry.path.open("rb") as file:
        file.seek(first.offset)
        source = file if first.length < 0 else io.BytesIO(file.read(first.length))
        yield from generate_frames(source, number_of_frames=first.frames)


def _decoded(stream: bytes, one: Slice) -> NDArray[Any]:
    layout = Layout(one.rows, one.columns, one.bits_allocated, one.signed)
    try:
        return decode(stream, one.transfer_syntax, layout)
    except Exception as error:  # decoders raise anything
        why = str(error) if type(error) is ValueError else type(error).__name__
        raise _broken(one, why) from None


def _broken(one: Slice, why: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{one.label} cannot be decoded from {syntax_name(one.transfer_syntax)} ({why}); its pixel "
        "data is broken, transfer the series again"
    )


def _native(one: Slice) -> NDArray[Any]:
    """``(row, column)`` as stored, before rescale; unused high bits may be set."""
    kind, order = "i" if one.signed else "u", NATIVE[one.transfer_syntax]
    raw = np.empty((one.rows, one.columns), f"{order}{kind}{one.bits_allocated // 8}")
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


def _padded(raw: NDArray[Any], one: Slice) -> NDArray[np.bool_] | None:
    """Where a CT is padded with what is no Hounsfield unit."""
    if one.modality != "CT" or one.padding is None:
        return None
    low, high = one.padding
    ends: Sequence[float] = [end * one.slope + one.intercept for end in (low, high)]
    if one.table is not None:
        ends = one.table.apply(np.asarray([low, high])).tolist()
    if any(_AIR <= end <= _TOP for end in ends):
        return None
    info = np.iinfo(raw.dtype)
    if high < info.min or low > info.max:
        return None
    where = (raw >= max(low, info.min)) & (raw <= min(high, info.max))
    return where if where.any() else None


def _used_bits(raw: NDArray[Any], one: Slice) -> NDArray[Any]:
    """Clear the bits beyond BitsStored (old files keep overlays there) and extend the sign."""
    width = raw.dtype.itemsize * 8
    shift = width - one.bits_stored
    if shift <= 0 or one.transfer_syntax not in WHOLE_CELLS:
        return raw
    return (raw << shift) >> shift


def _whole(raw: NDArray[Any], out: NDArray[Any], one: Slice) -> bool:
    where = _padded(raw, one)
    values = _used_bits(raw, one)
    if where is not None:
        values = values.copy()
        values[where] = values[~where].min() if not where.all() else 0
    slope, intercept = int(one.slope), int(one.intercept)
    if one.table is not None:
        values = one.table.apply(values)
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
    if one.table is not None:
        values = one.table.apply(values)
    out[...] = values * np.float64(one.slope) + one.intercept
    if where is not None:
        out[where] = _AIR
    return True


def unsupported(syntax: str) -> str:
    """Why pixels in this transfer syntax cannot be read; empty if they can."""
    if syntax in NATIVE or syntax == DEFLATED or syntax in COMPRESSED:
        return ""
    return f"is stored as {syntax_name(syntax)}, which is not read"


def syntax_name(syntax: str) -> str:
    """Name of a transfer syntax and its UID."""
    from pydicom.uid import UID

    name = UID(syntax).name
    return f"{name} ({syntax})" if name != syntax else f"transfer syntax {syntax or 'unknown'}"
