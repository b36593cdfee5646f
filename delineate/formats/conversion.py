"""From labels or outlines in a file to a drawing on an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from delineate.contour import Structure, measure
from delineate.errors import GeometryError, InputError
from delineate.formats.annotations import Annotation
from delineate.formats.derived import Made
from delineate.formats.dicom import DicomSource
from delineate.formats.drawing import EXACT, Drawing, Outlines, off_plane, outlines
from delineate.formats.marks import Mark
from delineate.imaging import Category, Grid, Image, LabelMap, place, resample_labels

__all__ = ["drawing_of"]

_BEYOND = 0.02  # samples: files round their numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A structure in the table of measurements."""

    id: int
    category: Category
    measurements: dict[str, Any]
    score: None = None
    notes: tuple[str, ...] = ()
    point: None = None
    box: None = None


def drawing_of(
    annotation: Annotation,
    image: Image | None = None,
    how: Outlines = EXACT,
    *,
    resample: bool = False,
    title: str = "",
    made: Made | None = None,
) -> Drawing:
    """Put what a file says on an image.

    Parameters
    ----------
    annotation
        Labels or outlines.
    image
        What they belong to; ``None``: an image without samples on the labels' own grid.
    how
        How outlines are drawn. By default those of a file of outlines stay as they were drawn.
    resample
        Whether labels on other samples than the image's are sampled anew, each of the image's
        taking the label that its centre lies in; otherwise they are refused.
    title
        For people.
    made
        How the structures came about; by default as the file says.

    Returns
    -------
    Drawing
        Its notes say what was sampled anew, and that outlines were filled: labels hold less of
        them than they do.

    Raises
    ------
    GeometryError
        If the labels' samples are not those of the image, or a label lies outside it.
    InputError
        If the file is empty of structures, or a DICOM object was drawn in another frame of
        reference than the image's: its positions mean nothing there.
    """
    if image is None:
        image = _blank(annotation.layers[0].grid)
    _demand_frame(annotation, image)
    grid = image.grid
    layers = tuple(_placed(layer, grid, resample) for layer in annotation.layers)
    drawn: Sequence[Structure] = annotation.structures
    if how != EXACT or not drawn:
        drawn = outlines(layers, how)
    if not drawn and not annotation.marks:
        raise InputError(
            "the file names no structure and holds no label; there is nothing to write"
        )
    return Drawing(
        image=image,
        structures=tuple(drawn),
        layers=layers if drawn else (),
        marks=_numbered(annotation.marks, drawn),
        how=how,
        rows=_rows(layers, image),
        title=title,
        algorithm=made or annotation.made,
        made=made or annotation.made,
        notes=_filled(annotation, grid) + (_changes(annotation.layers, layers) if resample else ()),
    )


def _demand_frame(annotation: Annotation, image: Image) -> None:
    source = image.source
    if not isinstance(source, DicomSource) or annotation.series_uid == source.series_uid:
        return
    drawn, read = annotation.frame_of_reference_uid, source.frame_of_reference_uid
    if drawn and read and drawn != read:
        raise InputError(
            f"the {annotation.format.upper()} was drawn on another series and in another frame of "
            "reference (maybe another patient's) than the image's; give the series that it was "
            "drawn on"
        )


def _numbered(marks: Sequence[Mark], structures: Sequence[Structure]) -> tuple[Mark, ...]:
    """Marks with numbers that no structure has."""
    first = 1 + max((one.number for one in structures), default=0)
    return tuple(replace(one, number=number) for number, one in enumerate(marks, first))


def _blank(grid: Grid) -> Image:
    return Image(np.broadcast_to(np.uint8(0), grid.shape), grid)


def _placed(layer: LabelMap, grid: Grid, resample: bool) -> LabelMap:
    if not resample:
        return place(layer, grid)
    outside = _outside(layer, grid)
    if outside:
        raise GeometryError(
            f"{outside} labelled samples lie outside the image, which would lose them; give the "
            "image that they were drawn on"
        )
    return resample_labels(layer, grid)


def _outside(layer: LabelMap, grid: Grid) -> int:
    """How many labelled samples have their centre beyond the faces of a grid."""
    low, high = -0.5 - _BEYOND, np.array(grid.shape) - 0.5 + _BEYOND
    count = 0
    for number, plane in enumerate(layer.array):
        rows, columns = np.nonzero(plane)
        index = np.stack((np.full(len(rows), number), rows, columns), axis=1)
        there = grid.to_index(layer.grid.to_world(index))
        count += int(((there < low) | (there > high)).any(axis=1).sum())
    return count


def _rows(layers: Sequence[LabelMap], image: Image) -> tuple[_Row, ...]:
    known = image if image.source.format != "memory" else None
    rows = [
        _Row(
            id=number,
            category=layer.categories.get(number) or Category(f"label {number}"),
            measurements=measured,
            notes=("cut by the field of view",) if measured["touches_border"] else (),
        )
        for layer in layers
        for number, measured in measure(layer, known).items()
    ]
    return tuple(sorted(rows, key=lambda row: row.id))


def _filled(annotation: Annotation, grid: Grid) -> tuple[str, ...]:
    if not annotation.structures:
        return ()
    steps = " x ".join(f"{step:.4g}" for step in grid.spacing)
    return (
        f"labels and surfaces hold the outlines as filled at the centres of samples of {steps} "
        f"{grid.unit}; files of outlines hold them as they were drawn",
        *_cut_off(annotation.structures, grid),
        *_beside(annotation.structures, grid),
    )


def _beside(structures: Sequence[Structure], grid: Grid) -> tuple[str, ...]:
    far = off_plane(structures, grid)
    if not far:
        return ()
    return (
        f"outlines lie up to {far:.3f} {grid.unit} beside the planes of the slices that they are "
        "taken for",
    )


def _cut_off(structures: Sequence[Structure], grid: Grid) -> tuple[str, ...]:
    """Which outlines reach beyond the slices, where there is no sample to be filled."""
    names = []
    for structure in structures:
        points = [one.points for one in structure.contours]
        if not points:
            continue
        index = grid.to_index(np.concatenate(points))[:, 1:]
        if ((index < -0.5 - _BEYOND) | (index > np.array(grid.shape[1:]) - 0.5 + _BEYOND)).any():
            names.append(structure.category.name)
    if not names:
        return ()
    return (
        f"{', '.join(names)}: drawn beyond the edge of the image, which cuts labels, surfaces and "
        "measurements off there",
    )


def _changes(before: Sequence[LabelMap], after: Sequence[LabelMap]) -> tuple[str, ...]:
    """What sampling anew has done to each structure, in words."""
    notes = []
    for old, new in zip(before, after, strict=True):
        if old.grid.matches(new.grid):
            continue
        was, now = measure(old), measure(new)
        for number, measured in was.items():
            name = old.categories[number].name if number in old.categories else f"label {number}"
            there = now[number]["voxels"] if number in now else 0
            notes.append(
                f"{name} was sampled anew: {_size(measured, old)} before, "
                + (_size(now[number], new) if there else "nothing left")
                + " after"
            )
    return tuple(notes)


def _size(measured: dict[str, Any], labelmap: LabelMap) -> str:
    if labelmap.grid.unit == "mm":
        return f"{measured['volume_ml']:.3f} ml"
    return f"{measured['voxels']} px"
