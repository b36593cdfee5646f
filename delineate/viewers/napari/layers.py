"""Images and results as napari's layers.

All layers of one image share a frame in millimetres, its axes (z, y, x) of the patient's LPS: the
picture stands as radiologists hang it. napari cuts volumes along the frame's axes alone, so an
oblique image is shown in a frame of its own, along its own axes, and the layer's metadata holds
the true place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.delineation import Delineation, Finding, layers
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins.outputs import Field, Instances

__all__ = ["KEY", "LayerData", "frame", "image_layer", "label_layer", "outline_layer", "result"]

LayerData = tuple[Any, dict[str, Any], str]
KEY = "delineate"
"""Where a layer's metadata holds the `Image`, the categories and the `Delineation` behind it."""

# Window presets by modality: what a first look wants.
_LIMITS = {"CT": (-160.0, 240.0)}
_ALONG = 1e-3


def frame(grid: Grid) -> NDArray[np.float64]:
    """``(4, 4)``: from indices ``(slice, row, column)`` to napari's world, ``(z, y, x)``.

    In the grid's unit. For a grid along the patient's axes it is the true place; for an oblique
    one the nearest that stands upright: the same steps, each along the axis that it is nearest to.
    """
    matrix = grid.affine[:3, :3]
    steps = np.linalg.norm(matrix, axis=0)
    nearest = np.zeros((3, 3))
    left = np.abs(matrix / steps)
    for _ in range(3):  # the surest first, so that each axis is taken once
        world, axis = np.unravel_index(int(left.argmax()), (3, 3))
        nearest[world, axis] = np.sign(matrix[world, axis]) * steps[axis]
        left[world], left[:, axis] = -1, -1
    made = np.eye(4)
    if np.abs(matrix - nearest).max() <= _ALONG * steps.min():
        made[:3, 3] = grid.affine[:3, 3]
        nearest = matrix
    made[:3, :3] = nearest
    return made[[2, 1, 0, 3]]


def image_layer(image: Image, name: str = "") -> LayerData:
    """An image, in greys or in colour."""
    rgb = image.array.ndim == 4
    shown: dict[str, Any] = {
        "name": name or image.modality,
        "metadata": {KEY: {"image": image}},
        "affine": frame(image.grid),
        "units": _units(image.grid),
        "rgb": rgb,
    }
    if not rgb:
        shown |= {"contrast_limits": _limits(image), "colormap": "gray"}
    return image.array, shown, "image"


def result(found: Delineation) -> list[LayerData]:
    """What was found: labels drawn as outlines, heat, points and boxes, a restored image."""
    output, grid = found.output, found.image.grid
    made: list[LayerData] = []
    if isinstance(output, Image):
        return [image_layer(output, found.detector.title)]
    if isinstance(output, Field):
        made.append(_heat(output, found))
    if isinstance(output, Instances):
        return [*made, *_things(found, grid)]
    notes = {one.id: one for one in found.findings}
    title = found.detector.title
    made.extend(label_layer(held, found.image, title, found, notes) for held in layers(found))
    return made


def label_layer(
    labels: LabelMap,
    image: Image | None = None,
    name: str = "labels",
    found: Delineation | None = None,
    findings: Mapping[int, Finding] | None = None,
) -> LayerData:
    """Labels in the colours of their categories; a hand can correct them, so they are a copy."""
    present = labels.present()
    every = sorted({*labels.categories, *present})
    named = {n: labels.categories.get(n) or Category(f"label {n}") for n in every}
    table = {
        "index": [0, *every],
        "name": ["background", *(named[n].name for n in every)],
        "confidence": [np.nan, *(_score(findings, n) for n in every)],
    }
    colours: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    colours |= {n: named[n].hex_colour for n in every}
    return (
        np.array(labels.array),
        {
            "name": name,
            "affine": frame(labels.grid),
            "units": _units(labels.grid),
            "features": table,
            "colormap": colours,
            "opacity": 0.8,
            "metadata": {
                KEY: {"image": image, "labels": labels, "categories": named, "found": found}
            },
        },
        "labels",
    )


