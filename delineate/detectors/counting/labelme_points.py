"""Points that were set on pictures with labelme, one JSON file a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from delineate.errors import InputError
from delineate.segmentation.training.labelme import is_labelme

__all__ = ["labelme_rows"]

Row = dict[str, str]

_CORNER = 0.5  # labelme counts from the outer corner of the first pixel


def labelme_rows(folder: Path) -> tuple[list[Row], set[str]]:
    """Read all points of a folder as rows of `points.csv`.

    Returns
    -------
    rows, pictures
        The points; the names of all pictures that have a file, with or without a point in it.

    Raises
    ------
    InputError
        If something else than a point was drawn.
    """
    rows: list[Row] = []
    pictures = set()
    for path in sorted(folder.glob("*.json")):
        if is_labelme(path):
            content = json.loads(path.read_text("utf-8"))
            name = Path(str(content["imagePath"]).replace("\\", "/")).name
            pictures.add(name)
            rows += _rows(path, name, content["shapes"])
    return rows, pictures


def _rows(path: Path, name: str, shapes: list[dict[str, object]]) -> Iterator[Row]:
    for shape in shapes:
        points = shape.get("points")
        if shape.get("shape_type") != "point" or not isinstance(points, list) or len(points) != 1:
            raise InputError(
                f"{path} holds a {shape.get('shape_type')!r}, expected points alone; set a point "
                "on each thing"
            )
        x, y = (float(value) - _CORNER for value in points[0])
        yield {
            "image": name,
            "x_px": repr(x),
            "y_px": repr(y),
            "category": str(shape.get("label") or "object"),
        }
