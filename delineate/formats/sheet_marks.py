"""Points, boxes and polygons on a tile of the sheet, and their numbers where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from delineate.contour.plane import slice_rings
from delineate.formats.marks import Mark, slice_box, slice_point
from delineate.formats.sheet_tile import TEXT, Disc, Line, write_text
from delineate.formats.sheet_view import View
from delineate.imaging import Grid

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["MOST_LABELLED", "Placed", "by_slice", "drawn_on", "radius_of", "write_labels"]

MOST_LABELLED = 60  # marks on the sheet up to which each has its number beside it

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Placed:
    """What a mark has in one slice: rings of ``(row, column)``, and a point."""

    mark: Mark
    rings: tuple[NDArray[np.float64], ...]
    box: NDArray[np.float64] | None = None
    point: NDArray[np.float64] | None = None


def by_slice(marks: Sequence[Mark], grid: Grid) -> dict[int, list[Placed]]:
    """Marks by the slices they are in: a point in the nearest, a box in all it reaches through.

    Raises
    ------
    GeometryError
        If a mark lies in no slice of the grid.
    """
    found: dict[int, list[Placed]] = {}
    for mark in marks:
        rings: dict[int, list[NDArray[np.float64]]] = {}
        if mark.contours:
            placed = slice_rings(mark.contours, grid)
            for i, number in enumerate(placed.slices.tolist()):
                ring = placed.points[placed.starts[i] : placed.starts[i + 1]]
                rings.setdefault(number, []).append(ring)
        boxes = dict(_boxes(mark, grid))
        points = dict([slice_point(mark.point, grid)] if mark.point is not None else [])
        for number in sorted(rings.keys() | boxes.keys() | points.keys()):
            one = Placed(mark, tuple(rings.get(number, ())), boxes.get(number), points.get(number))
            found.setdefault(number, []).append(one)
    return found


def _boxes(mark: Mark, grid: Grid) -> list[tuple[int, NDArray[np.float64]]]:
    if mark.box is None:
        return []
    middle, low, high = slice_box(mark.box, grid)
    ring = np.array([low, (low[0], high[1]), high, (high[0], low[1])])
    ends = np.sort(grid.to_index(mark.box)[:, 0])
    first, last = np.ceil(ends[0] - 1e-6), np.floor(ends[1] + 1e-6)
    slices = set(range(max(0, int(first)), min(grid.shape[0] - 1, int(last)) + 1)) | {middle}
    return [(number, ring) for number in sorted(slices)]


def radius_of(found: dict[int, list[Placed]], view: View, size: tuple[int, int]) -> float:
    """Of the rings around points: seen on the whole sheet, and apart where points are close."""
    from scipy.spatial import KDTree

    longest = max(size)
    near = []
    for placed in found.values():
        points = [one.point for one in placed if one.point is not None]
        if len(points) > 1:
            places = view.points(np.array(points), size[0])
            near += KDTree(places).query(places, k=2)[0][:, 1].tolist()
    usual = float(np.median(near)) if near else np.inf
    return float(np.clip(0.45 * usual, max(4.0, 0.0035 * longest), max(7.0, 0.009 * longest)))


def drawn_on(
    placed: Sequence[Placed], view: View, width: int, radius: float, scale: float
) -> tuple[list[Line], list[Disc]]:
    """Lines and rings on a tile so many pixels wide."""
    lines, discs = [], []
    for one in placed:
        colour = one.mark.category.colour
        if one.box is not None:
            lines.append(Line(view.points(one.box, width), colour, 2.0 * scale))
        lines += [Line(view.points(ring, width), colour, 1.4 * scale) for ring in one.rings]
        if one.point is not None:
            x, y = view.points(one.point[None], width)[0].tolist()
            discs.append(Disc(x, y, radius, colour, 2.4 * scale))
    return lines, discs


def write_labels(
    picture: Picture, placed: Sequence[Placed], view: View, radius: float, scale: float
) -> None:
    """Write the number of each mark beside it, and its name and score unless it is a point.

    Each goes where it covers the fewest other marks and labels.
    """
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(round(16 * scale))
    width, height = picture.size
    around = [_around(one, view, width, radius) for one in placed]
    taken = list(around)
    gap = 3 * scale
    for one, (left, top, right, bottom) in zip(placed, around, strict=True):
        text = _told(one)
        across, _, to, down = pen.textbbox((0, 0), text, font=font, anchor="lt")
        across, down = to - across, down + gap
        places = [
            (x, y)
            for x, y in (
                (left, top - gap - down),
                (left, bottom + gap),
                (right + gap, top),
                (left - gap - across, top),
                (right + gap, bottom - down),
                (left + gap, top + gap),
            )
            if 0 <= x <= width - across and 0 <= y <= height - down
        ] or [(min(max(left, 0.0), width - across), min(max(top, 0.0), height - down))]
        boxes = [(x, y, x + across, y + down) for x, y in places]
        best = min(boxes, key=lambda box: sum(_meet(box, other) for other in taken))
        taken.append(best)
        write_text(pen, best[:2], text, "lt", 16 * scale, TEXT, halo=True)


def _told(one: Placed) -> str:
    mark = one.mark
    if one.point is not None:
        return f"{mark.number}"
    name = mark.category.name
    name = name if len(name) <= 16 else f"{name[:15]}…"
    return f"{mark.number} {name}" + ("" if mark.score is None else f" {mark.score:.2f}")


def _around(one: Placed, view: View, width: int, radius: float) -> Corners:
    parts = [*one.rings, *([] if one.box is None else [one.box])]
    points = [view.points(part, width) for part in parts]
    if one.point is not None:
        place = view.points(one.point[None], width)
        points += [place - radius, place + radius]
    every = np.concatenate(points)
    (left, top), (right, bottom) = every.min(axis=0).tolist(), every.max(axis=0).tolist()
    return left, top, right, bottom


def _meet(one: Corners, other: Corners) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
