"""How a slice is looked at: which axis runs to the right, which way up, how large.

Slices are shown in their own plane, as radiologists hang them: axial ones with the patient's right
on the left and the front on top, coronal ones with the right on the left and the head on top,
sagittal ones with the front on the left and the head on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Grid, Image, axis_order

__all__ = ["View", "limits_of", "view_of"]

# By the axis that the slices are stacked along: the ends that the slices' order, the rows
# downwards and the columns to the right grow towards.
_HANGING = {"S": "IPL", "I": "IPL", "A": "PIL", "P": "PIL", "L": "LIP", "R": "LIP"}
_OPPOSITE = dict(zip("RLAPIS", "LRPASI", strict=True))


@dataclass(frozen=True, slots=True)
class View:
    """From ``(row, column)`` of a slice to the picture of it.

    Parameters
    ----------
    transpose, flip_rows, flip_columns
        What is done to the slice, in this order.
    reverse
        Whether the last slice is shown first.
    size
        Samples of the picture, ``(width, height)``.
    pixel
        Size of a sample in the picture ``(width, height)``, mm or px.
    letters
        Ends of the patient on the left, right, top and bottom; empty for a picture in pixels.
    """

    transpose: bool
    flip_rows: bool
    flip_columns: bool
    reverse: bool
    size: tuple[int, int]
    pixel: tuple[float, float]
    letters: str

    def samples(self, plane: NDArray[Any]) -> NDArray[Any]:
        """A slice ``(row, column, ...)`` as it is shown, first row on top."""
        if self.transpose:
            plane = np.swapaxes(plane, 0, 1)
        if self.flip_rows:
            plane = plane[::-1]
        return plane[:, ::-1] if self.flip_columns else plane

    def points(self, indices: NDArray[np.float64], width: float) -> NDArray[np.float64]:
        """``(n, 2)`` of ``(row, column)`` to ``(x, y)`` in a picture ``width`` pixels wide.

        The picture's left and top edges are 0.
        """
        down, right = (indices[:, ::-1] if self.transpose else indices).T
        if self.flip_rows:
            down = self.size[1] - 1 - down
        if self.flip_columns:
            right = self.size[0] - 1 - right
        scale = width / self.size[0]
        aspect = self.pixel[1] / self.pixel[0]
        return np.stack(((right + 0.5) * scale, (down + 0.5) * scale * aspect), axis=1)

    def height(self, width: float) -> int:
        """Height of a picture that is ``width`` wide, in pixels."""
        aspect = self.size[1] * self.pixel[1] / (self.size[0] * self.pixel[0])
        return max(1, round(width * aspect))


def view_of(grid: Grid) -> View:
    """The view of a grid's slices; a picture in pixels is shown as it is."""
    _, rows, columns = grid.shape
    _, down, right = grid.spacing
    if grid.unit != "mm":
        return View(False, False, False, False, (columns, rows), (right, down), "")
    wanted = _HANGING[grid.orientation[0]]
    order, flips = axis_order(grid.orientation, wanted)
    transpose = order[1] == 2
    size, pixel = (columns, rows), (right, down)
    left, top = _OPPOSITE[wanted[2]], _OPPOSITE[wanted[1]]
    return View(
        transpose=transpose,
        flip_rows=flips[1],
        flip_columns=flips[2],
        reverse=flips[0],
        size=size[::-1] if transpose else size,
        pixel=pixel[::-1] if transpose else pixel,
        letters=left + wanted[2] + top + wanted[1],
    )


def limits_of(image: Image, window: tuple[float, float]) -> tuple[float, float]:
    """The range of values that is shown as black to white, of each colour alike.

    For CT that of ``window`` (centre and width), for 8 bits 0 to 255, else from the 1st to the
    99th percentile.
    """
    centre, width = window
    array = image.array
    if image.modality == "CT" and not image.channels:
        return centre - width / 2, centre + width / 2
    if array.dtype == np.uint8:
        return 0.0, 255.0
    some = array.reshape(-1)[:: max(1, array.size // 200_000)].astype(np.float64)
    some = some[np.isfinite(some)]
    low, high = np.percentile(some, (1, 99)).tolist() if some.size else (0.0, 1.0)
    return low, high if high > low else low + 1.0
