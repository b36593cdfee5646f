"""What the surface does between eight samples; see :mod:`delineate.contour.surface`.

A *cell* has the centres of 2 x 2 x 2 samples at its corners; its middle is where eight voxels meet.
Corner ``4 dk + 2 dr + dc`` is that bit of the cell's *pattern*, set if the sample is inside. A
*crossing* is one of the twelve edges of the cell with one end inside and one outside: a voxel face
passes through its middle. Crossings are numbered ``4 axis + 2 a + b``, a and b being their offsets
along the other two axes, in the order slice, row, column.

On each of its six sides a cell has none, two or four crossings. Two are neighbours; of four,
those are that end at the same inside sample, so that voxels which meet only at an edge are kept
apart. Each crossing has two neighbours in this sense: they form closed *loops*, one to four a cell.
A loop is one vertex of the voxel faces' mesh, and one polygon of marching cubes [1]_.

References
----------
.. [1] Lorensen & Cline, "Marching cubes", SIGGRAPH 1987, doi:10.1145/37401.37422
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ambiguous_sides", "loop_starts", "loop_table", "loops", "pattern_sizes"]

Loop = tuple[int, ...]


def _corner(offsets: tuple[int, int, int]) -> int:
    return 4 * offsets[0] + 2 * offsets[1] + offsets[2]


def _edges() -> list[tuple[int, int]]:
    ends = []
    for axis in range(3):
        for a in (0, 1):
            for b in (0, 1):
                low = [a, b]
                low.insert(axis, 0)
                high = [a, b]
                high.insert(axis, 1)
                ends.append(
                    (_corner((low[0], low[1], low[2])), _corner((high[0], high[1], high[2])))
                )
    return ends


_ENDS = tuple(_edges())  # the two corners of each edge

_PLACES = np.array([[n >> 2 & 1, n >> 1 & 1, n & 1] for n in range(8)]) - 0.5
_MIDDLES = np.array([(_PLACES[a] + _PLACES[b]) / 2 for a, b in _ENDS])
# The corners of side ``2 axis + high``, and the edges between them.
_SIDES = [
    [n for n in range(8) if (n >> (2 - axis) & 1) == high] for axis in range(3) for high in (0, 1)
]
_SIDE_EDGES = [
    [e for e, (a, b) in enumerate(_ENDS) if a in corners and b in corners] for corners in _SIDES
]


@cache
def loops(pattern: int) -> tuple[Loop, ...]:
    """The loops of a pattern: numbers of crossings, running so that their normal points outside."""
    inside = [bool(pattern >> n & 1) for n in range(8)]
    crossing = [inside[a] != inside[b] for a, b in _ENDS]
    beside: dict[int, list[int]] = {e: [] for e in range(12) if crossing[e]}
    for edges in _SIDE_EDGES:
        found = [e for e in edges if crossing[e]]
        for i, e in enumerate(found):
            for f in found[i + 1 :]:
                shared = set(_ENDS[e]) & set(_ENDS[f])
                if len(found) == 2 or (shared and inside[shared.pop()]):
                    beside[e].append(f)
                    beside[f].append(e)
    rings = []
    while beside:
        ring = [min(beside)]
        onward = beside[ring[0]][0]
        while onward != ring[0]:
            following = beside[onward]
            ring.append(onward)
            onward = following[following[0] == ring[-2]]
        for e in ring:
            del beside[e]
        rings.append(_outward(ring, inside))
    return tuple(rings)


def _outward(ring: list[int], inside: list[bool]) -> Loop:
    points = _MIDDLES[ring]
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
    out = sum(
        (_PLACES[b] - _PLACES[a]) * (1 if inside[a] else -1) for a, b in (_ENDS[e] for e in ring)
    )
    return tuple(ring if normal @ out > 0 else ring[::-1])


def loop_table() -> NDArray[np.int8]:
    """``(256, 12)``: the number of the loop that each crossing belongs to; -1 where none is."""
    table = np.full((256, 12), -1, np.int8)
    for pattern in range(256):
        for number, loop in enumerate(loops(pattern)):
            table[pattern, list(loop)] = number
    return table


def loop_starts() -> NDArray[np.float64]:
    """``(256, 4, 3)``: the mean of each loop's crossings, from the middle of the cell, in steps."""
    starts = np.zeros((256, 4, 3))
    for pattern in range(256):
        for number, loop in enumerate(loops(pattern)):
            starts[pattern, number] = _MIDDLES[list(loop)].mean(axis=0)
    return starts


