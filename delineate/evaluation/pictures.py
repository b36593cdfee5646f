"""Pictures of where a prediction and its reference differ most, as SVG."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate import formats
from delineate.contour import trace
from delineate.errors import DelineateError
from delineate.evaluation.cutout import Cutout, Mask
from delineate.evaluation.markup import Markup, tag
from delineate.formats.sheet_tile import Tiles
from delineate.formats.sheet_view import View, view_of
from delineate.imaging import Category, Grid, Image, LabelMap, resample

__all__ = ["WIDTH", "caption_of", "drawn", "embedded", "ground_of", "letters", "outline", "plain"]

WIDTH = 320  # of a picture, in units of the SVG
_WINDOW = (40.0, 400.0)  # HU
_MOST_PIXELS = 512


def caption_of(cutout: Cutout) -> str:
    """Which slice, and how much differs there."""
    one, two = cutout.reference, cutout.prediction
    return (
        f"{cutout.structure}, slice {cutout.slice + 1} of {cutout.slices}: {int(one.sum())} "
        f"samples in the reference, {int(two.sum())} in the prediction, "
        f"{int((one ^ two).sum())} in one of them only"
    )


def drawn(cutout: Cutout, image: Path | None) -> Markup:
    """Draw the exact edges of both masks, over the image where it can be read.

    The outlines have the classes ``reference`` and ``prediction``; colours are the page's.
    """
    view = view_of(cutout.grid)
    height = view.height(WIDTH)
    ground = ground_of(image, cutout.grid)
    parts: list[Markup] = []
    if ground is not None:
        parts.append(embedded(ground, view, height))
    for mask, kind in ((cutout.reference, "reference"), (cutout.prediction, "prediction")):
        path = outline(mask, view)
        if path:
            parts += [tag("path", d=path, class_="halo"), tag("path", d=path, class_=kind)]
    parts += letters(view.letters, height)
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH} {height}",
        class_="picture over" if ground is not None else "picture",
        role="img",
        aria_label="outlines of reference and prediction",
    )


def plain(path: Path | None) -> Markup | None:
    """The middle slice of an image, without anything on it; ``None`` where it cannot be read."""
    image = _read(path)
    if image is None:
        return None
    _, rows, columns = image.grid.shape
    middle = image.grid.shape[0] // 2
    grid = image.grid.crop((middle, 0, 0), (1, rows, columns))
    one = Image(image.array[middle : middle + 1], grid, image.modality, channels=image.channels)
    view = view_of(grid)
    height = view.height(WIDTH)
    return tag(
        "svg",
        embedded(one, view, height),
        *letters(view.letters, height),
        viewBox=f"0 0 {WIDTH} {height}",
        class_="picture over",
        role="img",
        aria_label="the image",
    )


def ground_of(path: Path | None, grid: Grid) -> Image | None:
    """An image on the grid of a picture; ``None`` where there is none or it cannot be read."""
    image = _read(path)
    if image is None or image.grid.unit != grid.unit:
        return None
    return resample(image, grid)


def _read(path: Path | None) -> Image | None:
    if path is None:
        return None
    try:
        return formats.read(path)
    except (DelineateError, OSError):  # the scores do not hang on it
        return None


def embedded(ground: Image, view: View, height: int) -> Markup:
    """A slice as an element of a picture."""
    factor = min(1.0, _MOST_PIXELS / max(view.size))
    size = tuple(max(1, round(side * factor)) for side in view.size)
    picture = Tiles(ground, view, (size[0], size[1]), _WINDOW).slice(0)
    held, kind = io.BytesIO(), "jpeg" if ground.channels else "png"
    if ground.channels:  # a photograph has grain, of which PNG makes ten times as much
        picture.save(held, "JPEG", quality=88)
    else:
        picture.convert("L").save(held, "PNG", optimize=True)
    return tag(
        "image",
        width=WIDTH,
        height=height,
        preserveAspectRatio="none",
        href=f"data:image/{kind};base64,{base64.b64encode(held.getvalue()).decode()}",
    )


def outline(mask: Mask, view: View) -> str:
    """The exact edges of a mask, as the data of a path."""
    size = (1, mask.shape[0], mask.shape[1])
    plane = LabelMap(mask[None].view(np.uint8), Grid.regular(size), {1: Category("inside")})
    rings = []
    for ring in trace(plane, 1):
        corners: NDArray[Any] = view.points(ring.points[:, [1, 0]], WIDTH)
        rings.append(f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in corners.tolist())}Z")
    return "".join(rings)


def letters(named: str, height: int) -> list[Markup]:
    """Ends of the patient: left, right, top, bottom."""
    middle = WIDTH / 2 - 4
    places = ((6, height / 2), (WIDTH - 14, height / 2), (middle, 14), (middle, height - 5))
    return [
        tag("text", letter, x=f"{x:.0f}", y=f"{y:.0f}", class_="letter")
        for letter, (x, y) in zip(named, places, strict=False)
    ]
