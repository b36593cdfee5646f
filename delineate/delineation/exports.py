"""A result as files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np

from delineate.delineation.document import dumps, to_json
from delineate.delineation.result import Delineation, structures
from delineate.errors import ExportError
from delineate.imaging import Image, LabelMap
from delineate.plugins import Classes, Field, Instances, Masks

__all__ = ["EXPORTS", "Export", "demand_exportable", "export", "exportable", "labels"]


@dataclass(frozen=True, slots=True)
class Export:
    """One format that results are written in.

    Parameters
    ----------
    name
        What people ask for.
    file
        Name of the file, the same for every result.
    media_type
        For HTTP.
    title
        One line for people.
    """

    name: str
    file: str
    media_type: str
    title: str


EXPORTS: Mapping[str, Export] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Export("json", "delineation.json", "application/json", "everything found"),
            Export("nifti", "labels.nii.gz", "application/gzip", "labels as NIfTI"),
            Export("rtstruct", "rtstruct.dcm", "application/dicom", "DICOM RT Structure Set"),
            Export("seg", "seg.dcm", "application/dicom", "DICOM Segmentation"),
            Export("geojson", "contours.geojson", "application/geo+json", "contours as GeoJSON"),
            Export("csv", "measurements.csv", "text/csv", "measurements, one line a finding"),
            Export("png", "sheet.png", "image/png", "contours drawn on some slices"),
        )
    }
)


def export(delineation: Delineation, formats: Iterable[str], folder: Path | str) -> dict[str, Path]:
    """Write a result; each file appears whole or not at all.

    Parameters
    ----------
    delineation
        The result. The same one gives the same bytes.
    formats
        Names out of :data:`EXPORTS`. ``"json"`` is always written.
    folder
        Made where it is missing; files of the same names are replaced. Where it holds another
        result, that one's other files go: two results never mix.

    Returns
    -------
    dict
        Where each format was written, by its name.

    Raises
    ------
    ExportError
        If a format is unknown or this result cannot be written in it. Nothing is written then.
    """
    wanted = list(dict.fromkeys(("json", *formats)))
    possible = exportable(delineation)
    if refused := [name for name in wanted if name not in possible]:
        raise ExportError(
            f"what {delineation.detector.id} gives ({delineation.detector.gives}) cannot be "
            f"written as {', '.join(refused)}; it can as {', '.join(possible)}"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        written = {name: scratch / EXPORTS[name].file for name in wanted}
        for name, path in written.items():
            _WRITERS[name](delineation, path)
        _clear_another(folder, written["json"].read_bytes())
        return {name: path.replace(folder / EXPORTS[name].file) for name, path in written.items()}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _clear_another(folder: Path, document: bytes) -> None:
    """Remove the known files of a result that is not the one of this document."""
    kept = folder / EXPORTS["json"].file
    if kept.is_file() and kept.read_bytes() != document:
        for entry in EXPORTS.values():
            (folder / entry.file).unlink(missing_ok=True)


def demand_exportable(image: Image, formats: Iterable[str]) -> None:
    """Refuse formats that no result of this image can have, before anything is computed.

    Raises
    ------
    ExportError
        If a DICOM object is asked for and the image did not come from DICOM.
    """
    refused = [name for name in formats if EXPORTS[name].media_type == "application/dicom"]
    if refused and image.source.format != "dicom":
        raise ExportError(
            f"expected a DICOM series for {' and '.join(refused)}, which refer to its slices, got "
            f"an image from {image.source.format}; leave them out or give the series"
        )


def exportable(delineation: Delineation) -> tuple[str, ...]:
    """Names of the formats that this kind of result can be written in.

    A format may still refuse the very image: RTSTRUCT and SEG need one that came from DICOM.
    """
    output = delineation.output
    if isinstance(output, Image):
        return ("json",) if output.channels else ("json", "nifti")
    if isinstance(output, Classes):
        return ("json", "csv")
    if isinstance(output, Instances):
        if any(item.polygon is not None for item in output.items):
            return ("json", "rtstruct", "geojson", "csv", "png")
        return ("json", "csv")
    if isinstance(output, Masks) and _overlap(output):
        return ("json", "rtstruct", "geojson", "csv", "png")
    return tuple(EXPORTS)


def labels(delineation: Delineation) -> LabelMap:
    """The result as one label map, its labels being the findings' ids.

    Raises
    ------
    ExportError
        If it is no segmentation, or its masks overlap.
    """
    output = delineation.output
    if isinstance(output, LabelMap):
        return output
    if isinstance(output, Field):
        counts = (output.array >= output.threshold).astype(np.uint8)
        return LabelMap(counts, output.grid, {1: output.category})
    if isinstance(output, Masks) and not _overlap(output):
        numbers = np.arange(1, len(output.categories) + 1, dtype=np.uint16)
        array = np.zeros(output.grid.shape, np.uint16)
        for number, mask in zip(numbers, output.array, strict=True):
            array[mask] = number
        named = dict(enumerate(output.categories, 1))
        return LabelMap(array.astype(np.uint8) if len(named) < 256 else array, output.grid, named)
    raise ExportError(
        f"what {delineation.detector.id} gives ({delineation.detector.gives}) is no label map"
        + ("; its masks overlap" if isinstance(output, Masks) else "")
    )


def _overlap(masks: Masks) -> bool:
    return bool(masks.array.size and masks.array.sum(axis=0, dtype=np.uint16).max() > 1)


# Writers are imported where they are used: each brings a library that only its format needs.


def _json(delineation: Delineation, path: Path) -> None:
    path.write_text(dumps(to_json(delineation)), encoding="utf-8")


def _nifti(delineation: Delineation, path: Path) -> None:
    from delineate.formats import nifti

    if isinstance(delineation.output, Image):
        nifti.write_image(delineation.output, path)
    else:
        nifti.write_labels(labels(delineation), path)


def _rtstruct(delineation: Delineation, path: Path) -> None:
    from delineate.formats import rtstruct

    rtstruct.write(
        structures(delineation),
        delineation.image,
        path,
        description=delineation.detector.title,
        algorithm=_algorithm(delineation),
        created=datetime.fromisoformat(delineation.provenance.created),
    )


def _seg(delineation: Delineation, path: Path) -> None:
    from delineate.formats import seg

    seg.write(labels(delineation), delineation.image, path, algorithm=_algorithm(delineation))


def _algorithm(delineation: Delineation) -> str:
    return f"{delineation.detector.id} {delineation.detector.version}"[:64]


def _geojson(delineation: Delineation, path: Path) -> None:
    from delineate.formats import geojson

    geojson.write(structures(delineation), delineation.image.grid, path)


def _csv(delineation: Delineation, path: Path) -> None:
    from delineate.formats import measurements

    measurements.write_csv(delineation.findings, path)


def _png(delineation: Delineation, path: Path) -> None:
    from delineate.formats import sheet

    sheet.write(delineation.image, structures(delineation), path)


_WRITERS: Mapping[str, Callable[[Delineation, Path], None]] = {
    "json": _json,
    "nifti": _nifti,
    "rtstruct": _rtstruct,
    "seg": _seg,
    "geojson": _geojson,
    "csv": _csv,
    "png": _png,
}
