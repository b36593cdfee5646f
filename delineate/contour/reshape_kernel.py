"""Drop and move points of rings without tearing the plane; see :mod:`delineate.contour.simplify`.

All rings of a plane are looked at together. A point is dropped, or moved, only if the triangle
that its two edges sweep holds no other point, and if no edge is in the way: then no ring comes to
touch another or itself, one inside another stays there, and none turns inside out. A triangle
counts with its border, and a little wider than it is, so that rounding never decides.

A plane is a *net*: points known by number; *links*, the point before and after each in its ring
(-1 once dropped); *cells*, the one before and after in its cell of a coarse grid (-1: none);
*heads*, the first of each cell; and a *frame*: x and y of the first cell, cells per length, cells
along x and y, and the length that rounding may be wrong by.

*Centres* are a matrix ``(2, 2)`` and a shift ``(1, 2)``: ``matrix @ point + shift`` is ``(row,
column)`` on the grid whose sample centres no edge may pass; without such a grid the shift is
``(0, 2)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["move_points", "thin_points"]

Points = NDArray[np.float64]
Numbers = NDArray[np.int64]
Net = tuple[Points, Numbers, Numbers, Numbers, Points]
Centres = tuple[Points, Points]

_LONGEST = 512  # points that one edge may replace: keeps the cost linear
_ROUNDS = 3
_MARGIN = 4e-6  # of a sample, about its centre; fill rounds to a millionth


@kernel
def thin_points(
    points: Points,
    starts: Numbers,
    planes: Numbers,
    rooms: Points,
    matrix: Points,
    shifts: Points,
) -> NDArray[np.bool_]:
    """Which points to keep: ``(n,)``.

    Parameters
    ----------
    points, starts, planes
        As :class:`~delineate.contour.flatten.Flat` has them.
    rooms
        ``(m,)``: how far a dropped point of each ring may be from the edge that replaces it.
    matrix, shifts
        Centres of each plane.
    """
    keep = np.zeros(len(points), np.bool_)
    for p in range(len(planes) - 1):
        rings = starts[planes[p] : planes[p + 1] + 1]
        first, stop = rings[0], rings[-1]
        net = _net(points[first:stop], rings - first)
        for m in range(len(rings) - 1):
            begin, end, room = rings[m] - first, rings[m + 1] - first, rooms[planes[p] + m]
            _thin(net, begin, end, room, (matrix, shifts[p : p + 1]))
        keep[first:stop] = net[1][:, 0] >= 0
    return keep


@kernel
def move_points(
    points: Points,
    aims: Points,
    starts: Numbers,
    planes: Numbers,
    matrix: Points,
    shifts: Points,
) -> Points:
    """Bring each point to its aim, or as near as others leave room: ``(n, 2)``.

    The rest is as for :func:`thin_points`.
    """
    moved = points.copy()
    for p in range(len(planes) - 1):
        rings = starts[planes[p] : planes[p + 1] + 1]
        first, stop = rings[0], rings[-1]
        net = _net(moved[first:stop], rings - first)
        _move(net, aims[first:stop], (matrix, shifts[p : p + 1]))
    return moved


@kernel
def _net(points: Points, starts: Numbers) -> Net:
    """Lay out a plane; ``points`` become the net's own."""
    n = len(points)
    links = np.empty((n, 2), np.int64)
    for m in range(len(starts) - 1):
        for i in range(starts[m], starts[m + 1]):
            links[i, 0] = i - 1 if i > starts[m] else starts[m + 1] - 1
            links[i, 1] = i + 1 if i + 1 < starts[m + 1] else starts[m]
    frame = np.empty(6)
    frame[0], frame[1] = points[:, 0].min(), points[:, 1].min()
    wide, high = points[:, 0].max() - frame[0], points[:, 1].max() - frame[1]
    frame[2] = 2.0 * np.sqrt(n) / max(wide, high, 1e-300)
    frame[3], frame[4] = np.floor(wide * frame[2]) + 1, np.floor(high * frame[2]) + 1
    frame[5] = 1e-10 * max(np.abs(points).max(), wide, high)
    cells = np.empty((n, 2), np.int64)
    heads = np.full(int(frame[3] * frame[4]), -1)
    net = (points, links, cells, heads, frame)
    for i in range(n):
        _enter(net, i)
    return net


@kernel
def _cell(frame: Points, x: float, y: float) -> tuple[int, int]:
    column = min(max((x - frame[0]) * frame[2], 0.0), frame[3] - 1)
    row = min(max((y - frame[1]) * frame[2], 0.0), frame[4] - 1)
    return int(row), int(column)


