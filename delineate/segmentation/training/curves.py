"""A picture of a run: the loss, and the Dice of the cases kept back, over the steps."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

__all__ = ["draw_curves"]

_WIDTH, _HEIGHT = 1000, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 30, 44, 40
_BACKGROUND, _GRID = (16, 18, 20), (52, 56, 60)
_TEXT, _DIM = (232, 234, 237), (150, 156, 163)
_LOSS, _DICE = (86, 180, 233), (240, 180, 60)
_SMOOTHED = 60  # points of the smooth line

Points = Sequence[tuple[float, float]]


def draw_curves(log: Path, table: Path, path: Path) -> None:
    """Draw the curves of a run as PNG; the same tables give the same bytes.

    Parameters
    ----------
    log
        `log.csv` of the trainer.
    table
        `validation.csv`; without a row in it only the loss is drawn.
    path
        The picture.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    losses = [(float(row["step"]), float(row["loss"])) for row in _rows(log)]
    scores: dict[float, list[float]] = {}
    for row in _rows(table):
        if row["dice"]:
            scores.setdefault(float(row["step"]), []).append(float(row["dice"]))
    means = [(step, float(np.mean(values))) for step, values in sorted(scores.items())]
    panels = [("loss (cross-entropy and Dice), each step and their mean", losses, _LOSS)]
    if means:
        panels.append(("mean Dice of the cases kept back", means, _DICE))
    picture = Pillow.new("RGB", (_WIDTH, _HEIGHT * len(panels)), _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    last = max((step for step, _ in losses), default=1.0)
    for number, (title, points, colour) in enumerate(panels):
        top = 1.0 if colour == _DICE else max((value for _, value in points), default=1.0)
        _panel(pen, number * _HEIGHT, title, points, colour, (last, top))
    picture.save(path, "PNG")


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _panel(
    pen: ImageDraw,
    down: int,
    title: str,
    points: Points,
    colour: tuple[int, int, int],
    ends: tuple[float, float],
) -> None:
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    last, top = ends

    def at(step: float, value: float) -> tuple[float, float]:
        return _LEFT + wide * step / last, down + _TOP + high * (1 - value / top)

    _write(pen, (_LEFT, down + 14), title, "lt", _TEXT)
    for tick in range(5):
        value, step = top * tick / 4, last * tick / 4
        line = (at(0, value), at(last, value))
        pen.line(line, fill=_GRID)
        _write(pen, (_LEFT - 8, line[0][1]), f"{value:.2f}", "rm", _DIM)
        _write(pen, (at(step, 0)[0], at(0, 0)[1] + 8), f"{step:.0f}", "mt", _DIM)
    if len(points) <= _SMOOTHED:
        drawn = [at(*point) for point in points]
        for x, y in drawn:
            pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
    else:
        faint = tuple(part // 3 + 10 for part in colour)
        pen.line([at(*point) for point in points], fill=faint)
        parts = np.array_split(np.array(points), _SMOOTHED)
        drawn = [at(*part.mean(axis=0)) for part in parts]
    if len(drawn) > 1:
        pen.line(drawn, fill=colour, width=3)


def _write(
    pen: ImageDraw,
    place: tuple[float, float],
    text: str,
    anchor: str,
    colour: tuple[int, int, int],
) -> None:
    from PIL import ImageFont

    pen.text(place, text, fill=colour, font=ImageFont.load_default(15), anchor=anchor)
