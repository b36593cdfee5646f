"""Which things of a slice were found, missed and invented, kept for the report's picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.detection import Found
from delineate.evaluation.matching import boxed
from delineate.imaging import Grid
from delineate.plugins.outputs import Instance, Instances
from delineate.plugins.wire import grid_from_json, grid_json

__all__ = ["KINDS", "Scene", "Shape", "scene_of"]

KINDS = ("found", "missed", "invented")
_MOST = 2000  # shapes in a picture
_LEAST_SHARE = 1 / 3  # of the image's sides, that is shown
_MARGIN = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One thing in a slice.

    Parameters
    ----------
    kind
        ``found``: both have it, drawn as predicted; ``missed``: the reference alone has it;
        ``invented``: the prediction alone.
    points
        ``(n, 2)``, row and column: of one point, or the corners of a ring.
    """

    kind: Literal["found", "missed", "invented"]
    points: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """Part of a slice with its things.

    Parameters
    ----------
    slice, slices
        Which slice, from 0, of how many.
    grid
        Of the part: one slice.
    shapes
        Things, in indices of ``grid``.
    left_out
        How many more there are than a picture holds.
    """

    slice: int
    slices: int
    grid: Grid
    shapes: tuple[Shape, ...]
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        """Small: to a tenth of a sample."""
        return {
            "of": "things",
            "slice": self.slice,
            "slices": self.slices,
            "grid": grid_json(self.grid),
            "shapes": [[one.kind, one.points.round(1).ravel().tolist()] for one in self.shapes],
            "left_out": self.left_out,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Scene:
        """Inverse of `to_json`."""
        return cls(
            slice=document["slice"],
            slices=document["slices"],
            grid=grid_from_json(document["grid"]),
            shapes=tuple(
                Shape(kind, np.array(flat, float).reshape(-1, 2))
                for kind, flat in document["shapes"]
            ),
            left_out=document["left_out"],
        )


def scene_of(matched: Mapping[str, Found], prediction: Instances, reference: Instances) -> Scene:
    """The slice with most things that one side alone has, and the part of it that holds them.

    ``matched`` is what `detection.matched_things` gives; partners are of one category.
    """
    grid = reference.grid
    sorted_ = _sorted(matched, prediction, reference)
    wrong = np.zeros((2, grid.shape[0]), int)
    for kind, item in sorted_:
        first, last = _slices(item, grid)
        wrong[int(kind != "found"), first : last + 1] += 1
    place = int(np.lexsort((-wrong[0], -wrong[1]))[0])
    there = [(kind, item) for kind, item in sorted_ if _within(item, place, grid)]
    shapes = [Shape(kind, _points(item)) for kind, item in there]
    shapes.sort(key=lambda one: one.kind == "found")  # the errors are never left out for a hit
    low, high = _part([one for one in shapes if one.kind != "found"] or shapes, grid)
    rows, columns = (high - low).tolist()
    return Scene(
        slice=place,
        slices=grid.shape[0],
        grid=grid.crop((place, int(low[0]), int(low[1])), (1, rows, columns)),
        shapes=tuple(Shape(one.kind, one.points - low) for one in shapes[:_MOST]),
        left_out=max(0, len(shapes) - _MOST),
    )


def _sorted(
    matched: Mapping[str, Found], prediction: Instances, reference: Instances
) -> list[tuple[Literal["found", "missed", "invented"], Instance]]:
    found: list[tuple[Literal["found", "missed", "invented"], Instance]] = []
    for name, one in matched.items():
        if not name:
            continue
        theirs = [item for item in prediction.items if item.category.name == name]
        ours = [item for item in reference.items if item.category.name == name]
        for item, hit in zip(theirs, one.hits.tolist(), strict=True):
            found.append(("found" if hit else "invented", item))
        taken = set(one.partners.tolist())
        found += [("missed", item) for place, item in enumerate(ours) if place not in taken]
    return found


def _slices(item: Instance, grid: Grid) -> tuple[int, int]:
    """First and last slice of a thing."""
    if item.box is None and item.polygon is None:
        assert item.point is not None
        low = high = item.point[0]
    else:
        ends = boxed(item)
        low, high = float(ends[0][0]), float(ends[1][0])
        if high - low >= 1:  # faces, half a sample beyond the middles
            low, high = low + 0.5, high - 0.5
        else:
            low = high = (low + high) / 2
    last = grid.shape[0] - 1
    return tuple(int(np.clip(np.floor(place + 0.5), 0, last)) for place in (low, high))  # type: ignore[return-value]


def _within(item: Instance, place: int, grid: Grid) -> bool:
    first, last = _slices(item, grid)
    return first <= place <= last


def _points(item: Instance) -> NDArray[np.float64]:
    if item.polygon is not None:
        return np.asarray(item.polygon[:, 1:], np.float64)
    if item.box is not None:
        (top, left), (bottom, right) = (corner[1:] for corner in boxed(item))
        return np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
    assert item.point is not None
    return np.array([item.point[1:]], np.float64)


def _part(shapes: list[Shape], grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest row and column of what is shown, and the first beyond it."""
    size = np.array(grid.shape[1:])
    if not shapes:
        return np.zeros(2, np.int64), size
    every = np.concatenate([one.points for one in shapes])
    low, high = every.min(axis=0), every.max(axis=0)
    side = np.maximum((high - low) * (1 + 2 * _MARGIN), size * _LEAST_SHARE)
    side = np.minimum(np.maximum(side, side.max() * 0.6), size)
    low = np.clip((low + high - side) / 2, 0, size - side)
    start = np.floor(low).astype(np.int64)
    return start, np.minimum(np.ceil(low + side).astype(np.int64), size)
