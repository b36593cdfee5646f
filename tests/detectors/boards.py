"""Boards drawn for tests: copper on a board, and faults planted in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate import Grid, Image

__all__ = ["BRIGHT", "DARK", "board", "photograph", "planted"]

Mask = NDArray[np.bool_]

BRIGHT, DARK = 200, 60  # board, copper
ROWS, COLUMNS = 260, 300
_TRACES = (30, 62, 94, 126)  # first columns of traces 14 samples wide


def board() -> Mask:
    """Copper of four traces with pads, a plane with two drilled holes and a cross-trace.

    ::

        | | | |  #######
        | | | |  ##o####
        o | | |  #######
        | | | |  ####o##
        ------------------
    """
    copper = np.zeros((ROWS, COLUMNS), bool)
    for column in _TRACES:
        copper[20:200, column : column + 14] = True
    copper[40:64, 24:50] = True
    copper[25:190, 180:280] = True
    copper[215:231, 10:290] = True
    rows, columns = np.ogrid[:ROWS, :COLUMNS]
    for row, column in ((70, 210), (150, 250)):
        copper[(rows - row) ** 2 + (columns - column) ** 2 <= 36] = False
    return copper


def planted(copper: Mask, kind: str, row: int, trace: int) -> tuple[Mask, tuple[int, int]]:
    """The same with one fault, and its middle ``(row, column)``."""
    changed = copper.copy()
    left = _TRACES[trace]
    if kind == "open":
        changed[row - 3 : row + 4, left : left + 14] = False
        return changed, (row, left + 7)
    if kind == "mousebite":
        changed[row - 4 : row + 5, left : left + 7] = False
        return changed, (row, left + 3)
    if kind == "pin-hole":
        changed[row - 4 : row + 5, 226:235] = False
        return changed, (row, 230)
    if kind == "spur":
        changed[row - 4 : row + 5, left + 14 : left + 22] = True
        return changed, (row, left + 18)
    if kind == "short":
        changed[row - 3 : row + 4, left + 14 : left + 32] = True
        return changed, (row, left + 23)
    changed[row - 4 : row + 5, 156:165] = True  # copper, between the last trace and the plane
    return changed, (row, 160)


def photograph(
    copper: Mask, bright: float = BRIGHT, dark: float = DARK, blur: float = 0.7
) -> Image:
    """A grey picture, uint8; ``bright`` is the board, ``dark`` the copper."""
    soft = ndimage.gaussian_filter(np.where(copper, dark, bright).astype(np.float64), blur)
    grey = np.clip(np.rint(soft), 0, 255).astype(np.uint8)
    return Image(grey[None], Grid.regular((1, *grey.shape), unit="px"), "photo")
