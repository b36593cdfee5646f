"""Photographs: PNG, JPEG and TIFF are read, PNG is written.

A picture's scale is known only if its file states one that somebody measured. Most resolutions do
not: cameras, screens and printing programs write a round number of dots an inch by default. See
`_scale` for what is believed.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delineate.errors import ExportError, TooLargeError, UnreadableFileError
from delineate.formats.geometry import SeriesReport
from delineate.formats.particulars import Problem, Samples
from delineate.imaging import Grid, Image, Source

__all__ = ["PhotoSource", "read", "report", "unwritable", "write"]

_MAX_PIXELS = 300_000_000
_AFTER_HEADER = 33  # bytes of a PNG: the signature and the header, which comes first
_KINDS = ("PNG", "JPEG", "TIFF")
# What programs, screens, cameras and printers write where nobody measured anything (dots an inch).
_DEFAULTS = (
    *(1, 72, 75, 90, 96, 100, 120, 144, 150, 180, 192, 200, 220, 240, 250, 300, 314, 350, 360),
    *(400, 480, 500, 600, 720, 1000, 1200, 2400, 4800),
)
_EXIF, _EXPOSURE, _F_NUMBER = 0x8769, 0x829A, 0x829D
_ORIENTATION, _DESCRIPTION, _PAGE_KIND = 0x0112, 0x010E, 0x00FE
_MICRONS = {"um": 1.0, "µm": 1.0, "micron": 1.0, "\\u00b5m": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}


class PhotoSource(Source):
    """The image was read from a picture file."""

    format = "photo"


class _Scale(NamedTuple):
    """Size of a pixel along rows and columns, in mm, or ``None``; and what the file says of it."""

    spacing: tuple[float, float] | None
    said: str


class _Head(NamedTuple):
    """Rows and columns as they are read, kind of pixels, number of pages, the scale.

    ``deep``: colours, or grey with transparency, of 16 bits, of which 8 are read.
    """

    rows: int
    columns: int
    mode: str
    deep: bool
    pages: int
    scale: _Scale


def read(path: Path | str) -> Image:
    """Read a picture, turned as its EXIF orientation says.

    Returns
    -------
    Image
        One slice; grey (8 or 16 bits, or float32), or red, green and blue in 8 bits. In pixels,
        or, where the file states a scale that was measured, in mm, x to the right and y downwards
        from the first pixel. Transparency is dropped.

    Raises
    ------
    UnreadableFileError
        If it is broken, or holds several pages.
    TooLargeError
        If it has more than 300 million pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = _head(Path(path))
        if head.pages > 1:
            raise UnreadableFileError(_several(head))
        array = _samples(Path(path))
    notes = (f"The scale is the file's own: {head.scale.said}.",) if head.scale.spacing else ()
    channels = ("red", "green", "blue") if array.ndim == 4 else ()
    return Image(array, _grid(head), "photo", channels, PhotoSource(), notes)


def write(image: Image, path: Path | str) -> None:
    """Write samples as they are as PNG, the size of a pixel in mm beside them where it is known.

    PNG counts pixels in whole numbers a metre, so the size comes back to 0.005 % at 0.1 mm.

    Raises
    ------
    ExportError
        If PNG cannot hold them: see `unwritable`.
    """
    import imagecodecs

    if reason := unwritable(image):
        raise ExportError(f"{reason}; write NIfTI")
    content = bytes(imagecodecs.png_encode(np.ascontiguousarray(image.array[0]), level=6))
    if image.grid.unit == "mm":
        _, down, across = image.grid.spacing
        said = b"pHYs" + struct.pack(">IIB", round(1000 / across), round(1000 / down), 1)
        chunk = struct.pack(">I", 9) + said + struct.pack(">I", zlib.crc32(said))
        content = content[:_AFTER_HEADER] + chunk + content[_AFTER_HEADER:]
    Path(path).write_bytes(content)


def unwritable(image: Image) -> str:
    """Why PNG cannot hold the samples of an image; empty if it can."""
    if image.grid.shape[0] != 1:
        return f"PNG holds one slice, this image has {image.grid.shape[0]}"
    if len(image.channels) not in (0, 3):
        return f"PNG holds grey or three colours, this image has {len(image.channels)} channels"
    if image.array.dtype not in (np.uint8, np.uint16):
        return f"PNG holds 8 or 16 bits without a sign, these samples are {image.array.dtype}"
    return ""


