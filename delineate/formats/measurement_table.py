"""Measurements of many cases in one long table: CSV or Parquet, a line a number."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from delineate.errors import ExportError, MissingExtraError
from delineate.formats.measurements import Measured, flat, text

__all__ = ["COLUMNS", "Case", "write_table"]

COLUMNS = ("case", "structure", "finding", "measurement", "value", "unit")
_UNITS = {"mm": "mm", "mm2": "mm2", "ml": "ml", "px": "px", "hu": "HU"}
_GROUP = 1 << 16  # lines: what is held in memory at a time

Line = tuple[str, str, int, str, float, str]


@dataclass(frozen=True, slots=True)
class Case:
    """The findings of one result.

    Parameters
    ----------
    name
        What tells it from the others.
    findings
        What was found in it.
    """

    name: str
    findings: tuple[Measured, ...]


def write_table(cases: Iterable[Case], path: Path | str) -> int:
    """Write every number of every finding, a line each.

    Parameters
    ----------
    cases
        Gone through once; no more than one of them and 65536 lines are in memory at a time.
    path
        Ends in ``.csv`` (UTF-8, comma, CRLF) or ``.parquet`` (zstd; needs ``delineate[parquet]``).
        Appears whole or not at all; the same cases give the same bytes.

    Returns
    -------
    int
        Number of lines.

    Raises
    ------
    ExportError
        If the ending is another.
    MissingExtraError
        If Parquet is asked for and pyarrow is not installed.

    Notes
    -----
    Columns: ``case``; ``structure``, the name of its category; ``finding``, its id, since several
    may have one name; ``measurement``, as in ``measurements.csv`` (``volume_ml``,
    ``centroid_x_mm``); ``value``; ``unit``: ``mm``, ``mm2``, ``ml``, ``HU``, ``px`` (of areas:
    square ones), or empty for counts, indices, scores and values of no known unit. True and false
    are 1 and 0. A measurement that has no value, or is a text, has no line.
    """
    path = Path(path)
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    if path.suffix.lower() not in writers:
        raise ExportError(f"expected a table that ends in .csv or .parquet, got {path.name}")
    scratch = path.with_name(f".{path.name}.part")
    try:
        count = writers[path.suffix.lower()](_lines(cases), scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    return count


def _lines(cases: Iterable[Case]) -> Iterator[Line]:
    for case in cases:
        for found in case.findings:
            for name, value in _numbers(found):
                unit = _UNITS.get(name.rpartition("_")[2], "")
                yield case.name, found.category.name, found.id, name, value, unit


def _numbers(found: Measured) -> Iterator[tuple[str, float]]:
    values = {"score": found.score}
    for name, value in found.measurements.items():
        values |= flat(name, value)
    for name, value in values.items():
        if isinstance(value, int | float) and math.isfinite(value):
            yield name, float(value)


def _write_csv(lines: Iterator[Line], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for count, line in enumerate(lines, 1):  # noqa: B007
            writer.writerow([text(cell) for cell in line])
    return count


def _write_parquet(lines: Iterator[Line], path: Path) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            "a Parquet table needs pyarrow, which is missing; install it with: "
            "pip install 'delineate[parquet]', or write a .csv"
        ) from error
    name, number, value = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    types = (name, name, number, name, value, name)
    schema = pyarrow.schema(
        [pyarrow.field(*pair, nullable=False) for pair in zip(COLUMNS, types, strict=True)]
    )
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(lines, _GROUP)):
            columns: list[Any] = [
                pyarrow.array(column, kind)
                for column, kind in zip(zip(*group, strict=True), types, strict=True)
            ]
            writer.write_table(pyarrow.table(columns, schema=schema))
            count += len(group)
    return count
