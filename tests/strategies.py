"""Hypothesis strategies: grids of every kind, and label maps on them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from delineate.contour import trace_all
from delineate.formats.marks import Mark
from delineate.imaging import Category, Code, Grid, LabelMap


@st.composite
def grids(draw: st.DrawFn, max_size: int = 8) -> Grid:
    """Oblique, flipped, sheared and anisotropic grids of up to ``max_size`` samples an axis."""
    shape = tuple(draw(st.integers(1, max_size)) for _ in range(3))
    spacing = [draw(st.floats(0.3, 8.0)) for _ in range(3)]
    angles = [draw(st.sampled_from((0.0, 0.1, 0.5, 1.2, -0.8))) for _ in range(3)]
    order = draw(st.permutations(range(3)))
    signs = [draw(st.sampled_from((-1.0, 1.0))) for _ in range(3)]
    shear = draw(st.sampled_from((0.0, 0.0, 0.33, -0.2)))
    matrix = np.eye(3)[:, order] * signs
    for axis, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        matrix = turn @ matrix
    matrix[:, 0] += shear * matrix[:, 1]
    affine = np.eye(4)
    affine[:3, :3] = matrix * spacing
    affine[:3, 3] = [draw(st.floats(-500, 500)) for _ in range(3)]
    return Grid(shape, affine)


@st.composite
def labelmaps(draw: st.DrawFn, max_size: int = 8, max_label: int = 3) -> LabelMap:
    """Any labels on any grid."""
    grid = draw(grids(max_size))
    array = draw(hnp.arrays(np.uint8, grid.shape, elements=st.integers(0, max_label)))
    categories = {n: Category(f"thing {n}") for n in range(1, max_label + 1)}
    return LabelMap(array, grid, categories)


@st.composite
def categories(draw: st.DrawFn) -> Category:
    """Any printed name, colour, code and side."""
    letters = st.characters(codec="utf-8", exclude_categories=("C", "Z"))
    colour = tuple(draw(st.integers(0, 255)) for _ in range(3))
    code = draw(st.sampled_from((None, Code("64033007", "SCT", "Kidney"))))
    side = draw(st.sampled_from((None, "left", "right")))
    return Category(draw(st.text(letters, min_size=1, max_size=8)), colour, code, side)


@st.composite
def layers(draw: st.DrawFn, max_size: int = 6, most: int = 3) -> tuple[LabelMap, ...]:
    """Labels that may overlap, on any grid: label maps that share no label."""
    grid, first = draw(grids(max_size)), draw(st.sampled_from((1, 1, 300)))
    found = []
    for _ in range(draw(st.integers(1, most))):
        labels = list(range(first, first + 2))
        first += 2
        array = draw(hnp.arrays(np.uint16, grid.shape, elements=st.sampled_from((0, *labels))))
        found.append(LabelMap(array, grid, {label: draw(categories()) for label in labels}))
    return tuple(found)


@st.composite
def marked(draw: st.DrawFn) -> tuple[Grid, tuple[Mark, ...]]:
    """Points, boxes and outlines within any grid."""
    grid = draw(grids(max_size=5))

    def place() -> tuple[float, float, float]:
        index = [draw(st.floats(-0.49, n - 0.51)) for n in grid.shape]
        x, y, z = grid.to_world(index).tolist()
        return x, y, z

    traced = trace_all(LabelMap(np.ones(grid.shape, np.uint8), grid, {}))[0].contours
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        shapes = draw(st.sets(st.sampled_from(("point", "box", "outline")), min_size=1))
        found.append(
            Mark(
                number,
                draw(categories()),
                draw(st.none() | st.floats(0, 1)),
                place() if "point" in shapes else None,
                (place(), place()) if "box" in shapes else None,
                traced if "outline" in shapes else (),
            )
        )
    return grid, tuple(found)
