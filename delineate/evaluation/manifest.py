"""Cases listed in a CSV, and columns of groups."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from delineate.errors import UnreadableFileError
from delineate.evaluation.case import Table
from delineate.evaluation.layouts import Found

__all__ = ["Listed", "read_column", "read_manifest"]

_PATHS = ("prediction", "reference", "image")


class Listed:
    """Cases of a manifest: where each side's files are, and groups by case and column."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[str, Path]] = {name: {} for name in _PATHS}
        self.groups: dict[str, dict[str, str]] = {}

    def found(self, side: str, tables: Mapping[str, Table] | None = None) -> Found:
        """One side as a layout would have it."""
        return Found(self.sides[side], tables or {}, self.sides["image"], "CSV manifest")


def read_manifest(path: Path) -> Listed:
    """Read a CSV with columns ``case``, ``prediction``, ``reference`` and maybe ``image``.

    Any other column is a group. Paths are relative to the CSV's folder; an empty ``prediction``
    is a case without one.

    Raises
    ------
    UnreadableFileError
        If a column is missing, a case is there twice, or a row has no reference.
    """
    listed = Listed()
    for number, row in enumerate(_rows(path, ("case", "prediction", "reference")), 2):
        name = row["case"]
        if not name or name in listed.groups or not row["reference"]:
            raise UnreadableFileError(
                f"{path.name}, line {number}: expected a case of its own and a reference, got "
                f"case {name!r} and reference {row['reference']!r}"
            )
        for side in _PATHS:
            if row.get(side):
                listed.sides[side][name] = path.parent / row[side]
        listed.groups[name] = {
            column: value for column, value in row.items() if column not in ("case", *_PATHS)
        }
    if not listed.groups:
        raise UnreadableFileError(f"{path.name} lists no case")
    return listed


def read_column(path: Path, column: str) -> dict[str, str]:
    """The value of a column for each case of a CSV that has a column ``case``.

    Raises
    ------
    UnreadableFileError
        If a column is missing.
    """
    return {row["case"]: row[column] for row in _rows(path, ("case", column))}


def _rows(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines(), restval="", restkey="", strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError(f"{path.name} is no CSV in UTF-8: {error}") from error
    columns = list(rows[0]) if rows else []
    if missing := [name for name in needed if name not in columns]:
        raise UnreadableFileError(
            f"{path.name}: expected columns {', '.join(needed)}, got "
            f"{', '.join(columns) or 'no row'}; {missing[0]} is missing"
        )
    return [
        {name.strip(): str(value).strip() for name, value in row.items() if name} for row in rows
    ]
