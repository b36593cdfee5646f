"""NRRD (``.nrrd``, ``.nhdr``) and MetaImage (``.mha``, ``.mhd``).

The world is LPS; NRRD files that say RAS or LAS are turned. Samples are neither resampled nor
flipped: the order in the file, slowest axis first, is ``(slice, row, column)``.

A file that gives spacings but no directions is read as lying in LPS order (as ITK does), and its
report says so; one without either is a picture in pixels. A header whose samples are in another
file finds it only by a bare name in its own folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.formats.geometry import Problem, SeriesReport
from delineate.formats.labels import whole_labels, with_names
from delineate.formats.metaimage_header import parse_metaimage
from delineate.formats.nrrd_header import Layout, parse_nrrd
from delineate.formats.samples import decompressed, modality_of, narrowed, read_samples, remarks
from delineate.imaging import Category, Code, Grid, Image, LabelMap, Source

__all__ = ["NrrdSource", "read", "read_labels", "report"]

_MOST_HEADER = 1 << 22
_SEGMENT = re.compile(r"Segment(\d+)_(\w+)")


@dataclass(frozen=True, slots=True)
class NrrdSource(Source):
    """The image was read from a file of ``format`` ``"nrrd"`` or ``"metaimage"``."""

    format: str = "nrrd"


def read(path: Path | str) -> Image:
    """Read one image.

    Parameters
    ----------
    path
        A NRRD or MetaImage file, or the detached header of one.

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
    layout = _layout(Path(path))
    grid, _, _ = _grid(layout)
    array = narrowed(_samples(layout))
    modality, _ = modality_of(array, _hint(layout))
    return Image(array, grid, modality, source=NrrdSource(layout.format))


def report(path: Path | str) -> SeriesReport:
    """Say what :func:`read` would make of a file; never raises for what the file holds."""
    path, code, form = Path(path), "unreadable", "nrrd"
    try:
        layout = _layout(path)
        form, code = layout.format, "four_dimensional"
        _volume_axes(layout)
        code = "zero_affine"
        grid, problems, corrections = _grid(layout)
        code = "unreadable"
        array = _samples(layout)
        modality, guessed = modality_of(array, _hint(layout))
    except InputError as error:
        return SeriesReport.refusal([Problem(code, str(error))], id=path.name, format=form)
    return SeriesReport.of_grid(
        grid,
        id=path.name,
        format=form,
        modality=modality,
        problems=(*problems, *remarks(array, guessed)),
        corrections=corrections,
    )


def read_labels(path: Path | str, categories: Mapping[int, Category] | None = None) -> LabelMap:
    """Read a label map.

    Parameters
    ----------
    path
        A file of whole numbers from 0 to 65535.
    categories
        What the labels are. ``None``: names, colours and codes as 3D Slicer writes them into
        ``.seg.nrrd``, where they are there, else ``"label 5"`` and so on.

    Raises
    ------
    UnreadableFileError, GeometryError, TooLargeError
        As :func:`read`; also if a sample is no such number. Segments that overlap are stored as
        several volumes, which no label map can hold.
    """
    path = Path(path)
    layout = _layout(path)
    grid, _, _ = _grid(layout)
    labels = whole_labels(_samples(layout), path.name)
    known = _segments(layout.texts) if categories is None else dict(categories)
    return with_names(labels, grid, known)


def _layout(path: Path) -> Layout:
    with path.open("rb") as file:
        head = file.read(_MOST_HEADER)
    if head.startswith(b"NRRD"):
        return parse_nrrd(head, path)
    if re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", head):
        return parse_metaimage(head, path)
    raise UnreadableFileError(
        f"{path.name} is neither NRRD (which begins with 'NRRD000') nor MetaImage (which begins "
        "with 'ObjectType =')"
    )


def _volume_axes(layout: Layout) -> list[int]:
    """The axes that lie in space, fastest first; refuses what else has more than one sample."""
    spatial = [i for i, place in enumerate(layout.spatial) if place]
    others = [n for i, n in enumerate(layout.sizes) if i not in spatial and n > 1]
    if len(spatial) > 3:
        others += list(layout.sizes[3:])
        spatial = spatial[:3]
    count = int(np.prod(others, dtype=object)) if others else 1
    if count > 1:
        raise GeometryError(
            f"{layout.name} holds {count} {layout.extra_axis}, expected one; write one of them to "
            "a file of its own"
        )
    return spatial


def _grid(layout: Layout) -> tuple[Grid, tuple[Problem, ...], tuple[str, ...]]:
    axes = _volume_axes(layout)
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
        return Grid(shape, turn @ affine), (), ()
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
    shape = (sizes[2], sizes[1], sizes[0])
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


def _segments(texts: Mapping[str, str]) -> dict[int, Category]:
    """Categories as 3D Slicer keeps them: ``Segment0_Name``, ``_LabelValue``, ``_Color`` ..."""
    rows: dict[str, dict[str, str]] = {}
    for key, value in texts.items():
        match = _SEGMENT.fullmatch(key)
        if match:
            rows.setdefault(match[1], {})[match[2]] = value
    found = {}
    for row in rows.values():
        label, name = row.get("LabelValue", ""), row.get("Name", "").strip()
        if re.fullmatch(r"[0-9]{1,5}", label) and 0 < int(label) < 65536 and name:
            code, side = _terminology(row.get("Tags", ""))
            found[int(label)] = Category(name, _colour(row.get("Color", "")), code, side)
    return found


def _colour(text: str) -> tuple[int, int, int]:
    try:
        red, green, blue = (min(255, max(0, round(float(part) * 255))) for part in text.split())
    except (ValueError, OverflowError):
        return (-1, -1, -1)
    return red, green, blue


def _terminology(tags: str) -> tuple[Code | None, Any]:
    """Code and side of ``context~category~type~modifier~...`` with ``scheme^value^meaning``."""
    match = re.search(r"TerminologyEntry:([^|]*)", tags)
    parts = match[1].split("~") if match else []
    if len(parts) < 3:
        return None, None
    kind = parts[2].split("^")
    code = Code(kind[1], kind[0], kind[2]) if len(kind) == 3 and all(kind) else None
    side = parts[3].split("^")[-1].lower() if len(parts) > 3 else ""
    return code, side if side in ("left", "right") else None
