"""NIfTI-1 and NIfTI-2, single files (``.nii``, ``.nii.gz``).

NIfTI's world is RAS and its arrays are ``(i, j, k)``; both are turned to delineate's LPS and
``(slice, row, column)`` here and nowhere else. Samples are neither resampled nor flipped: NIfTI's
``(k, j, i)`` become ``(slice, row, column)``, which is the order in the file.

NIfTI names no modality. An image is taken for CT if its header says so, or if its values look
like Hounsfield units (lowest at most -200, highest above 200, half of them below 400), else it is
``"unknown"``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from delineate.errors import (
    ExportError,
    GeometryError,
    InputError,
    UnreadableFileError,
)
from delineate.formats.geometry import Problem, SeriesReport
from delineate.formats.labels import whole_labels, with_names
from delineate.formats.nifti_header import Header, label_table, parse, ras_affine
from delineate.formats.samples import (
    decompressed,
    is_gzip,
    modality_of,
    most_bytes,
    narrowed,
    read_samples,
    remarks,
)
from delineate.imaging import Category, Grid, Image, LabelMap, Source

__all__ = ["NiftiSource", "read", "read_labels", "report", "write_image", "write_labels"]

_LEVEL = 1


class NiftiSource(Source):
    """The image was read from NIfTI."""

    format = "nifti"


def read(path: Path | str) -> Image:
    """Read one image.

    Parameters
    ----------
    path
        A ``.nii`` or ``.nii.gz`` file, whatever its name.

    Returns
    -------
    Image
        Samples are exact: integers remain integers if the header's slope and intercept are whole
        numbers (of 16 bits where those suffice), else they are float32, rounded once, or float64
        where the file stores 32 bits or more an integer.

    Raises
    ------
    UnreadableFileError
        If the file is broken, cut short or of another format.
    GeometryError
        If it holds several volumes, or its affine makes no sense.
    TooLargeError
        If the samples would take more than 16 GiB.
    """
    header, stored = _load(Path(path))
    grid, _, _ = header.grid()
    array = _scaled(stored, header)
    modality, _ = modality_of(array, header.hint)
    return Image(array, grid, modality, source=NiftiSource())


def report(path: Path | str) -> SeriesReport:
    """Say what ``read`` would make of a file; never raises for what the file holds."""
    path = Path(path)
    header = None
    try:
        header, stored = _load(path)
        grid, problems, corrections = header.grid()
        array = _scaled(stored, header)
    except InputError as error:
        code = "unreadable"
        if isinstance(error, GeometryError):
            with _opened(path) as (stream, _):
                several = parse(stream, path.name).volumes > 1
            code = "four_dimensional" if several else "zero_affine"
        return SeriesReport.refusal([Problem(code, str(error))], id=path.name, format="nifti")
    modality, guessed = modality_of(array, header.hint)
    return SeriesReport.of_grid(
        grid,
        id=path.name,
        format="nifti",
        modality=modality,
        problems=(*problems, *remarks(array, guessed)),
        corrections=corrections,
    )


def read_labels(path: Path | str, categories: Mapping[int, Category] | None = None) -> LabelMap:
    """Read a label map.

    Parameters
    ----------
    path
        A NIfTI file of whole numbers from 0 to 65535, floats included.
    categories
        What the labels are. ``None``: as a table in the header's extensions says (delineate's own,
        or Caret's, which TotalSegmentator writes), else ``"label 5"`` and so on.

    Raises
    ------
    UnreadableFileError, GeometryError, TooLargeError
        As :func:`read`; also if a sample is no such number.
    """
    header, stored = _load(Path(path))
    grid, _, _ = header.grid()
    labels = whole_labels(_scaled(stored, header), Path(path).name)
    known = dict(header.categories() if categories is None else categories)
    return with_names(labels, grid, known)


def write_labels(labelmap: LabelMap, path: Path | str) -> None:
    """Write a label map; the same one gives the same bytes.

    Parameters
    ----------
    labelmap
        Names, colours and codes go into a comment extension of the header, which other programs
        skip; :func:`read_labels` takes them up again.
    path
        Ends in ``.nii`` or ``.nii.gz``.

    Raises
    ------
    ExportError
        If the name has another ending.
    """
    table = label_table(labelmap.categories, labelmap.grid.unit)
    _write(labelmap.array, labelmap.grid, Path(path), table, intent="label")


def write_image(image: Image, path: Path | str) -> None:
    """Write samples as they are (bool as uint8, float16 as float32).

    Raises
    ------
    ExportError
        If the image has channels, or the name does not end in ``.nii`` or ``.nii.gz``.
    """
    if image.channels:
        raise ExportError(
            f"NIfTI is written without channels, this image has {len(image.channels)}; write one "
            "channel at a time"
        )
    narrow = {"b1": "u1", "f2": "f4"}.get(image.array.dtype.str[1:])
    array = image.array.astype(narrow) if narrow else image.array
    table = label_table({}, "px") if image.grid.unit == "px" else b""
    _write(array, image.grid, Path(path), table, intent="none", hint=f"modality={image.modality}")


def _load(path: Path) -> tuple[Header, NDArray[Any]]:
    """Header and stored samples ``(slice, row, column)`` in this machine's byte order."""
    with _opened(path) as (stream, encoding):
        header = parse(stream, path.name)
        if header.volumes > 1:
            raise GeometryError(
                f"{path.name} holds {header.volumes} volumes, expected one; split it into single "
                "volumes (fslsplit, or nibabel's four_to_three) and send the one you want"
            )
        size = path.stat().st_size
        if header.offset > most_bytes(size, encoding):
            raise UnreadableFileError(
                f"{path.name} is broken: its samples would begin at byte {header.offset}"
            )
        stream.seek(header.offset)
        return header, read_samples(stream, header.shape, header.dtype, size, encoding, path.name)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    with path.open("rb") as file:
        encoding = "gzip" if is_gzip(file.read(2)) else "raw"
        file.seek(0)
        with decompressed(file, encoding, path.name) as stream:
            yield stream, encoding


