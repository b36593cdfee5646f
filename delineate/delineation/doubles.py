"""Things found in two tiles at once, counted once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from delineate.delineation.tiling import Tile
from delineate.imaging import Grid
from delineate.plugins import Detection, Instance, Instances

__all__ = ["joined"]

Triple = tuple[float, float, float]

_SAME_OVERLAP = 0.5  # intersection over union, or over the smaller, of two boxes that are one
_MARGIN = 1 / 4  # of the overlap: how far two tiles may disagree on where something is


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """An instance in the indices of the whole image."""

    item: Instance
    tile: int
    number: int  # within its tile
    middle: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    is_point: bool
    depth: float  # from the nearest edge where the image goes on
    outside: float  # from its tile's core; 0 within


def joined(parts: Sequence[tuple[Tile, Detection]], grid: Grid, overlap: int) -> Detection:
    """The instances of all tiles on the whole image's grid, each once.

    What two tiles both see is paired one to one, the nearest first: points at most a quarter of
    the overlap apart, boxes and polygons that cover each other by half. Of a pair the one that lies
    deeper in its tile stays; two boxes that their tiles cut off on facing sides become one box
    around both. What only one tile sees, though it lies well within what another was nearer to,
    is an effect of that tile's edge and is left out.

    Parameters
    ----------
    parts
        Tiles and what was found in each.
    grid
        The one that was cut.
    overlap
        Samples that tiles share.
    """
    margin = max(1.0, _MARGIN * overlap)
    found = [one for place, part in enumerate(parts) for one in _placed(place, part, grid)]
    by_tile: dict[int, list[int]] = {}
    for position, one in enumerate(found):
        by_tile.setdefault(one.tile, []).append(position)
    groups = _Groups(len(found))
    for first, second in combinations(sorted(by_tile), 2):
        zone = _zone(parts[first][0], parts[second][0], margin)
        if zone is None:
            continue
        near, other = (
            [n for n in by_tile[tile] if _touches(found[n], zone)] for tile in (first, second)
        )
        for a, b in _pairs(found, near, other, zone, margin):
            groups.join(a, b)
    things = ([found[n] for n in members] for members in groups.members())
    kept = [_one_of(thing) for thing in things if min(one.outside for one in thing) <= margin]
    kept.sort(key=lambda one: (one.tile, one.number))
    return _collected(kept, parts, grid)


def _placed(place: int, part: tuple[Tile, Detection], grid: Grid) -> Iterator[_Found]:
    tile, detection = part
    output = detection.output
    assert isinstance(output, Instances)
    shift = np.array(tile.start, dtype=np.float64)
    start, stop = shift - 0.5, np.array(tile.stop) - 0.5
    goes_on = np.array(tile.start) > 0, np.array(tile.stop) < grid.shape
    core = np.array(tile.core_start) - 0.5, np.array(tile.core_stop) - 0.5
    for number, item in enumerate(output.items, 1):
        moved = _moved(item, shift)
        low, high = _extent(moved)
        middle = np.array(moved.point) if moved.point is not None else (low + high) / 2
        gaps = np.concatenate([(low - start)[goes_on[0]], (stop - high)[goes_on[1]]])
        beyond = np.maximum(core[0] - middle, middle - core[1]).max()
        yield _Found(
            moved,
            place,
            number,
            middle,
            low,
            high,
            item.box is None and item.polygon is None,
            float(gaps.min(initial=np.inf)),
            max(0.0, float(beyond)),
        )


def _moved(item: Instance, shift: NDArray[np.float64]) -> Instance:
    def place(index: Triple) -> Triple:
        return _triple(np.asarray(index) + shift)

    return replace(
        item,
        point=None if item.point is None else place(item.point),
        box=None if item.box is None else (place(item.box[0]), place(item.box[1])),
        polygon=None if item.polygon is None else item.polygon + shift,
    )


def _triple(index: NDArray[np.float64]) -> Triple:
    a, b, c = index.tolist()
    return a, b, c


def _extent(item: Instance) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if item.box is None and item.polygon is not None:
        low, high = item.polygon.min(axis=0), item.polygon.max(axis=0)
        low[0], high[0] = low[0] - 0.5, high[0] + 0.5  # it lies within one slice
        return low, high
    corners = np.array(item.box if item.box is not None else [item.point])
    return corners.min(axis=0), corners.max(axis=0)


def _zone(first: Tile, second: Tile, margin: float) -> NDArray[np.float64] | None:
    """``(2, 3)``: what both tiles see, and a margin; ``None`` if they share nothing."""
    low = np.maximum(first.start, second.start) - 0.5
    high = np.minimum(first.stop, second.stop) - 0.5
    return None if (low >= high).any() else np.stack([low - margin, high + margin])


def _touches(one: _Found, zone: NDArray[np.float64]) -> bool:
    return bool((one.low <= zone[1]).all() and (one.high >= zone[0]).all())


def _pairs(
    found: Sequence[_Found],
    first: Sequence[int],
    second: Sequence[int],
    zone: NDArray[np.float64],
    margin: float,
) -> Iterator[tuple[int, int]]:
    """Pairs of one and the same thing, none in two of them; the likeliest first."""
    if not first or not second:
        return
    scores: list[tuple[float, int, int]] = []
    tree = np.array([found[n].middle for n in second])
    reach = np.array([found[n].high - found[n].low for n in second])
    for a in first:
        one = found[a]
        near = np.abs(tree - one.middle) <= margin + (reach + one.high - one.low) / 2
        for place in np.flatnonzero(near.all(axis=1)).tolist():
            b = second[place]
            likeness = _likeness(one, found[b], zone, margin)
            if likeness > 0 and one.item.category == found[b].item.category:
                scores.append((-likeness, a, b))
    taken: set[int] = set()
    for _, a, b in sorted(scores):
        if not taken & {a, b}:
            taken |= {a, b}
            yield a, b


def _likeness(one: _Found, other: _Found, zone: NDArray[np.float64], margin: float) -> float:
    """How much two findings look like one thing: above 0 if they may be, at most 1."""
    if one.is_point or other.is_point:
        apart = float(np.linalg.norm(one.middle - other.middle))
        return 1 - apart / margin if apart < margin else 0.0
    # Each sees at most what its tile holds: they are compared within what both see.
    low = np.maximum(one.low, zone[0]), np.maximum(other.low, zone[0])
    high = np.minimum(one.high, zone[1]), np.minimum(other.high, zone[1])
    sizes = [float(np.prod(np.maximum(b - a, 1e-9))) for a, b in zip(low, high, strict=True)]
    shared = float(np.prod(np.maximum(np.minimum(*high) - np.maximum(*low), 0.0)))
    share = max(shared / (sum(sizes) - shared), shared / min(sizes) - _SAME_OVERLAP / 2)
    return share if share >= _SAME_OVERLAP else 0.0


def _one_of(members: Sequence[_Found]) -> _Found:
    """What stays of findings that are one thing."""
    best = max(members, key=lambda one: (one.depth, one.item.score, -one.tile))
    if best.is_point or best.depth > 1.0:
        return best
    # Every tile cuts it off: a box around all that was seen is all that can be said.
    low = np.min([one.low for one in members], axis=0)
    high = np.max([one.high for one in members], axis=0)
    if (low >= best.low - 1e-9).all() and (high <= best.high + 1e-9).all():
        return best
    box = _triple(low), _triple(high)
    item = replace(best.item, point=None, box=box, polygon=None)
    return replace(best, item=item)


def _collected(
    kept: Sequence[_Found], parts: Sequence[tuple[Tile, Detection]], grid: Grid
) -> Detection:
    """The instances with what their tiles knew of them, numbered anew."""
    origins = [(parts[one.tile][1], one.number) for one in kept]
    return Detection(
        Instances(tuple(one.item for one in kept), grid),
        scores={n: of.scores[k] for n, (of, k) in enumerate(origins, 1) if k in of.scores},
        notes={n: of.notes[k] for n, (of, k) in enumerate(origins, 1) if k in of.notes},
        measurements={
            n: of.measurements[k] for n, (of, k) in enumerate(origins, 1) if k in of.measurements
        },
    )


class _Groups:
    """Which findings are one thing (disjoint sets)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def join(self, a: int, b: int) -> None:
        self._parent[self._root(a)] = self._root(b)

    def members(self) -> list[list[int]]:
        sets: dict[int, list[int]] = {}
        for n in range(len(self._parent)):
            sets.setdefault(self._root(n), []).append(n)
        return list(sets.values())

    def _root(self, n: int) -> int:
        while self._parent[n] != n:
            self._parent[n] = self._parent[self._parent[n]]
            n = self._parent[n]
        return n
