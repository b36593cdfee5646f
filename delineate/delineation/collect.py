"""Kept results, read for their measurements alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delineate.delineation.document import SCHEMA
from delineate.errors import UnreadableFileError
from delineate.formats.measurement_table import Case
from delineate.imaging import Category, category_from_json

__all__ = ["ListedFinding", "case_of", "result_folders"]

_DOCUMENT = "delineation.json"
# Nearly all of a document, and not needed here. In a text a quotation mark has a backslash before
# it, so that this matches no text.
_POINTS = re.compile(r'"points":\s*\[[][\d\s.,eE+-]*\]')


@dataclass(frozen=True, slots=True)
class ListedFinding:
    """A finding without its shape."""

    id: int
    category: Category
    score: float | None
    measurements: Mapping[str, Any]


def result_folders(paths: Iterable[Path | str]) -> dict[str, Path]:
    """Find the folders of results, by a name for each.

    Parameters
    ----------
    paths
        Folders that hold a result or, at any depth, folders that do. One that holds none is
        taken for a result, so that reading it says what is missing.

    Returns
    -------
    dict
        In the order given, and of each by name. Names are those of the folders; where two have the
        same one, their paths as far as they differ.
    """
    folders: list[Path] = []
    for path in map(Path, paths):
        below = sorted(document.parent for document in path.rglob(_DOCUMENT))
        folders += below or [path]
    folders = list({folder.absolute(): folder for folder in folders})
    names = [folder.name for folder in folders]
    depth = 1
    while len(set(names)) < len(names):
        depth += 1
        names = ["/".join(folder.parts[-depth:]) for folder in folders]
    return dict(zip(names, folders, strict=True))


def case_of(name: str, folder: Path) -> Case:
    """Read the measurements of one result.

    Raises
    ------
    UnreadableFileError
        If the folder holds no result, or a broken one.
    """
    try:
        content = (folder / _DOCUMENT).read_text(encoding="utf-8")
        document = json.loads(_POINTS.sub('"points":[]', content))
        if document["schema"] != SCHEMA:
            raise UnreadableFileError(
                f"{name}: expected a result of schema {SCHEMA!r}, got {document['schema']!r}"
            )
        return Case(name, tuple(_listed(document["findings"])))
    except FileNotFoundError:
        raise UnreadableFileError(f"{name}: expected a {_DOCUMENT}, found none") from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError(
            f"{name}: its {_DOCUMENT} is broken ({type(error).__name__}: {error})"
        ) from error


def _listed(findings: Iterable[Mapping[str, Any]]) -> Iterator[ListedFinding]:
    for found in findings:
        yield ListedFinding(
            int(found["id"]),
            category_from_json(found["category"]),
            found["score"],
            dict(found["measurements"]),
        )
