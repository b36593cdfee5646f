"""Scores as a long table: CSV or Parquet, a line a score."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import lru_cache

from delineate.errors import MissingExtraError
from delineate.evaluation.case import Scored
from delineate.formats.measurements import text

__all__ = ["COLUMNS", "csv_bytes", "parquet_bytes"]

COLUMNS = ("case", "structure", "metric", "value", "unit", "note")

Line = tuple[str, str, str, float | None, str, str]


def csv_bytes(scored: Sequence[Scored]) -> bytes:
    """UTF-8, comma, CRLF; the value is empty where there is none."""
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(COLUMNS)
    cell = lru_cache(maxsize=None)(text)  # names come again and again
    for case, structure, metric, value, unit, note in _lines(scored):
        number = "" if value is None else text(value)
        writer.writerow((cell(case), cell(structure), metric, number, unit, cell(note)))
    return held.getvalue().encode("utf-8", "backslashreplace")  # names of files need not be UTF-8


def parquet_bytes(scored: Sequence[Scored]) -> bytes:
    """The same; the value is null where there is none.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            "a Parquet table needs pyarrow, which is missing; install it with: "
            "pip install 'delineate[parquet]', or leave out --parquet"
        ) from error
    name, value = pyarrow.string(), pyarrow.float64()
    types = (name, name, name, value, name, name)
    schema = pyarrow.schema(
        [
            pyarrow.field(column, kind, nullable=column == "value")
            for column, kind in zip(COLUMNS, types, strict=True)
        ]
    )
    lines = list(_lines(scored))
    columns = zip(*lines, strict=True) if lines else ([] for _ in COLUMNS)
    arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    held = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays, schema=schema), held, compression="zstd")
    return held.getvalue()


def _lines(scored: Sequence[Scored]) -> Iterator[Line]:
    for case in scored:
        for one in case.scores:
            value = one.value if one.value == one.value else None
            yield case.case, one.structure, one.metric, value, one.unit, one.note
