"""A contact sheet: some slices with the contours drawn on them, and a legend, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Structure
from delineate.contour.plane import slice_rings
from delineate.formats.sheet_view import View, grey_or_rgb, view_of
from delineate.imaging import Grid, Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

__all__ = ["write"]

Legend = list[tuple[tuple[int, int, int] | None, str, bool]]
Rings = dict[int, list[tuple[Structure, NDArray[np.float64]]]]

_BACKGROUND = (16, 18, 20)
_TEXT = (232, 234, 237)
_DIM = (150, 156, 163)
_GAP = 8
_MARGIN = 16
_FINE = 3  # contours are drawn this many times finer and then shrunk
_LINE = 26  # height of a line of the legend
_MOST_NAMES = 60
_SOFTWARE, _FOOTER = "Drawn by software. ", "For research, not for diagnosis."


def write(
    image: Image,
    structures: Sequence[Structure],
    path: Path | str,
    *,
    most: int = 12,
    window: tuple[float, float] = (40.0, 400.0),
    width: int = 1600,
    volumes_ml: Mapping[int, float] | None = None,
    by_software: bool = True,
) -> None:
    """Draw slices as radiologists hang them, the patient's right on the left.

    Parameters
    ----------
    image
        CT, another grey image, or a photograph.
    structures
        Each contour in a slice of the image.
    path
        The PNG to write; the same arguments give the same bytes.
    most
        How many slices to show: evenly chosen from those with contours, or from all if there are
        none, from the head downwards (front to back, right to left for coronal and sagittal
        slices). Numbered from 0, as in the image.
    window
        Centre and width of the grey values shown, HU; for CT only. Others are shown from their
        1st to their 99th percentile, 8-bit ones as they are.
    width
        Of the sheet, pixels.
    volumes_ml
        By number, as measured; those of the contours where it is not given.
    by_software
        Whether to say that software drew them.

    Raises
    ------
    GeometryError
        If a contour lies in no slice of the image.
    """
    view = view_of(image.grid)
    rings = _rings(structures, image.grid)
    chosen = _chosen(sorted(rings) or list(range(image.grid.shape[0])), most)
    if view.reverse:
        chosen = chosen[::-1]
    columns = _columns(len(chosen), view, width)
    tile = (width - 2 * _MARGIN - (columns - 1) * _GAP) // columns
    height = view.height(tile)
    if columns == 1 and height > 1400:
        tile, height = round(tile * 1400 / height), 1400
    lines = -(-len(chosen) // columns)
    pictures = [
        _tile(image, view, k, rings.get(k, []), (tile, height), window, len(chosen) > 1)
        for k in chosen
    ]
    _assembled(
        pictures,
        columns,
        lines,
        _legend(structures, image.grid, volumes_ml or {}),
        image,
        window,
        width,
        by_software,
    ).save(Path(path), "PNG", compress_level=6)


def _rings(structures: Sequence[Structure], grid: Grid) -> Rings:
    """Rings ``(row, column)`` by slice."""
    found: Rings = {}
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


def _columns(count: int, view: View, width: int) -> int:
    """As many columns as make the sheet about 4:3."""
    aspect = view.height(1000) / 1000
    best = min(range(1, count + 1), key=lambda n: abs(-(-count // n) * aspect / n - 0.75))
    return max(1, min(best, width // 160))


def _tile(
    image: Image,
    view: View,
    number: int,
    rings: list[tuple[Structure, NDArray[np.float64]]],
    size: tuple[int, int],
    window: tuple[float, float],
    numbered: bool,
) -> Picture:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    rgb, (low, high) = grey_or_rgb(image, window)
    if rgb is not None:
        plane: NDArray[Any] = rgb[number]
    else:
        grey = image.array[number, ..., 0] if image.channels else image.array[number]
        scaled = (np.nan_to_num(grey.astype(np.float32)) - low) * (255 / (high - low))
        plane = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    picture = Pillow.fromarray(np.ascontiguousarray(view.samples(plane))).convert("RGB")
    picture = picture.resize(size, Pillow.Resampling.BICUBIC)
    overlay = Pillow.new("RGBA", (size[0] * _FINE, size[1] * _FINE), (0, 0, 0, 0))
    pen = ImageDraw.Draw(overlay)
    lines = [
        (structure.category.colour, view.points(points, size[0] * _FINE))
        for structure, points in rings
    ]
    for _, points in lines:
        _closed_line(pen, points, (0, 0, 0, 150), round(3.2 * _FINE))
    for colour, points in lines:
        _closed_line(pen, points, (*colour, 255), round(1.4 * _FINE))
    overlay = overlay.resize(size, Pillow.Resampling.BOX)
    picture.paste(overlay, (0, 0), overlay)
    _label(ImageDraw.Draw(picture), view, size, _caption(image.grid, number) if numbered else "")
    return picture


def _closed_line(
    pen: ImageDraw, points: NDArray[np.float64], colour: tuple[int, ...], thickness: int
) -> None:
    around = np.concatenate((points, points[:2]))  # one step further rounds the last corner too
    pen.line([(x, y) for x, y in around.tolist()], fill=colour, width=thickness, joint="curve")


def _caption(grid: Grid, number: int) -> str:
    if grid.unit != "mm":
        return f"slice {number}"
    axis = {"S": 2, "I": 2, "A": 1, "P": 1, "L": 0, "R": 0}[grid.orientation[0]]
    middle = (number, (grid.shape[1] - 1) / 2, (grid.shape[2] - 1) / 2)
    place = float(grid.to_world(middle)[axis])
    return f"slice {number}   {'xyz'[axis]} = {place:.0f} mm"


def _label(pen: ImageDraw, view: View, size: tuple[int, int], caption: str) -> None:
    width, height = size
    places = (
        (6.0, height / 2, "lm"),
        (width - 6.0, height / 2, "rm"),
        (width / 2, 4.0, "mt"),
        (width / 2, height - 4.0, "mb"),
    )
    for letter, (x, y, anchor) in zip(view.letters, places, strict=False):
        _write(pen, (x, y), letter, anchor, 17, _TEXT, halo=True)
    if caption:
        _write(pen, (6, 6), caption, "lt", 13, _TEXT, halo=True)


def _write(
    pen: ImageDraw,
    place: tuple[float, float],
    text: str,
    anchor: str,
    size: int,
    colour: tuple[int, int, int],
    halo: bool = False,
) -> None:
    from PIL import ImageFont

    pen.text(
        place,
        text,
        fill=colour,
        font=ImageFont.load_default(size),
        anchor=anchor,
        stroke_width=2 if halo else 0,
        stroke_fill=(0, 0, 0),
    )


def _assembled(
    pictures: list[Picture],
    columns: int,
    lines: int,
    entries: Legend,
    image: Image,
    window: tuple[float, float],
    width: int,
    by_software: bool,
) -> Picture:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    tile, height = pictures[0].size
    across = max(1, (width - 2 * _MARGIN) // 380)
    names = -(-len(entries) // across)
    below = _MARGIN + lines * (height + _GAP)
    whole = below + _GAP + names * _LINE + (_GAP if names else 0) + _LINE + _MARGIN // 2
    sheet = Pillow.new("RGB", (width, whole), _BACKGROUND)
    left = (width - columns * tile - (columns - 1) * _GAP) // 2
    for i, picture in enumerate(pictures):
        place = (left + i % columns * (tile + _GAP), _MARGIN + i // columns * (height + _GAP))
        sheet.paste(picture, place)
    pen = ImageDraw.Draw(sheet)
    for i, (colour, text, found) in enumerate(entries):
        x, y = _MARGIN + i // names * 380, below + _GAP + i % names * _LINE
        if colour:
            pen.rectangle((x, y + 3, x + 16, y + 15), fill=colour)
        _write(pen, (x + 26, y + 9), text, "lm", 17, _TEXT if found else _DIM)
    foot = whole - _MARGIN // 2 - _LINE // 2
    _write(pen, (_MARGIN, foot), _SOFTWARE * by_software + _FOOTER, "lm", 13, _DIM)
    if image.modality == "CT":
        shown = f"CT, window {window[0]:g} / {window[1]:g} HU"
        _write(pen, (width - _MARGIN, foot), shown, "rm", 13, _DIM)
    return sheet


def _legend(structures: Sequence[Structure], grid: Grid, volumes_ml: Mapping[int, float]) -> Legend:
    """Colour, text and whether it was found, of each line."""
    entries: Legend = []
    for structure in structures[:_MOST_NAMES]:
        category = structure.category
        name = category.name
        if category.laterality and category.laterality not in name.lower():
            name = f"{name}, {category.laterality}"
        name = name if len(name) <= 30 else f"{name[:29]}…"
        found = bool(structure.contours)
        text = (
            f"{name}   {_amount(structure, grid, volumes_ml)}" if found else f"{name}   not found"
        )
        entries.append((category.colour, text, found))
    if len(structures) > _MOST_NAMES:
        entries.append((None, f"and {len(structures) - _MOST_NAMES} more", True))
    return entries


def _amount(structure: Structure, grid: Grid, volumes_ml: Mapping[int, float]) -> str:
    """Volume, as measured if known, or area where there is one slice; holes taken off."""
    area = sum(-one.area if one.is_hole else one.area for one in structure.contours)
    if grid.unit != "mm":
        return f"{area:,.0f} px"
    if grid.shape[0] == 1:
        return f"{area:,.1f} mm²"
    volume = volumes_ml.get(structure.number, area * grid.slice_distance / 1000)
    return f"{volume:,.1f} ml" if volume >= 0.1 else f"{volume:.2g} ml"
