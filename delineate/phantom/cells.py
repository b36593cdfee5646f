"""Stained cells made of numbers: pictures to learn counting from, with a point on each cell."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["cells", "write_cells"]

_STAIN = np.array([0.42, 0.62, 0.30])  # what a nucleus takes from red, green and blue
_LENGTH = 14.0  # pixels


def cells(
    seed: int, shape: tuple[int, int] = (192, 256), count: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A picture of cells; the same seed gives the same picture.

    Parameters
    ----------
    seed
        Decides all.
    shape
        Rows and columns.
    count
        Cells; by default 5 to 40.

    Returns
    -------
    pixels, points
        uint8 ``(row, column, 3)``; ``(n, 2)``: row and column of the middle of each cell. Cells
        are about 14 pixels long and overlap by up to a third.
    """
    rng = np.random.default_rng([seed, 11])
    rows, columns = np.indices(shape, dtype=float)
    clouds = ndimage.gaussian_filter(rng.standard_normal(shape), 12, mode="wrap")
    light = np.array([0.93, 0.85, 0.90]) * rng.uniform(0.85, 1.05)
    values = light + 0.4 * clouds[..., None] * np.array([0.5, 1.0, 0.6])
    number = int(rng.integers(5, 41)) if count is None else count
    points = _places(number, shape, rng)
    for row, column in points:
        long, wide = rng.uniform(0.42, 0.58) * _LENGTH, rng.uniform(0.28, 0.45) * _LENGTH
        turn = rng.uniform(0, np.pi)
        down, right = rows - row, columns - column
        along = np.cos(turn) * down + np.sin(turn) * right
        across = np.cos(turn) * right - np.sin(turn) * down
        inside = 1 / (1 + np.exp(6 * (np.hypot(along / long, across / wide) - 1)))
        values -= rng.uniform(0.6, 1.2) * inside[..., None] * _STAIN
    values += rng.normal(0, 0.02, values.shape)
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8), points


def _places(number: int, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    places = np.empty((0, 2))
    while len(places) < number:
        place = rng.uniform((3, 3), (shape[0] - 4, shape[1] - 4))
        gap = 0.65 * _LENGTH if rng.random() < 0.9 else 0.5 * _LENGTH
        if (np.hypot(*(places - place).T) >= gap).all():
            places = np.concatenate([places, place[None]])
    return np.round(places, 1)


def write_cells(folder: Path | str, count: int, seed: int = 1) -> list[Path]:
    """Write pictures as PNG, and their points as `points.csv` with image, x_px, y_px."""
    from PIL import Image as Pillow

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths, table = [], []
    for number in range(count):
        pixels, points = cells(1000 * seed + number)
        path = folder / f"cells_{number:02d}.png"
        Pillow.fromarray(pixels).save(path)
        paths.append(path)
        table += [(path.name, column, row) for row, column in points.tolist()]
    with (folder / "points.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "x_px", "y_px"))
        writer.writerows(table)
    return paths
