"""Pictures of a field beside what is truly different, as SVG."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.heat import Heat
from delineate.evaluation.markup import Markup, tag
from delineate.evaluation.pictures import WIDTH, drawn, outline
from delineate.formats.sheet_view import view_of

__all__ = ["caption_of_field", "drawn_field"]

# Colours of viridis (Smith and van der Walt, CC0) at equal distances.
_COLOURS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_GAP, _FOOT = 8, 40


def caption_of_field(heat: Heat) -> str:
    """Which slice, and how much differs there."""
    one, two = heat.cutout.reference, heat.cutout.prediction
    where = f"slice {heat.cutout.slice + 1} of {heat.cutout.slices}: " * (heat.cutout.slices > 1)
    return (
        f"{where}{one.mean():.2%} of the picture is true, {two.mean():.2%} at or above the "
        f"threshold, {(one & two).mean():.2%} both; scores: {heat.meaning}, threshold "
        f"{heat.threshold:.3g}"
    )


def drawn_field(heat: Heat, image: Path | None) -> Markup:
    """Both outlines over the image, and beside it the scores with that of the reference."""
    view = view_of(heat.cutout.grid)
    height = view.height(WIDTH)
    truth = outline(heat.cutout.reference, view)
    right = WIDTH + _GAP
    lines = [tag("path", d=truth, class_=kind) for kind in ("halo", "reference")] if truth else []
    scale = _embedded(np.arange(256, dtype=np.uint8)[None], WIDTH, 8)
    place = (heat.threshold - heat.low) / (heat.high - heat.low or 1.0) * WIDTH
    return tag(
        "svg",
        tag("svg", drawn(heat.cutout, image), width=WIDTH, height=height),
        tag(
            "g",
            _embedded(view.samples(heat.shades), WIDTH, height),
            *lines,
            transform=f"translate({right} 0)",
            class_="picture over",
        ),
        tag(
            "g",
            scale,
            tag("path", d=f"M{place:.1f} -3V11", class_="threshold"),
            tag("text", f"{heat.low:.3g}", x=0, y=22),
            tag("text", f"{heat.high:.3g}", x=WIDTH, y=22, text_anchor="end"),
            transform=f"translate({right} {height + 8})",
        ),
        viewBox=f"0 0 {2 * WIDTH + _GAP} {height + _FOOT}",
        class_="heat",
        role="img",
        aria_label="outlines of reference and prediction, and the scores",
    )


def _embedded(shades: NDArray[np.uint8], width: int, height: int) -> Markup:
    """Shades in colours, as an element of a picture."""
    from PIL import Image as Pillow

    places = np.linspace(0, len(_COLOURS) - 1, 256)
    table = [np.interp(places, range(len(_COLOURS)), side) for side in np.array(_COLOURS).T]
    picture = Pillow.fromarray(np.ascontiguousarray(shades)).convert("P")
    picture.putpalette(np.rint(np.stack(table, axis=1)).astype(np.uint8).tobytes())
    held = io.BytesIO()
    picture.save(held, "PNG", optimize=True)
    return tag(
        "image",
        width=width,
        height=height,
        preserveAspectRatio="none",
        href=f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}",
    )
