"""Small plots beside each other: differences, curves, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.agreement import Limits
from delineate.evaluation.curves import FROC_RATES
from delineate.evaluation.markup import Markup, tag
from delineate.evaluation.plots import shortened, ticks

__all__ = ["calibration", "differences", "froc", "precision_recall", "roc"]

Array = NDArray[np.float64]
Points = Sequence[Sequence[float]]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 300, 220, 52, 24, 38, 18
_WIDE, _HIGH = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The axes of a small plot, from the first to the last of their marks."""

    down: Sequence[float]
    right: Sequence[float]

    def x(self, value: float) -> float:
        low, high = self.right[0], self.right[-1]
        return _LEFT + (min(max(value, low), high) - low) / (high - low) * _WIDE

    def y(self, value: float) -> float:
        low, high = self.down[0], self.down[-1]
        return _TOP + (high - value) / (high - low) * _HIGH

    def level(self, value: float, kind: str) -> Markup:
        """A line across."""
        place = _f(self.y(value))
        return tag("line", x1=_LEFT, x2=_LEFT + _WIDE, y1=place, y2=place, class_=kind)

    def line(self, points: Points, kind: str) -> Markup:
        told = "L".join(f"{_f(self.x(x))} {_f(self.y(y))}" for x, y in points)
        return tag("path", d=f"M{told}", class_=kind)

    def dots(self, points: Points) -> Markup:
        told = "".join(f"M{_f(self.x(x))} {_f(self.y(y))}h0" for x, y in points)
        return tag("path", d=told, class_="dots")

    def bar(self, place: float, low: float, high: float) -> Markup:
        """An interval, upright."""
        x = _f(self.x(place))
        return tag("line", x1=x, x2=x, y1=_f(self.y(low)), y2=_f(self.y(high)), class_="interval")

    def drawn(
        self,
        title: str,
        axes: tuple[str, str],
        said: str,
        *parts: Markup | None,
        marks: Sequence[str] = (),
    ) -> Markup:
        """The whole plot; ``axes`` are written below and above, ``marks`` below."""
        texts = marks or [f"{one:.6g}" for one in self.right]
        middle = _LEFT + _WIDE / 2
        grid = [
            part
            for one in self.down
            for part in (
                self.level(one, "grid"),
                tag("text", f"{one:.6g}", x=_LEFT - 5, y=_f(self.y(one) + 4), text_anchor="end"),
            )
        ]
        below = [
            tag("text", text, x=_f(self.x(one)), y=_TOP + _HIGH + 14, text_anchor="middle")
            for one, text in zip(self.right, texts, strict=True)
        ]
        return tag(
            "svg",
            tag("text", shortened(title, 34), tag("title", title), x=_LEFT, y=14, class_="axis"),
            *grid,
            *below,
            *parts,
            tag("text", axes[0], x=_f(middle), y=_HEIGHT - 7, text_anchor="middle"),
            tag(
                "text",
                axes[1],
                transform=f"translate(11 {_f(_TOP + _HIGH / 2)}) rotate(-90)",
                text_anchor="middle",
            )
            if axes[1]
            else None,
            viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
            class_="small",
            role="img",
            aria_label=f"{title}: {said}",
        )


def differences(
    first: Array, second: Array, limits: Limits, name: str, unit: str, what: str
) -> Markup:
    """Bland-Altman: the first less the second over the mean of both, with bias and limits."""
    there = np.isfinite(first) & np.isfinite(second)
    apart, mean = (first - second)[there], ((first + second) / 2)[there]
    lows = [float(apart.min()), limits.lower, 0.0]
    highs = [float(apart.max()), limits.upper, 0.0]
    frame = _Frame(ticks(min(lows), max(highs), 5), ticks(float(mean.min()), float(mean.max()), 4))
    return frame.drawn(
        name,
        (f"mean of both{unit and f', {unit}'}", ""),
        f"{what} of the prediction less that of the reference{unit and f', {unit}'}",
        frame.level(0.0, "zero"),
        frame.level(limits.bias, "median"),
        frame.level(limits.lower, "limit"),
        frame.level(limits.upper, "limit"),
        frame.dots(np.column_stack((mean, apart)).tolist()),
    )


def precision_recall(points: Points, name: str) -> Markup:
    """Precision over recall, as steps."""
    frame = _Frame(_SHARES, _SHARES)
    steps: list[Sequence[float]] = []
    before = 0.0
    for recall, precision in points:
        steps += [(before, precision), (recall, precision)]
        before = recall
    return frame.drawn(
        name, ("recall", "precision"), "precision over recall", frame.line(steps, "curve")
    )


def froc(points: Points, rates: Sequence[Mapping[str, Any]], name: str) -> Markup:
    """Recall over false alarms a case, on a logarithmic axis, with intervals at the usual rates."""
    most = max([FROC_RATES[-1], *(one[0] for one in points)])
    low, high = log2(FROC_RATES[0]), ceil(log2(most) - 1e-9)
    step = max(1, (high - int(low)) // 7)
    frame = _Frame(_SHARES, [*range(int(low), high - step + 1, step), high])
    steps: list[Sequence[float]] = []
    reached = 0.0
    for alarms, recall in points:
        place = log2(max(alarms, FROC_RATES[0]))
        steps += [(place, reached), (place, recall)]
        reached = recall
    steps.append((high, reached))
    return frame.drawn(
        name,
        ("false alarms a case", "recall"),
        "recall over false alarms a case",
        frame.line(steps, "curve"),
        *(
            frame.bar(log2(one["rate"]), one["low"], one["high"])
            for one in rates
            if one["low"] is not None
        ),
        marks=[_rate(2.0**one) for one in frame.right],
    )


def _rate(value: float) -> str:
    return {0.125: "1/8", 0.25: "1/4", 0.5: "1/2"}.get(value, f"{value:g}")


def roc(points: Points, name: str, area: str) -> Markup:
    """The receiver operating characteristic, beside the line of pure chance."""
    frame = _Frame(_SHARES, _SHARES)
    return frame.drawn(
        name,
        ("false positive rate", "true positive rate"),
        f"receiver operating characteristic, {area}",
        frame.line(((0, 0), (1, 1)), "limit"),
        frame.line(points, "curve"),
        tag("text", area, x=_LEFT + _WIDE - 6, y=_TOP + _HIGH - 8, text_anchor="end"),
    )


def calibration(bins: Sequence[Mapping[str, Any]], name: str) -> Markup:
    """How often answers are right over how sure they were, with intervals."""
    frame = _Frame(_SHARES, _SHARES)
    return frame.drawn(
        name,
        ("confidence", "share that is right"),
        "share of right answers over their confidence",
        frame.line(((0, 0), (1, 1)), "limit"),
        *(frame.bar(one["confidence"], one["low"], one["high"]) for one in bins),
        frame.dots([(one["confidence"], one["accuracy"]) for one in bins]),
    )


def _f(value: float) -> str:
    return f"{value:.1f}"
