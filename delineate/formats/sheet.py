"""A contact sheet: slices with what was found drawn on them, and a legend, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Structure
from delineate.contour.plane import slice_rings
from delineate.formats import sheet_heat, sheet_legend, sheet_marks
from delineate.formats.drawing import Drawing
from delineate.formats.sheet_legend import DIM, LINE, Legend
from delineate.formats.sheet_tile import Line, Tiles, caption_of, label_tile, paint, write_text
from delineate.formats.sheet_view import View, view_of
from delineate.imaging import Grid, Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["write"]

_BACKGROUND = (16, 18, 20)
_GAP = 8
_MARGIN = 16
_WIDTH = 1600  # of a sheet of several slices
_LEAST, _MOST = 1400, 3000  # longest side of a single picture
_LEAST_PAIR, _MOST_PAIR = 1000, 1600  # and of two side by side
_SOFTWARE, _FOOTER = "Drawn by software. ", "For research, not for diagnosis."


@dataclass(frozen=True, slots=True)
class _Layout:
    """How tiles are laid out, in pixels; text and lines are ``scale`` times their usual size."""

    columns: int
    tile: tuple[int, int]
    width: int
    scale: float


def write(
    drawing: Drawing,
    path: Path | str,
    *,
    most: int = 12,
    window: tuple[float, float] = (40.0, 400.0),
    width: int | None = None,
) -> None:
    """Draw slices as radiologists hang them, the patient's right on the left.

    Outlines, marks and scores lie over the slices; a restored image stands beside the one that
    it was made of; probabilities of the whole image are bars in the legend.

    Parameters
    ----------
    drawing
        On CT, another grey image, or a photograph. Each contour and mark in a slice of it.
    path
        The PNG to write; the same drawing gives the same bytes.
    most
        How many slices to show: evenly chosen from those with something in them, or from all if
        there are none, from the head downwards (front to back, right to left for coronal and
        sagittal slices). Numbered from 0, as in the image.
    window
        Centre and width of the grey values shown, HU; for CT only. Others are shown from their
        1st to their 99th percentile, 8-bit ones as they are.
    width
        Of the sheet, pixels. By default 1600, and for a single picture so that its longest side
        is that of the image, but between 1400 and 3000.

    Raises
    ------
    GeometryError
        If a contour or a mark lies in no slice of the image.
    """
    if drawing.restored is not None:
        layout, pictures = _before_and_after(drawing, drawing.restored, most, window, width)
    else:
        layout, pictures = _slices(drawing, most, window, width)
    _assembled(drawing, layout, pictures, window).save(Path(path), "PNG", compress_level=6)


def _slices(
    drawing: Drawing, most: int, window: tuple[float, float], width: int | None
) -> tuple[_Layout, list[Picture]]:
    image, view = drawing.image, view_of(drawing.image.grid)
    outlines = _lines(drawing.structures, image.grid)
    marks = sheet_marks.by_slice(drawing.marks, image.grid)
    chosen = _chosen(sorted({*outlines, *marks}) or list(range(image.grid.shape[0])), most)
    if view.reverse:
        chosen = chosen[::-1]
    layout = _layout(len(chosen), view, width)
    tiles = Tiles(image, view, layout.tile, window)
    radius = sheet_marks.radius_of(marks, view, layout.tile)
    limits = sheet_heat.limits_of_heat(drawing.heat) if drawing.heat else (0.0, 1.0)
    pictures = []
    for number in chosen:
        picture = tiles.slice(number)
        if drawing.heat:
            picture = sheet_heat.blended(picture, drawing.heat, number, view, limits)
        placed = marks.get(number, [])
        lines, discs = sheet_marks.drawn_on(placed, view, layout.tile[0], radius, layout.scale)
        for structure, ring in outlines.get(number, []):
            points = view.points(ring, layout.tile[0])
            lines.append(Line(points, structure.category.colour, 1.4 * layout.scale))
        paint(picture, lines, discs)
        if placed and len(drawing.marks) <= sheet_marks.MOST_LABELLED:
            sheet_marks.write_labels(picture, placed, view, radius, layout.scale)
        caption = caption_of(image.grid, number) if image.grid.shape[0] > 1 else ""
        label_tile(picture, view.letters, caption, layout.scale)
        pictures.append(picture)
    return layout, pictures


def _before_and_after(
    drawing: Drawing,
    restored: Image,
    most: int,
    window: tuple[float, float],
    width: int | None,
) -> tuple[_Layout, list[Picture]]:
    """Slices of both, side by side; of the restored one that nearest to the other's middle."""
    image, grid = drawing.image, drawing.image.grid
    before, after = view_of(grid), view_of(restored.grid)
    chosen = _chosen(list(range(grid.shape[0])), max(1, most // 2))
    if before.reverse:
        chosen = chosen[::-1]
    layout = _layout(len(chosen), before, width, pairs=True)
    one, other = (
        Tiles(each, view, layout.tile, window)
        for each, view in ((image, before), (restored, after))
    )
    if image.array.dtype == restored.array.dtype:
        other.limits = one.limits
    pictures = []
    for number in chosen:
        middle = grid.to_world((number, (grid.shape[1] - 1) / 2, (grid.shape[2] - 1) / 2))
        nearest = int(np.rint(restored.grid.to_index(middle)[0]))
        nearest = min(max(nearest, 0), restored.grid.shape[0] - 1)
        where = f", slice {number}" if grid.shape[0] > 1 else ""
        for tiles, place, told in ((one, number, f"before{where}"), (other, nearest, "after")):
            picture = tiles.slice(place)
            label_tile(picture, tiles.view.letters, told, layout.scale)
            pictures.append(picture)
    return layout, pictures


def _lines(
    structures: Sequence[Structure], grid: Grid
) -> dict[int, list[tuple[Structure, NDArray[np.float64]]]]:
    """Rings ``(row, column)`` by slice."""
    found: dict[int, list[tuple[Structure, NDArray[np.float64]]]] = {}
    for structure in structures:
        placed = slice_rings(structure.contours, grid)
        for i, number in enumerate(placed.slices.tolist()):
            points = placed.points[placed.starts[i] : placed.starts[i + 1]]
            found.setdefault(number, []).append((structure, points))
    return found


def _chosen(slices: list[int], most: int) -> list[int]:
    if len(slices) <= most:
        return slices
    places = (np.arange(most) + 0.5) * len(slices) / most
    return [slices[int(place)] for place in places]


def _layout(count: int, view: View, width: int | None, pairs: bool = False) -> _Layout:
    """As many columns as make the sheet about 4:3; a single picture as large as is of use."""
    side = 2 if pairs else 1
    aspect = view.height(10_000) / 10_000
    if count > 1 or width is not None:
        width = width or _WIDTH
        best = min(
            range(1, count + 1), key=lambda n: abs(-(-count // n) * aspect / (n * side) - 0.75)
        )
        columns = side * max(1, min(best, width // (160 * side)))
        tile = (width - 2 * _MARGIN - (columns - 1) * _GAP) // columns
        if columns == 1 and view.height(tile) > _LEAST:
            tile = round(_LEAST / aspect)
        return _Layout(columns, (tile, view.height(tile)), width, max(1.0, width / _WIDTH))
    least, most = (_LEAST_PAIR, _MOST_PAIR) if pairs else (_LEAST, _MOST)
    longest = min(max(*view.size, least), most)
    tile = longest if aspect <= 1 else max(1, round(longest / aspect))
    width = max(side * tile + (side - 1) * _GAP + 2 * _MARGIN, 1000)
    return _Layout(side, (tile, view.height(tile)), width, max(1.0, longest / _WIDTH))


def _assembled(
    drawing: Drawing, layout: _Layout, pictures: list[Picture], window: tuple[float, float]
) -> Picture:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    (tile, height), scale = layout.tile, layout.scale
    legend = Legend(_entries(drawing), layout.width - 2 * _MARGIN, scale)
    line = round(LINE * scale)
    lines = -(-len(pictures) // layout.columns)
    below = _MARGIN + lines * (height + _GAP) + _GAP
    heat_at = below + legend.rows * line + (_GAP if legend.rows else 0)
    whole = heat_at + (sheet_heat.SCALE_LINES if drawing.heat else 0) * line + line + _MARGIN // 2
    sheet = Pillow.new("RGB", (layout.width, whole), _BACKGROUND)
    left = (layout.width - layout.columns * tile - (layout.columns - 1) * _GAP) // 2
    for i, picture in enumerate(pictures):
        across, down = i % layout.columns, i // layout.columns
        sheet.paste(picture, (left + across * (tile + _GAP), _MARGIN + down * (height + _GAP)))
    pen = ImageDraw.Draw(sheet)
    legend.write(pen, _MARGIN, below)
    if drawing.heat:
        limits = sheet_heat.limits_of_heat(drawing.heat)
        sheet_heat.write_scale(sheet, pen, (_MARGIN, heat_at), drawing.heat, limits, scale)
    foot = whole - _MARGIN // 2 - line // 2
    told = _SOFTWARE * (drawing.made == "automatic") + _FOOTER
    write_text(pen, (_MARGIN, foot), told, "lm", 13 * scale, DIM)
    if drawing.image.modality == "CT":
        shown = f"CT, window {window[0]:g} / {window[1]:g} HU"
        write_text(pen, (layout.width - _MARGIN, foot), shown, "rm", 13 * scale, DIM)
    return sheet


def _entries(drawing: Drawing) -> list[sheet_legend.Entry]:
    volumes = {
        one.id: one.measurements["volume_ml"]
        for one in drawing.rows
        if one.measurements.get("volume_ml")
    }
    entries = sheet_legend.of_structures(drawing.structures, drawing.image.grid, volumes)
    if drawing.marks or drawing.counted:
        entries += sheet_legend.of_marks(drawing.marks, drawing.overall)
    entries += sheet_legend.of_classes(drawing.classes)
    return entries + sheet_legend.of_numbers(drawing.overall)
