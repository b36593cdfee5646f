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
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from delineate.errors import (
    GeometryError,
    InputError,
    UnreadableFileError,
)
from delineate.formats.geometry import SeriesReport
from delineate.formats.labels import whole_labels, with_names
from delineate.formats.nifti_header import Header, parse
from delineate.formats.nifti_writing import write_image, write_labels, write_masks
from delineate.formats.particulars import Problem, Samples
from delineate.formats.samples import (
    assumed,
    decompressed,
    is_gzip,
    modality_of,
    most_bytes,
    narrowed,
    read_samples,
    remarks,
)
from delineate.imaging import Category, Image, LabelMap, Source

__all__ = [
    "NiftiSource",
    "read",
    "read_labels",
    "read_mask",
    "report",
    "write_image",
    "write_labels",
    "write_masks",
]


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
    grid, _, corrections = header.grid()
    array = _scaled(stored, header)
    modality, guessed = modality_of(array, header.hint)
    notes = assumed(guessed, corrections)
    return Image(array, grid, modality, source=NiftiSource(), notes=notes)


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
    told = SeriesReport.of_grid(
        grid,
        id=path.name,
        format="nifti",
        modality=modality,
        problems=(*problems, *remarks(array, guessed)),
        corrections=corrections,
    )
    return replace(told, samples=Samples.of_dtype(header.dtype, header.slope, header.inter))


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


def read_mask(path: Path | str) -> tuple[LabelMap, int | None]:
    """Read the mask of one structure, and its number where :func:`write_masks` has written it.

    Raises
    ------
    UnreadableFileError, GeometryError, TooLargeError
        As :func:`read_labels`.
    """
    header, stored = _load(Path(path))
    grid, _, _ = header.grid()
    labels = whole_labels(_scaled(stored, header), Path(path).name)
    return with_names(labels, grid, header.categories()), header.number()


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
    whole = stored.dtype.kind != "f" and slope.is_integer() and inter.is_integer()
    if whole and stored.size:
        ends = [int(end) * int(slope) + int(inter) for end in (stored.min(), stored.max())]
        if max(map(abs, (*ends, slope, inter))) < 2**62:
            kind = narrowed(np.asarray(ends, np.int64)).dtype
            # Sums and products wrap modulo its range, and the results are known to fit.
            array = stored.astype(kind)
            array *= np.int64(slope).astype(kind)
            array += np.int64(inter).astype(kind)
            return array
    small = np.float32 if stored.dtype.itemsize <= 2 else np.float64
    array = np.empty(stored.shape, stored.dtype if stored.dtype.kind == "f" else small)
    for plane, target in zip(stored, array, strict=True):
        target[...] = plane.astype(np.float64) * slope + inter
    return array
