"""Categories, grids and outputs as plain JSON with at most one array beside it.

What a detector's process hands back and what the store keeps: no pickle, nothing to execute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import (
    Grid,
    Image,
    LabelMap,
    category_from_json,
    category_json,
)
from delineate.plugins.outputs import (
    Classes,
    Detection,
    Field,
    Instance,
    Instances,
    Masks,
    Output,
    OutputKind,
)

__all__ = [
    "grid_from_json",
    "grid_json",
    "kind_of",
    "pack",
    "pack_detection",
    "unpack",
    "unpack_detection",
]

Json = dict[str, Any]
Array = NDArray[Any]

_KINDS: dict[type[Any], OutputKind] = {
    LabelMap: "labelmap",
    Masks: "masks",
    Instances: "instances",
    Classes: "classes",
    Field: "field",
    Image: "image",
}


def kind_of(output: object) -> OutputKind | None:
    """Which of the six kinds an output is; ``None`` if it is none of them."""
    return _KINDS.get(type(output))


def grid_json(grid: Grid) -> Json:
    """Shape, affine and unit, with spacing and orientation for those who only look."""
    return {
        "shape": list(grid.shape),
        "affine": (grid.affine + 0.0).tolist(),  # + 0.0: no negative zero
        "unit": grid.unit,
        "spacing": [round(step, 6) for step in grid.spacing],
        "orientation": grid.orientation,
    }


def grid_from_json(document: Mapping[str, Any]) -> Grid:
    """Inverse of :func:`grid_json`; exact."""
    slices, rows, columns = document["shape"]
    return Grid((slices, rows, columns), np.array(document["affine"]), document["unit"])


def pack(output: Output) -> tuple[Json, Array | None]:
    """An output as a JSON document and, where there are samples, one array."""
    if isinstance(output, LabelMap):
        categories = {str(n): category_json(c) for n, c in sorted(output.categories.items())}
        return {
            "kind": "labelmap",
            "grid": grid_json(output.grid),
            "categories": categories,
        }, output.array
    if isinstance(output, Masks):
        return {
            "kind": "masks",
            "grid": grid_json(output.grid),
            "categories": [category_json(category) for category in output.categories],
        }, output.array
    if isinstance(output, Instances):
        items = [_pack_instance(item) for item in output.items]
        return {"kind": "instances", "grid": grid_json(output.grid), "items": items}, None
    if isinstance(output, Classes):
        pairs = [[category_json(c), float(p)] for c, p in output.probabilities.items()]
        return {"kind": "classes", "probabilities": pairs}, None
    if isinstance(output, Field):
        return {
            "kind": "field",
            "grid": grid_json(output.grid),
            "category": category_json(output.category),
            "meaning": output.meaning,
            "threshold": float(output.threshold),
        }, output.array
    return {
        "kind": "image",
        "grid": grid_json(output.grid),
        "modality": output.modality,
        "channels": list(output.channels),
    }, output.array


def unpack(document: Mapping[str, Any], array: Array | None) -> Output:
    """Inverse of :func:`pack`; the constructors check the form again."""
    kind = document["kind"]
    if kind == "classes":
        pairs = document["probabilities"]
        return Classes({category_from_json(category): value for category, value in pairs})
    grid = grid_from_json(document["grid"])
    if kind == "instances":
        return Instances(tuple(_unpack_instance(item) for item in document["items"]), grid)
    if array is None:
        raise ValueError(f"expected an array with an output of kind {kind!r}, got none")
    if kind == "labelmap":
        named = {int(n): category_from_json(c) for n, c in document["categories"].items()}
        return LabelMap(array, grid, named)
    if kind == "masks":
        return Masks(array, grid, tuple(map(category_from_json, document["categories"])))
    if kind == "field":
        category = category_from_json(document["category"])
        return Field(array, grid, category, document["meaning"], document["threshold"])
    if kind == "image":
        return Image(array, grid, document["modality"], tuple(document["channels"]))
    raise ValueError(f"expected an output of kind {', '.join(_KINDS.values())}, got {kind!r}")


def pack_detection(detection: Detection) -> tuple[Json, Array | None]:
    """As :func:`pack`, with scores, notes and remarks."""
    document, array = pack(detection.output)
    return {
        "output": document,
        "scores": {str(n): float(score) for n, score in detection.scores.items()},
        "notes": {str(n): list(lines) for n, lines in detection.notes.items()},
        "measurements": {
            str(n): {name: float(value) for name, value in values.items()}
            for n, values in detection.measurements.items()
        },
        "overall": {name: float(value) for name, value in detection.overall.items()},
        "remarks": list(detection.remarks),
        "device": detection.device,
        "versions": dict(detection.versions),
    }, array


def unpack_detection(document: Mapping[str, Any], array: Array | None) -> Detection:
    """Inverse of :func:`pack_detection`."""
    return Detection(
        unpack(document["output"], array),
        scores={int(n): score for n, score in document["scores"].items()},
        notes={int(n): tuple(lines) for n, lines in document["notes"].items()},
        measurements={int(n): values for n, values in document["measurements"].items()},
        overall=document["overall"],
        remarks=tuple(document["remarks"]),
        device=document["device"],
        versions=document["versions"],
    )


def _pack_instance(item: Instance) -> Json:
    def numbers(values: Any) -> Any:
        return None if values is None else np.asarray(values, dtype=np.float64).tolist()

    return {
        "category": category_json(item.category),
        "score": float(item.score),
        "point": numbers(item.point),
        "box": numbers(item.box),
        "polygon": numbers(item.polygon),
    }


def _unpack_instance(document: Mapping[str, Any]) -> Instance:
    def point(values: Any) -> tuple[float, float, float]:
        return cast(tuple[float, float, float], tuple(values))

    box, polygon = document["box"], document["polygon"]
    return Instance(
        category_from_json(document["category"]),
        document["score"],
        None if document["point"] is None else point(document["point"]),
        None if box is None else (point(box[0]), point(box[1])),
        None if polygon is None else np.array(polygon, dtype=np.float64),
    )