def outline_layer(
    contours: Iterable[tuple[Category, Any]], grid: Grid, name: str = "outlines"
) -> LayerData:
    """Closed rings as shapes, in the colours of their categories.

    Parameters
    ----------
    contours
        Pairs of a category and a `Contour` whose points lie in the world of ``grid``.
    grid
        Of the image: shapes lie on its indices, and so in its frame.
    """
    pairs = list(contours)
    rings = [grid.to_index(ring.points) for _, ring in pairs]
    return (
        rings,
        {
            "name": name,
            "shape_type": ["polygon"] * len(rings),
            "edge_color": [category.hex_colour for category, _ in pairs] or "white",
            "face_color": "transparent",
            "edge_width": 0.5,
            "affine": frame(grid),
            "units": _units(grid),
            "features": {"name": [category.name for category, _ in pairs]},
        },
        "shapes",
    )


def _things(found: Delineation, grid: Grid) -> list[LayerData]:
    """Points, and boxes or polygons, of things found one by one."""
    made: list[LayerData] = []
    points = [one for one in found.findings if one.point is not None]
    if points:
        made.append(
            (
                grid.to_index(np.array([one.point for one in points])),
                {
                    "name": f"{found.detector.title}: {len(points)}",
                    "affine": frame(grid),
                    "units": _units(grid),
                    "size": 8 / max(grid.spacing[1], 1e-9) if grid.unit == "mm" else 12,
                    "face_color": "transparent",
                    "border_color": [one.category.hex_colour for one in points],
                    "features": _features(points),
                    "metadata": {KEY: {"image": found.image, "found": found}},
                },
                "points",
            )
        )
    rings = [(one.category, ring) for one in found.findings for ring in one.contours]
    if rings:
        made.append(outline_layer(rings, grid, found.detector.title))
    boxed = [one for one in found.findings if one.box is not None and not one.contours]
    if boxed:
        made.append(
            (
                [_corners(grid.to_index(np.array(one.box))) for one in boxed],
                {
                    "name": f"{found.detector.title}: boxes",
                    "shape_type": "polygon",
                    "affine": frame(grid),
                    "units": _units(grid),
                    "edge_color": [one.category.hex_colour for one in boxed],
                    "face_color": "transparent",
                    "features": _features(boxed),
                    "metadata": {KEY: {"image": found.image, "found": found}},
                },
                "shapes",
            )
        )
    return made


def _corners(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """A box as a ring in the slice of its middle."""
    middle = box[:, 0].mean()
    (top, left), (bottom, right) = box[:, 1:].min(axis=0), box[:, 1:].max(axis=0)
    ring = ((top, left), (top, right), (bottom, right), (bottom, left))
    return np.array([(middle, row, column) for row, column in ring])


def _heat(output: Field, found: Delineation) -> LayerData:
    return (
        output.array,
        {
            "name": output.meaning,
            "affine": frame(output.grid),
            "units": _units(output.grid),
            "colormap": "inferno",
            "blending": "additive",
            "opacity": 0.6,
            "metadata": {KEY: {"image": found.image, "found": found}},
        },
        "image",
    )


def _features(findings: Iterable[Finding]) -> dict[str, list[Any]]:
    rows = list(findings)
    return {
        "name": [one.category.name for one in rows],
        "score": [np.nan if one.score is None else one.score for one in rows],
    }


def _score(findings: Mapping[int, Finding] | None, number: int) -> float:
    one = (findings or {}).get(number)
    return float("nan") if one is None or one.score is None else one.score


def _units(grid: Grid) -> tuple[str, str, str]:
    return ("mm", "mm", "mm") if grid.unit == "mm" else ("pixel", "pixel", "pixel")


def _limits(image: Image) -> tuple[float, float]:
    """The usual window of the modality, or what all but the extreme samples lie in."""
    if image.modality in _LIMITS:
        return _LIMITS[image.modality]
    some = image.array[:: max(1, image.array.shape[0] // 16)]
    low, high = (float(value) for value in np.percentile(some, (0.5, 99.5)))
    return low, max(high, low + 1e-6)
