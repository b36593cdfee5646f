"""Slices with their contours to go through: one piece of HTML that needs nothing from elsewhere.

It holds its pictures, so that it works in every notebook, without a kernel too, and in a page that
was made of one.
"""

from __future__ import annotations

import base64
import io
import json
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Structure
from delineate.contour.plane import slice_rings
from delineate.delineation import Delineation, drawing
from delineate.formats import sheet_marks
from delineate.formats.drawing import Drawing, outlines
from delineate.formats.sheet_tile import Line, Tiles, caption_of
from delineate.formats.sheet_view import View, view_of
from delineate.imaging import Category, Image, LabelMap

__all__ = ["Scroller"]

_QUALITY = 85  # of JPEG
_LIST = 220  # width of the list of structures, pixels
_BELOW = 64  # height of what stands below the picture


class Scroller:
    """Shows itself in a notebook: a slider, the slice, its contours, and a list to choose from.

    Parameters
    ----------
    shown
        A result, or an image.
    labels
        What was drawn on an image; not with a result, which has its own.
    width
        Of the picture, pixels.
    window
        Centre and width of the grey values shown, HU; for CT only.
    most
        Slices to hold, evenly chosen where there are more: 200 of 480 pixels take about 5 MB.

    Raises
    ------
    TypeError
        If it is neither.
    """

    def __init__(
        self,
        shown: Delineation | Image,
        labels: LabelMap | None = None,
        *,
        width: int = 480,
        window: tuple[float, float] = (40.0, 400.0),
        most: int = 200,
    ) -> None:
        if isinstance(shown, Delineation) and labels is None:
            self._drawing = drawing(shown)
        elif isinstance(shown, Image):
            drawn = () if labels is None else outlines((labels,))
            self._drawing = Drawing(image=shown, structures=drawn)
        else:
            raise TypeError(
                f"expected a Delineation, or an Image with or without labels, got {shown!r:.80}"
            )
        view = view_of(self._drawing.image.grid)
        self._tiles = Tiles(self._drawing.image, view, (width, view.height(width)), window)
        self._most = most

    def _repr_html_(self) -> str:
        width, height = self._tiles.size
        page = escape(self.page(), quote=True)
        return (
            f'<iframe sandbox="allow-scripts" width="{width + _LIST + 20}" '
            f'height="{height + _BELOW + 10}" style="border:0" srcdoc="{page}"></iframe>'
        )

    def page(self) -> str:
        """The whole page, to write into a file."""
        template = files("delineate.viewers.jupyter").joinpath("scroller.html").read_text("utf-8")
        held = json.dumps(self._held(), separators=(",", ":")).replace("</", "<\\/")
        return template.replace("$LIST", str(_LIST)).replace("$HELD", held)

    def _held(self) -> dict[str, Any]:
        """What the page draws: pictures, lines and rings by slice, and what they are of."""
        tiles, grid = self._tiles, self._drawing.image.grid
        count = grid.shape[0]
        numbers = np.unique(np.linspace(0, count - 1, min(count, self._most)).round().astype(int))
        chosen = numbers[::-1].tolist() if tiles.view.reverse else numbers.tolist()
        things, drawn = _things(self._drawing, tiles.view, tiles.size)
        return {
            "size": tiles.size,
            "letters": tiles.view.letters,
            "things": [[one.name, one.hex_colour] for one in things],
            "slices": [
                [caption_of(grid, number), _jpeg(tiles, number), drawn.get(number, [])]
                for number in chosen
            ],
        }


def _jpeg(tiles: Tiles, number: int) -> str:
    packed = io.BytesIO()
    tiles.slice(number).save(packed, "JPEG", quality=_QUALITY)
    return base64.b64encode(packed.getvalue()).decode()


Shape = list[Any]  # number of the thing, and a path of SVG or [x, y, radius]


def _things(
    drawn: Drawing, view: View, size: tuple[int, int]
) -> tuple[list[Category], dict[int, list[Shape]]]:
    """The structures, and the categories of marks; what is drawn of them, by slice."""
    things = [one.category for one in drawn.structures]
    shapes: dict[int, list[Shape]] = {}
    for place, structure in enumerate(drawn.structures):
        for number, path in _paths(structure, drawn, view, size[0]).items():
            shapes.setdefault(number, []).append([place, path])
    by_name: dict[str, int] = {}
    marks = sheet_marks.by_slice(drawn.marks, drawn.image.grid)
    radius = sheet_marks.radius_of(marks, view, size)
    for number, placed in marks.items():
        for one in placed:
            category = one.mark.category
            if category.name not in by_name:
                by_name[category.name] = len(things)
                things.append(category)
            lines, discs = sheet_marks.drawn_on([one], view, size[0], radius, 1.0)
            found: list[Any] = [_path(line) for line in lines]
            found += [[round(disc.x, 1), round(disc.y, 1), round(disc.radius, 1)] for disc in discs]
            shapes.setdefault(number, []).extend([by_name[category.name], one] for one in found)
    return things, shapes


def _paths(structure: Structure, drawn: Drawing, view: View, width: int) -> dict[int, str]:
    """One path a slice, holes within."""
    rings = slice_rings(structure.contours, drawn.image.grid)
    found: dict[int, str] = {}
    for i, number in enumerate(rings.slices.tolist()):
        ring: NDArray[np.float64] = rings.points[rings.starts[i] : rings.starts[i + 1]]
        line = Line(view.points(ring, width), structure.category.colour, 1.4)
        found[number] = found.get(number, "") + _path(line)
    return found


def _path(line: Line) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in line.points.tolist())
    return f"M{places}Z"
