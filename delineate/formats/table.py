"""Every format that drawings are written in.

Writers and readers are imported where they are used: each brings a library that only it needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from delineate.contour import fill_layers, fill_surface
from delineate.formats.drawing import Drawing
from delineate.formats.format import Choices, Format
from delineate.imaging import LabelMap, place

__all__ = ["FORMATS"]


def _write_nifti(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import nifti

    nifti.write_labels(drawing.layers[0], path, accuracy=accuracy)


def _read_nifti(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    from delineate.formats import nifti

    return (nifti.read_labels(path),)


def _write_masks(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import nifti

    nifti.write_masks(drawing.layers, path, accuracy=accuracy)


def _read_masks(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    from delineate.formats import masks

    return masks.read_layers(path)


def _write_nrrd(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import nrrd

    nrrd.write_labels(drawing.layers, path, accuracy=accuracy)


def _read_nrrd(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    from delineate.formats import nrrd

    return nrrd.read_layers(path)


def _write_rtstruct(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import rtstruct

    rtstruct.write(
        drawing.outlined,
        drawing.image,
        path,
        description=drawing.title,
        algorithm=drawing.algorithm,
        holes=choices.holes,
        created=drawing.created,
        accuracy=accuracy,
    )


def _read_rtstruct(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    from delineate.formats import rtstruct

    return rtstruct.to_layers(rtstruct.read(path), drawing.image.grid)


def _write_seg(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import seg

    seg.write(
        drawing.layers,
        drawing.image,
        path,
        algorithm=drawing.algorithm,
        kind=choices.segments,
        accuracy=accuracy,
    )


def _read_seg(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    from delineate.formats import seg

    known = seg.segments(drawing.layers, drawing.image, algorithm=drawing.algorithm).numbers
    labels = np.zeros(len(known) + 1, np.uint16)
    labels[list(known.values())] = list(known)
    back = (place(layer, drawing.image.grid) for layer in seg.read_layers(path))
    return tuple(LabelMap(labels[layer.array], layer.grid, {}) for layer in back)


def _write_sr(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import seg, sr

    known = None
    if any(layer.categories or layer.present() for layer in drawing.layers):
        known = seg.segments(
            drawing.layers, drawing.image, algorithm=drawing.algorithm, kind=choices.segments
        )
    sr.write(
        drawing.rows,
        drawing.image,
        path,
        segmentation=known,
        algorithm=drawing.algorithm,
        created=drawing.created,
        accuracy=accuracy,
    )


def _write_geojson(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import geojson

    geojson.write(drawing.structures, drawing.image.grid, path, drawing.marks, accuracy)


def _read_geojson(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    from delineate.formats import geojson

    structures, marks = geojson.read(path), geojson.read_marks(path)
    return _filled(replace(drawing, structures=structures, marks=marks))


def _filled(drawing: Drawing) -> Sequence[LabelMap]:
    return fill_layers(drawing.outlined, drawing.image.grid)


def _write_svg(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import svg

    svg.write(drawing.outlined, drawing.image.grid, path, accuracy=accuracy)


def _read_svg(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    from delineate.formats import svg

    return fill_layers(svg.read(path), drawing.image.grid)


def _write_png(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import sheet

    sheet.write(drawing.image, drawing.outlined, path)


def _write_coco(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import coco

    coco.write(drawing.layers, drawing.image.grid, path, drawing.marks, accuracy)


def _read_coco(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    from delineate.formats import coco

    grid = drawing.image.grid
    layers = coco.read_layers(path, grid) if drawing.layers else ()
    marks = coco.read_marks(path, grid)
    return (*layers, *_filled(replace(drawing, structures=(), marks=marks)))


def _write_mesh(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import mesh

    mesh.write(drawing.surfaces, path, accuracy=accuracy)


def _read_mesh(drawing: Drawing, path: Path) -> Sequence[LabelMap]:
    from delineate.formats import mesh

    grid, back = drawing.image.grid, []
    numbers = [one.number for one in drawing.surfaces]
    for number, surface in zip(numbers, mesh.read(path), strict=True):
        inside = fill_surface(surface, grid)
        back.append(LabelMap(inside * np.uint16(number), grid, {number: surface.category}))
    return back


def _write_csv(drawing: Drawing, path: Path, accuracy: str, choices: Choices) -> None:
    from delineate.formats import measurements

    measurements.write_csv(drawing.rows, path)


_ALL = (
    Format(
        name="nifti",
        file="labels.nii.gz",
        endings=(".nii.gz", ".nii"),
        media_type="application/gzip",
        title="labels as NIfTI",
        takes="one layer",
        write=_write_nifti,
        read_back=_read_nifti,
    ),
    Format(
        name="masks",
        file="masks.zip",
        endings=(".zip",),
        media_type="application/zip",
        title="a NIfTI mask for each structure",
        takes="layers",
        write=_write_masks,
        read_back=_read_masks,
    ),
    Format(
        name="nrrd",
        file="labels.seg.nrrd",
        endings=(".seg.nrrd", ".nrrd"),
        media_type="application/octet-stream",
        title="labels as 3D Slicer's segmentation",
        takes="layers",
        write=_write_nrrd,
        read_back=_read_nrrd,
    ),
    Format(
        name="rtstruct",
        file="rtstruct.dcm",
        endings=(".dcm",),
        media_type="application/dicom",
        title="DICOM RT Structure Set",
        takes="outlines",
        write=_write_rtstruct,
        read_back=_read_rtstruct,
    ),
    Format(
        name="seg",
        file="seg.dcm",
        endings=(".dcm",),
        media_type="application/dicom",
        title="DICOM Segmentation",
        takes="layers",
        write=_write_seg,
        read_back=_read_seg,
    ),
    Format(
        name="sr",
        file="sr.dcm",
        endings=(".dcm",),
        media_type="application/dicom",
        title="DICOM Structured Report of the measurements",
        takes="rows",
        write=_write_sr,
    ),
    Format(
        name="geojson",
        file="contours.geojson",
        endings=(".geojson", ".json"),
        media_type="application/geo+json",
        title="contours as GeoJSON",
        takes="outlines or marks",
        write=_write_geojson,
        read_back=_read_geojson,
    ),
    Format(
        name="svg",
        file="contours.svg.zip",
        endings=(".zip",),
        media_type="application/zip",
        title="contours as an SVG for each slice",
        takes="outlines",
        write=_write_svg,
        read_back=_read_svg,
    ),
    Format(
        name="coco",
        file="coco.json",
        endings=(".json",),
        media_type="application/json",
        title="COCO annotations, masks as run lengths",
        takes="layers or marks",
        write=_write_coco,
        read_back=_read_coco,
    ),
    Format(
        name="stl",
        file="surfaces.stl.zip",
        endings=(".stl.zip", ".stl"),
        media_type="application/zip",
        title="an STL surface for each structure",
        takes="surfaces",
        write=_write_mesh,
        read_back=_read_mesh,
    ),
    Format(
        name="ply",
        file="surfaces.ply",
        endings=(".ply",),
        media_type="application/octet-stream",
        title="surfaces as PLY",
        takes="surfaces",
        write=_write_mesh,
        read_back=_read_mesh,
    ),
    Format(
        name="glb",
        file="surfaces.glb",
        endings=(".glb",),
        media_type="model/gltf-binary",
        title="surfaces as glTF",
        takes="surfaces",
        write=_write_mesh,
        read_back=_read_mesh,
    ),
    Format(
        name="csv",
        file="measurements.csv",
        endings=(".csv",),
        media_type="text/csv",
        title="measurements, one line a finding",
        takes="rows",
        write=_write_csv,
    ),
    Format(
        name="png",
        file="sheet.png",
        endings=(".png",),
        media_type="image/png",
        title="contours drawn on some slices",
        takes="outlines",
        write=_write_png,
    ),
)
FORMATS: Mapping[str, Format] = MappingProxyType({entry.name: entry for entry in _ALL})
