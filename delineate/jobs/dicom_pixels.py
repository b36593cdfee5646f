"""Frames, bulk data and whole files in plain form of DICOM instances; runs in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import NotAcceptableError, UnknownInstanceError
from delineate.formats.dicom.codecs import COMPRESSED, DEFLATED, NATIVE, Layout, decode
from delineate.formats.dicom.quiet import quiet_pydicom
from delineate.jobs.dicom_reading import PLAIN

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["bulk", "cells", "frame_count", "frames", "plain", "read_file"]

_EXPLICIT, _BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_MOST_PIXELS = 1 << 27


def frames(path: str, numbers: list[int], folder: str) -> list[str]:
    """Write frames as they are without compression: little endian, each into a file.

    Parameters
    ----------
    path
        The DICOM file.
    numbers
        Of the frames, the first being 1.
    folder
        Where.

    Returns
    -------
    list of str
        The files.
    """
    dataset = read_file(path)
    out = []
    for number in numbers:
        target = Path(folder) / str(number)
        target.write_bytes(_plain_frame(dataset, number))
        out.append(str(target))
    return out


def plain(path: str, target: str) -> None:
    """Write a DICOM file in explicit little endian without compression; colours become RGB."""
    from pydicom.dataset import FileMetaDataset

    dataset = read_file(path)
    with quiet_pydicom():
        try:
            _uncompress(dataset)
            if str(dataset.file_meta.TransferSyntaxUID) == _BIG:
                dataset = _swapped(dataset)
            meta = FileMetaDataset(dataset.file_meta)
            meta.TransferSyntaxUID = _EXPLICIT
            dataset.file_meta = meta
            form: dict[str, bool] = {"implicit_vr": False, "little_endian": True}
            dataset.save_as(target, **form, enforce_file_format=True)
        except NotAcceptableError:
            raise
        except Exception as error:  # pydicom raises anything on values that are not of their VR
            raise NotAcceptableError(
                f"the instance cannot be written anew ({type(error).__name__}); "
                "ask for transfer-syntax=*"
            ) from None


def _uncompress(dataset: Dataset) -> None:
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if "PixelData" not in dataset or syntax in (*PLAIN, DEFLATED):
        return
    pixels = _whole(dataset)
    if int(dataset.get("SamplesPerPixel") or 1) > 1:
        dataset.PlanarConfiguration = 0
        if syntax not in NATIVE:
            dataset.PhotometricInterpretation = "RGB"
    vr = "OB" if int(dataset.BitsAllocated) <= 8 else "OW"
    dataset.add_new("PixelData", vr, pixels + b"\0" * (len(pixels) % 2))
    for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if name in dataset:
            delattr(dataset, name)


def _swapped(dataset: Dataset) -> Dataset:
    """A big-endian data set as one that can be written in little endian."""
    from pydicom import Dataset
    from pydicom.sequence import Sequence

    little = Dataset()
    for element in dataset:
        if element.VR == "SQ":
            element.value = Sequence([_swapped(item) for item in element.value])
        elif element.VR == "OW" and element.keyword != "PixelData":
            element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
        little.add(element)
    if hasattr(dataset, "file_meta"):
        little.file_meta = dataset.file_meta
        little.preamble = dataset.preamble
    return little


def _whole(dataset: Dataset) -> bytes:
    """All frames, those of one bit a cell without gaps between them."""
    numbers = range(1, frame_count(dataset) + 1)
    if int(dataset.BitsAllocated) == 1:
        bits = np.concatenate([cells(dataset, number).ravel() for number in numbers])
        return np.packbits(bits.astype(bool), bitorder="little").tobytes()
    return b"".join(_plain_frame(dataset, number) for number in numbers)


def bulk(path: str, address: str, target: str) -> None:
    """Write the value of an element, little endian, that ``TAG`` or ``TAG/ITEM/TAG`` names."""
    dataset = read_file(path)
    parts = address.split("/")
    with quiet_pydicom():
        try:
            for tag, item in zip(parts[0:-1:2], parts[1::2], strict=True):
                dataset = dataset[int(tag, 16)].value[int(item)]
            value = dataset[int(parts[-1], 16)].value
        except (KeyError, IndexError, ValueError, TypeError):
            raise UnknownInstanceError("no bulk data lies at this address") from None
    if not isinstance(value, bytes):
        raise UnknownInstanceError("no bulk data lies at this address")
    Path(target).write_bytes(value)


def read_file(path: str) -> Dataset:
    """All of a DICOM file."""
    import pydicom

    with quiet_pydicom():
        return pydicom.dcmread(path)


def frame_count(dataset: Dataset) -> int:
    """How many frames there are."""
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def _plain_frame(dataset: Dataset, number: int) -> bytes:
    """A frame as stored cells, little endian, its bits packed where each is one."""
    if not 1 <= number <= frame_count(dataset):
        raise UnknownInstanceError(f"there are {frame_count(dataset)} frames, the first is 1")
    array = cells(dataset, number)
    if int(dataset.get("BitsAllocated") or 16) == 1:
        return np.packbits(array.ravel().astype(bool), bitorder="little").tobytes()
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def cells(dataset: Dataset, number: int) -> NDArray[Any]:
    """Stored cells of a frame, ``(row, column)`` or ``(row, column, sample)``."""
    from pydicom.pixels import pixel_array

    syntax = str(dataset.file_meta.TransferSyntaxUID)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if rows * columns > _MOST_PIXELS:
        raise NotAcceptableError(f"a frame of {rows} x {columns} is too large to be decoded")
    samples, bits = (
        int(dataset.get("SamplesPerPixel") or 1),
        int(dataset.get("BitsAllocated") or 16),
    )
    with quiet_pydicom():
        try:
            if syntax in COMPRESSED and samples == 1 and bits > 1:
                signed = bool(int(dataset.get("PixelRepresentation") or 0))
                layout = Layout(rows, columns, bits, signed)
                return decode(_stream(dataset, number), syntax, layout)
            # Compressed colours become RGB; what is stored plainly stays as it is.
            return np.asarray(pixel_array(dataset, index=number - 1, raw=syntax in NATIVE))
        except UnknownInstanceError:
            raise
        except Exception as error:  # decoders raise anything
            raise NotAcceptableError(
                f"frame {number} cannot be decoded from {syntax} ({type(error).__name__}); "
                "ask for transfer-syntax=*"
            ) from None


def _stream(dataset: Dataset, number: int) -> bytes:
    from pydicom.encaps import get_frame

    count = frame_count(dataset)
    return bytes(get_frame(dataset.PixelData, number - 1, number_of_frames=count))
