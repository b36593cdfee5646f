"""One slice as a picture, what is drawn over it, and text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delineate.formats.sheet_view import View, limits_of
from delineate.imaging import Grid, Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

__all__ = ["TEXT", "Disc", "Line", "Tiles", "caption_of", "label_tile", "paint", "write_text"]

Colour = tuple[int, int, int]

TEXT = (232, 234, 237)
_FINE = 3  # lines are drawn this many times finer and then shrunk
_BAND = 512  # rows drawn at a time, so that large pictures need little memory
_HALO = (0, 0, 0, 150)
_WIDER = 3.2 / 1.4  # a halo than its line


class Line(NamedTuple):
    """A closed line: ``(n, 2)`` of ``(x, y)`` in the tile, its colour and its thickness."""

    points: NDArray[np.float64]
    colour: Colour
    thickness: float


class Disc(NamedTuple):
    """A ring around ``(x, y)``, its radius, colour and thickness."""

    x: float
    y: float
    radius: float
    colour: Colour
    thickness: float


class Tiles:
    """The slices of an image as pictures of one size, all in the same shades.

    Parameters
    ----------
    image
        CT, another grey image, or a photograph.
    view
        How it is looked at.
    size
        Of a picture, ``(width, height)``.
    window
        Centre and width of the grey values shown, HU; for CT only.
    """

    def __init__(
        self, image: Image, view: View, size: tuple[int, int], window: tuple[float, float]
    ) -> None:
        self.image, self.view, self.size = image, view, size
        self.limits = limits_of(image, window)

    def slice(self, number: int) -> Picture:
        """One slice, without anything on it."""
        from PIL import Image as Pillow

        plane: NDArray[Any] = self.image.array[number]
        if self.image.channels:
            plane = plane[..., :3] if len(self.image.channels) >= 3 else plane[..., 0]
        if plane.dtype != np.uint8 or self.limits != (0.0, 255.0):
            low, high = self.limits
            scaled = (np.nan_to_num(plane.astype(np.float32)) - low) * (255 / (high - low))
            plane = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        picture = Pillow.fromarray(np.ascontiguousarray(self.view.samples(plane))).convert("RGB")
        return picture.resize(self.size, Pillow.Resampling.BICUBIC)


def paint(picture: Picture, lines: Sequence[Line], discs: Sequence[Disc]) -> None:
    """Draw lines and rings over a picture, each in a dark halo; all halos lie below."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    if not lines and not discs:
        return
    width, height = picture.size
    for top in range(0, height, _BAND):
        rows = min(_BAND, height - top)
        overlay = Pillow.new("RGBA", (width * _FINE, rows * _FINE), (0, 0, 0, 0))
        pen = ImageDraw.Draw(overlay)
        for wider, colour_of in ((_WIDER, _halo), (1.0, _opaque)):
            for line in lines:
                _line(pen, line, top, wider, colour_of)
            for disc in discs:
                _disc(pen, disc, top, wider, colour_of)
        overlay = overlay.resize((width, rows), Pillow.Resampling.BOX)
        picture.paste(overlay, (0, top), overlay)


def _halo(_: Colour) -> tuple[int, ...]:
    return _HALO


def _opaque(colour: Colour) -> tuple[int, ...]:
    return (*colour, 255)


ColourOf = Callable[[Colour], tuple[int, ...]]


def _line(pen: ImageDraw, line: Line, top: int, wider: float, colour_of: ColourOf) -> None:
    # One step further rounds the last corner too.
    around = np.concatenate((line.points, line.points[:2])) - (0, top)
    pen.line(
        [(x, y) for x, y in (around * _FINE).tolist()],
        fill=colour_of(line.colour),
        width=round(line.thickness * wider * _FINE),
        joint="curve",
    )


def _disc(pen: ImageDraw, disc: Disc, top: int, wider: float, colour_of: ColourOf) -> None:
    thickness = disc.thickness * wider
    reach = disc.radius + thickness / 2
    x, y = disc.x, disc.y - top
    if y + reach < 0 or y - reach > _BAND:
        return
    corners = [value * _FINE for value in (x - reach, y - reach, x + reach, y + reach)]
    pen.ellipse(corners, outline=colour_of(disc.colour), width=max(1, round(thickness * _FINE)))


def caption_of(grid: Grid, number: int) -> str:
    """Which slice it is, counted from 1 as people do, and where it lies."""
    told = f"slice {number + 1} of {grid.shape[0]}"
    if grid.unit != "mm":
        return told
    axis = {"S": 2, "I": 2, "A": 1, "P": 1, "L": 0, "R": 0}[grid.orientation[0]]
    middle = (number, (grid.shape[1] - 1) / 2, (grid.shape[2] - 1) / 2)
    place = float(grid.to_world(middle)[axis])
    return f"{told}   {'xyz'[axis]} = {place:.0f} mm"


def label_tile(picture: Picture, letters: str, caption: str, scale: float) -> None:
    """Write the ends of the patient at the four edges, and a caption at the upper left."""
    from PIL import ImageDraw

    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    near, edge = 6 * scale, 4 * scale
    places = (
        (near, height / 2, "lm"),
        (width - near, height / 2, "rm"),
        (width / 2, edge, "mt"),
        (width / 2, height - edge, "mb"),
    )
    for letter, (x, y, anchor) in zip(letters, places, strict=False):
        write_text(pen, (x, y), letter, anchor, 17 * scale, halo=True)
    if caption:
        write_text(pen, (near, near), caption, "lt", 13 * scale, halo=True)


def write_text(
    pen: ImageDraw,
    place: tuple[float, float],
    text: str,
    anchor: str,
    size: float,
    colour: Colour = TEXT,
    halo: bool = False,
) -> None:
    """Write a line of text; ``anchor`` says which point of it lies at ``place``, as Pillow does."""
    from PIL import ImageFont

    pen.text(
        place,
        text,
        fill=colour,
        font=ImageFont.load_default(round(size)),
        anchor=anchor,
        stroke_width=max(2, round(size / 8)) if halo else 0,
        stroke_fill=(0, 0, 0),
    )
