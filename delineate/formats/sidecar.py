"""``exports.json``: beside exported files, what a round trip through each loses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from delineate.errors import ExportError
from delineate.formats.drawing import Outlines
from delineate.formats.round_trip import RoundTrip

__all__ = ["NAME", "Written", "sidecar"]

NAME = "exports.json"
_SCHEMA = "delineate/exports/1"


@dataclass(frozen=True, slots=True)
class Written:
    """One exported file.

    Parameters
    ----------
    path
        Where it lies now.
    format
        Its name in the table of formats.
    outlines
        How outlines in it are drawn; ``None`` where it has none, or they are as they were given.
    round_trip
        ``None`` where it holds no shapes that could be read back.
    notes
        What else to know.
    """

    path: Path
    format: str
    outlines: Outlines | None = None
    round_trip: RoundTrip | None = None
    notes: tuple[str, ...] = ()


def sidecar(folder: Path, files: Mapping[str, Written]) -> str:
    """Text of the sidecar of a folder, earlier entries for other files kept.

    Parameters
    ----------
    folder
        Where the files and the sidecar are to lie.
    files
        By their names there.

    Raises
    ------
    ExportError
        If there is an ``exports.json`` that is none.
    """
    entries = _entries(folder / NAME)
    for name, file in files.items():
        entries[name] = {
            "format": file.format,
            "sha256": hashlib.sha256(file.path.read_bytes()).hexdigest(),
            "outlines": asdict(file.outlines) if file.outlines is not None else None,
            "round_trip": file.round_trip.to_json() if file.round_trip is not None else None,
            "notes": list(file.notes),
        }
    document = {"schema": _SCHEMA, "files": dict(sorted(entries.items()))}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _entries(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_bytes())
        if document["schema"] != _SCHEMA:
            raise KeyError(document["schema"])
        entries: dict[str, Any] = dict(document["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError(
            f"{NAME} is there already and not of delineate's making; it would be overwritten: "
            "choose another folder"
        ) from error
    return {name: entry for name, entry in entries.items() if (path.parent / name).is_file()}
