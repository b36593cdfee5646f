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

__all__ = ["caption_of", "drawn"]

_WIDTH = 320  # of a picture, in units of the SVG
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
    height = view.height(_WIDTH)
    ground = _ground(image, cutout.grid)
    parts: list[Markup] = []
    if ground is not None:
        parts.append(_embedded(ground, view, height))
    for mask, kind in ((cutout.reference, "reference"), (cutout.prediction, "prediction")):
        path = _outline(mask, view)
        if path:
            parts += [tag("path", d=path, class_="halo"), tag("path", d=path, class_=kind)]
    parts += _letters(view.letters, height)
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {_WIDTH} {height}",
        class_="picture over" if ground is not None else "picture",
        role="img",
        aria_label="outlines of reference and prediction",
    )


def _ground(path: Path | None, grid: Grid) -> Image | None:
    if path is None:
        return None
    try:
        image = formats.read(path)
    except (DelineateError, OSError):  # the scores do not hang on it
        return None
    return resample(image, grid) if image.grid.unit == grid.unit else None


def _embedded(ground: Image, view: View, height: int) -> Markup:
    factor = min(1.0, _MOST_PIXELS / max(view.size))
    size = tuple(max(1, round(side * factor)) for side in view.size)
    picture = Tiles(ground, view, (size[0], size[1]), _WINDOW).slice(0)
    if not ground.channels:
        picture = picture.convert("L")
    held = io.BytesIO()
    picture.save(held, "PNG", optimize=True)
    return tag(
        "image",
        width=_WIDTH,
        height=height,
        preserveAspectRatio="none",
        href=f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}",
    )


def _outline(mask: Mask, view: View) -> str:
    size = (1, mask.shape[0], mask.shape[1])
    plane = LabelMap(mask[None].view(np.uint8), Grid.regular(size), {1: Category("inside")})
    rings = []
    for ring in trace(plane, 1):
        corners: NDArray[Any] = view.points(ring.points[:, [1, 0]], _WIDTH)
        rings.append(f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in corners.tolist())}Z")
    return "".join(rings)


def _letters(letters: str, height: int) -> list[Markup]:
    """Ends of the patient: left, right, top, bottom."""
    middle = _WIDTH / 2 - 4
    places = ((6, height / 2), (_WIDTH - 14, height / 2), (middle, 14), (middle, height - 5))
    return [
        tag("text", letter, x=f"{x:.0f}", y=f"{y:.0f}", class_="letter")
        for letter, (x, y) in zip(letters, places, strict=False)
    ]
