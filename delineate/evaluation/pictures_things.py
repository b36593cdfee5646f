"""Pictures of which things were found, missed and invented, as SVG."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from delineate.evaluation.markup import Markup, joined, tag
from delineate.evaluation.pictures import WIDTH, embedded, ground_of, letters
from delineate.evaluation.scene import KINDS, Scene, Shape
from delineate.formats.sheet_view import View, view_of

__all__ = ["caption_of_things", "drawn_things", "mark"]

_RADIUS = 5.0


def caption_of_things(scene: Scene) -> str:
    """Which slice, and what is in it."""
    counts = Counter[str](one.kind for one in scene.shapes)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    where = f"slice {scene.slice + 1} of {scene.slices}: " if scene.slices > 1 else ""
    left_out = f"; {scene.left_out} more are not drawn" if scene.left_out else ""
    return f"{where}{told}{left_out}"


def drawn_things(scene: Scene, image: Path | None) -> Markup:
    """Draw things in the classes ``found``, ``missed`` and ``invented``, over the image if any."""
    view = view_of(scene.grid)
    height = view.height(WIDTH)
    ground = ground_of(image, scene.grid)
    parts: list[Markup] = [] if ground is None else [embedded(ground, view, height)]
    for kind in KINDS[::-1]:
        path = "".join(_path(one, view) for one in scene.shapes if one.kind == kind)
        if path:
            parts += [tag("path", d=path, class_="halo"), tag("path", d=path, class_=kind)]
    return tag(
        "svg",
        *parts,
        *letters(view.letters, height),
        viewBox=f"0 0 {WIDTH} {height}",
        class_="picture over" if ground is not None else "picture",
        role="img",
        aria_label="things that were found, missed and invented",
    )


def _path(shape: Shape, view: View) -> str:
    corners = view.points(shape.points, WIDTH)
    if len(corners) == 1:
        x, y = corners[0].tolist()
        return mark(shape.kind, x, y)
    low, high = corners.min(axis=0), corners.max(axis=0)
    if np.max(high - low) < _RADIUS:  # too small to be seen as it is
        x, y = ((low + high) / 2).tolist()
        return mark(shape.kind, x, y)
    return f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in corners.tolist())}Z"


def mark(kind: str, x: float, y: float) -> str:
    """The sign of a thing at a point: a ring, or a cross for one that is invented."""
    r = _RADIUS
    if kind == "invented":
        return joined(
            f"M{x - r:.1f} {y - r:.1f}L{x + r:.1f} {y + r:.1f}",
            f"M{x - r:.1f} {y + r:.1f}L{x + r:.1f} {y - r:.1f}",
        )
    return f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0Z"
