"""A category and its outlines."""

from __future__ import annotations

from dataclasses import dataclass

from delineate.contour.ring import Contour
from delineate.imaging import Category

__all__ = ["Structure"]


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """One named thing and its contours.

    Parameters
    ----------
    number
        Label in a label map, ROI number in an RTSTRUCT; at least 1.
    category
        What it is.
    contours
        From the first slice to the last, each outer ring before its holes. Empty: looked for and
        not found.
    """

    number: int
    category: Category
    contours: tuple[Contour, ...] = ()
