"""A result as files."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import fill_layers
from delineate.delineation.document import dumps, from_json, to_json
from delineate.delineation.own_exports import OWN, Export, Own
from delineate.delineation.reference import REFERENCE
from delineate.delineation.result import Delineation, structures
from delineate.errors import ExportError
from delineate.formats.derived import Made
from delineate.formats.drawing import EXACT, Drawing, Heat, Outlines, outlines
from delineate.formats.format import DEFAULT, Choices, Takes
from delineate.formats.marks import Mark
from delineate.formats.round_trip import RoundTrip, round_trip
from delineate.formats.sidecar import NAME as SIDECAR
from delineate.formats.sidecar import Written, sidecar
from delineate.formats.table import FORMATS
from delineate.formats.writing import demand_series, possible, write
from delineate.imaging import Image, LabelMap
from delineate.plugins import Classes, Field, Instances, Masks, Output

__all__ = [
    "EXPORTS",
    "SIDECAR",
    "Export",
    "drawing",
    "export",
    "exportable",
    "layers",
    "layers_of",
    "offers",
]


_DOCUMENT = Export("json", "delineation.json", "application/json", "everything found")
EXPORTS: Mapping[str, Export] = MappingProxyType(
    {_DOCUMENT.name: _DOCUMENT}
    | {
        name: Export(name, entry.file, entry.media_type, entry.title)
        for name, entry in FORMATS.items()
    }
    | {one.export.name: one.export for one in OWN if one.export.name not in FORMATS}
)

_HELD: Mapping[Takes, str] = MappingProxyType(
    {
        "one layer": "labels that do not overlap",
        "layers": "labels",
        "layers or marks": "labels, points, boxes and polygons",
        "outlines": "outlines",
        "outlines or marks": "outlines, points and boxes",
        "surfaces": "surfaces of labels of an image in mm",
        "rows": "at least one finding",
        "rows or none": "findings",
        "anything": "what can be drawn",
    }
)


def export(
    delineation: Delineation,
    formats: Iterable[str],
    folder: Path | str,
    how: Outlines = EXACT,
    choices: Choices = DEFAULT,
) -> dict[str, Path]:
    """Write a result; each file appears whole or not at all.

    Beside the files lies ``exports.json``, which says of each what a round trip through it loses
    (Dice, and the largest distance): read back and measured before this returns.

    Parameters
    ----------
    delineation
        The result. The same one gives the same bytes.
    formats
        Names out of :data:`EXPORTS`. ``"json"`` is always written.
    folder
        Made where it is missing; files of the same names are replaced. Where it holds another
        result, that one's other files go: two results never mix.
    how
        How outlines are drawn in all formats but ``"json"``, which always has the exact ones.
    choices
        What some formats leave open.

    Returns
    -------
    dict
        Where each format was written, by its name.

    Raises
    ------
    ExportError
        If a format is unknown or this result cannot be written in it. Nothing is written then.
    """
    wanted = list(dict.fromkeys((_DOCUMENT.name, *formats)))
    demand_series(delineation.image, wanted)
    drawn = drawing(delineation, how)
    known = _known(delineation, drawn)
    if refused := [name for name in wanted if name not in known]:
        overlap = "; its structures overlap" if len(drawn.layers) > 1 else ""
        raise ExportError(
            f"what {delineation.detector.id} gives ({delineation.detector.gives}{overlap}) cannot "
            f"be written as {', '.join(_refused(delineation, name) for name in refused)}; it can "
            f"as {', '.join(known)}"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        written = {name: scratch / _entry(delineation, name).file for name in wanted}
        files = {
            path.name: Written(
                path,
                name,
                how if drawn.layers and name in FORMATS and FORMATS[name].has_outlines else None,
                _write(delineation, drawn, name, path, choices),
            )
            for name, path in written.items()
        }
        _clear_another(folder, written[_DOCUMENT.name].read_bytes())
        (scratch / SIDECAR).write_text(sidecar(folder, files), encoding="utf-8")
        (scratch / SIDECAR).replace(folder / SIDECAR)
        return {name: path.replace(folder / path.name) for name, path in written.items()}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def drawing(delineation: Delineation, how: Outlines = EXACT) -> Drawing:
    """The result as what the formats write."""
    held, output = layers(delineation), delineation.output
    single = isinstance(output, Instances)
    correction = delineation.provenance.correction
    algorithm = correction.detector if correction else delineation.detector
    marks = tuple(
        Mark(one.id, one.category, one.score, one.point, one.box, one.contours)
        for one in delineation.findings
        if single
    )
    drawn = outlines(held, how) if held and how != EXACT else structures(delineation)
    return Drawing(
        image=delineation.image,
        structures=() if single else drawn,
        layers=held,
        marks=marks,
        how=how if held else EXACT,
        rows=delineation.findings,
        title=delineation.detector.title,
        algorithm=f"{algorithm.id} {algorithm.version}"[:64],
        made=_made(delineation),
        made_of=correction.made if correction else {},
        created=datetime.fromisoformat(delineation.provenance.created),
        heat=Heat(output.array, output.meaning, float(output.threshold))
        if isinstance(output, Field)
        else None,
        classes=tuple(output.probabilities.items()) if isinstance(output, Classes) else (),
        restored=output if isinstance(output, Image) else None,
        overall=delineation.overall,
        counted=single,
    )


def _made(delineation: Delineation) -> Made:
    """How the structures came about: a reference as its file says, all else by a detector."""
    if delineation.detector.id != REFERENCE:
        return "automatic"
    told: Made = delineation.provenance.options["made"]
    return told


def exportable(delineation: Delineation) -> tuple[str, ...]:
    """Names of the formats that this result can be written in."""
    return _known(delineation, drawing(delineation))


def offers(delineation: Delineation) -> tuple[Export, ...]:
    """The same, with the file that each gives for this result.

    A SEG says how its segments were made: it is not among them where nobody has said so.
    """
    unsaid = {"seg"} if _made(delineation) == "unknown" else set()
    return tuple(
        _entry(delineation, name) for name in exportable(delineation) if name not in unsaid
    )


def _known(delineation: Delineation, drawn: Drawing) -> tuple[str, ...]:
    own = {one.export.name for one in OWN if not one.refusal(delineation)}
    names = {_DOCUMENT.name, *possible(drawn), *own}
    return tuple(name for name in EXPORTS if name in names)


def _own(delineation: Delineation, name: str) -> Own | None:
    """The format of this name, unless the result is written in it as a drawing."""
    found = next((one for one in OWN if one.export.name == name), None)
    return None if found is None or (name in FORMATS and found.refusal(delineation)) else found


def _entry(delineation: Delineation, name: str) -> Export:
    own = _own(delineation, name)
    return own.export if own else EXPORTS[name]


def _refused(delineation: Delineation, name: str) -> str:
    """The name of a format, and why this result has none."""
    for one in OWN:
        restored = isinstance(delineation.output, Image)
        if one.export.name == name and (restored or name not in FORMATS):
            return f"{name} ({one.refusal(delineation)})"
    return f"{name} (which holds {_HELD[FORMATS[name].takes]})" if name in FORMATS else name


def layers(delineation: Delineation) -> tuple[LabelMap, ...]:
    """The result as label maps; see :func:`layers_of`."""
    return layers_of(delineation.output)


def layers_of(output: Output) -> tuple[LabelMap, ...]:
    """What was found as label maps, labels being the findings' ids; none if it is no segmentation.

    Structures that overlap are in different ones, each in the first where there is room.
    """
    if isinstance(output, LabelMap):
        return (output,)
    if isinstance(output, Field):
        counts = (output.array >= output.threshold).astype(np.uint8)
        return (LabelMap(counts, output.grid, {1: output.category}),)
    if isinstance(output, Masks):
        return _packed(output)
    return ()


def _packed(masks: Masks) -> tuple[LabelMap, ...]:
    dtype = np.uint8 if len(masks.categories) < 256 else np.uint16
    arrays: list[NDArray[Any]] = [np.zeros(masks.grid.shape, dtype)]
    named: list[dict[int, Any]] = [{}]
    for number, (mask, category) in enumerate(zip(masks.array, masks.categories, strict=True), 1):
        place = next((i for i, array in enumerate(arrays) if not array[mask].any()), len(arrays))
        if place == len(arrays):
            arrays.append(np.zeros(masks.grid.shape, dtype))
            named.append({})
        arrays[place][mask] = number
        named[place][number] = category
    return tuple(
        LabelMap(array, masks.grid, categories)
        for array, categories in zip(arrays, named, strict=True)
    )


def _write(
    delineation: Delineation, drawn: Drawing, name: str, path: Path, choices: Choices
) -> RoundTrip | None:
    if own := _own(delineation, name):
        own.write(delineation, path)
        return None
    if name != _DOCUMENT.name:
        return write(drawn, name, path, choices)
    path.write_text(dumps(to_json(delineation)), encoding="utf-8")
    if not drawn.layers:
        return None
    grid = delineation.image.grid
    kept = json.loads(path.read_text(encoding="utf-8"))
    back = from_json(kept, delineation.image, delineation.output)
    return round_trip(drawn.layers, fill_layers(structures(back), grid), grid)


def _clear_another(folder: Path, document: bytes) -> None:
    """Remove the known files of a result that is not the one of this document."""
    kept = folder / _DOCUMENT.file
    if kept.is_file() and kept.read_bytes() != document:
        files = {entry.file for entry in EXPORTS.values()} | {one.export.file for one in OWN}
        for name in (*files, SIDECAR):
            (folder / name).unlink(missing_ok=True)
