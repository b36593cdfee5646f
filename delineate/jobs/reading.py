"""Read a stored image as its sender said it should be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from delineate.imaging import Image

__all__ = ["read_stored"]


def read_stored(paths: Sequence[str | Path], series: str, reading: Mapping[str, Any]) -> Image:
    """The image of a series.

    Parameters
    ----------
    paths
        Of the files, under their numbers.
    series
        Its id.
    reading
        ``names`` (what their sender calls the files, by number: headers name each other so),
        ``uneven``, ``spacing_mm`` and ``modality``, as for `formats.read`.
    """
    from delineate import formats

    names = reading["names"]
    entries = [
        formats.Entry(path, names.get(path.name, path.name), path.name) for path in map(Path, paths)
    ]
    return formats.read(
        entries,
        series,
        uneven=reading["uneven"],
        spacing_mm=reading["spacing_mm"],
        modality=reading.get("modality"),
    )
