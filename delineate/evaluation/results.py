"""Results of ``delineate run``, read from their folders as they were found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate import formats
from delineate.contour import Contour, Structure, fill_layers
from delineate.errors import InputError, UnreadableFileError
from delineate.formats.marks import Mark
from delineate.imaging import Grid, LabelMap, category_from_json
from delineate.plugins.marked import instances
from delineate.plugins.outputs import Classes, Field, Instances
from delineate.plugins.wire import grid_from_json

__all__ = ["FIELD", "Labels", "Other", "document", "is_result", "read_result"]

Labels = tuple[LabelMap, ...]
Other = Instances | Classes | Field

RESULT, FIELD = "delineation.json", "field.nii.gz"
_SCHEMA = "delineate/delineation/1"
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError)


def is_result(path: Path) -> bool:
    """Whether a folder holds a result."""
    return (path / RESULT).is_file()


def read_result(folder: Path) -> Labels | Other:
    """Labels, filled from their exact outlines, or another kind of output.

    Raises
    ------
    UnreadableFileError
        If the result is broken.
    InputError
        If it is of a kind that has no scores, or a field whose samples were not exported.
    """
    held = document(folder)
    gives = held["detector"]["gives"]
    try:
        grid = grid_from_json(held["image"]["grid"])
        findings = held["findings"]
        if gives in ("labelmap", "masks"):
            return fill_layers(map(_structure, findings), grid)
        if gives == "instances":
            return instances([_mark(one) for one in findings], grid)
        if gives == "classes":
            pairs = {category_from_json(one["category"]): one["score"] for one in findings}
            return Classes(pairs)
        if gives == "field":
            return _field(folder, findings[0], grid)
    except _BROKEN as error:
        if isinstance(error, InputError):
            raise
        raise UnreadableFileError(
            f"{folder.name}: its {RESULT} is broken ({type(error).__name__}: {error})"
        ) from error
    raise InputError(f"{folder.name} holds a result of kind {gives}, which has no scores")


def document(folder: Path) -> dict[str, Any]:
    """The ``delineation.json`` of a folder.

    Raises
    ------
    UnreadableFileError
        If it is broken or of another schema.
    """
    try:
        held: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        known = held["schema"] == _SCHEMA
    except _BROKEN as error:
        raise UnreadableFileError(
            f"{folder.name}: its {RESULT} is broken ({type(error).__name__}: {error})"
        ) from error
    if not known:
        raise UnreadableFileError(f"{folder.name}: expected a {RESULT} of schema {_SCHEMA!r}")
    return held


def _structure(finding: Mapping[str, Any]) -> Structure:
    return Structure(
        int(finding["id"]), category_from_json(finding["category"]), _contours(finding)
    )


def _contours(finding: Mapping[str, Any]) -> tuple[Contour, ...]:
    return tuple(Contour(np.array(ring["points"]), ring["hole"]) for ring in finding["contours"])


def _mark(finding: Mapping[str, Any]) -> Mark:
    point, box = finding["point"], finding["box"]
    return Mark(
        int(finding["id"]),
        category_from_json(finding["category"]),
        finding["score"],
        None if point is None else (point[0], point[1], point[2]),
        None if box is None else (_triple(box[0]), _triple(box[1])),
        _contours(finding),
    )


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = values
    return float(x), float(y), float(z)


def _field(folder: Path, finding: Mapping[str, Any], grid: Grid) -> Field:
    path = folder / FIELD
    if not path.is_file():
        raise InputError(
            f"{folder.name} holds a field's threshold alone; export it as well: "
            "delineate run --export field"
        )
    read = formats.read(path)
    measured = finding["measurements"]
    category = category_from_json(finding["category"])
    array = read.array.astype(np.float32, copy=False)
    return Field(array, grid, category, measured["meaning"], measured["threshold"])