@kernel
def _enter(net: Net, i: int) -> None:
    points, _, cells, heads, frame = net
    row, column = _cell(frame, points[i, 0], points[i, 1])
    cell = row * int(frame[3]) + column
    cells[i, 0], cells[i, 1] = -1, heads[cell]
    if heads[cell] >= 0:
        cells[heads[cell], 0] = i
    heads[cell] = i


@kernel
def _leave(net: Net, i: int) -> None:
    points, _, cells, heads, frame = net
    before, after = cells[i]
    if after >= 0:
        cells[after, 0] = before
    if before >= 0:
        cells[before, 1] = after
    else:
        row, column = _cell(frame, points[i, 0], points[i, 1])
        heads[row * int(frame[3]) + column] = after


@kernel
def _thin(net: Net, first: int, stop: int, room: float, centres: Centres) -> None:
    """Let each edge of one ring reach as far round as it may."""
    points, links = net[0], net[1]
    count = stop - first
    away = (points[first:stop, 0] - points[first, 0]) ** 2
    away += (points[first:stop, 1] - points[first, 1]) ** 2
    begin = first + int(np.argmax(away))
    for _ in range(2):
        a = begin
        while count > 3 and links[a, 1] != begin:
            b = links[a, 1]
            c = links[b, 1]
            if _near(points, a, c, first, stop, room) and _empty(net, a, b, c, centres):
                _leave(net, b)
                links[a, 1], links[c, 0] = c, a
                links[b, 0] = -1
                count -= 1
            else:
                a = b
        begin = links[begin, 1]


@kernel
def _near(points: Points, a: int, c: int, first: int, stop: int, room: float) -> bool:
    """Whether all points of the ring between a and c are near the edge from a to c."""
    if (c - a) % (stop - first) > _LONGEST:
        return False
    x, y = points[a]
    dx, dy = points[c, 0] - x, points[c, 1] - y
    square = dx * dx + dy * dy
    i = a + 1 if a + 1 < stop else first
    while i != c:
        px, py = points[i, 0] - x, points[i, 1] - y
        part = min(max((px * dx + py * dy) / square, 0.0), 1.0) if square > 0 else 0.0
        px, py = px - part * dx, py - part * dy
        if px * px + py * py > room * room:
            return False
        i = i + 1 if i + 1 < stop else first
    return True


@kernel
def _empty(net: Net, a: int, b: int, c: int, centres: Centres) -> bool:
    """Whether the triangle of three points holds no other point and no sample centre."""
    points, _, cells, heads, frame = net
    (ax, ay), (bx, by), (cx, cy) = points[a], points[b], points[c]
    if _holds_centre(ax, ay, bx, by, cx, cy, centres):
        return False
    margin = frame[5]
    row0, column0 = _cell(frame, min(ax, bx, cx) - margin, min(ay, by, cy) - margin)
    row1, column1 = _cell(frame, max(ax, bx, cx) + margin, max(ay, by, cy) + margin)
    for row in range(row0, row1 + 1):
        for column in range(column0, column1 + 1):
            i = heads[row * int(frame[3]) + column]
            while i >= 0:
                if i != a and i != b and i != c:
                    px, py = points[i]
                    if _within(px, py, ax, ay, bx, by, cx, cy, margin):
                        return False
                i = cells[i, 1]
    return True


@kernel
def _move(net: Net, aims: Points, centres: Centres) -> None:
    points, links = net[0], net[1]
    longest, furthest = 0.0, 0.0
    for i in range(len(points)):
        j = links[i, 1]
        longest = max(longest, np.hypot(points[j, 0] - points[i, 0], points[j, 1] - points[i, 1]))
        furthest = max(furthest, np.hypot(aims[i, 0] - points[i, 0], aims[i, 1] - points[i, 1]))
    reach = 0.5 * longest + furthest + net[4][5]
    there = np.zeros(len(points), np.bool_)
    for _ in range(_ROUNDS):
        for i in range(len(points)):
            part = 1.0
            while not there[i] and part > 0.2:
                x = points[i, 0] + part * (aims[i, 0] - points[i, 0])
                y = points[i, 1] + part * (aims[i, 1] - points[i, 1])
                if _free(net, i, x, y, reach, centres):
                    _leave(net, i)
                    points[i, 0], points[i, 1] = x, y
                    _enter(net, i)
                    there[i] = part == 1.0
                    break
                part *= 0.5