def ambiguous_sides() -> NDArray[np.uint8]:
    """``(256,)``: bit ``2 axis + high`` is set where that side has four crossings."""
    sides = np.zeros(256, np.uint8)
    for pattern in range(256):
        for side, (a, b, c, d) in enumerate(_SIDES):
            bits = [pattern >> n & 1 for n in (a, b, d, c)]
            if bits in ([0, 1, 0, 1], [1, 0, 1, 0]):
                sides[pattern] |= 1 << side
    return sides


def pattern_sizes(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What marching cubes makes of each pattern.

    Parameters
    ----------
    matrix
        ``(3, 3)``: the steps along slice, row and column as columns, in mm.

    Returns
    -------
    areas
        ``(256,)``: area of the triangles.
    volumes
        ``(256,)``: what they enclose of the cell.
    """
    patterns, triangles, volumes = _triangles()
    world = triangles @ matrix.T
    across = np.cross(world[:, 1] - world[:, 0], world[:, 2] - world[:, 0])
    areas: NDArray[Any] = np.bincount(patterns, np.linalg.norm(across, axis=1) / 2, 256)
    return areas, volumes * abs(float(np.linalg.det(matrix)))


@cache
def _triangles() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The triangles of all patterns: pattern ``(n,)``, corners ``(n, 3, 3)``, volumes ``(256,)``.

    A polygon that is not flat is cut as the customary tables cut it: so that it encloses most where
    at most four corners are inside, and least where more are.
    """
    patterns, triangles, volumes = [], [], np.zeros(256)
    for pattern in range(256):
        # Divergence theorem for the field (slice, 0, 0): the sides across the slices, and then
        # the triangles.
        low, high = (_share([pattern >> n & 1 for n in _SIDES[side]]) for side in (0, 1))
        volumes[pattern] = (low + high) / 2
        sense = 1 if pattern.bit_count() <= 4 else -1
        for loop in loops(pattern):
            cuts = _MIDDLES[np.array(loop)[_cuts(len(loop))]]
            a, b, c = cuts[:, :, 0], cuts[:, :, 1], cuts[:, :, 2]
            enclosed = np.round((a * np.cross(b, c)).sum(axis=(1, 2)), 9)
            best = cuts[np.argmax(sense * enclosed)]
            across = np.cross(best[:, 1] - best[:, 0], best[:, 2] - best[:, 0])
            volumes[pattern] += best[:, :, 0].mean(axis=1) @ across[:, 0] / 2
            patterns += [pattern] * len(best)
            triangles += list(best)
    return np.array(patterns), np.array(triangles), volumes


@cache
def _cuts(corners: int) -> NDArray[np.int64]:
    """``(ways, triangles, 3)``: every way to cut a polygon into triangles."""

    def ways(first: int, last: int) -> list[list[Loop]]:
        if last - first < 2:
            return [[]]
        return [
            [*left, *right, (first, i, last)]
            for i in range(first + 1, last)
            for left in ways(first, i)
            for right in ways(i, last)
        ]

    return np.array(ways(0, corners - 1))


def _share(corners: list[int]) -> float:
    """The part of a side that is inside: corners cut off halfway along the edges."""
    count = sum(corners)
    if count == 2:
        return 0.25 if corners[0] == corners[3] else 0.5
    return (0.0, 0.125, 0.0, 0.875, 1.0)[count]
