"""Pictures with points set on what is to be counted, read from a folder."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from delineate.detectors.counting.labelme_points import labelme_rows
from delineate.errors import InputError
from delineate.formats import photo
from delineate.imaging import Image

__all__ = ["POINTS", "Picture", "as_rgb", "read_folder", "usual_size"]

POINTS = "points.csv"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
_LEAST_SIZE, _LARGEST_SIZE = 8.0, 24.0


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A photograph and the points on it.

    Parameters
    ----------
    name
        Of its file.
    pixels
        uint8 ``(row, column, 3)``: red, green, blue.
    points
        ``(n, 2)``: row and column, the centre of the first pixel at 0.
    kinds
        ``(n,)``: number of each point's category.
    sizes
        ``(n,)``: how long each thing is, in pixels.
    """

    name: str
    pixels: NDArray[np.uint8]
    points: NDArray[np.float64]
    kinds: NDArray[np.int64]
    sizes: NDArray[np.float64]


def as_rgb(image: Image) -> NDArray[np.uint8]:
    """Samples of a photograph as uint8 ``(row, column, 3)``.

    Deeper samples are scaled by the number of bits that they use, at least 8; floats from 0 to 1
    by 255.
    """
    array = image.array[0]
    if array.dtype != np.uint8:
        most = float(array.max(initial=0))
        if array.dtype.kind == "f" and most <= 1:
            top = 1.0
        else:
            top = 2.0 ** max(8, int(np.ceil(np.log2(most + 1)))) - 1
        array = np.rint(np.clip(array / top, 0, 1) * 255).astype(np.uint8)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    return np.ascontiguousarray(array[..., :3])


def read_folder(
    folder: Path, *, empty: bool = False, size: float | None = None
) -> tuple[list[Picture], tuple[str, ...]]:
    """Read all pictures of a folder and the points on them.

    Parameters
    ----------
    folder
        Pictures (JPEG, PNG, TIFF) beside `points.csv` with the columns ``image, x_px, y_px`` and
        perhaps ``category`` and ``size_px``; or beside files of labelme with points.
    empty
        Whether pictures without a point are empty.
    size
        How long the things are, in pixels; ``None``: see `usual_size`.

    Returns
    -------
    pictures, names
        In order of their names; the names of the categories, sorted.

    Raises
    ------
    InputError
        If a row names no picture or no place on it, or a picture has no point and ``empty`` was
        not said.
    """
    rows, drawn = labelme_rows(folder) if not (folder / POINTS).is_file() else ([], set())
    source = "the files of labelme" if drawn else POINTS
    rows = rows if drawn else _rows(folder / POINTS)
    files = {path.name: path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES}
    if not rows:
        raise InputError(f"{source} of {folder} holds no point; expected some to learn from")
    if strange := sorted({row["image"] for row in rows} - set(files)):
        raise InputError(
            f"{source} of {folder} name {strange[0]} ({len(strange)} such in all), which is not "
            f"there; expected one of the {len(files)} pictures beside"
        )
    bare = sorted(set(files) - drawn - {row["image"] for row in rows})
    if bare and not empty:
        raise InputError(
            f"{len(bare)} pictures have no point in {source}, such as {bare[0]}; if there is "
            "nothing on them say --empty, else take them out of the folder"
        )
    names = tuple(sorted({row["category"] for row in rows}))
    pictures = [
        _picture(files[name], [row for row in rows if row["image"] == name], names)
        for name in sorted(files)
    ]
    usual = usual_size(pictures) if size is None else size
    return [_sized(each, usual) for each in pictures], names


def usual_size(pictures: Sequence[Picture]) -> float:
    """A guess at how long the things are: the median distance to the nearest, 8 to 24 px."""
    gaps = [
        KDTree(each.points).query(each.points, k=2)[0][:, 1]
        for each in pictures
        if len(each.points) > 1
    ]
    middle = float(np.median(np.concatenate(gaps))) if gaps else _LARGEST_SIZE
    return float(np.clip(middle, _LEAST_SIZE, _LARGEST_SIZE))


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(
            f"expected {path}, a table with the columns image, x_px, y_px, or files of labelme "
            "with points"
        )
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    columns = reader.fieldnames or ()
    if missing := [name for name in ("image", "x_px", "y_px") if name not in columns]:
        raise InputError(
            f"{path} has no column {', '.join(missing)}; expected image, x_px, y_px and perhaps "
            f"category and size_px, got {', '.join(columns)}"
        )
    return [row | {"category": (row.get("category") or "object").strip()} for row in rows]


def _picture(path: Path, rows: Sequence[dict[str, str]], names: Sequence[str]) -> Picture:
    pixels = as_rgb(photo.read(path))
    points = np.array([[_number(row, "y_px"), _number(row, "x_px")] for row in rows])
    points = points.reshape(-1, 2)
    outside = ((points < -0.5) | (points > np.array(pixels.shape[:2]) - 0.5)).any(axis=1)
    if outside.any():
        row, column = points[outside][0]
        raise InputError(
            f"the point x {column:g}, y {row:g} does not lie on {path.name}, which has "
            f"{pixels.shape[1]} x {pixels.shape[0]} pixels; was the picture turned or resized?"
        )
    kinds = np.array([names.index(row["category"]) for row in rows], np.int64)
    sizes = np.array([_number(row, "size_px") if row.get("size_px") else np.nan for row in rows])
    return Picture(path.name, pixels, points, kinds, sizes)


def _number(row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise InputError(
            f"expected a number as {column} of a point on {row['image']}, got {row[column]!r}"
        )
    return value


def _sized(picture: Picture, usual: float) -> Picture:
    sizes = np.where(np.isnan(picture.sizes), usual, picture.sizes)
    return Picture(picture.name, picture.pixels, picture.points, picture.kinds, sizes)
