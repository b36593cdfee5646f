"""Hypothesis strategies: grids of every kind, and label maps on them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from delineate.imaging import Category, Grid, LabelMap


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
