"""An image of the kind that a detector wants, for one that nobody has given a sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Grid, Image
from delineate.phantom import torso
from delineate.plugins import Wants

__all__ = ["generated"]

_TORSO_MM = (6.0, 4.0, 4.0)
_PHOTO, _VOLUME = (1, 120, 160), (24, 64, 72)
_COLOURS = ("red", "green", "blue")


def generated(wants: Wants) -> Image:
    """A torso for a detector that reads CT; else round things, brighter than what is around them.

    The same for the same ``wants``. It has the modality, unit, slices, size and channels wanted.
    """
    modality = wants.modalities[0] if wants.modalities else "photo"
    flat = wants.dimensions == 2 or (wants.dimensions is None and wants.min_slices == 1)
    if modality == "CT" and not flat:
        return torso(7, _TORSO_MM, (-240.0, 60.0))[0]
    if modality == "photo" and not flat:
        modality = "unknown"
    shape = np.maximum(_PHOTO if flat else _VOLUME, wants.min_size or 1)
    shape[0] = max(shape[0], wants.min_slices)
    shape = np.minimum(shape, wants.max_size or shape)
    in_mm = bool(wants.unit == "mm" or wants.spacing_mm or wants.orientation) or not flat
    grid = Grid.regular(
        (int(shape[0]), int(shape[1]), int(shape[2])),
        wants.spacing_mm or (1.0, 1.0, 1.0),
        unit="mm" if in_mm else "px",
    )
    array = _round_things(grid.shape)
    channels = wants.channels or (3 if modality == "photo" and wants.channels is None else 0)
    if not channels:
        return Image(array, grid, modality)
    names = _COLOURS if channels == 3 else tuple(f"channel {n}" for n in range(1, channels + 1))
    return Image(np.repeat(array[..., None], channels, axis=-1), grid, modality, names)


def _round_things(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """``shape`` of dark ground that brightens slowly, a little noise, and nine bright balls."""
    random = np.random.default_rng(7)
    places = np.indices(shape, dtype=np.float32)
    array = 40 + 20 * places[2] / shape[2] + random.normal(0, 2, shape)
    sizes = np.array(shape, dtype=np.float32)
    for _ in range(9):
        middle = random.uniform(0.12, 0.88, 3) * (sizes - 1)
        radius = random.uniform(0.04, 0.09) * sizes[1:].min()
        away = sum(((axis - at) / radius) ** 2 for axis, at in zip(places, middle, strict=True))
        array[np.asarray(away) <= 1] += random.uniform(80, 140)
    return np.asarray(np.clip(array, 0, 255), dtype=np.uint8)
