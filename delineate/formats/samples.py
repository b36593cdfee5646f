"""Samples as a file stores them: read no more of them than its header promises."""

from __future__ import annotations

import bz2
import gzip
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from delineate.errors import TooLargeError, UnreadableFileError
from delineate.formats.particulars import Problem

__all__ = [
    "MOST_BYTES",
    "assumed",
    "decompressed",
    "is_gzip",
    "modality_of",
    "most_bytes",
    "narrowed",
    "read_samples",
    "remarks",
]

MOST_BYTES = 16 << 30
# A stream can grow by no more than this: deflate codes at most 258 bytes in two bits, bzip2 a run
# of 45 899 235 bytes in 46.
_RATIOS = {"raw": 1, "gzip": 1032, "zlib": 1032, "bzip2": 1_100_000}

# A whole array at once is inflated into a buffer of its size first.
_PART = 1 << 20


@contextmanager
def decompressed(file: BinaryIO, encoding: str, name: str) -> Iterator[BinaryIO]:
    """The plain contents of a file from where it stands.

    Parameters
    ----------
    file
        Open for reading.
    encoding
        ``"raw"``, ``"gzip"``, ``"zlib"`` or ``"bzip2"``.
    name
        For messages.

    Raises
    ------
    UnreadableFileError
        From within the block, instead of whatever a broken or truncated stream raises.
    """
    from isal import igzip, isal_zlib

    broken = (EOFError, gzip.BadGzipFile, cast("type[Exception]", isal_zlib.error))
    try:
        if encoding == "gzip":
            yield cast(BinaryIO, igzip.IGzipFile(fileobj=file))
        elif encoding == "zlib":
            yield cast(BinaryIO, _ZlibReader(file))
        elif encoding == "bzip2":
            yield cast(BinaryIO, bz2.BZ2File(file))
        else:
            yield file
    except broken as error:
        raise UnreadableFileError(
            f"{name} holds a broken or truncated {encoding} stream ({error}); copy or download "
            "it again"
        ) from error
    except OSError as error:
        if encoding == "bzip2" and error.errno is None:
            raise UnreadableFileError(f"{name} holds a broken bzip2 stream") from error
        raise


class _ZlibReader:
    """The little of a file's interface that `read_samples` needs, over a zlib stream."""

    def __init__(self, file: BinaryIO) -> None:
        from isal import isal_zlib

        self._file = file
        self._inflate = isal_zlib.decompressobj()

    def readinto(self, target: memoryview) -> int:
        part = b""
        while not part and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(1 << 18)
            if not packed:
                raise EOFError("the stream ends before its end mark")
            part = self._inflate.decompress(packed, min(len(target), 1 << 20))
        target[: len(part)] = part
        return len(part)

    def read(self, size: int) -> bytes:
        target = memoryview(bytearray(size))
        return bytes(target[: self.readinto(target)])


def read_samples(
    stream: BinaryIO,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    stored: int,
    encoding: str,
    name: str,
) -> NDArray[Any]:
    """Read samples in C order.

    Parameters
    ----------
    stream
        Of `decompressed`, standing before the first sample.
    shape, dtype
        As the header promises; the dtype in the file's byte order.
    stored
        Bytes of the file, which bound what it can hold however much it promises.
    encoding, name
        As for `decompressed`.

    Returns
    -------
    array
        Of ``shape``, in this machine's byte order.

    Raises
    ------
    UnreadableFileError
        If samples are missing.
    TooLargeError
        If they would take more than 16 GiB.
    """
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size > most_bytes(stored, encoding):
        raise UnreadableFileError(
            f"{name} is cut short: its header promises {size} bytes of samples, a file of "
            f"{stored} bytes cannot hold them; copy or download it again"
        )
    if size > MOST_BYTES:
        raise TooLargeError(
            f"{name} holds {size / 2**30:.1f} GiB of samples, at most {MOST_BYTES >> 30} GiB are "
            "read; crop it or store it with 16 bits a sample"
        )
    array = np.empty(shape, dtype)
    target, done = array.data.cast("B"), 0
    while done < size:
        count = stream.readinto(target[done : done + _PART])  # type: ignore[attr-defined]
        if not count:
            raise UnreadableFileError(
                f"{name} is cut short: {size - done} of {size} bytes of samples are missing; copy "
                "or download it again"
            )
        done += count
    stream.read(1)  # at the end of a compressed stream its checksum is compared
    if not dtype.isnative:
        array = array.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return array


def most_bytes(stored: int, encoding: str) -> int:
    """How many bytes a file of ``stored`` bytes can decompress to."""
    return stored * _RATIOS[encoding]


def is_gzip(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is compressed by gzip."""
    return head[:2] == b"\x1f\x8b"


def narrowed(array: NDArray[Any]) -> NDArray[Any]:
    """Integers of more than 16 bits in the smallest of int16, int32 and int64 that holds them."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize <= 2:
        return array
    low, high = int(array.min()), int(array.max())
    for kind in (np.int16, np.int32, np.int64):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return array.astype(kind, copy=False)
    return array


def modality_of(array: NDArray[Any], hint: str) -> tuple[str, bool]:
    """Modality of an image in a format that names none, and whether that is a guess.

    It is what ``hint``, text of the header, names; else CT if the values look like Hounsfield
    units (lowest at most -200, highest above 200, half of them below 400); else ``"unknown"``.
    """
    own = re.search(r"\bmodality=(\w+)", hint)
    if own:
        return own[1], False
    if re.search(r"\b(CT|Hounsfield)\b", hint):
        return "CT", False
    some = array.ravel()[:: max(1, array.size // 100_000)]
    like_ct = array.min() <= -200 and array.max() > 200 and np.median(some) < 400
    return ("CT", True) if like_ct else ("unknown", False)


def remarks(array: NDArray[Any], guessed: bool) -> tuple[Problem, ...]:
    """What a report says of samples: a modality that was guessed, values that are no numbers."""
    found = []
    if guessed:
        message = "the file names no modality; the values look like Hounsfield units, so it is a CT"
        found.append(Problem("modality_assumed", message))
    if array.dtype.kind == "f":
        count = int(array.size - np.isfinite(array).sum())
        if count:
            message = f"{count} of {array.size} samples are NaN or infinite"
            found.append(Problem("not_finite", message))
    return tuple(found)


def assumed(guessed: bool, corrections: Sequence[str] = ()) -> tuple[str, ...]:
    """Notes for an image: that its modality was guessed, and what reading corrected."""
    guess = (
        "The file names no modality; its values look like Hounsfield units, so it is read as CT."
    )
    return (*((guess,) if guessed else ()), *corrections)
