"""What was drawn on an image, in the shapes that the formats ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import (
    ContourStyle,
    Structure,
    Surface,
    fill_layers,
    simplify,
    smooth,
    surfaces,
    trace_all,
)
from delineate.formats.derived import Made
from delineate.formats.marks import Mark
from delineate.formats.measurements import Row
from delineate.imaging import Category, Grid, Image, LabelMap

__all__ = ["EXACT", "Drawing", "Heat", "Outlines", "off_plane", "outlines"]

_IN_PLANE = 0.01  # mm or px: files round their numbers


@dataclass(frozen=True, slots=True)
class Outlines:
    """How outlines are drawn from labels.

    Parameters
    ----------
    style
        See :func:`~delineate.contour.trace`.
    smooth_mm, simplify_mm
        How far smoothing, and after it simplification, may move an outline (px on a grid in px);
        0.0: not at all. Neither passes over a sample centre: filled, outlines stay exact.
    """

    style: ContourStyle = "edge"
    smooth_mm: float = 0.0
    simplify_mm: float = 0.0

    def moved(self, grid: Grid) -> float:
        """At most how far outlines lie from the edges of the samples, in mm (px)."""
        down, across = grid.affine[:3, 1], grid.affine[:3, 2]
        diagonal = min(np.linalg.norm(down - across), np.linalg.norm(down + across))
        cut = grid.pixel_area / (2 * float(diagonal)) if self.style == "midpoint" else 0.0
        return cut + self.smooth_mm + self.simplify_mm

    def __post_init__(self) -> None:
        if self.style not in ("edge", "midpoint"):
            raise ValueError(f"expected contours of style edge or midpoint, got {self.style!r}")
        for name in ("smooth_mm", "simplify_mm"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"expected {name} of 0 or more, got {getattr(self, name)}")


EXACT = Outlines()


def outlines(layers: Sequence[LabelMap], how: Outlines = EXACT) -> tuple[Structure, ...]:
    """Outline the labels of all layers, by number."""
    drawn = []
    for layer in layers:
        for structure in trace_all(layer, style=how.style):
            contours = structure.contours
            if how.smooth_mm:
                contours = smooth(contours, how.smooth_mm, exact_on=layer.grid)
            if how.simplify_mm:
                contours = simplify(contours, how.simplify_mm, exact_on=layer.grid)
            drawn.append(Structure(structure.number, structure.category, contours))
    return tuple(sorted(drawn, key=lambda structure: structure.number))


def off_plane(structures: Sequence[Structure], grid: Grid) -> float:
    """How far outlines lie from the planes of their slices, in mm (px); 0.0 up to 0.01."""
    far = 0.0
    for structure in structures:
        if structure.contours:
            points = np.concatenate([one.points for one in structure.contours])
            index = grid.to_index(points)[:, 0]
            far = max(far, float(np.abs(index - np.rint(index)).max()) * grid.slice_distance)
    return far if far > _IN_PLANE else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """A score for every sample of the image.

    Parameters
    ----------
    array
        Float ``(slice, row, column)``.
    meaning
        What it tells, for people.
    threshold
        From where on it counts.
    """

    array: NDArray[Any]
    meaning: str
    threshold: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """Structures on an image: what is written as a file.

    Parameters
    ----------
    image
        What it was drawn on.
    structures
        Outlines in the slices of the image, by number; those looked for and not found have none.
    layers
        The same as labels on the image's grid, as many as overlaps ask for; empty where outlines
        are all there is.
    marks
        Things found one by one, as points, boxes or polygons with scores; numbered otherwise than
        the structures.
    how
        How the outlines were drawn from the labels.
    rows
        What was measured, one row a structure or a mark.
    title, algorithm
        What made it, for people.
    made
        How the structures came about.
    made_of
        The same by number, of those that came about otherwise: corrected by a person, say.
    created
        When; ``None``: not said.
    notes
        What to know of the whole.
    heat
        The scores that the structures were cut from, where there are any.
    classes
        Probabilities of the image as a whole.
    restored
        The image as it is to be; on a grid of its own.
    overall
        Numbers about the image as a whole, by name.
    counted
        Whether things were looked for one by one, so that no mark at all is an answer as well.
    """

    image: Image
    structures: tuple[Structure, ...] = ()
    layers: tuple[LabelMap, ...] = ()
    marks: tuple[Mark, ...] = ()
    how: Outlines = EXACT
    rows: Sequence[Row] = ()
    title: str = ""
    algorithm: str = "delineate"
    made: Made = "automatic"
    made_of: Mapping[int, Made] = field(default_factory=dict)
    created: datetime | None = None
    notes: tuple[str, ...] = ()
    heat: Heat | None = None
    classes: tuple[tuple[Category, float], ...] = ()
    restored: Image | None = None
    overall: Mapping[str, float] = field(default_factory=dict)
    counted: bool = False

    @cached_property
    def outlined(self) -> tuple[Structure, ...]:
        """The structures, and those of the marks that have contours."""
        marks = (Structure(one.number, one.category, one.contours) for one in self.marks)
        return (*self.structures, *(one for one in marks if one.contours))

    @cached_property
    def truth(self) -> tuple[LabelMap, ...]:
        """What every file is compared with: the layers, and outlines without them filled."""
        rest = self.outlined[len(self.structures) :] if self.layers else self.outlined
        return (*self.layers, *(fill_layers(rest, self.image.grid) if rest else ()))

    @cached_property
    def surfaces(self) -> tuple[Surface, ...]:
        """Smooth surfaces round the labels of all layers, by number; for images in mm."""
        found = [one for layer in self.layers for one in surfaces(layer)]
        return tuple(sorted(found, key=lambda one: one.number))
