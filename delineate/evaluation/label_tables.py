"""Tables that say what the labels of a label map are."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import OptionError, UnreadableFileError
from delineate.evaluation.case import Table
from delineate.imaging import Category, LabelMap

__all__ = ["named", "read_table"]

_NUMBERS = ("index", "label", "value", "id", "number")
_NAMES = ("name", "structure", "organ", "label_name")


def read_table(path: Path) -> Table:
    """Read a table of labels.

    Parameters
    ----------
    path
        The ``dataset.json`` of nnU-Net (regions included) or of the Medical Segmentation
        Decathlon; other JSON of names by label or labels by name; a CSV or TSV with a column
        ``index`` (or ``label``, ``value``, ``id``) and a column ``name``, as BIDS has it.

    Returns
    -------
    dict
        Labels by name; the background is left out.

    Raises
    ------
    UnreadableFileError
        If it is no such table.
    """
    try:
        if path.suffix.lower() == ".json":
            document = json.loads(path.read_text(encoding="utf-8-sig"))
            rows = _of_json(document.get("labels", document))
        else:
            rows = _of_text(path)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise _no_table(path, f"{type(error).__name__}: {error}") from error
    table: dict[str, tuple[int, ...]] = {}
    for name, labels in rows:
        if name.strip().lower() == "background" or labels == (0,):
            continue
        if not name.strip() or name in table or not all(1 <= one <= 65535 for one in labels):
            raise _no_table(path, f"a name that is empty or there twice, or a label beyond: {name}")
        table[name.strip()] = labels
    if not table:
        raise _no_table(path, "no structure is in it")
    return table


def _of_json(labels: Mapping[str, Any]) -> list[tuple[str, tuple[int, ...]]]:
    if all(key.strip().isdigit() for key in labels):
        return [(str(name), (int(key),)) for key, name in labels.items()]
    rows = []
    for name, value in labels.items():
        if name == "ignore":
            raise ValueError("a label to be ignored is not known here; leave such samples out")
        rows.append((name, tuple(map(int, value)) if isinstance(value, list) else (int(value),)))
    return rows


def _of_text(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    text = path.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in first else ","))
    columns = {name.strip().lower(): name for name in rows[0]} if rows else {}
    number = next((columns[name] for name in _NUMBERS if name in columns), None)
    called = next((columns[name] for name in _NAMES if name in columns), None)
    if number is None or called is None:
        raise _no_table(path, f"its columns are {', '.join(columns) or 'missing'}")
    return [(row[called], (int(row[number]),)) for row in rows]


def _no_table(path: Path, why: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"expected a table of labels in {path.name} (dataset.json, names by label in JSON, or CSV "
        f"or TSV with columns index and name), got {why}"
    )


def named(layers: tuple[LabelMap, ...], table: Table) -> tuple[LabelMap, ...]:
    """Label maps with the names of a table; a region of several labels gets a layer of its own.

    A label that the table lacks keeps its name. Every name of the table is there afterwards,
    with or without a sample.

    Raises
    ------
    OptionError
        If there are several layers: their labels are no numbers of a label map.
    """
    if len(layers) != 1:
        raise OptionError("a table of labels is for label maps, and this file holds overlaps")
    layer = layers[0]
    single = {labels[0]: Category(name) for name, labels in table.items() if len(labels) == 1}
    covered = {label for labels in table.values() for label in labels}
    others = {n: one for n, one in layer.categories.items() if n not in covered}
    found = [LabelMap(layer.array, layer.grid, dict(sorted((others | single).items())))]
    for name, labels in table.items():
        if len(labels) > 1:
            lookup = np.zeros(int(np.iinfo(layer.array.dtype).max) + 1, np.uint8)
            lookup[[one for one in labels if one < len(lookup)]] = 1
            region: NDArray[np.uint8] = lookup[layer.array]
            found.append(LabelMap(region, layer.grid, {1: Category(name)}))
    return tuple(found)
