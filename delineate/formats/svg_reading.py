"""Read outlines and marks back from the SVG that delineate writes."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour, Structure
from delineate.errors import InputError, UnreadableFileError
from delineate.formats.archive import extract, original_names
from delineate.formats.labels import demand_unit
from delineate.formats.marks import Mark
from delineate.imaging import Category, Code, Grid

__all__ = ["SCHEMA", "TABLE", "read", "read_marks"]

SCHEMA = "delineate/svg/1"
TABLE = "structures.json"
_BROKEN = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)
_PATH = "{http://www.w3.org/2000/svg}path"
_MOVES = re.compile(r"([MLHV])([-\d. ]+)|(Z)")

Rings = dict[int, list[Contour]]


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
    return _read(Path(path), unit).structures


def read_marks(path: Path | str) -> tuple[Mark, ...]:
    """Read the marks that `write` has written, by number.

    Raises
    ------
    UnreadableFileError, UploadError
        As `read`.
    """
    return _read(Path(path), None).marks


@dataclass(frozen=True, slots=True)
class _File:
    structures: tuple[Structure, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Contours of structures and of marks, by their numbers."""

    structures: Rings = field(default_factory=dict)
    marks: Rings = field(default_factory=dict)


def _read(path: Path, unit: str | None) -> _File:
    name = path.name
    with tempfile.TemporaryDirectory(prefix="delineate-") as folder:
        unpacked = extract(path, Path(folder))
        files = dict(zip(original_names(path), unpacked, strict=True))
        try:
            table = json.loads(files[TABLE].read_bytes())
            if table["schema"] != SCHEMA:
                raise ValueError(f"schema {table['schema']!r}, expected {SCHEMA!r}")
            place = table["grid"]
            demand_unit(place["unit"], unit, name)
            grid = Grid(tuple(place["shape"]), np.array(place["affine"]), place["unit"])
            drawn = _Drawn()
            for file in sorted(set(files) - {TABLE}):
                _gather(files[file].read_bytes(), grid, drawn)
            return _File(
                tuple(_structure(entry, drawn.structures) for entry in table["structures"]),
                tuple(
                    sorted(
                        (_mark(entry, drawn.marks) for entry in table.get("marks", ())),
                        key=lambda mark: mark.number,
                    )
                ),
            )
        except InputError:
            raise
        except (*_BROKEN, ElementTree.ParseError) as error:
            raise UnreadableFileError(
                f"{name} is no zip of SVG as delineate writes it ({type(error).__name__}, "
                f"{error}); export it again"
            ) from error


def _structure(entry: dict[str, Any], rings: Rings) -> Structure:
    return Structure(entry["number"], _category(entry), tuple(rings.get(entry["number"], ())))


def _mark(entry: dict[str, Any], rings: Rings) -> Mark:
    point, box = entry["point"], entry["box"]
    return Mark(
        entry["number"],
        _category(entry),
        entry["score"],
        None if point is None else _triple(point),
        None if box is None else (_triple(box[0]), _triple(box[1])),
        tuple(rings.get(entry["number"], ())),
    )


def _triple(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _gather(content: bytes, grid: Grid, drawn: _Drawn) -> None:
    """Add the contours of one picture."""
    text = content.decode("utf-8")
    if "<!" in text:
        raise ValueError("a picture declares a document type or entities")
    root = ElementTree.fromstring(text)  # noqa: S314 - without entities nothing expands
    k = int(root.attrib["data-slice"])
    for element in root.iter(_PATH):
        number = element.get("data-mark")
        into = drawn.structures if number is None else drawn.marks
        rings = into.setdefault(int(number or element.attrib["data-number"]), [])
        holes = set(map(int, element.get("data-holes", "").split()))
        for index, ring in enumerate(_rings(element.attrib["d"])):
            places = np.insert(ring[:, ::-1] - 0.5, 0, k, axis=1)
            rings.append(Contour(grid.to_world(places), index in holes))


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


def _category(entry: dict[str, Any]) -> Category:
    red, green, blue = entry["colour"]
    code = Code(*entry["code"]) if entry["code"] else None
    return Category(entry["name"], (red, green, blue), code, entry["laterality"])
