"""Measurements as a table: CSV (RFC 4180), one row a finding."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from delineate.imaging import Category

__all__ = ["Measured", "Row", "flat", "text", "write_csv", "write_overall"]

Corner = Sequence[float]

_ENDS = {
    "slices": ("first_slice", "last_slice"),
    "bounding_box": ("bounding_box_start", "bounding_box_stop"),
}
_WORLD = ("x", "y", "z")
_INDEX = ("slice", "row", "column")


class Measured(Protocol):
    """What was measured of one thing."""

    @property
    def id(self) -> int:
        """Its number within the table."""

    @property
    def category(self) -> Category:
        """What it is."""

    @property
    def score(self) -> float | None:
        """Confidence from 0 to 1, if any."""

    @property
    def measurements(self) -> Mapping[str, Any]:
        """Numbers, texts and lists by name, units in the names."""


class Row(Measured, Protocol):
    """What a row is made of; a finding is one."""

    @property
    def notes(self) -> Sequence[str]:
        """Remarks."""

    @property
    def point(self) -> Corner | None:
        """World position ``(x, y, z)``, if it is a point."""

    @property
    def box(self) -> tuple[Corner, Corner] | None:
        """World positions of two opposite corners, if it has a box."""


def write_csv(rows: Iterable[Row], path: Path | str, unit: Literal["mm", "px"] = "mm") -> None:
    """Write a table: UTF-8, comma, CRLF, the decimal sign a point.

    Parameters
    ----------
    rows
        One finding each. Columns are those that any of them has, in the order in which they first
        come: ``id``, ``category``, ``laterality``, ``code_scheme``, ``code_value``,
        ``code_meaning``, ``score``, measurements with the unit in the name (``volume_ml``,
        ``mean_hu``, ``centroid_x_mm``; the ends of a line as ``short_axis_from_x_mm`` and
        ``short_axis_to_x_mm``), position (``point_x_mm``, or the corners of a box,
        ``box_start_x_mm`` and ``box_stop_x_mm``), ``notes``. Cells without a value, NaN included,
        are empty.
    path
        The file to write.
    unit
        Of the image's grid, and so of positions.

    Notes
    -----
    Text that a spreadsheet would take for a formula (beginning with ``=``, ``+``, ``-``, ``@``, a
    tab or a line break) gets an apostrophe in front.
    """
    lines = [_cells(row, unit) for row in rows]
    names = list(_identity(Category("any")))
    for line in lines:
        names += [name for name in line if name not in names and name != "notes"]
    names.append("notes")
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([text(line.get(name)) for name in names] for line in lines)


def write_overall(numbers: Mapping[str, float], path: Path | str) -> None:
    """Write numbers about the whole image as a table of one line, a column each.

    Tables of many images go one under the other. Text and numbers are written as in `write_csv`.
    """
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([text(name) for name in numbers])
        writer.writerow([text(value) for value in numbers.values()])


def _identity(category: Category) -> dict[str, Any]:
    code = category.code
    return {
        "id": None,
        "category": category.name,
        "laterality": category.laterality,
        "code_scheme": code.scheme if code else None,
        "code_value": code.value if code else None,
        "code_meaning": code.meaning if code else None,
        "score": None,
    }


def _cells(row: Row, unit: str) -> dict[str, Any]:
    cells = _identity(row.category) | {"id": row.id, "score": row.score}
    for name, value in row.measurements.items():
        cells |= flat(name, value)
    if row.point is not None:
        cells |= _spread("point", unit, _WORLD, row.point)
    if row.box is not None:
        cells |= _spread("box_start", unit, _WORLD, row.box[0])
        cells |= _spread("box_stop", unit, _WORLD, row.box[1])
    return cells | {"notes": "; ".join(row.notes)}


def flat(name: str, value: Any) -> dict[str, Any]:
    """One column a number: ``centroid_mm`` becomes ``centroid_x_mm`` and so on."""
    stem, _, unit = name.rpartition("_")
    if unit not in ("mm", "px"):
        stem, unit = name, ""
    if name in _ENDS:
        pair = value if isinstance(value, Sequence) and len(value) == 2 else (None, None)
        cells: dict[str, Any] = {}
        for end, part in zip(_ENDS[name], pair, strict=True):
            cells |= _spread(end, "", _INDEX, part) if name == "bounding_box" else {end: part}
        return cells
    if stem.endswith("_ends"):
        line = stem.removesuffix("_ends")
        start, stop = (None, None) if value is None else value
        return _spread(f"{line}_from", unit, _WORLD, start) | _spread(
            f"{line}_to", unit, _WORLD, stop
        )
    if stem in ("centroid", "extent"):
        return _spread(stem, unit, _WORLD if stem == "centroid" else _INDEX, value)
    return {name: value}


def _spread(stem: str, unit: str, axes: Sequence[str], values: Any) -> dict[str, Any]:
    end = f"_{unit}" if unit else ""
    parts = (None, None, None) if values is None else values
    return {f"{stem}_{axis}{end}": part for axis, part in zip(axes, parts, strict=True)}


def text(value: Any) -> str:
    """A cell: empty where there is no value, and nothing that a spreadsheet would reckon out."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if all(isinstance(part, str) for part in value):
            value = "; ".join(value)
        else:
            value = json.dumps(list(value))
    plain = str(value)
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else plain
