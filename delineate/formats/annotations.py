"""Read labels or outlines from whatever file holds them, told by content."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from delineate.contour import Structure, fill_layers
from delineate.errors import InputError, UnreadableFileError
from delineate.formats.derived import Made
from delineate.formats.entries import gathered
from delineate.formats.marks import Mark
from delineate.formats.sniff import kind_of, modality_of, what_else
from delineate.imaging import Grid, LabelMap, anatomy

__all__ = ["Annotation", "read_annotation"]

_EXPECTED = (
    "NIfTI, NRRD, MetaImage, RTSTRUCT, DICOM SEG, GeoJSON, COCO, or a folder or zip of one mask an "
    "organ"
)
_RASTERS = ("nifti", "nrrd", "metaimage")
_MOST_NAMELESS = 1000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Annotation:
    """Structures that somebody drew or computed.

    Parameters
    ----------
    format
        Such as ``"nifti"``, ``"rtstruct"`` or ``"masks"``.
    layers
        Label maps on one grid, with no label in two of them.
    structures
        Outlines as they were drawn, where the file holds outlines; else none.
    marks
        Points, boxes and outlines found one by one.
    notes
        What to know of the file.
    made
        How the structures came about, where a DICOM object says so.
    frame_of_reference_uid, series_uid
        In which frame and on which series it was drawn, where a DICOM object says so.
    """

    format: str
    layers: tuple[LabelMap, ...]
    structures: tuple[Structure, ...] = ()
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    made: Made = "unknown"
    frame_of_reference_uid: str = ""
    series_uid: str = ""


@dataclass(frozen=True, slots=True)
class _Given:
    """What a reader is told beside the file; see `read_annotation`."""

    grid: Grid | None
    tolerance: float | None
    things: bool


def read_annotation(
    path: Path | str,
    grid: Grid | None = None,
    plane_tolerance_mm: float | None = None,
    *,
    things: bool = False,
) -> Annotation:
    """Read an annotation of any format.

    Parameters
    ----------
    path
        A file; a zip or folder of masks, or one that holds a single annotation.
    grid
        Of the image that it belongs to. Files of outlines need it: their layers lie on it. Others
        keep their own, where they state one.
    plane_tolerance_mm
        How far an outline may be from the plane of the slice that it is taken for. ``None``: half
        the distance of slices.
    things
        Whether each segmentation of a COCO file is a thing of its own, and a mark; by default
        those of a category are one area, and only boxes and keypoints are things.

    Returns
    -------
    Annotation
        Names and colours are those of the file. A structure without a code gets code and side
        that the table of anatomy has for its name, unless the grid is in pixels.

    Raises
    ------
    InputError
        If the file holds no labels or outlines, several annotations are there, or a grid is
        needed and there is none.
    UnreadableFileError, GeometryError
        If the file is broken, or its outlines lie on no slice of the grid.
    UploadError
        If a zip is hostile, damaged or too large.
    FileNotFoundError
        If the path does not exist.
    """
    path, given = Path(path), _Given(grid, plane_tolerance_mm, things)
    if path.is_dir() or (path.is_file() and kind_of(path) == "zip"):
        found = _of_many(path, given)
    elif path.is_file():
        found = _of_file(path, path.name, given)
    else:
        raise FileNotFoundError(f"there is no file or folder {path}")
    if any(layer.grid.unit != "mm" for layer in found.layers):
        return found
    return replace(
        found,
        layers=tuple(
            LabelMap(
                layer.array,
                layer.grid,
                {label: anatomy.coded(one) for label, one in layer.categories.items()},
            )
            for layer in found.layers
        ),
        structures=tuple(
            Structure(one.number, anatomy.coded(one.category), one.contours)
            for one in found.structures
        ),
    )


def _of_file(path: Path, name: str, given: _Given) -> Annotation:
    try:
        return _told_apart(path, name, given)
    except InputError as error:  # a file of a zip is called otherwise on the disk
        raise type(error)(str(error).replace(path.name, name)) from error


def _told_apart(path: Path, name: str, given: _Given) -> Annotation:
    kind = kind_of(path)
    if kind in _RASTERS:
        return Annotation(format=kind, layers=_raster(path, name))
    if kind == "dicom":
        return _of_dicom(path, name, given)
    if kind == "other" and _first_letter(path) in (b"{", b"["):
        return _of_json(path, name, given)
    what = what_else(path, name) if kind == "other" else f"a file of kind {kind}"
    raise UnreadableFileError(f"expected labels or outlines ({_EXPECTED}), got {name}: {what}")


def _raster(path: Path, name: str) -> tuple[LabelMap, ...]:
    from delineate.formats import nifti, nrrd

    if kind_of(path) == "nifti":
        layers: tuple[LabelMap, ...] = (nifti.read_labels(path),)
    else:
        layers = nrrd.read_layers(path)
    nameless = sum(
        one.name == f"label {label}" for layer in layers for label, one in layer.categories.items()
    )
    if nameless > _MOST_NAMELESS:
        raise InputError(
            f"{name} holds {nameless} different numbers without names; expected a label map, this "
            "looks like an image"
        )
    return layers


def _of_dicom(path: Path, name: str, given: _Given) -> Annotation:
    from delineate.formats import rtstruct, seg

    modality = modality_of(path)
    if modality == "SEG":
        frame, series, made = seg.origin(path)
        return Annotation(
            format="seg",
            layers=seg.read_layers(path),
            made=made,
            frame_of_reference_uid=frame,
            series_uid=series,
        )
    if modality == "RTSTRUCT":
        drawn = rtstruct.read(path)
        layers = rtstruct.to_layers(drawn, _needed(given.grid, name), given.tolerance)
        return Annotation(
            format="rtstruct",
            layers=layers,
            structures=drawn.structures,
            notes=drawn.notes,
            made=drawn.made,
            frame_of_reference_uid=drawn.frame_of_reference_uid,
            series_uid=drawn.series_uid,
        )
    raise InputError(
        f"{name} is DICOM of modality {modality or 'unknown'}, expected RTSTRUCT or SEG; give the "
        "file that holds the outlines, not the image"
    )


def _of_json(path: Path, name: str, given: _Given) -> Annotation:
    from delineate.formats import coco, geojson
    from delineate.formats.coco_reading import is_coco

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(f"{name} begins like JSON, but is none: {error}") from error
    if is_coco(document):
        layers = coco.read_layers(path, given.grid)
        place = layers[0].grid
        marks = coco.read_marks(path, place, outlined=given.things)
        if given.things:
            layers = (LabelMap(np.zeros(place.shape, np.uint8), place, {}),)
        return Annotation(format="coco", layers=layers, marks=marks)
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        return _outlines("geojson", path, name, given, geojson.read, geojson.read_marks)
    raise UnreadableFileError(f"expected GeoJSON or COCO, got {name}: JSON of another kind")


def _outlines(
    kind: str,
    path: Path,
    name: str,
    given: _Given,
    read: Callable[[Path, str], tuple[Structure, ...]],
    read_marks: Callable[[Path], tuple[Mark, ...]] | None = None,
) -> Annotation:
    grid = _needed(given.grid, name)
    drawn = read(path, grid.unit)
    layers = fill_layers(drawn, grid, given.tolerance)
    marks = read_marks(path) if read_marks else ()
    return Annotation(format=kind, layers=layers, structures=drawn, marks=marks)


def _of_many(path: Path, given: _Given) -> Annotation:
    """A folder or a zip: masks, pictures of outlines, or one annotation among other files."""
    from delineate.formats import masks, svg

    with gathered(path) as (entries, _):
        files = [(one.path, one.name) for one in entries if not Path(one.name).name.startswith(".")]
        if not path.is_dir() and any(name == svg.TABLE for _, name in files):
            return _outlines("svg", path, path.name, given, svg.read, svg.read_marks)
        single = [one for one in files if _is_annotation(one[0])]
        if len(single) == 1:
            return _of_file(*single[0], given)
        if single:
            raise InputError(
                f"{path.name} holds {len(single)} files of outlines or segments, expected one; "
                "give the one you want"
            )
        rasters = [one for one in files if kind_of(one[0]) in _RASTERS]
        if len(rasters) == 1:
            only = _of_file(*rasters[0], given)
            if sum(len(layer.categories) for layer in only.layers) > 1:
                return only
        if not rasters:
            raise UnreadableFileError(
                f"expected labels or outlines ({_EXPECTED}), got {path.name}, which holds none"
            )
        return Annotation(format="masks", layers=masks.layers_of(rasters, path.name))


def _is_annotation(path: Path) -> bool:
    kind = kind_of(path)
    if kind == "dicom":
        return modality_of(path) in ("RTSTRUCT", "SEG")
    return kind == "other" and _first_letter(path) == b"{"


def _first_letter(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1]


def _needed(grid: Grid | None, name: str) -> Grid:
    if grid is None:
        raise InputError(
            f"{name} holds outlines, which say nothing of the samples between them; give the image "
            "they were drawn on"
        )
    return grid
