"""A field of scores laid over a picture, and the scale that says what its colours mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.formats.drawing import Heat
from delineate.formats.sheet_tile import write_text
from delineate.formats.sheet_view import View

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

__all__ = ["SCALE_LINES", "blended", "limits_of_heat", "write_scale"]

SCALE_LINES = 3  # of the legend that the scale takes
# Seven steps of matplotlib's inferno (CC0) above black: lighter as the score grows, whatever one's
# colour vision.
_PALETTE = np.array(
    [
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ],
    np.float32,
)
_MOST_COVER = 0.75  # of the picture, from the threshold on


def limits_of_heat(heat: Heat) -> tuple[float, float]:
    """Scores of the first and the last colour: from the median, which is left clear, to the top."""
    known = heat.array[np.isfinite(heat.array)].astype(np.float64)
    if not known.size:
        return heat.threshold - 1.0, heat.threshold
    low = min(float(np.median(known)), heat.threshold)
    high = max(float(known.max()), heat.threshold)
    return low, high if high > low else low + 1.0


def blended(
    picture: Picture, heat: Heat, number: int, view: View, limits: tuple[float, float]
) -> Picture:
    """The picture of a slice with its scores over it; it stays clear where they are low."""
    from PIL import Image as Pillow

    low, high = limits
    plane = np.nan_to_num(view.samples(heat.array[number]).astype(np.float32), nan=low)
    wide = Pillow.fromarray(np.ascontiguousarray((plane - low) / (high - low)))
    share = np.clip(np.asarray(wide.resize(picture.size, Pillow.Resampling.BILINEAR)), 0, 1)
    under = np.asarray(picture, np.float32)
    counts = max((heat.threshold - low) / (high - low), 0.05)
    cover = (_MOST_COVER * np.minimum(share / counts, 1) ** 2)[..., None]
    mixed = under * (1 - cover) + _coloured(share) * cover
    return Pillow.fromarray(np.rint(mixed).astype(np.uint8))


def _coloured(share: NDArray[Any]) -> NDArray[np.float32]:
    steps = np.linspace(0, 1, len(_PALETTE), dtype=np.float32)
    parts = [np.interp(share, steps, _PALETTE[:, part]) for part in range(3)]
    return np.stack(parts, axis=-1).astype(np.float32)


def write_scale(
    sheet: Picture,
    pen: ImageDraw,
    place: tuple[int, int],
    heat: Heat,
    limits: tuple[float, float],
    scale: float,
) -> None:
    """Draw the colours with the lowest, the highest and the threshold's score under them."""
    from PIL import Image as Pillow

    (left, top), (low, high) = place, limits
    width, height = round(420 * scale), round(14 * scale)
    write_text(pen, (left, top + 9 * scale), heat.meaning, "lm", 15 * scale)
    bar = _coloured(np.broadcast_to(np.linspace(0, 1, width), (height, width)))
    down = top + round(24 * scale)
    sheet.paste(Pillow.fromarray(np.rint(bar).astype(np.uint8)), (left, down))
    at = left + round((heat.threshold - low) / (high - low) * (width - 1))
    pen.line([(at, down - 3 * scale), (at, down + height + 3 * scale)], (255, 255, 255), 2)
    below = down + height + 6 * scale
    told = f"counts from {heat.threshold:.3g}"
    half = pen.textlength(told, font_size=13 * scale) / 2
    ends = [(left, f"{low:.3g}", "lt"), (left + width, f"{high:.3g}", "rt")]
    for x, text, anchor in ends:
        room = pen.textlength(text, font_size=13 * scale) + half + 8 * scale
        if abs(x - at) > room:
            write_text(pen, (x, below), text, anchor, 13 * scale)
    write_text(pen, (at, below), told, "mt", 13 * scale)
