"""GeoJSON in: outlines and marks back into the patient; see :mod:`delineate.formats.geojson`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour, Structure
from delineate.errors import InputError, UnreadableFileError
from delineate.formats.labels import demand_unit
from delineate.formats.marks import Mark
from delineate.imaging import category_from_json

__all__ = ["SCHEMA", "read", "read_marks"]

SCHEMA = "delineate/contours/1"
_BROKEN = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)


def read(path: Path | str, unit: str | None = None) -> tuple[Structure, ...]:
    """Read what `write` has written.

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
        If it is no such file. GeoJSON of other programs does not say where its slices lie.
    GeometryError
        If it is in another unit.
    """
    name = Path(path).name
    try:
        document = _document(Path(path))
        demand_unit(document["coordinate_system"]["unit"], unit, name)
        planes = _planes(document)
        rings: dict[int, list[Contour]] = {}
        for feature in document["features"]:
            properties = feature["properties"]
            if "shape" not in properties:
                contours = _contours(feature, planes)
                rings.setdefault(properties["number"], []).extend(contours)
        return tuple(
            Structure(
                entry["number"], category_from_json(entry), tuple(rings.get(entry["number"], ()))
            )
            for entry in document["structures"]
        )
    except _BROKEN as error:
        raise _unreadable(name, error) from error


def read_marks(path: Path | str) -> tuple[Mark, ...]:
    """Read the marks that `write` has written, by number.

    Raises
    ------
    UnreadableFileError
        As `read`.
    """
    name = Path(path).name
    try:
        document = _document(Path(path))
        planes = _planes(document)
        found: dict[int, dict[str, Any]] = {}
        for feature in document["features"]:
            properties = feature["properties"]
            if "shape" not in properties:
                continue
            mark = found.setdefault(
                properties["number"],
                {
                    "category": category_from_json(properties),
                    "score": properties["score"],
                    "contours": (),
                },
            )
            if properties["shape"] == "outline":
                mark["contours"] += tuple(_contours(feature, planes))
            elif properties["shape"] == "point":
                mark["point"] = _triple(properties["world"])
            else:
                low, high = properties["world"]
                mark["box"] = (_triple(low), _triple(high))
        return tuple(Mark(number, **mark) for number, mark in sorted(found.items()))
    except _BROKEN as error:
        raise _unreadable(name, error) from error


def _document(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UnreadableFileError(
            f"{path.name} does not say where its slices lie in the patient; expected GeoJSON of "
            f"schema {SCHEMA!r}, as delineate writes it"
        )
    return document


def _unreadable(name: str, error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    what = f"{type(error).__name__}, {error}"
    return UnreadableFileError(f"{name} is broken: {what}; export it again")


def _planes(document: dict[str, Any]) -> dict[int, NDArray[np.float64]]:
    return {entry["slice"]: np.array(entry["plane"], float) for entry in document["slices"]}


def _contours(feature: dict[str, Any], planes: dict[int, NDArray[np.float64]]) -> Iterator[Contour]:
    plane = planes[feature["properties"]["slice"]]
    for polygon in feature["geometry"]["coordinates"]:
        for index, ring in enumerate(polygon):
            yield Contour(_world(np.array(ring[:-1], float), plane), index > 0)


def _triple(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _world(flat: NDArray[np.float64], plane: NDArray[np.float64]) -> NDArray[np.float64]:
    points: NDArray[np.float64] = flat @ plane[:3, :2].T + plane[:3, 3]
    return points