def report(path: Path | str) -> SeriesReport:
    """What the header says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = _head(Path(path))
    name = Path(path).name
    if head.pages > 1:
        told = SeriesReport.refusal(
            [Problem("several_pages", _several(head))], id=name, format="photo", modality="photo"
        )
        return replace(told, slices=head.pages).placed(_grid(head))
    problems = [Problem("scale", head.scale.said)] if head.scale.said else []
    if head.deep:
        problems.append(Problem("depth", "of the 16 bits of a colour the upper 8 are read"))
    told = SeriesReport.of_grid(
        _grid(head), id=name, format="photo", modality="photo", problems=problems
    )
    return replace(told, samples=_stored(head.mode))


def _several(head: _Head) -> str:
    return (
        f"the TIFF holds {head.pages} pages, expected one; save the page you want as a picture of "
        "its own"
    )


def _grid(head: _Head) -> Grid:
    shape = (1, head.rows, head.columns)
    if head.scale.spacing is None:
        return Grid.regular(shape, unit="px")
    return Grid.regular(shape, (1.0, *head.scale.spacing))


def _stored(mode: str) -> Samples:
    grey = mode in ("1", "L", "LA", "F", "I") or mode.startswith("I;16")
    bits = 32 if mode in ("F", "I") else 16 if mode.startswith("I;16") else 8
    return Samples(
        bits_allocated=bits,
        bits_stored=1 if mode == "1" else bits,
        signed=mode in ("F", "I"),
        kind="float" if mode == "F" else "integer",
        photometric="MONOCHROME2" if grey else "RGB",
    )


def _head(path: Path) -> _Head:
    from PIL import Image as Pillow

    try:
        with Pillow.open(path, formats=_KINDS) as picture:
            columns, rows = picture.size
            pages = _pages(picture)
            exif = picture.getexif()
            turned = exif.get(_ORIENTATION, 1) in (5, 6, 7, 8)
            scale = _scale(picture, exif)
            mode = picture.mode
            raw = str(picture.tile[0][3]) if picture.tile else ""
    except Exception as error:
        raise _unreadable(error) from None
    if rows * columns > _MAX_PIXELS:
        raise TooLargeError(
            f"a picture of {rows} x {columns} pixels; at most {_MAX_PIXELS} pixels are read"
        )
    if turned:
        rows, columns = columns, rows
        if scale.spacing:
            scale = scale._replace(spacing=scale.spacing[::-1])
    deep = ";16" in raw and not mode.startswith("I")
    return _Head(rows, columns, mode, deep, pages, scale)


def _pages(picture: Any) -> int:
    """Pages of a TIFF, without thumbnails and masks; 1 for all else."""
    if picture.format != "TIFF":
        return 1
    count = 0
    for page in range(min(picture.n_frames, 1000)):
        picture.seek(page)
        count += page == 0 or not int(picture.tag_v2.get(_PAGE_KIND, 0)) & 0b101
    picture.seek(0)
    return count


def _scale(picture: Any, exif: Any) -> _Scale:
    """Size of a pixel, where the file states it and it was measured.

    Believed are the pHYs of a PNG in metres and the resolution of a TIFF or JPEG in inches or
    centimetres, and ImageJ's scale with its unit. Not believed: a resolution that programs write
    by default (`_DEFAULTS`, dots an inch, to 0.5 %), and any in a picture that a camera took (it
    has an exposure time or an f-number), since what lay before the lens had another size.
    """
    by_imagej = _imagej(picture)
    if by_imagej:
        return by_imagej
    dots = picture.info.get("dpi")
    try:
        across, down = (float(one) for one in dots)
    except (TypeError, ValueError):
        return _Scale(None, "")
    if not (0 < across < 1e9 and 0 < down < 1e9):
        return _Scale(None, "")
    size = f"{25.4 / down:.6g} x {25.4 / across:.6g} mm a pixel"
    said = f"a resolution of {across:.6g} x {down:.6g} dots an inch"
    camera = exif.get_ifd(_EXIF)
    if _EXPOSURE in camera or _F_NUMBER in camera:
        return _Scale(None, f"{said}, which a camera wrote and which says nothing of the scale")
    if any(abs(one - usual) <= 0.005 * usual for one in (across, down) for usual in _DEFAULTS):
        return _Scale(
            None,
            f"{said}, which programs write by default and which is not taken for the scale; if it "
            f"is, state {size}",
        )
    return _Scale((25.4 / down, 25.4 / across), f"{size}, by {said}")


def _imagej(picture: Any) -> _Scale | None:
    """The scale that ImageJ keeps beside the resolution of a TIFF, which has no unit then."""
    text = picture.tag_v2.get(_DESCRIPTION, "") if picture.format == "TIFF" else ""
    unit = re.search(r"^unit=(\S+)$", str(text), re.MULTILINE)
    if not str(text).startswith("ImageJ=") or not unit or unit[1] not in _MICRONS:
        return None
    dots = picture.info.get("resolution")
    if not dots or not all(0 < float(one) < 1e9 for one in dots):
        return None
    across, down = (_MICRONS[unit[1]] / 1000 / float(one) for one in dots)
    return _Scale((down, across), f"{down:.6g} x {across:.6g} mm a pixel, by ImageJ")


def _samples(path: Path) -> NDArray[Any]:
    from PIL import Image as Pillow
    from PIL import ImageOps

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
