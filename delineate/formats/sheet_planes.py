"""Slices of an image in all three planes, each as it is hung, with outlines over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from delineate.contour import trace
from delineate.formats.sheet_tile import Line, Tiles, label_tile, paint
from delineate.formats.sheet_view import view_of
from delineate.imaging import Category, Grid, Image, LabelMap

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["Planes"]

_ORDERS = ((0, 1, 2), (1, 0, 2), (2, 0, 1))
_NAMES = {"S": "axial", "I": "axial", "A": "coronal", "P": "coronal"}


@dataclass(frozen=True)
class Planes:
    """An image, turned so that each of its array axes runs through the slices once.

    Parameters
    ----------
    image
        Grey or in colours; in mm.
    side
        Of a picture's longer side, pixels.
    """

    image: Image
    side: int

    @cached_property
    def turned(self) -> tuple[Image, ...]:
        """The image with its axes in another order; no sample is copied."""
        channels = (3,) if self.image.channels else ()
        return tuple(
            replace(
                self.image,
                array=self.image.array.transpose(*order, *channels),
                grid=_turned(self.image.grid, order),
            )
            for order in _ORDERS
        )

    def draw(
        self,
        axis: int,
        number: int,
        masks: Mapping[Category, NDArray[np.bool_]],
        window: tuple[float, float],
    ) -> tuple[str, Picture]:
        """One slice with the edges of masks.

        Parameters
        ----------
        axis, number
            Which array axis runs through the slices, and which slice.
        masks
            ``(slice, row, column)`` on the image's grid.
        window
            Centre and width of the grey values, HU; for CT only.

        Returns
        -------
        tuple
            Name of the plane, and the picture.
        """
        image, order = self.turned[axis], _ORDERS[axis]
        view = view_of(image.grid)
        aspect = view.height(10_000) / 10_000
        width = self.side if aspect <= 1 else max(1, round(self.side / aspect))
        size = (width, view.height(width))
        picture = Tiles(image, view, size, window).slice(number)
        lines = []
        for category, mask in masks.items():
            plane = np.ascontiguousarray(mask.transpose(order)[number][None]).view(np.uint8)
            flat = LabelMap(plane, Grid.regular(plane.shape), {1: Category("inside")})
            lines += [
                Line(view.points(ring.points[:, [1, 0]], width), category.colour, 1.8)
                for ring in trace(flat, 1)
            ]
        paint(picture, lines, [])
        label_tile(picture, view.letters, "", 0.75)
        return _NAMES.get(image.grid.orientation[0], "sagittal"), picture


def _turned(grid: Grid, order: tuple[int, int, int]) -> Grid:
    affine = grid.affine.copy()
    affine[:, :3] = affine[:, list(order)]
    a, b, c = order
    return Grid((grid.shape[a], grid.shape[b], grid.shape[c]), affine, grid.unit)
