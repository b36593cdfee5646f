"""NRRD (``.nrrd``, ``.nhdr``) and MetaImage (``.mha``, ``.mhd``).

The world is LPS; NRRD files that say RAS or LAS are turned. Samples are neither resampled nor
flipped: the order in the file, slowest axis first, is ``(slice, row, column)``. Label maps are
written by the conventions of 3D Slicer's ``.seg.nrrd``.

A file that gives spacings but no directions is read as lying in LPS order (as ITK does), and its
report says so; one without either is a picture in pixels. A header whose samples are in another
file finds it only by a bare name in its own folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.formats.geometry import SeriesReport
from delineate.formats.labels import whole_labels
from delineate.formats.layered import merged, renumbered
from delineate.formats.metaimage_header import parse_metaimage
from delineate.formats.nrrd_header import Layout, parse_nrrd
from delineate.formats.nrrd_segments import segments
from delineate.formats.nrrd_writing import write_labels
from delineate.formats.particulars import Problem, Samples
from delineate.formats.samples import (
    assumed,
    decompressed,
    modality_of,
    narrowed,
    read_samples,
    remarks,
)
from delineate.imaging import Category, Grid, Image, LabelMap, Source
from delineate.imaging.grid import Unit

__all__ = [
    "NrrdSource",
    "detached",
    "read",
    "read_labels",
    "read_layers",
    "report",
    "write_labels",
]

_MOST_HEADER = 1 << 22


@dataclass(frozen=True, slots=True)
class NrrdSource(Source):
    """The image was read from a file of ``format`` ``"nrrd"`` or ``"metaimage"``."""

    format: str = "nrrd"


def read(path: Path | str, *, data: Path | None = None) -> Image:
    """Read one image.

    Parameters
    ----------
    path
        A NRRD or MetaImage file, or the detached header of one.
    data
        Where the samples are that such a header keeps in another file; by default in the file
        that it names, in its own folder.

    Returns
    -------
    Image
        Samples as stored; integers of more than 16 bits in the smallest dtype that holds them.
        The modality is guessed as for NIfTI (:func:`~delineate.formats.samples.modality_of`).

    Raises
    ------
    UnreadableFileError
        If the file is broken, cut short or of another format, or its samples are elsewhere.
    GeometryError
        If it holds several volumes, or its directions make no sense.
    TooLargeError
        If the samples would take more than 16 GiB.
    """
    layout = _layout(Path(path), data)
    grid, _, corrections = _grid(layout)
    array = narrowed(_samples(layout))
    modality, guessed = modality_of(array, _hint(layout))
    source = NrrdSource(layout.format)
    return Image(array, grid, modality, source=source, notes=assumed(guessed, corrections))


def report(path: Path | str, *, data: Path | None = None) -> SeriesReport:
    """Say what :func:`read` would make of a file; never raises for what the file holds."""
    path, code, form = Path(path), "unreadable", "nrrd"
    try:
        layout = _layout(path, data)
        form, code = layout.format, "four_dimensional"
        _volume_axes(layout)
        code = "zero_affine"
        grid, problems, corrections = _grid(layout)
        code = "unreadable"
        array = _samples(layout)
        modality, guessed = modality_of(array, _hint(layout))
    except InputError as error:
        return SeriesReport.refusal([Problem(code, str(error))], id=path.name, format=form)
    told = SeriesReport.of_grid(
        grid,
        id=path.name,
        format=form,
        modality=modality,
        problems=(*problems, *remarks(array, guessed)),
        corrections=corrections,
    )
    return replace(told, samples=Samples.of_dtype(layout.dtype))


def read_labels(path: Path | str, categories: Mapping[int, Category] | None = None) -> LabelMap:
    """Read a label map.

    Parameters
    ----------
    path, categories
        As for :func:`read_layers`.

    Raises
    ------
    InputError
        If structures overlap.
    UnreadableFileError, GeometryError, TooLargeError
        As :func:`read_layers`.
    """
    return merged(read_layers(path, categories), Path(path).name)


def read_layers(
    path: Path | str, categories: Mapping[int, Category] | None = None
) -> tuple[LabelMap, ...]:
    """Read labels that may overlap.

    Parameters
    ----------
    path
        A file of whole numbers from 0 to 65535: one volume, or several as 3D Slicer stores
        segments that overlap.
    categories
        What the labels are. ``None``: names, colours and codes as 3D Slicer writes them into
        ``.seg.nrrd``, where they are there, else ``"label 5"`` and so on.

    Returns
    -------
    tuple of LabelMap
        At least one. A label that the file uses in several layers gets a new number in all but
        the first.

    Raises
    ------
    UnreadableFileError, GeometryError, TooLargeError
        As :func:`read`; also if a sample is no such number.
    """
    path = Path(path)
    layout = _layout(path)
    named = segments(layout.texts)
    if layout.extra_axis == "components a sample" and not named:
        _volume_axes(layout)
    grid, _, _ = _grid(layout)
    axes, _ = _axes(layout)
    stored = whole_labels(_stored(layout, layout.sizes[::-1]), path.name)
    last = stored.ndim - 1
    volumes = np.moveaxis(stored, [last - i for i in axes[::-1]], range(-len(axes), 0))
    volumes = volumes.reshape(-1, *grid.shape)
    known = [named.get(i, {}) if categories is None else categories for i in range(len(volumes))]
    return renumbered([np.ascontiguousarray(volume) for volume in volumes], grid, known)


def detached(path: Path) -> str:
    """Name of the file that a header keeps its samples in; empty if they are in its own."""
    with path.open("rb") as file:
        head = file.read(_MOST_HEADER)
    pattern = rb"(?m)^ElementDataFile\s*=\s*([^\r\n]*)"
    if head.startswith(b"NRRD"):
        head = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
        pattern = rb"(?mi)^data ?file:\s*([^\r\n]*)"
    match = re.search(pattern, head)
    listed = match[1].decode("utf-8", "replace").strip() if match else ""
    bare = re.fullmatch(r"(?:\./)?([^/\\%:]+)", listed)
    return bare[1] if bare and listed.upper() not in ("LOCAL", "LIST", ".", "..") else ""


def _layout(path: Path, data: Path | None = None) -> Layout:
    with path.open("rb") as file:
        head = file.read(_MOST_HEADER)
    if head.startswith(b"NRRD"):
        return parse_nrrd(head, path, data)
    if re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", head):
        return parse_metaimage(head, path, data)
    raise UnreadableFileError(
        f"{path.name} is neither NRRD (which begins with 'NRRD000') nor MetaImage (which begins "
        "with 'ObjectType =')"
    )


def _axes(layout: Layout) -> tuple[list[int], int]:
    """The axes that lie in space, fastest first, and how many volumes the others make."""
    spatial = [i for i, place in enumerate(layout.spatial) if place][:3]
    others = [n for i, n in enumerate(layout.sizes) if i not in spatial]
    return spatial, int(np.prod(others, dtype=object)) if others else 1


def _volume_axes(layout: Layout) -> list[int]:
    """The axes that lie in space, fastest first; refuses what else has more than one sample."""
    spatial, count = _axes(layout)
    if count > 1:
        raise GeometryError(
            f"{layout.name} holds {count} {layout.extra_axis}, expected one; write one of them to "
            "a file of its own"
        )
    return spatial


def _grid(layout: Layout) -> tuple[Grid, tuple[Problem, ...], tuple[str, ...]]:
    axes, _ = _axes(layout)
    sizes = [layout.sizes[i] for i in axes] + [1] * (3 - len(axes))
    shape = (sizes[2], sizes[1], sizes[0])
    steps = [layout.spacings[i] for i in axes] + [None] * (3 - len(axes))
    if layout.directions is not None:
        columns = [np.asarray(layout.directions[i]) for i in axes]
        if len(columns) == 2:
            columns.append(_normal(columns))
        affine = np.eye(4)
        affine[:3, :3] = np.stack(columns[::-1], axis=1)
        affine[:3, 3] = layout.origin or (0.0, 0.0, 0.0)
        turn = np.diag([*layout.to_lps, 1.0])
        unit: Unit = "px" if layout.texts.get("unit") == "px" else "mm"
        return Grid(shape, turn @ affine, unit), (), ()
    if all(step is None for step in steps):
        problem = Problem("no_spacing", "the file gives neither spacings nor directions")
        correction = "It is read as a picture in pixels, of unknown scale."
        return Grid.regular(shape, unit="px"), (problem,), (correction,)
    a, b, c = (1.0 if step is None else abs(step) for step in steps[::-1])
    problem = Problem(
        "no_orientation",
        "the file gives spacings but no directions: which side is the patient's left is not known",
    )
    correction = (
        "Columns are taken to run to the patient's left, rows to the back and slices to the head; "
        "compare with the original image."
    )
    origin = layout.origin or (0.0, 0.0, 0.0)
    return Grid.regular(shape, (a, b, c), origin), (problem,), (correction,)


def _normal(columns: list[NDArray[Any]]) -> NDArray[Any]:
    normal = np.cross(columns[0], columns[1])
    length = float(np.linalg.norm(normal))
    return normal / length if length > 0 else normal


def _samples(layout: Layout) -> NDArray[Any]:
    """Stored samples ``(slice, row, column)``."""
    axes = _volume_axes(layout)
    sizes = [layout.sizes[i] for i in axes] + [1] * (3 - len(axes))
    return _stored(layout, (sizes[2], sizes[1], sizes[0]))


def _stored(layout: Layout, shape: tuple[int, ...]) -> NDArray[Any]:
    """All samples that are stored, in C order."""
    stored = layout.data.stat().st_size
    with layout.data.open("rb") as file:
        offset = layout.offset
        if offset < 0:  # the samples end with the file
            offset = stored - int(np.prod(shape, dtype=object)) * layout.dtype.itemsize
        if not 0 <= offset <= stored:
            raise UnreadableFileError(
                f"{layout.name} is cut short: its samples would begin at byte {offset} of {stored}"
            )
        file.seek(offset)
        for _ in range(layout.line_skip):
            file.readline()
        with decompressed(file, layout.encoding, layout.name) as stream:
            if layout.skip:
                stream.read(layout.skip)
            return read_samples(stream, shape, layout.dtype, stored, layout.encoding, layout.name)


def _hint(layout: Layout) -> str:
    named = layout.texts.get("modality") or layout.texts.get("Modality")
    return f"modality={named}" if named and re.fullmatch(r"\w+", named) else ""
