"""The same picture stored in another way, and what was found in it brought back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Grid, Image, LabelMap
from delineate.imaging.grid import Unit
from delineate.plugins import Classes, Instance, Instances, Masks, Output

__all__ = ["Move", "centre", "enlarged", "with_affine"]

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Move:
    """Axes in another order and sense, after a border was put before the first samples.

    Parameters
    ----------
    order
        Which axis of the source becomes the first, second and third.
    flips
        Which axes of the result run backwards.
    border
        Samples put before the first of each axis of the source, equal to the first.
    """

    order: Triple = (0, 1, 2)
    flips: tuple[bool, bool, bool] = (False, False, False)
    border: Triple = (0, 0, 0)

    def grid(self, source: Grid) -> Grid:
        """Where the moved samples lie: each stays where it is in the world."""
        shape = _triple(n + more for n, more in zip(source.shape, self.border, strict=True))
        wide = source.crop(_triple(-more for more in self.border), shape)
        affine = wide.affine.copy()
        for axis, old in enumerate(self.order):
            step = wide.affine[:3, old]
            if self.flips[axis]:
                affine[:3, 3] += step * (shape[old] - 1)
                step = -step
            affine[:3, axis] = step
        return Grid(_triple(shape[old] for old in self.order), affine, wide.unit)

    def image(self, source: Image) -> Image:
        """The same picture, stored so."""
        more = [(before, 0) for before in self.border] + [(0, 0)] * bool(source.channels)
        array = np.pad(source.array, more, "edge")
        array = array.transpose(*self.order, *range(3, array.ndim))[self._backwards()]
        return replace(
            source, array=np.ascontiguousarray(array), grid=self.grid(source.grid), notes=()
        )

    def output(self, moved: Output, source: Grid) -> Output:
        """What was found in the moved picture, by the source's axes and within its extent.

        Positions go by indices, not by the affine, so that it serves for a picture that was
        mirrored in the world as well. A restored image may be finer than the source.
        """
        if isinstance(moved, Classes):
            return moved
        if isinstance(moved, Instances):
            items = (self._instance(item, source) for item in moved.items)
            return Instances(tuple(item for item in items if _within(item, source)), source)
        if isinstance(moved, Image):
            array = self._array(moved.array, source)
            shape = array.shape[:3]
            grid = source.with_spacing(
                _floats(
                    s * n / m for s, n, m in zip(source.spacing, source.shape, shape, strict=True)
                )
            )
            return Image(array, Grid(shape, grid.affine, grid.unit), moved.modality, moved.channels)
        if isinstance(moved, Masks):
            masks = np.stack([self._array(one, source) for one in moved.array])
            return Masks(masks, source, moved.categories)
        array = self._array(moved.array, source)
        if isinstance(moved, LabelMap):
            return LabelMap(array, source, moved.categories)
        return replace(moved, array=array, grid=source)

    def _backwards(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)

    def _array(self, array: NDArray[Any], source: Grid) -> NDArray[Any]:
        inverse = np.argsort(self.order)
        array = array[self._backwards()].transpose(*inverse, *range(3, array.ndim))
        first = []
        for size, n, more in zip(array.shape, source.shape, self.border, strict=False):
            first.append(slice(round(more * size / (n + more)), None))
        return np.ascontiguousarray(array[tuple(first)])

    def _instance(self, item: Instance, source: Grid) -> Instance:
        def back(indices: Any) -> NDArray[np.float64]:
            places = np.array(indices, dtype=np.float64)
            sizes = np.add(source.shape, self.border)[list(self.order)]
            places = np.where(self.flips, sizes - 1 - places, places)
            result: NDArray[np.float64] = places[..., np.argsort(self.order)] - self.border
            return result

        box, polygon = item.box, item.polygon
        if box is not None:
            corners = back(box)
            box = _floats(corners.min(axis=0)), _floats(corners.max(axis=0))
        return replace(
            item,
            point=None if item.point is None else _floats(back(item.point)),
            box=box,
            polygon=None if polygon is None else back(polygon),
        )


def enlarged(image: Image, shape: Triple) -> Image:
    """An image of that shape: the picture again and again."""
    places = np.ix_(*(np.arange(n) % size for n, size in zip(shape, image.grid.shape, strict=True)))
    return replace(
        image, array=image.array[places], grid=Grid(shape, image.grid.affine, image.grid.unit)
    )


def with_affine(image: Image, affine: NDArray[np.float64], unit: Unit) -> Image:
    """The same samples elsewhere in the world."""
    return replace(image, grid=Grid(image.grid.shape, affine, unit))


def centre(item: Instance) -> NDArray[np.float64]:
    """Index of an instance's middle: its point, or that of its box or polygon."""
    if item.point is not None:
        return np.asarray(item.point, dtype=np.float64)
    if item.box is not None:
        return np.asarray(np.mean(item.box, axis=0))
    assert item.polygon is not None
    return np.asarray(item.polygon.mean(axis=0))


def _within(item: Instance, source: Grid) -> bool:
    place = centre(item)
    return bool((place >= -0.5).all() and (place <= np.subtract(source.shape, 0.5)).all())


def _triple(values: Any) -> Triple:
    a, b, c = (int(value) for value in values)
    return a, b, c


def _floats(values: Any) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in values)
    return a, b, c