@kernel
def _free(net: Net, b: int, x: float, y: float, reach: float, centres: Centres) -> bool:
    """Whether nothing is in the way of point b and its edges on their way to ``(x, y)``.

    ``reach`` is half the longest edge: one that comes near has an end that near.
    """
    points, links, cells, heads, frame = net
    a, c = links[b]
    (ax, ay), (bx, by), (cx, cy) = points[a], points[b], points[c]
    if _holds_centre(ax, ay, bx, by, x, y, centres) or _holds_centre(cx, cy, bx, by, x, y, centres):
        return False
    margin = frame[5]
    row0, column0 = _cell(frame, min(ax, bx, cx, x) - reach, min(ay, by, cy, y) - reach)
    row1, column1 = _cell(frame, max(ax, bx, cx, x) + reach, max(ay, by, cy, y) + reach)
    for row in range(row0, row1 + 1):
        for column in range(column0, column1 + 1):
            i = heads[row * int(frame[3]) + column]
            while i >= 0:
                if i != a and i != b and i != c:
                    px, py = points[i]
                    if _within(px, py, ax, ay, bx, by, x, y, margin) or _within(
                        px, py, cx, cy, bx, by, x, y, margin
                    ):
                        return False
                for direction in range(2):
                    j = links[i, direction]
                    if i == b or j == b:
                        continue
                    if i != a and j != a and _meet(points, i, j, ax, ay, x, y, margin):
                        return False
                    if i != c and j != c and _meet(points, i, j, cx, cy, x, y, margin):
                        return False
                i = cells[i, 1]
    return True


@kernel
def _meet(
    points: Points, i: int, j: int, ax: float, ay: float, bx: float, by: float, margin: float
) -> bool:
    """Whether the edge from point i to j meets that from a to b, or nearly."""
    (px, py), (qx, qy) = points[i], points[j]
    if max(px, qx) < min(ax, bx) - margin or min(px, qx) > max(ax, bx) + margin:
        return False
    if max(py, qy) < min(ay, by) - margin or min(py, qy) > max(ay, by) + margin:
        return False
    p, q = _side(ax, ay, bx, by, px, py, margin), _side(ax, ay, bx, by, qx, qy, margin)
    a, b = _side(px, py, qx, qy, ax, ay, margin), _side(px, py, qx, qy, bx, by, margin)
    return p * q <= 0 and a * b <= 0


@kernel
def _holds_centre(
    ax: float, ay: float, bx: float, by: float, cx: float, cy: float, centres: Centres
) -> bool:
    """Whether a sample centre, a whole row and column, lies in a triangle."""
    if not len(centres[1]):
        return False
    ar, ac = _index(ax, ay, centres)
    br, bc = _index(bx, by, centres)
    cr, cc = _index(cx, cy, centres)
    first_column = int(np.ceil(min(ac, bc, cc) - _MARGIN))
    last_column = int(np.floor(max(ac, bc, cc) + _MARGIN))
    last_row = int(np.floor(max(ar, br, cr) + _MARGIN))
    for r in range(int(np.ceil(min(ar, br, cr) - _MARGIN)), last_row + 1):
        for c in range(first_column, last_column + 1):
            if _within(float(r), float(c), ar, ac, br, bc, cr, cc, _MARGIN):
                return True
    return False


@kernel
def _index(x: float, y: float, centres: Centres) -> tuple[float, float]:
    matrix, shift = centres
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + shift[0, 0],
        matrix[1, 0] * x + matrix[1, 1] * y + shift[0, 1],
    )


@kernel
def _within(
    x: float,
    y: float,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    cx: float,
    cy: float,
    margin: float,
) -> bool:
    """Whether a point is in a triangle, or nearer to it than about ``margin``."""
    if x < min(ax, bx, cx) - margin or x > max(ax, bx, cx) + margin:
        return False
    if y < min(ay, by, cy) - margin or y > max(ay, by, cy) + margin:
        return False
    ab = _side(ax, ay, bx, by, x, y, margin)
    bc = _side(bx, by, cx, cy, x, y, margin)
    ca = _side(cx, cy, ax, ay, x, y, margin)
    return min(ab, bc, ca) >= 0 or max(ab, bc, ca) <= 0


@kernel
def _side(ax: float, ay: float, bx: float, by: float, x: float, y: float, margin: float) -> int:
    """On which side of the line through a and b a point clearly is: 1, -1, or 0 for neither."""
    dx, dy = bx - ax, by - ay
    twice = dx * (y - ay) - dy * (x - ax)
    slack = margin * (abs(dx) + abs(dy))
    return int(twice > slack) - int(twice < -slack)
