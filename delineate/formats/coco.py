"""COCO: one JSON file with images, categories and annotations [1]_.

Each slice is an image of its own, a photograph is one image. Coordinates are pixels from the
outer corner of the first sample, ``x`` to the right along the columns, ``y`` down the rows; a box
is ``[x, y, width, height]``.

References
----------
.. [1] https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour, fill, trace_all
from delineate.contour.plane import slice_rings
from delineate.errors import ExportError
from delineate.formats.coco_reading import read_layers, read_marks
from delineate.formats.layered import checked
from delineate.formats.marks import Mark, slice_box, slice_point
from delineate.formats.rle import encode
from delineate.imaging import Category, Grid, LabelMap

__all__ = ["Shape", "read_layers", "read_marks", "write"]

Shape = Literal["rle", "polygon"]
Annotation = dict[str, Any]
_DECIMALS = 4


def write(
    layers: Sequence[LabelMap],
    grid: Grid,
    path: Path | str,
    marks: Sequence[Mark] = (),
    accuracy: str = "",
    shape: Shape = "rle",
    file_names: Sequence[str] = (),
) -> None:
    """Write labels and marks; the same ones give the same bytes.

    Parameters
    ----------
    layers
        Label maps on ``grid``, with no label in two of them; none where there are marks alone.
        A label is the id of its category, one without a sample too, and has one annotation in
        each slice in which it is.
    grid
        The grid of the image.
    path
        The file to write.
    marks
        Things found one by one, with their scores: a point becomes a keypoint, a box the
        annotation's ``bbox`` in its middle slice, contours a segmentation in each slice.
    accuracy
        Becomes the description in ``info``.
    shape
        ``"rle"``: masks as compressed run lengths, which are exact. ``"polygon"``: rings along
        the edges of the samples; COCO's polygons cannot have holes, so what has one in a slice
        has run lengths there. pycocotools draws them exactly, others may have another rule.
    file_names
        Of the images; by default ``slice-0000.png`` and so on, which are not written.

    Raises
    ------
    ExportError
        If the layers do not belong together, lie on another grid, or the names are not one a
        slice.
    GeometryError
        If a mark lies in no slice of the grid.
    """
    layers = checked(layers, "COCO") if layers else ()
    if any(not layer.grid.matches(grid) for layer in layers):
        raise ExportError("the layers for COCO lie on another grid than the image; resample them")
    slices, rows, columns = grid.shape
    names = list(file_names) or [f"slice-{k:04d}.png" for k in range(slices)]
    if len(names) != slices:
        raise ExportError(f"expected {slices} names of images, one a slice, got {len(names)}")
    known = {label: one for layer in layers for label, one in sorted(layer.categories.items())}
    ids = _mark_ids(marks, known)
    pointed = any(mark.point is not None for mark in marks)
    found = [one for layer in layers for one in _annotations(layer, shape)]
    found.sort(key=lambda one: (one["image_id"], one["category_id"]))
    for mark in marks:
        found += _of_mark(mark, grid, ids[mark.category])
    document = {
        "info": {
            "description": accuracy or "Outlines by delineate",
            "delineate": {"affine": grid.affine.tolist(), "shape": grid.shape, "unit": grid.unit},
        },
        "licenses": [],
        "images": [
            {"id": k + 1, "width": columns, "height": rows, "file_name": name, "slice": k}
            for k, name in enumerate(names)
        ],
        "categories": [
            *(_category(label, category) for label, category in sorted(known.items())),
            *(_category(number, category, pointed) for category, number in ids.items()),
        ],
        "annotations": [{"id": i, **one} for i, one in enumerate(found, start=1)],
    }
    Path(path).write_text(json.dumps(document, allow_nan=False, separators=(",", ":")))


def _mark_ids(marks: Sequence[Mark], known: dict[int, Category]) -> dict[Category, int]:
    ids: dict[Category, int] = {}
    for mark in marks:
        ids.setdefault(mark.category, max(known, default=0) + len(ids) + 1)
    return ids


def _category(number: int, category: Category, points: bool = False) -> dict[str, Any]:
    code = category.code
    return {
        "id": number,
        "name": category.name,
        "supercategory": code.meaning if code else "",
        **({"keypoints": ["point"], "skeleton": []} if points else {}),
        "color": list(category.colour),
        "laterality": category.laterality,
        "code": {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}
        if code
        else None,
    }


def _annotations(layer: LabelMap, shape: Shape) -> Iterator[Annotation]:
    rings = _rings(layer) if shape == "polygon" else {}
    rows, columns = layer.grid.shape[1:]
    for k, plane in enumerate(layer.array):
        for runs in encode(plane):
            polygons = rings.get((k, runs.label))
            yield {
                "image_id": k + 1,
                "category_id": runs.label,
                "segmentation": polygons or {"size": [rows, columns], "counts": runs.counts},
                "bbox": list(runs.box),
                "area": runs.area,
                "iscrowd": 0,
            }


def _rings(layer: LabelMap) -> dict[tuple[int, int], list[list[float]]]:
    """Polygons of each slice and label, but for those that have a hole."""
    found: dict[tuple[int, int], list[list[float]]] = {}
    holed = set()
    for structure in trace_all(layer):
        for k, ring, is_hole in _places(structure.contours, layer.grid):
            if is_hole:
                holed.add((k, structure.number))
            found.setdefault((k, structure.number), []).append(_flat(ring))
    return {key: rings for key, rings in found.items() if key not in holed}


def _places(
    contours: Sequence[Contour], grid: Grid
) -> Iterator[tuple[int, NDArray[np.float64], bool]]:
    """Slice, ``(x, y)`` and whether it is a hole, of each ring."""
    rings = slice_rings(contours, grid)
    points = np.round(rings.points[:, ::-1] + 0.5, _DECIMALS) + 0.0
    for i, k in enumerate(rings.slices.tolist()):
        yield k, points[rings.starts[i] : rings.starts[i + 1]], contours[i].is_hole


def _flat(ring: NDArray[np.float64]) -> list[float]:
    values: list[float] = ring.ravel().tolist()
    return [int(value) if value.is_integer() else value for value in values]


def _of_mark(mark: Mark, grid: Grid, category: int) -> list[Annotation]:
    """One annotation with the point and the box, and one for each slice of the contours."""
    common: Annotation = {"category_id": category, "iscrowd": 0, "mark": mark.number}
    if mark.score is not None:
        common["score"] = mark.score
    found = [{"image_id": k + 1, **common, **one} for k, one in _outlined(mark, grid)]
    only: Annotation = {}
    if mark.box is not None:
        k, low, high = slice_box(mark.box, grid)
        y, x = np.round(low + 0.5, _DECIMALS).tolist()
        height, width = np.round(high - low, _DECIMALS).tolist()
        only |= {"image_id": k + 1, "bbox": [x, y, width, height], "area": width * height}
        only["world_box"] = [list(corner) for corner in mark.box]
    if mark.point is not None:
        k, place = slice_point(mark.point, grid)
        y, x = np.round(place + 0.5, _DECIMALS).tolist()
        only = {"image_id": k + 1, "bbox": [x, y, 0, 0], "area": 0, **only}
        only |= {"keypoints": [x, y, 2], "num_keypoints": 1, "world": list(mark.point)}
    return [{**common, **only}, *found] if only else found


def _outlined(mark: Mark, grid: Grid) -> Iterator[tuple[int, Annotation]]:
    """Slice and shape of the contours of a mark: polygons, or run lengths where it has a hole."""
    by_slice: dict[int, list[tuple[NDArray[np.float64], Contour]]] = {}
    placed = _places(mark.contours, grid)
    for contour, (k, ring, _) in zip(mark.contours, placed, strict=True):
        by_slice.setdefault(k, []).append((ring, contour))
    rows, columns = grid.shape[1:]
    for k, rings in sorted(by_slice.items()):
        contours = [contour for _, contour in rings]
        if not any(contour.is_hole for contour in contours):
            points = np.concatenate([ring for ring, _ in rings])
            size = np.round(np.ptp(points, axis=0), _DECIMALS)
            area = sum(contour.area for contour in contours) / grid.pixel_area
            yield (
                k,
                {
                    "segmentation": [_flat(ring) for ring, _ in rings],
                    "bbox": [*points.min(axis=0).tolist(), *size.tolist()],
                    "area": round(area, _DECIMALS),
                },
            )
            continue
        plane = fill(contours, grid.crop((k, 0, 0), (1, rows, columns)))[0]
        found = list(encode(plane.view(np.uint8)))
        if not found:
            raise ExportError(f"mark {mark.number} holds no sample of slice {k}, and has a hole")
        counts = {"size": [rows, columns], "counts": found[0].counts}
        yield k, {"segmentation": counts, "bbox": list(found[0].box), "area": found[0].area}