def _scaled(stored: NDArray[Any], header: Header) -> NDArray[Any]:
    """Samples as the header's slope and intercept mean them; see :func:`read` for the dtype."""
    slope, inter = header.slope, header.inter
    if slope == 1 and inter == 0:
        return narrowed(stored)
    if stored.dtype.kind == "f":
        return (stored.astype(np.float64) * slope + inter).astype(stored.dtype)
    if slope.is_integer() and inter.is_integer():
        ends = [int(end) * int(slope) + int(inter) for end in (stored.min(), stored.max())]
        if max(map(abs, (*ends, slope, inter))) < 2**62:
            return narrowed(stored.astype(np.int64) * int(slope) + int(inter))
    real = stored.astype(np.float64) * slope + inter
    return real.astype(np.float32) if stored.dtype.itemsize <= 2 else real


def _write(
    array: NDArray[Any], grid: Grid, path: Path, table: bytes, intent: str, hint: str = ""
) -> None:
    from isal import igzip
    from nibabel.nifti1 import Nifti1Extension, Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    if not path.name.endswith((".nii", ".nii.gz")):
        raise ExportError(f"expected a file name ending in .nii or .nii.gz, got {path.name!r}")
    header = (Nifti2Header if max(grid.shape) > 32767 else Nifti1Header)(endianness="<")
    header.set_data_dtype(array.dtype)
    header.set_data_shape(grid.shape[::-1])
    header.set_xyzt_units("mm" if grid.unit == "mm" else "unknown")
    header.set_intent(intent)
    header["descrip"] = hint.encode("ascii", "replace")[:79]
    ras = ras_affine(grid)
    header.set_sform(ras, code="scanner")
    directions = ras[:3, :3] / np.linalg.norm(ras[:3, :3], axis=0)
    sheared = np.abs(directions.T @ directions - np.eye(3)).max() > 1e-4
    # A qform cannot hold the shear of a tilted gantry; a wrong one is worse than none.
    header.set_qform(ras, code="unknown" if sheared else "scanner", strip_shears=True)
    if table:
        header.extensions.append(Nifti1Extension("comment", table))
    samples = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data.cast("B")
    with path.open("wb") as file:
        if path.suffix != ".gz":
            header.write_to(file)
            file.write(samples)
            return
        packed = igzip.IGzipFile(
            filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0
        )
        with packed:
            header.write_to(packed)
            packed.write(samples)
