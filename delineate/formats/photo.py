"""Photographs: PNG, JPEG and TIFF."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import TooLargeError, UnreadableFileError
from delineate.formats.geometry import SeriesReport
from delineate.imaging import Grid, Image, Source

__all__ = ["PhotoSource", "read", "report"]

_MAX_PIXELS = 300_000_000
_KINDS = ("PNG", "JPEG", "TIFF")


class PhotoSource(Source):
    """The image was read from a picture file."""

    format = "photo"


def read(path: Path | str) -> Image:
    """Read a picture, turned as its EXIF orientation says.

    Returns
    -------
    Image
        One slice in pixels; grey (8 or 16 bits, or float32), or red, green and blue in 8 bits.
        Transparency is dropped. Of a file with several pages the first is read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = _samples(Path(path))
    grid = Grid.regular((1, array.shape[1], array.shape[2]), unit="px")
    channels = ("red", "green", "blue") if array.ndim == 4 else ()
    return Image(array, grid, "photo", channels, PhotoSource())


def report(path: Path | str) -> SeriesReport:
    """What the header says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows, columns = _size(Path(path))
    grid = Grid.regular((1, rows, columns), unit="px")
    return SeriesReport.of_grid(grid, id=Path(path).name, format="photo", modality="photo")


def _size(path: Path) -> tuple[int, int]:
    from PIL import Image as Pillow

    try:
        with Pillow.open(path, formats=_KINDS) as picture:
            columns, rows = picture.size
            turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception as error:
        raise _unreadable(error) from None
    if rows * columns > _MAX_PIXELS:
        raise TooLargeError(
            f"a picture of {rows} x {columns} pixels; at most {_MAX_PIXELS} pixels are read"
        )
    return (columns, rows) if turned else (rows, columns)


def _samples(path: Path) -> NDArray[Any]:
    from PIL import Image as Pillow
    from PIL import ImageOps

    _size(path)
    try:
        with Pillow.open(path, formats=_KINDS) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode in ("1", "LA"):
                picture = picture.convert("L")
            grey = picture.mode in ("L", "F", "I") or picture.mode.startswith("I;16")
            array = np.array(picture if grey else picture.convert("RGB"))
    except Exception as error:
        raise _unreadable(error) from None
    if array.dtype == np.int32 and array.min() >= 0 and array.max() <= 65535:
        array = array.astype(np.uint16)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("="))
    return array[np.newaxis]


def _unreadable(error: Exception) -> UnreadableFileError:
    return UnreadableFileError(
        f"the picture is broken or not supported ({type(error).__name__}); save it again as PNG"
    )
