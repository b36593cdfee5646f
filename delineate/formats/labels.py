"""Label maps from samples of any dtype, and what all labels and outlines have to agree in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError, UnreadableFileError
from delineate.imaging import Category, Grid, LabelMap

__all__ = ["demand_unit", "surveyed", "whole_labels", "with_names"]


def whole_labels(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Samples as unsigned integers; refuses fractions and what a label map cannot hold."""
    if array.dtype not in (np.uint8, np.uint16):
        low, high = (array.min(), array.max()) if array.size else (0, 0)
        if not (low >= 0 and high <= 65535):  # also where either is NaN
            raise UnreadableFileError(
                f"{name} is no label map: expected whole numbers from 0 to 65535, got {low} to "
                f"{high}"
            )
        whole = array.astype(np.uint8 if high < 256 else np.uint16)
        if array.dtype.kind == "f" and not np.array_equal(whole, array):
            raise UnreadableFileError(f"{name} is no label map: it holds fractions")
        array = whole
    return array


def with_names(labels: NDArray[Any], grid: Grid, known: dict[int, Category]) -> LabelMap:
    """A label map in which labels that nobody named are called ``"label 5"``."""
    for label in surveyed(labels)[0]:
        known.setdefault(label, Category(f"label {label}"))
    return LabelMap(labels, grid, dict(sorted(known.items())))


def surveyed(labels: NDArray[Any]) -> tuple[list[int], tuple[slice, ...]]:
    """The labels that are there, 0 left out, and the smallest box around them."""
    from delineate.formats.labels_kernel import survey

    seen = np.zeros(int(np.iinfo(labels.dtype).max) + 1, np.bool_)
    box = survey(np.ascontiguousarray(labels), seen).reshape(3, 2).tolist()
    return (np.flatnonzero(seen[1:]) + 1).tolist(), tuple(slice(low, high) for low, high in box)


def demand_unit(stated: str, wanted: str | None, name: str) -> None:
    """Refuse outlines in pixels for an image in mm, and the other way round.

    Raises
    ------
    GeometryError
        If ``stated`` is not ``wanted``; ``None`` takes any.
    """
    if wanted is not None and stated != wanted:
        raise GeometryError(
            f"the outlines of {name} are in {stated}, the image they are to be put on is in "
            f"{wanted}; give the image they were drawn on, read as it was then"
        )
