"""One slice with its outlines, small, for lists of cases."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from delineate.contour.plane import slice_rings
from delineate.formats import sheet_marks
from delineate.formats.drawing import Drawing
from delineate.formats.sheet_tile import Line, Tiles, paint
from delineate.formats.sheet_view import view_of

__all__ = ["write"]

_SIDE = 192  # pixels of the longer side
_QUALITY = 82
_THICKNESS = 1.6


def write(drawing: Drawing, path: Path | str, window: tuple[float, float] = (40.0, 400.0)) -> None:
    """Draw the slice that most outlines and marks are in; of several, that nearest to the middle.

    Parameters
    ----------
    drawing
        On CT, another grey image, or a photograph.
    path
        The JPEG to write, 192 pixels at its longer side; the same drawing gives the same bytes.
    window
        Centre and width of the grey values shown, HU; for CT only.

    Raises
    ------
    GeometryError
        If a contour or a mark lies in no slice of the image.
    """
    grid = drawing.image.grid
    view = view_of(grid)
    aspect = view.height(10_000) / 10_000
    width = _SIDE if aspect <= 1 else max(1, round(_SIDE / aspect))
    placed = [(one, slice_rings(one.contours, grid)) for one in drawing.structures]
    marks = sheet_marks.by_slice(drawing.marks, grid)
    counts = Counter({number: len(there) for number, there in marks.items()})
    for _, rings in placed:
        counts.update(np.unique(rings.slices).tolist())
    middle = grid.shape[0] // 2
    number = min(counts, key=lambda one: (-counts[one], abs(one - middle)), default=middle)
    size = (width, view.height(width))
    radius = sheet_marks.radius_of(marks, view, size)
    lines, discs = sheet_marks.drawn_on(marks.get(number, []), view, width, radius, 1.0)
    for structure, rings in placed:
        for i in np.flatnonzero(rings.slices == number).tolist():
            points = rings.points[rings.starts[i] : rings.starts[i + 1]]
            lines.append(Line(view.points(points, width), structure.category.colour, _THICKNESS))
    picture = Tiles(drawing.image, view, size, window).slice(number)
    paint(picture, lines, discs)
    picture.save(Path(path), "JPEG", quality=_QUALITY)
