"""Outlines as pictures: a zip with one SVG for each slice that has any.

A picture is the slice as it is stored, rows downwards and columns to the right, in its physical
size. Paths are in samples from the outer corner of the first one, and brought to mm by the matrix
of the group that holds them; so they are short, and exact. ``structures.json`` beside the
pictures says what :func:`read` needs to put them back into the patient.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour, Structure
from delineate.contour.plane import SliceRings, slice_rings
from delineate.errors import InputError, UnreadableFileError
from delineate.formats.archive import extract, original_names
from delineate.formats.bundle import write_zip
from delineate.formats.labels import demand_unit
from delineate.imaging import Category, Code, Grid

__all__ = ["TABLE", "read", "write"]

_SCHEMA = "delineate/svg/1"
TABLE = "structures.json"
_HERE = "\0"
_DECIMALS = 6
_BROKEN = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)
_PATH = "{http://www.w3.org/2000/svg}path"
_MOVES = re.compile(r"([MLHV])([-\d. ]+)|(Z)")


def write(
    structures: Sequence[Structure], grid: Grid, path: Path | str, accuracy: str = ""
) -> None:
    """Write structures; the same ones give the same bytes.

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
    accuracy
        Becomes the description of each picture.

    Raises
    ------
    GeometryError
        If a contour lies in no slice of the grid.
    """
    drawn: dict[int, list[str]] = {}
    for structure in structures:
        for number, d, holes in _paths(slice_rings(structure.contours, grid), structure):
            drawn.setdefault(number, []).append(_path(structure, d, holes))
    opening = _opening(grid, accuracy)
    table = {
        "schema": _SCHEMA,
        **({"accuracy": accuracy} if accuracy else {}),
        "grid": {"shape": grid.shape, "affine": grid.affine.tolist(), "unit": grid.unit},
        "structures": [_entry(structure) for structure in structures],
    }
    files = [(TABLE, json.dumps(table, indent=1).encode())]
    for number, paths in sorted(drawn.items()):
        lines = [opening.replace(_HERE, str(number)), *paths, "</g>", "</svg>", ""]
        files.append((f"slice-{number:04d}.svg", "\n".join(lines).encode()))
    write_zip(path, files)


def read(path: Path | str, unit: str | None = None) -> tuple[Structure, ...]:
    """Read what :func:`write` has written.

    Parameters
    ----------
    path
        The file.
    unit
        ``"mm"`` or ``"px"``: what its coordinates are to be in; any if not given.

    Returns
    -------
    tuple of Structure
        In the order of the file; contours in the world, from the first slice to the last.

    Raises
    ------
    UnreadableFileError
        If it is no such file.
    GeometryError
        If it is in another unit.
    UploadError
        If the zip is hostile, damaged or too large.
    """
    name = Path(path).name
    with tempfile.TemporaryDirectory(prefix="delineate-") as folder:
        unpacked = extract(Path(path), Path(folder))
        files = dict(zip(original_names(Path(path)), unpacked, strict=True))
        try:
            table = json.loads(files[TABLE].read_bytes())
            if table["schema"] != _SCHEMA:
                raise ValueError(f"schema {table['schema']!r}, expected {_SCHEMA!r}")
            place = table["grid"]
            demand_unit(place["unit"], unit, name)
            grid = Grid(tuple(place["shape"]), np.array(place["affine"]), place["unit"])
            rings: dict[int, list[Contour]] = {}
            for file in sorted(set(files) - {TABLE}):
                for number, contour in _contours(files[file].read_bytes(), grid):
                    rings.setdefault(number, []).append(contour)
            return tuple(
                Structure(entry["number"], _category(entry), tuple(rings.get(entry["number"], ())))
                for entry in table["structures"]
            )
        except InputError:
            raise
        except (*_BROKEN, ElementTree.ParseError) as error:
            raise UnreadableFileError(
                f"{name} is no zip of SVG as delineate writes it ({type(error).__name__}, "
                f"{error}); export it again"
            ) from error


def _paths(rings: SliceRings, structure: Structure) -> Iterator[tuple[int, str, list[int]]]:
    """Slice, path data, and which of its rings are holes; slices in order."""
    places = np.round(rings.points[:, ::-1] + 0.5, _DECIMALS) + 0.0
    whole = bool((places == np.rint(places)).all())
    values: list[list[Any]] = (places.astype(np.int64) if whole else places).tolist()
    starts = rings.starts.tolist()
    found: dict[int, tuple[list[str], list[int]]] = {}
    for i, number in enumerate(rings.slices.tolist()):
        parts, holes = found.setdefault(number, ([], []))
        if structure.contours[i].is_hole:
            holes.append(len(parts))
        parts.append(_ring(values[starts[i] : starts[i + 1]]))
    for number, (parts, holes) in sorted(found.items()):
        yield number, "".join(parts), holes


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
    category = structure.category
    code = category.code
    attributes = {
        "class": "structure",
        "data-number": str(structure.number),
        "data-name": category.name,
        "data-code": f"{code.scheme} {code.value}" if code else "",
        "data-laterality": category.laterality or "",
        "data-holes": " ".join(map(str, holes)),
        "fill": category.hex_colour,
        "stroke": category.hex_colour,
        "d": d,
    }
    written = " ".join(f"{key}={_quoted(text)}" for key, text in attributes.items() if text)
    return f"<path {written}><title>{_text(category.name)}</title></path>"


def _opening(grid: Grid, accuracy: str) -> str:
    """All of a picture before its paths, with `_HERE` for the number of the slice."""
    (a, b), (c, d) = _in_plane(grid)
    rows, columns = grid.shape[1:]
    corners = np.array([(x * a + y * c, x * b + y * d) for x in (0, columns) for y in (0, rows)])
    left, top = corners.min(axis=0)
    width, height = (_number(float(size)) for size in np.ptp(corners, axis=0))
    matrix = " ".join(_number(float(value)) for value in (a, b, c, d, 0 - left, 0 - top))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}{grid.unit}" '
        f'height="{height}{grid.unit}" viewBox="0 0 {width} {height}" data-slice="{_HERE}">',
        f"<title>slice {_HERE}</title>",
        *([f"<desc>{_text(accuracy)}</desc>"] if accuracy else []),
        "<style>path{stroke-width:1.5px;vector-effect:non-scaling-stroke}</style>",
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


def _contours(content: bytes, grid: Grid) -> Iterator[tuple[int, Contour]]:
    text = content.decode("utf-8")
    if "<!" in text:
        raise ValueError("a picture declares a document type or entities")
    root = ElementTree.fromstring(text)  # noqa: S314 - without entities nothing expands
    k = int(root.attrib["data-slice"])
    for element in root.iter(_PATH):
        holes = set(map(int, element.get("data-holes", "").split()))
        for index, ring in enumerate(_rings(element.attrib["d"])):
            places = np.insert(ring[:, ::-1] - 0.5, 0, k, axis=1)
            yield int(element.attrib["data-number"]), Contour(grid.to_world(places), index in holes)


def _rings(d: str) -> Iterator[NDArray[np.float64]]:
    points: list[tuple[float, float]] = []
    if _MOVES.sub("", d).strip():
        raise ValueError("a path has commands other than M, L, H, V and Z")
    for command, numbers, end in _MOVES.findall(d):
        if end:
            yield np.array(points)
            points = []
            continue
        values = [float(part) for part in numbers.split()]
        if command == "H":
            points.append((values[0], points[-1][1]))
        elif command == "V":
            points.append((points[-1][0], values[0]))
        else:
            points.append((values[0], values[1]))


def _entry(structure: Structure) -> dict[str, Any]:
    category = structure.category
    code = category.code
    return {
        "number": structure.number,
        "name": category.name,
        "colour": list(category.colour),
        "laterality": category.laterality,
        "code": [code.value, code.scheme, code.meaning] if code else None,
    }


def _category(entry: dict[str, Any]) -> Category:
    red, green, blue = entry["colour"]
    code = Code(*entry["code"]) if entry["code"] else None
    return Category(entry["name"], (red, green, blue), code, entry["laterality"])


def _text(text: str) -> str:
    """What XML 1.0 can hold, escaped; the rest becomes a blank."""
    return escape("".join(letter if letter.isprintable() else " " for letter in text))


def _quoted(text: str) -> str:
    return quoteattr("".join(letter if letter.isprintable() else " " for letter in text))
