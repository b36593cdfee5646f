"""Outlines as GeoJSON (RFC 7946), for pathology viewers, GIS and everything that reads JSON.

The coordinates are *not* longitude and latitude. They are plane coordinates ``[x, y]`` within a
slice, in millimetres (pixels for a picture without scale): ``x`` along the rows towards greater
column indices, ``y`` along the columns towards greater row indices, from the centre of the first
sample of the slice. On an axial CT this is what a screen shows: x to the right, y downwards. RFC
7946 leaves such use to prior agreement; this is stated in the foreign members
``coordinate_system`` and ``slices``, whose ``plane`` (4 x 4, row by row) maps ``[x, y, 0, 1]`` to
the patient's LPS frame in mm.

Each feature of a structure is what it has in one slice: a MultiPolygon, whose polygons are an
outer ring and its holes. Outer rings run counter-clockwise in ``[x, y]``, holes clockwise. A mark
is a feature for each shape it has: a Point, the Polygon of its box, or a MultiPolygon a slice.
``classification`` is as QuPath reads it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour, Structure
from delineate.contour.plane import slice_rings
from delineate.formats.geojson_reading import SCHEMA, read, read_marks
from delineate.formats.marks import Mark, slice_box, slice_point
from delineate.imaging import Category, Grid, category_json

__all__ = ["read", "read_marks", "write"]

_DECIMALS = 6
_NOTE = (
    "Plane coordinates within a slice, not longitude and latitude: x along the rows, y along the "
    "columns, from the centre of the first sample. 'plane' maps [x, y, 0, 1] to the patient's LPS "
    "frame (x left, y back, z head) in mm."
)


def write(
    structures: Sequence[Structure],
    grid: Grid,
    path: Path | str,
    marks: Sequence[Mark] = (),
    accuracy: str = "",
) -> None:
    """Write structures and marks; the same ones give the same bytes.

    Parameters
    ----------
    structures
        Each contour in a slice of ``grid``. One without contours is listed without features.
    grid
        The grid of the image.
    path
        The file to write.
    marks
        Things found one by one. What RFC 7946 has no room for, such as how far a box reaches
        through the slices, is in the properties.
    accuracy
        Becomes the foreign member ``accuracy``.

    Raises
    ------
    GeometryError
        If a contour, point or box lies in no slice of the grid.
    """
    features = [
        _feature(structure, number, polygons)
        for structure in structures
        for number, polygons in _polygons(structure.contours, grid)
    ]
    features += [feature for mark in marks for feature in _mark_features(mark, grid)]
    used = sorted({feature["properties"]["slice"] for feature in features})
    document = {
        "type": "FeatureCollection",
        "schema": SCHEMA,
        **({"accuracy": accuracy} if accuracy else {}),
        "coordinate_system": {"unit": grid.unit, "note": _NOTE},
        "slices": [{"slice": number, "plane": _plane(grid, number).tolist()} for number in used],
        "structures": [_properties(one.number, one.category) for one in structures],
        "features": features,
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    Path(path).write_text(text, encoding="utf-8")


def _feature(structure: Structure, number: int, polygons: list[Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": f"{structure.number}/{number}",
        "geometry": {"type": "MultiPolygon", "coordinates": polygons},
        "properties": {
            "slice": number,
            **_properties(structure.number, structure.category),
            **_for_qupath(structure.category, "annotation"),
        },
    }


def _mark_features(mark: Mark, grid: Grid) -> list[dict[str, Any]]:
    """One feature for each shape that a mark has, and each slice of its contours."""
    shapes: list[tuple[str, int, str, Any, dict[str, Any]]] = []
    if mark.point is not None:
        number, place = slice_point(mark.point, grid)
        corner = _flat(place, grid).tolist()
        shapes.append(("point", number, "Point", corner, {"world": list(mark.point)}))
    if mark.box is not None:
        number, low, high = slice_box(mark.box, grid)
        corners = np.array([low, (low[0], high[1]), high, (high[0], low[1]), low])
        ring = _flat(corners, grid).tolist()
        world = {"world": [list(corner) for corner in mark.box]}
        shapes.append(("box", number, "Polygon", [ring], world))
    for number, polygons in _polygons(mark.contours, grid):
        shapes.append(("outline", number, "MultiPolygon", polygons, {}))
    return [
        {
            "type": "Feature",
            "id": f"mark {mark.number}/{shape}/{number}",
            "geometry": {"type": kind, "coordinates": coordinates},
            "properties": {
                "slice": number,
                "shape": shape,
                **_properties(mark.number, mark.category),
                "score": mark.score,
                **more,
                **_for_qupath(mark.category, "detection"),
            },
        }
        for shape, number, kind, coordinates, more in shapes
    ]


def _flat(places: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """``(row, column)`` to plane coordinates ``[x, y]``."""
    points = places[..., ::-1] * (grid.spacing[2], grid.spacing[1])
    return np.asarray(np.round(points, _DECIMALS) + 0.0, np.float64)


def _for_qupath(category: Category, kind: str) -> dict[str, Any]:
    colour = list(category.colour)
    return {"objectType": kind, "classification": {"name": category.name, "color": colour}}


def _properties(number: int, category: Category) -> dict[str, Any]:
    return {"number": number, **category_json(category)}


def _polygons(contours: Sequence[Contour], grid: Grid) -> list[tuple[int, list[Any]]]:
    """Slice number and its polygons, slice by slice."""
    if not contours:
        return []
    placed = slice_rings(contours, grid)
    starts = placed.starts
    points = _flat(placed.points, grid)
    following = np.arange(1, len(points) + 1)
    following[starts[1:] - 1] = starts[:-1]
    x, y = points.T
    twice = np.add.reduceat(x * y[following] - x[following] * y, starts[:-1])
    values: list[list[float]] = points.tolist()
    found: dict[int, list[Any]] = {}
    for contour, number, start, stop, area in zip(
        contours, placed.slices.tolist(), starts.tolist(), starts[1:].tolist(), twice, strict=False
    ):
        polygons = found.setdefault(number, [])
        hole = contour.is_hole and bool(polygons)
        ring = values[start:stop]
        if (area < 0) != hole:  # the sense that RFC 7946 asks for, same first point
            ring = [ring[0], *ring[:0:-1]]
        ring.append(ring[0])
        if hole:
            polygons[-1].append(ring)
        else:
            polygons.append([ring])
    return sorted(found.items())


def _plane(grid: Grid, number: int) -> NDArray[np.float64]:
    """``(4, 4)``: from ``[x, y, distance, 1]`` of a slice to the world.

    The axes are those of the grid, which are at right angles but for a shear within the slice.
    """
    plane = np.eye(4)
    plane[:3, 0] = grid.affine[:3, 2] / grid.spacing[2]
    plane[:3, 1] = grid.affine[:3, 1] / grid.spacing[1]
    normal = np.cross(plane[:3, 0], plane[:3, 1])
    plane[:3, 2] = normal / np.linalg.norm(normal)
    plane[:3, 3] = grid.to_world((number, 0, 0))
    return plane
