"""Plots of scores as SVG that takes its colours from the page around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.markup import Markup, joined, tag

__all__ = ["Row", "distributions", "shortened", "ticks"]

Array = NDArray[np.float64]

_LABELS, _PLOT, _NOTES, _ROW, _TOP, _FOOT = 190, 470, 90, 26, 8, 34
_DOT = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """The values of one structure, and what is written beside them."""

    name: str
    values: Array
    note: str = ""


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most about ``most``; both ends may be beyond."""
    if high - low <= max(1e-12, 1e-9 * max(abs(low), abs(high))):
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / most
    size = 10.0 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def distributions(rows: Sequence[Row], unit: str, title: str) -> Markup:
    """A box and a swarm for each row, on one axis.

    The box reaches from the 25th to the 75th percentile, the line in it is the median, the
    whiskers reach from the 5th to the 95th; every dot is a case.
    """
    known = [row for row in rows if row.values.size]
    if not known:
        return joined()
    low = min(float(row.values.min()) for row in known)
    high = max(float(row.values.max()) for row in known)
    marks = ticks(low, high)
    low, high = marks[0], marks[-1]

    def across(value: float) -> float:
        return _LABELS + (value - low) / (high - low) * _PLOT

    height = _TOP + _ROW * len(rows) + _FOOT
    bottom = _TOP + _ROW * len(rows)
    parts = [
        joined(
            tag("line", x1=_f(across(m)), x2=_f(across(m)), y1=_TOP, y2=bottom, class_="grid"),
            tag("text", _g(m), x=_f(across(m)), y=bottom + 14, text_anchor="middle"),
        )
        for m in marks
    ]
    for number, row in enumerate(rows):
        middle = _TOP + _ROW * number + _ROW / 2
        parts.append(
            tag(
                "text",
                shortened(row.name),
                tag("title", row.name),
                x=_LABELS - 8,
                y=_f(middle + 4),
                text_anchor="end",
            )
        )
        if row.note:
            parts.append(
                tag("text", row.note, x=_LABELS + _PLOT + 8, y=_f(middle + 4), class_="note")
            )
        if row.values.size:
            places = _LABELS + (row.values - low) / (high - low) * _PLOT
            parts.append(_box(places, middle))
            parts.append(_swarm(places, middle))
    caption = title if unit == "1" else f"{title}, {unit}"
    parts.append(
        tag(
            "text",
            caption,
            x=_LABELS + _PLOT / 2,
            y=height - 4,
            text_anchor="middle",
            class_="axis",
        )
    )
    width = _LABELS + _PLOT + _NOTES
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {width} {height}",
        class_="plot",
        role="img",
        aria_label=f"{caption}: distribution over cases, by structure",
        style=f"max-width:{width}px",
    )


def _box(places: Array, middle: float) -> Markup:
    p5, p25, p50, p75, p95 = np.percentile(places, (5, 25, 50, 75, 95)).tolist()
    half = _ROW * 0.3
    top, bottom = middle - half, middle + half
    return joined(
        tag("line", x1=_f(p5), x2=_f(p95), y1=_f(middle), y2=_f(middle), class_="whisker"),
        tag(
            "rect",
            x=_f(p25),
            y=_f(top),
            width=_f(max(p75 - p25, 0.5)),
            height=_f(2 * half),
            class_="box",
        ),
        tag("line", x1=_f(p50), x2=_f(p50), y1=_f(top), y2=_f(bottom), class_="median"),
    )


def _swarm(places: Array, middle: float) -> Markup:
    """Dots beside each other where they would hide each other, as one path."""
    half = _ROW * 0.42
    bins: dict[int, int] = {}
    order = np.sort(places)
    counts = np.bincount(np.floor((order - order[0]) / _DOT).astype(int))
    step = min(_DOT * 0.9, 2 * half / max(1, counts.max() - 1)) if counts.max() > 1 else 0.0
    points = []
    for place in order.tolist():
        number = floor((place - order[0]) / _DOT)
        nth = bins[number] = bins.get(number, -1) + 1
        shift = (nth + 1) // 2 * step * (1 if nth % 2 else -1)
        points.append(f"M{_f(place)} {_f(middle + shift)}h0")
    return tag("path", d="".join(points), class_="dots")


def shortened(name: str, most: int = 27) -> str:
    """A name that is not longer than so many letters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _f(value: float) -> str:
    return f"{value:.1f}"


def _g(value: float) -> str:
    return f"{value:.6g}"
