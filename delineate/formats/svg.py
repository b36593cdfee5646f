"""Outlines as pictures: a zip with one SVG for each slice that has any.

A picture is the slice as it is stored, rows downwards and columns to the right, in its physical
size. Paths are in samples from the outer corner of the first one, and brought to mm by the matrix
of the group that holds them; so they are short, and exact. ``structures.json`` beside the
pictures says what :func:`read` and :func:`read_marks` need to put them back into the patient.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from delineate.contour import Contour, Structure
from delineate.contour.plane import slice_rings
from delineate.formats.bundle import write_zip
from delineate.formats.marks import Mark, slice_box, slice_point
from delineate.formats.svg_reading import SCHEMA, TABLE, read, read_marks
from delineate.imaging import Category, Grid

__all__ = ["TABLE", "read", "read_marks", "write"]

_HERE = "\0"
_DECIMALS = 6
_RADIUS = 0.006  # of a point, as a share of the longer side of the picture


def write(
    structures: Sequence[Structure],
    grid: Grid,
    path: Path | str,
    marks: Sequence[Mark] = (),
    accuracy: str = "",
) -> None:
    """Write structures and marks; the same ones give the same bytes.

    Parameters
    ----------
    structures
        Each contour in a slice of ``grid``. One without contours is in ``structures.json`` alone.
    grid
        The grid of the image.
    path
        The zip. Its pictures are ``slice-0012.svg`` and so on, counted from 0. Each structure is
        one path of the rule ``evenodd``, with its name as the title, its colour, and ``data-``
        attributes for number, name, code and side.
    marks
        Things found one by one. Each is a group ``mark-7`` with the score among its attributes: a
        circle for its point, a rectangle for its box in its middle slice, a path for its outline.
        Points and boxes in full are in ``structures.json``.
    accuracy
        Becomes the description of each picture.

    Raises
    ------
    GeometryError
        If a contour, point or box lies in no slice of the grid.
    """
    drawn: dict[int, list[str]] = {}
    for structure in structures:
        for number, d, holes in _paths(structure.contours, grid):
            drawn.setdefault(number, []).append(_path(structure, d, holes))
    for mark in marks:
        for number, shapes in _shapes(mark, grid).items():
            drawn.setdefault(number, []).append(_group(mark, shapes))
    opening = _opening(grid, accuracy, bool(marks))
    table = {
        "schema": SCHEMA,
        **({"accuracy": accuracy} if accuracy else {}),
        "grid": {"shape": grid.shape, "affine": grid.affine.tolist(), "unit": grid.unit},
        "structures": [_entry(one.number, one.category) for one in structures],
        **({"marks": [_mark_entry(mark) for mark in marks]} if marks else {}),
    }
    files = [(TABLE, json.dumps(table, indent=1).encode())]
    for number, paths in sorted(drawn.items()):
        lines = [opening.replace(_HERE, str(number)), *paths, "</g>", "</svg>", ""]
        files.append((f"slice-{number:04d}.svg", "\n".join(lines).encode()))
    write_zip(path, files)


def _paths(contours: Sequence[Contour], grid: Grid) -> Iterator[tuple[int, str, list[int]]]:
    """Slice, path data, and which of its rings are holes; slices in order."""
    if not contours:
        return
    rings = slice_rings(contours, grid)
    places = np.round(rings.points[:, ::-1] + 0.5, _DECIMALS) + 0.0
    whole = bool((places == np.rint(places)).all())
    values: list[list[Any]] = (places.astype(np.int64) if whole else places).tolist()
    starts = rings.starts.tolist()
    found: dict[int, tuple[list[str], list[int]]] = {}
    for i, number in enumerate(rings.slices.tolist()):
        parts, holes = found.setdefault(number, ([], []))
        if contours[i].is_hole:
            holes.append(len(parts))
        parts.append(_ring(values[starts[i] : starts[i + 1]]))
    for number, (parts, holes) in sorted(found.items()):
        yield number, "".join(parts), holes


def _shapes(mark: Mark, grid: Grid) -> dict[int, list[str]]:
    """The elements of a mark, by slice."""
    found: dict[int, list[str]] = {}
    if mark.box is not None:
        number, low, high = slice_box(mark.box, grid)
        (top, left), (tall, wide) = low + 0.5, high - low
        sides = {"x": left, "y": top, "width": wide, "height": tall}
        found.setdefault(number, []).append(_element("rect", sides))
    for number, d, holes in _paths(mark.contours, grid):
        found.setdefault(number, []).append(
            _element(
                "path",
                {"data-mark": mark.number, "data-holes": " ".join(map(str, holes)), "d": d},
            )
        )
    if mark.point is not None:
        number, (row, column) = slice_point(mark.point, grid)
        radius = max(0.5, _RADIUS * max(grid.shape[1:]))
        circle = {"cx": column + 0.5, "cy": row + 0.5, "r": radius}
        found.setdefault(number, []).append(_element("circle", circle))
    return found


def _element(name: str, attributes: Mapping[str, str | float]) -> str:
    return f"<{name} {_attributes(attributes)}/>"


def _attributes(attributes: Mapping[str, str | float]) -> str:
    return " ".join(
        f"{key}={_quoted(value if isinstance(value, str) else _number(value))}"
        for key, value in attributes.items()
        if value != ""
    )


def _ring(points: list[list[Any]]) -> str:
    (x, y), *rest = points
    parts = [f"M{_number(x)} {_number(y)}"]
    for nx, ny in rest:
        if ny == y:
            parts.append(f"H{_number(nx)}")
        elif nx == x:
            parts.append(f"V{_number(ny)}")
        else:
            parts.append(f"L{_number(nx)} {_number(ny)}")
        x, y = nx, ny
    return "".join(parts) + "Z"


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")


def _path(structure: Structure, d: str, holes: list[int]) -> str:
    attributes: dict[str, str | float] = {
        "class": "structure",
        "data-number": structure.number,
        **_identity(structure.category),
        "data-holes": " ".join(map(str, holes)),
        **_paint(structure.category),
        "d": d,
    }
    name = _text(structure.category.name)
    return f"<path {_attributes(attributes)}><title>{name}</title></path>"


def _group(mark: Mark, shapes: Sequence[str]) -> str:
    attributes: dict[str, str | float] = {
        "class": "mark",
        "id": f"mark-{mark.number}",
        "data-number": mark.number,
        **_identity(mark.category),
        "data-score": "" if mark.score is None else mark.score,
        **_paint(mark.category),
    }
    score = "" if mark.score is None else f", {mark.score:.2f}"
    title = f"{mark.number} {_text(mark.category.name)}{score}"
    return f"<g {_attributes(attributes)}><title>{title}</title>{''.join(shapes)}</g>"


def _identity(category: Category) -> dict[str, str]:
    code = category.code
    return {
        "data-name": category.name,
        "data-code": f"{code.scheme} {code.value}" if code else "",
        "data-laterality": category.laterality or "",
    }


def _paint(category: Category) -> dict[str, str]:
    return {"fill": category.hex_colour, "stroke": category.hex_colour}


def _opening(grid: Grid, accuracy: str, marks: bool) -> str:
    """All of a picture before its paths, with `_HERE` for the number of the slice."""
    (a, b), (c, d) = _in_plane(grid)
    rows, columns = grid.shape[1:]
    corners = np.array([(x * a + y * c, x * b + y * d) for x in (0, columns) for y in (0, rows)])
    left, top = corners.min(axis=0)
    width, height = (_number(float(size)) for size in np.ptp(corners, axis=0))
    matrix = " ".join(_number(float(value)) for value in (a, b, c, d, 0 - left, 0 - top))
    drawn = "path,rect,circle" if marks else "path"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}{grid.unit}" '
        f'height="{height}{grid.unit}" viewBox="0 0 {width} {height}" data-slice="{_HERE}">',
        f"<title>slice {_HERE}</title>",
        *([f"<desc>{_text(accuracy)}</desc>"] if accuracy else []),
        f"<style>{drawn}{{stroke-width:1.5px;vector-effect:non-scaling-stroke}}</style>",
        f'<g transform="matrix({matrix})" fill-rule="evenodd" fill-opacity="0.3" '
        'stroke-linejoin="round">',
    ]
    return "\n".join(lines)


def _in_plane(grid: Grid) -> tuple[tuple[float, float], tuple[float, float]]:
    """One step along a row and one down a column, as ``(right, down)`` on the picture."""
    across, down = grid.affine[:3, 2], grid.affine[:3, 1]
    right = across / grid.spacing[2]
    along = float(down @ right)
    return (grid.spacing[2], 0.0), (along, float(np.linalg.norm(down - along * right)))


def _entry(number: int, category: Category) -> dict[str, Any]:
    code = category.code
    return {
        "number": number,
        "name": category.name,
        "colour": list(category.colour),
        "laterality": category.laterality,
        "code": [code.value, code.scheme, code.meaning] if code else None,
    }


def _mark_entry(mark: Mark) -> dict[str, Any]:
    place = {"score": mark.score, "point": mark.point, "box": mark.box}
    return _entry(mark.number, mark.category) | place


def _text(text: str) -> str:
    """What XML 1.0 can hold, escaped; the rest becomes a blank."""
    return escape("".join(letter if letter.isprintable() else " " for letter in text))


def _quoted(text: str) -> str:
    return quoteattr("".join(letter if letter.isprintable() else " " for letter in text))
