"""Closed surfaces round the labels of a label map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError
from delineate.imaging import Category, Grid, LabelMap

__all__ = ["Style", "Surface", "surface", "surfaces"]

Style = Literal["smooth", "edge"]

_REACH = 0.49  # of a step: short of 0.5, so that rounding takes no vertex out of its cell
_ROUNDS = np.array([0.63, -0.64] * 8, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The triangles round one named thing.

    Parameters
    ----------
    number
        Label in a label map; at least 1.
    category
        What it is.
    vertices
        ``(n, 3)``: world positions ``(x, y, z)``, LPS mm.
    faces
        ``(m, 3)``: numbers of vertices, counter-clockwise seen from outside. None: looked for and
        not found.
    deviation_mm
        No point of the surface is further from the voxels' faces, and none of those from it.
        ``None`` where that is not known, as of what was read from a file.

    Raises
    ------
    ValueError
        If the arrays have other shapes, hold NaN, or faces name vertices that are not there.
    """

    number: int
    category: Category
    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    deviation_mm: float | None = None

    def __post_init__(self) -> None:
        vertices = np.ascontiguousarray(self.vertices, np.float64).view()
        faces = np.ascontiguousarray(self.faces, np.int32).view()
        for name, array in (("vertices", vertices), ("faces", faces)):
            if array.ndim != 2 or array.shape[1] != 3:
                raise ValueError(f"expected {name} of shape (n, 3), got {array.shape}")
            array.setflags(write=False)
        if not np.isfinite(vertices).all():
            raise ValueError("a surface holds NaN or infinity")
        if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices):
            raise ValueError(
                f"expected faces of vertices 0 to {len(vertices) - 1}, got {faces.min()} to "
                f"{faces.max()}"
            )
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "faces", faces)

    def __reduce__(self) -> tuple[type[Surface], tuple[Any, ...]]:
        parts = (self.number, self.category, self.vertices, self.faces, self.deviation_mm)
        return Surface, parts  # read-only after a pickle as well

    @property
    def volume_ml(self) -> float:
        """What the triangles enclose; negative if they face inwards."""
        a, b, c = self._corners()
        return float((a * np.cross(b, c)).sum()) / 6000

    @property
    def area_mm2(self) -> float:
        """The area of all triangles."""
        a, b, c = self._corners()
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2

    def _corners(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        middle = self.vertices.mean(axis=0) if len(self.vertices) else 0.0
        near = self.vertices - middle  # far from the origin digits would be lost
        return near[self.faces[:, 0]], near[self.faces[:, 1]], near[self.faces[:, 2]]


def surface(labelmap: LabelMap, label: int, style: Style = "smooth") -> Surface:
    """Enclose one label in triangles.

    Parameters
    ----------
    labelmap
        On a grid in mm.
    label
        1 to 65535. One that is absent has no triangles.
    style
        ``"edge"``: the faces of the voxels themselves; encloses their volume exactly. ``"smooth"``:
        the same mesh with its vertices moved so that the steps are gone.

    Returns
    -------
    Surface
        Closed, also at the border of the grid, and facing outwards whatever the affine: every edge
        belongs to two triangles that run along it in opposite senses. Voxels that meet only at an
        edge or a corner are not joined there: each side has vertices of its own, which lie at one
        place in the style ``"edge"`` and at different ones in ``"smooth"``. (Software that joins
        vertices by their places, as any reader of STL must, thus finds edges of four triangles in
        the style ``"edge"`` alone.)

    Raises
    ------
    GeometryError
        If the grid is in pixels.

    Notes
    -----
    A surface net [1]_: one vertex between each eight samples that are not all alike, one
    quadrilateral for each face between a sample inside and one outside, cut along its shorter
    diagonal. ``"smooth"`` moves vertices as Taubin [2]_ does, to the mean of those beside them and
    back, which keeps the volume; but no vertex leaves its cell, the box (of one step along each
    axis) whose corners are the centres of the eight samples. Hence:

    - every sample centre that is inside the label is inside the surface, and no other:
      :func:`fill_surface` gives the label back exactly;
    - no vertex moves further than half the longest diagonal of a voxel. How far one did move is
      ``deviation_mm``.

    References
    ----------
    .. [1] Gibson, "Constrained elastic surface nets", MICCAI 1998, doi:10.1007/BFb0056277
    .. [2] Taubin, "A signal processing approach to fair surface design", SIGGRAPH 1995,
       doi:10.1145/218380.218473
    """
    if not 1 <= label <= 65535:
        raise ValueError(f"expected a label from 1 to 65535, got {label}")
    return _surfaces(labelmap, style, label)[0]


def surfaces(labelmap: LabelMap, style: Style = "smooth") -> tuple[Surface, ...]:
    """Enclose every label in triangles.

    Parameters
    ----------
    labelmap
        On a grid in mm.
    style
        As for :func:`surface`.

    Returns
    -------
    tuple of Surface
        One for each category and for each label that is there without one (named ``label N``), by
        number. A category without a sample has no triangles.
    """
    return _surfaces(labelmap, style, 0)


def _surfaces(labelmap: LabelMap, style: Style, only: int) -> tuple[Surface, ...]:
    from delineate.contour.measure_kernel import tally  # numba is slow to import

    if labelmap.grid.unit != "mm":
        raise GeometryError("a surface needs a grid in mm, got one in pixels")
    if style not in ("smooth", "edge"):
        raise ValueError(f"expected the style 'smooth' or 'edge', got {style!r}")
    array: NDArray[Any] = labelmap.array
    labels = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).view()
    labels.setflags(write=False)
    size = max(int(labels.max()), only, max(labelmap.categories, default=0)) + 1
    count, _, boxes, _, _ = tally(labels, size)
    numbers = [only] if only else sorted({*np.flatnonzero(count).tolist(), *labelmap.categories})
    found = []
    for number in numbers:
        category = labelmap.categories.get(number) or Category(f"label {number}")
        if not count[number]:
            nothing = np.empty((0, 3))
            found.append(Surface(number, category, nothing, nothing.astype(np.int32), 0.0))
            continue
        low, high = boxes[number, 0::2].tolist(), boxes[number, 1::2].tolist()
        part = labels[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        grid = labelmap.grid.crop((low[0], low[1], low[2]), part.shape)
        vertices, faces, deviation = _mesh(np.ascontiguousarray(part), number, grid, style)
        found.append(Surface(number, category, vertices, faces, deviation))
    return tuple(found)


def _mesh(
    labels: NDArray[Any], label: int, grid: Grid, style: Style
) -> tuple[NDArray[np.float64], NDArray[np.int32], float]:
    from delineate.contour import surface_kernel

    labels.setflags(write=False)
    cells, kinds, quads, sides = surface_kernel.net(labels, label)
    beside, odd = surface_kernel.neighbours(quads, sides, kinds)
    at = cells.astype(np.float64) + 0.5
    matrix = grid.affine[:3, :3]
    if style == "smooth":
        offsets = _moved(kinds, beside)
        at += offsets
        deviation = float(np.sqrt(((offsets @ matrix.T) ** 2).sum(axis=1).max()))
    else:
        deviation = 0.0
    ring = np.flatnonzero(odd)
    if len(ring):
        extra, more, reach = _odd(quads[ring], sides[ring], odd[ring], at, matrix, style)
        at = np.concatenate((at, extra))
        deviation = max(deviation, reach)
        quads = quads[odd == 0]
    vertices = grid.to_world(at)
    mirrored = bool(np.linalg.det(matrix) < 0)
    faces = surface_kernel.triangles(quads, vertices, mirrored)
    if len(ring):
        faces = np.concatenate((faces, more[:, ::-1] if mirrored else more))
    return vertices, faces, deviation


def _moved(kinds: NDArray[np.uint8], beside: NDArray[np.int32]) -> NDArray[np.float64]:
    """Where the vertices go, from the middles of their cells, in steps."""
    from delineate.contour import surface_cell, surface_kernel

    offsets = np.zeros((len(kinds), 3), np.float32)
    fixed = np.flatnonzero(surface_kernel.FIXED[kinds[:, 0]])
    starts = surface_cell.loop_starts()
    offsets[fixed] = starts[kinds[fixed, 0], kinds[fixed, 1]]
    return surface_kernel.relax(offsets, beside, kinds, _ROUNDS, _REACH).astype(np.float64)


def _odd(
    quads: NDArray[np.int32],
    sides: NDArray[np.int32],
    odd: NDArray[np.uint8],
    at: NDArray[np.float64],
    matrix: NDArray[np.float64],
    style: Style,
) -> tuple[NDArray[np.float64], NDArray[np.int32], float]:
    """Cut faces that have an edge where four faces meet, which two pairs of faces share.

    Each pair gets a vertex of its own in the middle of such an edge, so that it has edges of its
    own; each face is cut from a vertex in its middle.

    Returns
    -------
    vertices
        ``(n, 3)``: indices of new ones, numbered after ``at``.
    triangles
        ``(m, 3)``.
    deviation
        How far the vertices were moved from the faces, mm.
    """
    face, place = np.nonzero(odd[:, None] >> np.arange(4) & 1)
    sample, axis, inside = sides[face, :3], sides[face, 3], sides[face, 4] == 1
    along = np.eye(3, dtype=np.int64)
    others = np.array([(1, 2), (2, 0), (0, 1)])
    # From the sample to the other side of the edge that follows corner ``place`` of the face.
    away = along[others[axis, 1 - (place & 1)]] * np.array([-1, 1, 1, -1])[place, None]
    twice = 2 * sample + along[axis] + away  # the middle of the edge
    toward = np.where(inside, -1, 1)[:, None] * along[axis] - away  # the voxel inside, from there
    size = twice.max(axis=0) + 3
    key = ((twice[:, 0] + 2) * size[1] + twice[:, 1] + 2) * size[2] + twice[:, 2] + 2
    key = (key * 3 + toward[:, 0] + 1) * 9 + (toward[:, 1] + 1) * 3 + toward[:, 2] + 1
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    shift = 0.25 if style == "smooth" else 0.0
    middles = twice[first] / 2 + shift * toward[first]
    ring = np.full((len(quads), 8), -1)
    # Corners of the face are kept in the order of outward normals; backwards if it is outside.
    outside = np.flatnonzero(sides[:, 4] == 0)
    ring[:, 0::2] = quads
    ring[outside, 0::2] = quads[outside][:, ::-1]
    ring[face, 2 * place + 1] = len(at) + which
    ring[outside] = ring[outside][:, ::-1]
    known = np.concatenate((at, middles))
    there = ring >= 0
    centres = np.where(there[:, :, None], known[ring], 0.0).sum(axis=1) / there.sum(axis=1)[:, None]
    triangles = []
    for number, corners in enumerate(ring, len(known)):
        corners = corners[corners >= 0]
        triangles += [(number, a, b) for a, b in zip(corners, np.roll(corners, -1), strict=True)]
    reach = shift * float(np.linalg.norm(toward @ matrix.T, axis=1).max())
    return np.concatenate((middles, centres)), np.array(triangles, np.int32), reach
