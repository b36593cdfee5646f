"""Read the two sides of a case, whatever their format, onto one grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from delineate import formats
from delineate.errors import GeometryError, InputError, UnreadableFileError
from delineate.evaluation.case import Table
from delineate.evaluation.label_tables import named
from delineate.evaluation.pairing import plain
from delineate.evaluation.results import Labels, Other, is_result, read_result
from delineate.formats.annotations import Annotation, read_annotation
from delineate.formats.labels import whole_labels, with_names
from delineate.formats.sniff import kind_of
from delineate.imaging import Grid, LabelMap, place, resample_labels
from delineate.plugins.marked import instances
from delineate.plugins.outputs import Classes, Instances

__all__ = ["Labels", "Side", "aligned", "read_sides"]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What a file holds.

    Parameters
    ----------
    held
        Label maps on one grid, with no label in two of them; or another kind of output.
    nameless
        Whether it is a label map whose labels nobody has named: what it does not hold is not
        there.
    frame
        Frame of reference that a DICOM object states.
    notes
        What to know of it.
    format
        Of the file.
    """

    held: Labels | Other
    nameless: bool = False
    frame: str = ""
    notes: tuple[str, ...] = ()
    format: str = ""


def read_sides(
    reference: tuple[Path, Table | None],
    prediction: tuple[Path, Table | None] | None,
    image: Path | None,
) -> tuple[Side, Side | None]:
    """Read a case's reference and prediction.

    Parameters
    ----------
    reference, prediction
        The file or folder, and a table of its labels. A prediction without a table takes the
        reference's, where nobody has named its labels.
    image
        Gives the samples where all that is there are outlines; read only then.

    Raises
    ------
    InputError
        If a file cannot be read, or both were drawn in different frames of reference. It says
        which side it is.

    Notes
    -----
    The segmentations of a COCO file are areas, those of a category together; where the other side
    has things, each of them is a thing.
    """
    given = {"reference": reference}
    if prediction is not None:
        given["prediction"] = (prediction[0], prediction[1] or reference[1])
    sides: dict[str, Side] = {}
    errors: list[InputError] = []
    for name, one in given.items():
        try:
            sides[name] = _side(name, *one, None)
        except InputError as error:  # it may be outlines, for which the other side has the grid
            errors.append(error)
            continue
        break
    if not sides and image is None:
        raise errors[0]
    grids = [_grid_of(side) for side in sides.values()]
    grid = grids[0] if grids else formats.read(image or ()).grid
    for name, one in given.items():
        if name not in sides:
            sides[name] = _side(name, *one, grid)
    if any(isinstance(side.held, Instances) for side in sides.values()):
        for name, side in sides.items():
            if side.format == "coco" and isinstance(side.held, tuple):
                sides[name] = _side(name, *given[name], grid, things=True)
    if len({side.frame for side in sides.values() if side.frame}) > 1:
        raise InputError(
            "reference and prediction were drawn in different frames of reference (maybe of "
            "different patients); give two of one image"
        )
    return sides["reference"], sides.get("prediction")


def _side(
    name: str, path: Path, table: Table | None, grid: Grid | None, *, things: bool = False
) -> Side:
    try:
        return _read(path, table, grid, things)
    except InputError as error:
        raise type(error)(f"{name}: {error}") from error
    except OSError as error:
        raise UnreadableFileError(f"{name}: {error.strerror or error} ({path.name})") from error


def _read(path: Path, table: Table | None, grid: Grid | None, things: bool) -> Side:
    if is_result(path):
        return Side(read_result(path))
    if path.is_file() and kind_of(path) == "photo":
        layers: Labels = (_picture(path),)
        return Side(layers if table is None else named(layers, table), nameless=table is None)
    read = read_annotation(path, grid, things=things)
    if read.marks and not any(layer.present() for layer in read.layers):
        return Side(instances(read.marks, grid or read.layers[0].grid))
    if read.format in ("nifti", "nrrd", "metaimage"):
        nameless = _is_nameless(read)
        if table is not None and nameless:
            return Side(named(read.layers, table))
        return Side(read.layers, nameless, notes=_otherwise(read, table or {}))
    left_out = (
        (f"{len(read.marks)} points and boxes of {path.name} were left out, for it holds areas",)
        if read.marks
        else ()
    )
    return Side(
        read.layers,
        frame=read.frame_of_reference_uid,
        notes=(*read.notes, *left_out),
        format=read.format,
    )


def _otherwise(read: Annotation, table: Table) -> tuple[str, ...]:
    """That a file has names of its own, if they are not those of a table."""
    stated = {labels[0]: name for name, labels in table.items() if len(labels) == 1}
    for layer in read.layers:
        for label, one in layer.categories.items():
            if label in stated and plain(stated[label]) != plain(one.name):
                return (
                    f"a label map names its labels itself (label {label} is {one.name!r}, not "
                    f"{stated[label]!r}); the table of labels was not used for it",
                )
    return ()


def _is_nameless(read: Annotation) -> bool:
    return all(
        one.name == f"label {label}"
        for layer in read.layers
        for label, one in layer.categories.items()
    )


def _picture(path: Path) -> LabelMap:
    """Labels as the grey values of a picture; a mask of 0 and 255 is label 1."""
    image = formats.read(path)
    if image.channels:
        raise UnreadableFileError(f"expected labels as grey values, got {path.name} in colours")
    labels = whole_labels(image.array, path.name)
    if set(np.unique(labels).tolist()) == {0, 255}:
        labels = (labels > 0).view(np.uint8)
    return with_names(labels, image.grid, {})


def _grid_of(side: Side) -> Grid | None:
    if isinstance(side.held, tuple):
        return side.held[0].grid
    return None if isinstance(side.held, Classes) else side.held.grid


def aligned(
    prediction: Labels, grid: Grid, *, resample: bool
) -> tuple[tuple[LabelMap, ...], tuple[str, ...]]:
    """Put a prediction's labels on the reference's grid.

    Returns
    -------
    layers
        On ``grid``.
    notes
        That they were sampled anew, if they were.

    Raises
    ------
    GeometryError
        If they lie on other samples, and ``resample`` is not asked for.
    """
    try:
        return tuple(place(layer, grid) for layer in prediction), ()
    except GeometryError as error:
        if not resample:
            raise GeometryError(
                f"{error}; here the image is the reference: give predictions on its samples, or "
                "evaluate with --resample"
            ) from error
    note = (
        "the prediction lay on other samples than the reference and was sampled anew (each sample "
        "of the reference took the label of the nearest one; what lay outside is left out)"
    )
    return tuple(resample_labels(layer, grid) for layer in prediction), (note,)
