"""How each format takes a drawing, and gives its labels back.

Writers and readers are imported where they are used: each brings a library that only it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.contour import fill_layers, fill_surface
from delineate.formats.drawing import Drawing
from delineate.formats.format import Choices
from delineate.imaging import Category, LabelMap, place

__all__ = [
    "read_coco",
    "read_geojson",
    "read_masks",
    "read_mesh",
    "read_nifti",
    "read_nrrd",
    "read_rtstruct",
    "read_seg",
    "read_svg",
    "write_coco",
    "write_csv",
    "write_geojson",
    "write_masks",
    "write_mesh",
    "write_nifti",
    "write_nrrd",
    "write_png",
    "write_rtstruct",
    "write_seg",
    "write_sr",
    "write_svg",
]


def write_nifti(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write the only layer as NIfTI."""
    from delineate.formats import nifti

    nifti.write_labels(drawing.layers[0], path, accuracy=accuracy)


def read_nifti(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    """Labels of a NIfTI."""
    from delineate.formats import nifti

    return _placed((nifti.read_labels(path),), drawing)


def write_masks(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write every structure as a NIfTI mask."""
    from delineate.formats import nifti

    nifti.write_masks(drawing.layers, path, accuracy=accuracy)


def read_masks(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    """Labels of masks."""
    from delineate.formats import masks

    return _placed(masks.read_layers(path), drawing)


def write_nrrd(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write all layers as a .seg.nrrd."""
    from delineate.formats import nrrd

    nrrd.write_labels(drawing.layers, path, accuracy=accuracy)


def read_nrrd(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    """Layers of a .seg.nrrd."""
    from delineate.formats import nrrd

    return _placed(nrrd.read_layers(path), drawing)


def _placed(layers: Sequence[LabelMap], drawing: Drawing) -> Sequence[LabelMap]:
    """Where the file says they lie: labels at another place are none that came back."""
    return tuple(place(layer, drawing.image.grid) for layer in layers)


def write_rtstruct(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write outlines, those of marks too, as an RTSTRUCT."""
    from delineate.formats import rtstruct

    rtstruct.write(
        drawing.outlined,
        drawing.image,
        path,
        description=drawing.title,
        algorithm=drawing.algorithm,
        made=drawing.made,
        made_of=drawing.made_of,
        holes=choices.holes,
        created=drawing.created,
        accuracy=accuracy,
    )


def read_rtstruct(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    """Outlines of an RTSTRUCT, filled."""
    from delineate.formats import rtstruct

    return rtstruct.to_layers(rtstruct.read(path), drawing.image.grid)


def write_seg(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write all layers as a DICOM SEG."""
    from delineate.formats import seg

    seg.write(
        drawing.layers,
        drawing.image,
        path,
        algorithm=drawing.algorithm,
        made=drawing.made,
        made_of=drawing.made_of,
        kind=choices.segments,
        description=drawing.title and f"Segmentation: {drawing.title}",
        accuracy=accuracy,
    )


def read_seg(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    """Layers of a SEG, on the drawing's grid and under its numbers."""
    from delineate.formats import seg

    known = seg.segments(
        drawing.layers, drawing.image, algorithm=drawing.algorithm, made_of=drawing.made_of
    ).numbers
    labels = np.zeros(len(known) + 1, np.uint16)
    labels[list(known.values())] = list(known)
    back = _placed(seg.read_layers(path), drawing)
    return tuple(LabelMap(labels[layer.array], layer.grid, {}) for layer in back)


def write_sr(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write rows as a DICOM SR, beside the SEG of the same layers."""
    from delineate.formats import seg, sr

    known = None
    if any(layer.categories or layer.present() for layer in drawing.layers):
        known = seg.segments(
            drawing.layers,
            drawing.image,
            algorithm=drawing.algorithm,
            kind=choices.segments,
            made_of=drawing.made_of,
        )
    sr.write(
        drawing.rows,
        drawing.image,
        path,
        segmentation=known,
        algorithm=drawing.algorithm,
        made=drawing.made,
        made_of=drawing.made_of,
        created=drawing.created,
        description=drawing.title and f"Measurements: {drawing.title}",
        accuracy=accuracy,
    )


def write_geojson(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write outlines and marks as GeoJSON."""
    from delineate.formats import geojson

    geojson.write(drawing.structures, drawing.image.grid, path, drawing.marks, accuracy)


def read_geojson(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    """Outlines of GeoJSON, filled."""
    from delineate.formats import geojson

    structures, marks = geojson.read(path), geojson.read_marks(path)
    return _filled(replace(drawing, structures=structures, marks=marks))


def _filled(drawing: Drawing) -> Sequence[LabelMap]:
    return fill_layers(drawing.outlined, drawing.image.grid)


def write_svg(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write outlines and marks as SVG."""
    from delineate.formats import svg

    svg.write(drawing.structures, drawing.image.grid, path, drawing.marks, accuracy)


def read_svg(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    """Outlines of SVG, filled."""
    from delineate.formats import svg

    structures, marks = svg.read(path), svg.read_marks(path)
    return _filled(replace(drawing, structures=structures, marks=marks))


def write_png(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write the contact sheet."""
    from delineate.formats import sheet

    sheet.write(drawing, path)


def write_coco(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write layers and marks as COCO."""
    from delineate.formats import coco

    coco.write(drawing.layers, drawing.image.grid, path, drawing.marks, accuracy)


def read_coco(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    """Layers and filled outlines of COCO."""
    from delineate.formats import coco

    grid = drawing.image.grid
    layers = coco.read_layers(path, grid) if drawing.layers else ()
    marks = coco.read_marks(path, grid)
    return (*layers, *_filled(replace(drawing, structures=(), marks=marks)))


def write_mesh(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write smooth surfaces as STL, PLY or GLB."""
    from delineate.formats import mesh

    mesh.write(drawing.surfaces, path, accuracy=accuracy)


def read_mesh(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    """Samples within the surfaces of a mesh."""
    from delineate.formats import mesh

    grid = drawing.image.grid
    layers: list[tuple[NDArray[np.uint16], dict[int, Category]]] = []
    numbers = [one.number for one in drawing.surfaces]
    for number, surface in zip(numbers, mesh.read(path), strict=True):
        inside = fill_surface(surface, grid)
        # Few layers, so that whoever looks through all samples does so a few times only.
        free = next((one for one in layers if not one[0][inside].any()), None)
        array, named = free or (np.zeros(grid.shape, np.uint16), {})
        if free is None:
            layers.append((array, named))
        array[inside] = number
        named[number] = surface.category
    return [LabelMap(array, grid, named) for array, named in layers]


def write_csv(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    """Write rows as CSV."""
    from delineate.formats import measurements

    measurements.write_csv(drawing.rows, path, drawing.image.grid.unit)
