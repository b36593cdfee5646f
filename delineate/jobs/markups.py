"""Points, boxes and polygons as the Markups of 3D Slicer [1]_.

References
----------
.. [1] https://github.com/Slicer/Slicer, Modules/Loadable/Markups/Resources/Schema
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Grid
from delineate.plugins import Instances

__all__ = ["markups"]

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)
_RIGHT_ANGLE = 1e-4


def markups(found: Instances, numbers: dict[str, int]) -> dict[str, Any]:
    """A scene: a box each for what has one, closed curves, and a list of points a category.

    Parameters
    ----------
    found
        What was found. Of a thing with several the box is taken, then the polygon, then the point.
    numbers
        Number of each category by name.

    Returns
    -------
    dict
        Lengths in mm, points in LPS. A box turns with its grid; where the grid is sheared, which
        no box of Slicer's is, it is the one along the world's axes around it.
    """
    nodes: list[dict[str, Any]] = []
    points: dict[str, list[tuple[NDArray[np.float64], float]]] = {}
    for item in found.items:
        label = {"label": {"value": numbers[item.category.name]}, "score": item.score}
        if item.box is not None:
            nodes.append(_node("ROI", item.category.name, **_box(item.box, found.grid), **label))
        elif item.polygon is not None:
            ring = found.grid.to_world(item.polygon)
            nodes.append(
                _node("ClosedCurve", item.category.name, controlPoints=_points(ring), **label)
            )
        elif item.point is not None:
            place = found.grid.to_world(item.point)
            points.setdefault(item.category.name, []).append((place, item.score))
    for name, placed in points.items():
        places = np.array([place for place, _ in placed])
        names = [f"{name} {score:.2f}" for _, score in placed]
        nodes.append(_node("Fiducial", name, controlPoints=_points(places, names)))
    return {"@schema": _SCHEMA, "markups": nodes}


def _node(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "name": name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": False,
        **more,
    }


def _box(box: tuple[Sequence[float], Sequence[float]], grid: Grid) -> dict[str, Any]:
    low, high = np.asarray(box[0], np.float64), np.asarray(box[1], np.float64)
    # Slicer's axes are x, y, z: column, row, slice.
    steps = grid.affine[:3, 2::-1]
    axes = steps / np.linalg.norm(steps, axis=0)
    if np.abs(axes.T @ axes - np.eye(3)).max() <= _RIGHT_ANGLE:
        size = np.abs(high - low)[::-1] * np.linalg.norm(steps, axis=0)
        centre = grid.to_world((low + high) / 2)
    else:
        corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij"))
        placed = grid.to_world(corners.reshape(3, -1).T)
        axes, size = np.eye(3), np.ptp(placed, axis=0)
        centre = (placed.min(axis=0) + placed.max(axis=0)) / 2
    return {
        "roiType": "Box",
        "insideOut": False,
        "center": centre.tolist(),
        "size": size.tolist(),
        "orientation": axes.ravel().tolist(),
    }


def _points(places: NDArray[np.float64], names: Iterable[str] = ()) -> list[dict[str, Any]]:
    told = [*names, *[""] * len(places)]
    return [
        {
            "id": str(number),
            "label": told[number - 1],
            "position": place,
            "positionStatus": "defined",
        }
        for number, place in enumerate(places.tolist(), 1)
    ]
