"""Polygons that were drawn on photographs with labelme, one JSON file a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour, fill
from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.imaging import Grid

__all__ = ["Shape", "drawn_labels", "drawn_names", "is_labelme", "paired", "read_shapes"]

_CORNERS_OF_A_CIRCLE = 90
_LARGEST_FILE = 64 << 20  # bytes; with the picture inside


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One outline: its label, and the ring as indices ``(row, column)`` of the picture, ``(n, 2)``.

    Index 0 is the centre of the first pixel. labelme counts from that pixel's outer corner, half a
    pixel before.
    """

    label: str
    ring: NDArray[np.float64]


def is_labelme(path: Path) -> bool:
    """Whether a file is labelme's: JSON with ``shapes`` and ``imagePath``."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        content = _content(path)
    except InputError:
        return False
    return isinstance(content.get("shapes"), list) and "imagePath" in content


def read_shapes(path: Path) -> tuple[Shape, ...]:
    """Read the outlines of one picture, in the order of the file.

    Raises
    ------
    UnreadableFileError
        If the file is not labelme's.
    InputError
        If a shape encloses nothing, such as a point or a line.
    """
    content = _content(path)
    try:
        return tuple(_shape(each, path) for each in content["shapes"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFileError(
            f"{path.name} is not as labelme writes it: {type(error).__name__}: {error}"
        ) from error


def drawn_names(paths: Iterable[Path]) -> dict[int, str]:
    """Labels of all the files by number: 1 for the first in the order of the alphabet."""
    names = sorted({shape.label for path in paths for shape in read_shapes(path)})
    return dict(enumerate(names, start=1))


def drawn_labels(path: Path, grid: Grid, names: Mapping[int, str]) -> NDArray[np.uint16]:
    """Fill the outlines of a file.

    Parameters
    ----------
    path
        Of labelme's JSON.
    grid
        Of the picture: one slice.
    names
        Number of each label.

    Returns
    -------
    array
        Numbers, ``(1, row, column)``, 0 where nothing is drawn. Where outlines of several labels
        overlap the later in the file counts, as in labelme.

    Raises
    ------
    GeometryError
        If the file says that its picture has another size.
    InputError
        If it holds a label that nobody named.
    """
    content = _content(path)
    size = (content.get("imageHeight"), content.get("imageWidth"))
    if grid.shape[0] != 1 or (None not in size and size != grid.shape[1:]):
        raise GeometryError(
            f"{path.name} is drawn on a picture of {size[0]} x {size[1]} (rows, columns), the "
            f"image has {grid.shape}; expected the picture that it was drawn on"
        )
    numbers = {name: number for number, name in names.items()}
    plane = Grid.regular(grid.shape, unit="px")
    out = np.zeros(grid.shape, np.uint16)
    for shape in read_shapes(path):
        if shape.label not in numbers:
            raise InputError(f"it holds {shape.label!r}; expected some of {', '.join(numbers)}")
        ring = np.column_stack([shape.ring[:, ::-1], np.zeros(len(shape.ring))])
        out[fill([Contour(ring)], plane)] = numbers[shape.label]
    return out


def _content(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST_FILE:
        raise UnreadableFileError(f"{path.name} is larger than {_LARGEST_FILE >> 20} MB")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise UnreadableFileError(f"expected an object in {path.name}, got {type(content)}")
    return content


def _shape(content: Mapping[str, Any], path: Path) -> Shape:
    kind, label = content.get("shape_type", "polygon"), str(content["label"])
    points = np.asarray(content["points"], dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError(f"a point of {label!r} is not finite")
    ring = _ring(kind, points)
    if ring is None:
        raise InputError(
            f"{path.name}: expected polygons, rectangles or circles, got a {kind} of "
            f"{len(points)} points labelled {label!r}; redraw it as a polygon, or remove it"
        )
    return Shape(label, ring[:, ::-1] - 0.5)


def _ring(kind: str, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Corners ``(x, y)``; ``None`` if nothing is enclosed."""
    if kind == "polygon" and len(points) >= 3:
        return points
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    if kind == "circle" and len(points) == 2:
        centre, radius = points[0], float(np.hypot(*(points[1] - points[0])))
        angles = np.linspace(0, 2 * np.pi, _CORNERS_OF_A_CIRCLE, endpoint=False)
        return np.asarray(centre + radius * np.column_stack([np.cos(angles), np.sin(angles)]))
    return None


def paired(drawings: Sequence[Path], pictures: Sequence[Path]) -> dict[str, tuple[Path, Path]]:
    """Picture and drawing by name; one without the other is refused.

    Raises
    ------
    InputError
        Naming the first that lacks its partner.
    """
    drawn = {path.stem: path for path in drawings}
    seen = {path.stem: path for path in pictures}
    for name in sorted(drawn.keys() - seen.keys()):
        raise InputError(f"{drawn[name].name} has no picture; expected {name}.jpg or the like")
    for name in sorted(seen.keys() - drawn.keys()):
        raise InputError(
            f"the picture {seen[name].name} has no {name}.json; if there is nothing on it, save it "
            "in labelme without a shape"
        )
    return {name: (seen[name], drawn[name]) for name in sorted(drawn)}
