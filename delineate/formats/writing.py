"""Write a drawing in any format, and measure what a round trip through the file loses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from delineate.errors import ExportError
from delineate.formats.drawing import Drawing, off_plane
from delineate.formats.format import DEFAULT, Choices, Format
from delineate.formats.round_trip import RoundTrip, round_trip
from delineate.formats.table import FORMATS
from delineate.imaging import Image

__all__ = ["demand_series", "possible", "write"]


def write(
    drawing: Drawing,
    format: str,  # noqa: A002
    path: Path,
    choices: Choices = DEFAULT,
) -> RoundTrip | None:
    """Write a drawing, read it back and say what differs, in the file too where it has a place.

    Parameters
    ----------
    drawing
        What to write. The same one gives the same bytes.
    format
        A name out of :data:`FORMATS`.
    path
        The file; replaced where it is.
    choices
        What the format leaves open.

    Returns
    -------
    RoundTrip or None
        ``None`` for formats that hold no shapes to read back.

    Raises
    ------
    ExportError
        If the format is unknown or cannot hold this drawing, or the file's ending is another's.
    """
    demand_series(drawing.image, [format])
    if format not in possible(drawing):
        raise ExportError(_refusal(drawing, format))
    entry, grid = FORMATS[format], drawing.image.grid
    if not path.name.lower().endswith(entry.endings):
        raise ExportError(
            f"expected a file of {format} to end in {' or '.join(entry.endings)}, got {path.name}"
        )
    if entry.read_back is None or not drawing.truth:
        entry.write(drawing, path, "", choices)
        return None
    moved = _moved(drawing, entry)
    found = RoundTrip({}, grid.unit, moved)  # hoped for, and nearly always so
    for _ in range(2):
        said = found.sentence
        entry.write(drawing, path, said, choices)
        found = round_trip(drawing.truth, entry.read_back(drawing, path), grid, moved)
        if found.sentence == said:
            return found
    raise ExportError(
        f"a file of {format} lost something else each time it was written: {found.sentence}; this "
        "is a fault of delineate, write another format"
    )


def _moved(drawing: Drawing, entry: Format) -> float:
    if entry.takes == "surfaces":
        return max((one.deviation_mm or 0.0 for one in drawing.surfaces), default=0.0)
    if not entry.has_outlines:
        return 0.0
    grid = drawing.image.grid
    return drawing.how.moved(grid) + off_plane(drawing.outlined, grid)


def possible(drawing: Drawing) -> tuple[str, ...]:
    """Names of the formats that can hold this drawing."""
    # A photograph has no depth, also where its scale is known.
    solid = drawing.image.grid.unit == "mm" and drawing.image.modality != "photo"
    marks = bool(drawing.marks) or drawing.counted
    held = {
        "one layer": len(drawing.layers) == 1,
        "layers": bool(drawing.layers),
        "surfaces": bool(drawing.layers) and solid,
        "layers or marks": bool(drawing.layers) or marks,
        "outlines": bool(drawing.outlined),
        "outlines or marks": bool(drawing.structures) or marks,
        "rows": bool(drawing.rows),
        "rows or none": bool(drawing.rows) or marks,
        "anything": bool(drawing.structures or drawing.classes or drawing.restored) or marks,
    }
    of_series = drawing.image.source.format == "dicom"
    return tuple(
        entry.name
        for entry in FORMATS.values()
        if held[entry.takes] and (of_series or not entry.refers_to_series)
    )


def demand_series(image: Image, formats: Iterable[str]) -> None:
    """Refuse formats that nothing drawn on this image can have, before anything is computed.

    Raises
    ------
    ExportError
        If a DICOM object is asked for and the image did not come from DICOM.
    """
    refused = [name for name in formats if name in FORMATS and FORMATS[name].refers_to_series]
    if refused and image.source.format != "dicom":
        raise ExportError(
            f"expected a DICOM series for {' and '.join(refused)}, which refer to its slices, got "
            f"an image from {image.source.format}; give the series, or leave them out: NIfTI and "
            "GeoJSON hold the same"
        )


def _refusal(drawing: Drawing, format: str) -> str:  # noqa: A002
    names = ", ".join(possible(drawing)) or "nothing: it is empty"
    if format in FORMATS and FORMATS[format].takes == "one layer" and len(drawing.layers) > 1:
        return (
            f"structures overlap, and {format} holds one label a sample; nothing is merged: "
            f"write {names}"
        )
    return f"this cannot be written as {format}; it can as {names}"
