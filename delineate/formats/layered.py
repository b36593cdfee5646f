"""Structures that may overlap, as label maps one above the other: layers.

Layers lie on one grid, none has an overlap within it, and no label is in two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import ExportError, InputError
from delineate.formats.labels import with_names
from delineate.imaging import Category, Grid, LabelMap

__all__ = ["Piece", "checked", "merged", "piled", "renumbered", "stacked"]

# Number, category, and where a structure is: a box on the grid, and a mask within it.
Piece = tuple[int, Category, tuple[slice, ...], NDArray[np.bool_]]


def checked(layers: Sequence[LabelMap], what: str) -> tuple[LabelMap, ...]:
    """The layers as they are, each with a category for every label.

    Raises
    ------
    ExportError
        If there is none, if they lie on different grids, or if two of them have the same label.
        ``what`` names what was to be written.
    """
    if not layers:
        raise ExportError(f"expected at least one layer of labels for {what}, got none")
    named, owners = [], set[int]()
    for layer in layers:
        if not layer.grid.matches(layers[0].grid):
            raise ExportError(f"the layers for {what} lie on different grids; resample them first")
        whole = with_names(layer.array, layer.grid, dict(layer.categories))
        if twice := owners & whole.categories.keys():
            raise ExportError(
                f"label {min(twice)} is in two of the layers for {what}; number structures anew"
            )
        owners |= whole.categories.keys()
        named.append(whole)
    return tuple(named)


def merged(layers: Sequence[LabelMap], name: str) -> LabelMap:
    """All layers in one label map, for files whose layers hold no overlap.

    Raises
    ------
    InputError
        If structures overlap; nothing is merged silently. ``name`` is that of the file.
    """
    if len(layers) == 1:
        return layers[0]
    highest = max(int(layer.array.max()) for layer in layers)
    whole = np.zeros(layers[0].grid.shape, np.uint8 if highest < 256 else np.uint16)
    known: dict[int, Category] = {}
    for layer in layers:
        there = layer.array > 0
        if (clash := there & (whole > 0)).any():
            place = tuple(np.argwhere(clash)[0])
            one, other = known[int(whole[place])], layer.categories[int(layer.array[place])]
            raise InputError(
                f"structures of {name} overlap ({one.name!r} and {other.name!r} among them), and "
                "a label map holds one label a sample; read it as layers instead"
            )
        np.copyto(whole, layer.array, where=there, casting="same_kind")
        known.update(layer.categories)
    return LabelMap(whole, layers[0].grid, dict(sorted(known.items())))


def renumbered(
    arrays: Sequence[NDArray[Any]], grid: Grid, known: Sequence[Mapping[int, Category]]
) -> tuple[LabelMap, ...]:
    """Layers of a file that may use the same label in several of them.

    Parameters
    ----------
    arrays
        One for each layer, uint8 or uint16.
    grid
        Of all of them.
    known
        What is known of the labels of each.

    Returns
    -------
    tuple of LabelMap
        A label keeps its number in the first layer that has it, and gets the lowest free one in
        others.
    """
    layers = [
        with_names(array, grid, dict(named)) for array, named in zip(arrays, known, strict=True)
    ]
    every = {label for layer in layers for label in layer.categories}
    free = (label for label in range(1, 65536) if label not in every)
    used: set[int] = set()
    unique = []
    for layer in layers:
        new = {old: next(free) if old in used else old for old in layer.categories}
        used.update(new.values())
        array = layer.array
        if any(old != label for old, label in new.items()):
            table = np.zeros(int(np.iinfo(array.dtype).max) + 1, np.uint16)
            table[list(new)] = list(new.values())
            array = table[array]
        categories = {new[old]: category for old, category in layer.categories.items()}
        unique.append(LabelMap(array, grid, dict(sorted(categories.items()))))
    return tuple(unique)


def stacked(
    masks: Iterable[tuple[int, Category, NDArray[np.bool_]]], grid: Grid
) -> tuple[LabelMap, ...]:
    """Masks that may overlap as layers: each in the first one in which it overlaps nothing.

    Parameters
    ----------
    masks
        Number, unique and from 1 to 65535, category, and where it is on ``grid``.
    grid
        Of all of them.

    Returns
    -------
    tuple of LabelMap
        At least one. An empty mask is in the first, as a category alone.
    """
    boxed = ((number, category, _box(mask), mask) for number, category, mask in masks)
    return piled(((n, category, box, mask[box]) for n, category, box, mask in boxed), grid)


def piled(pieces: Iterable[Piece], grid: Grid) -> tuple[LabelMap, ...]:
    """As `stacked`, of masks that are cut to the box around what is in them."""
    arrays = [np.zeros(grid.shape, np.uint16)]
    known: list[dict[int, Category]] = [{}]
    for number, category, box, inside in pieces:
        free = (i for i, array in enumerate(arrays) if not array[box][inside].any())
        place = next(free, len(arrays))
        if place == len(arrays):
            arrays.append(np.zeros(grid.shape, np.uint16))
            known.append({})
        arrays[place][box][inside] = number
        known[place][number] = category
    return tuple(
        LabelMap(array, grid, dict(sorted(categories.items())))
        for array, categories in zip(arrays, known, strict=True)
    )


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box around a mask; an empty one around none."""
    sides = []
    for axis in range(3):
        others = tuple(i for i in range(3) if i != axis)
        there = np.flatnonzero(mask.any(axis=others))
        sides.append(slice(int(there[0]), int(there[-1]) + 1) if there.size else slice(0, 0))
    return tuple(sides)
