"""A result as the one file that clients of MONAI Label take: dense labels, or Markups."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import ExportError, TooLargeError
from delineate.imaging import Grid, LabelMap
from delineate.jobs.markups import markups
from delineate.plugins import Classes, Field, Instances, Masks, Output
from delineate.plugins.wire import grid_from_json

__all__ = ["DTYPES", "EXTENSIONS", "mask", "shown", "write_volume"]

DTYPES = ("uint8", "uint16", "int16", "int32", "uint32")
EXTENSIONS = (".nrrd", ".nii.gz", ".nii")
# Cosine of the angle between axes: less moves no sample of a scan by 0.1 mm.
_RIGHT_ANGLE = 1e-4


def mask(
    result: str,
    image: Mapping[str, Any],
    names: Sequence[str],
    form: Mapping[str, Any],
    folder: str,
) -> None:
    """Write what was found: ``file/NAME``, and what is to be told of it in ``params.json``.

    Parameters
    ----------
    result
        Folder of the result.
    image
        ``paths``, ``series`` and ``reading`` of its image, as for `read_stored`.
    names
        Of the detector's categories, in order: the first gets label 1.
    form
        ``extension``, out of :data:`EXTENSIONS`, or ``None`` for no file; ``dtype``, out of
        :data:`DTYPES`; ``compress``;
        ``shown``: whether slices are those that a viewer shows of the DICOM series, in its order
        (:func:`~delineate.formats.dicom.shown.shown_slices`), whatever reading made of them.
    folder
        Where: appears whole or not at all. Its parent is made where it is missing.

    Raises
    ------
    ExportError
        If structures overlap, or the format cannot hold the grid.
    TooLargeError
        If there are more labels than the dtype holds.
    """
    from delineate.delineation import load_output

    document, output = load_output(Path(result))
    grid = grid_from_json(document["image"]["grid"])
    numbers = {name: number for number, name in enumerate(names, 1)}
    parent = Path(folder).parent
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as scratch:
        one = Path(scratch) / "one"
        (one / "file").mkdir(parents=True)
        if form["extension"] is None:
            pass
        elif isinstance(output, Instances):
            (one / "file" / "found.json").write_text(json.dumps(markups(output, numbers)))
        else:
            array = _dense(output, grid, numbers, np.dtype(form["dtype"]))
            if form["shown"]:
                array, grid = _as_shown(array, grid, image)
            path = one / "file" / f"labels{form['extension']}"
            write_volume(array, grid, path, compress=form["compress"])
        (one / "params.json").write_text(json.dumps(_told(document, grid)))
        try:
            one.rename(folder)
        except OSError:
            if not Path(folder).is_dir():  # else somebody was faster
                raise


def _told(document: Mapping[str, Any], grid: Grid) -> dict[str, Any]:
    """What is known of a result beside its samples, by the names that clients know."""
    findings, gives = document["findings"], document["detector"]["gives"]
    told: dict[str, Any] = {"overall": document["overall"], "notes": document["notes"]}
    if gives == "classes":
        told["prediction"] = [
            {"idx": number, "label": one["category"]["name"], "score": one["score"]}
            for number, one in enumerate(findings)
        ]
    if gives in ("labelmap", "masks", "field"):
        told["measurements"] = {one["category"]["name"]: one["measurements"] for one in findings}
        told["centroids"] = {
            name: [str(round(place)) for place in grid.to_index(values["centroid_mm"])[::-1]]
            for name, values in told["measurements"].items()
            if values.get("centroid_mm") is not None
        }
    return told


def _dense(
    output: Output, grid: Grid, numbers: Mapping[str, int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Labels 1 to N in the order of the names."""
    most = max(numbers.values(), default=0)
    if most > np.iinfo(dtype).max:
        raise TooLargeError(
            f"{most} labels do not fit into {dtype}, which is what was asked for; ask for "
            "'result_dtype': 'uint16', or for the result over /v1"
        )
    if isinstance(output, Classes):
        return np.zeros(grid.shape, dtype)
    if isinstance(output, LabelMap):
        table = np.zeros(max([0, *output.categories, *output.present()]) + 1, dtype)
        for label, category in output.categories.items():
            table[label] = numbers[category.name]
        dense: NDArray[Any] = table[output.array]
        return dense
    if isinstance(output, Field):
        inside = output.array >= output.threshold
        return np.where(inside, numbers[output.category.name], 0).astype(dtype)
    if isinstance(output, Masks):
        array = np.zeros(grid.shape, dtype)
        for inside, category in zip(output.array, output.categories, strict=True):
            if array[inside].any():
                raise ExportError(
                    f"{category.name} overlaps another structure, which one label map cannot "
                    "hold; ask for 'result_extension': '.seg.nrrd', or for the result over /v1"
                )
            array[inside] = numbers[category.name]
        return array
    raise ExportError(
        "this detector gives an image, not labels; /v1/jobs/ID/exports lists its formats"
    )


def shown(image: Mapping[str, Any], grid: Grid) -> NDArray[np.intp]:
    """Slice of the grid for each slice that a viewer shows of a DICOM series, in its order.

    ``image`` has ``paths``, ``series`` and ``reading``.
    """
    from delineate.formats import Entry
    from delineate.formats.dicom.shown import shown_slices

    names = image["reading"]["names"]
    entries = [Entry(path, names.get(path.name, path.name)) for path in map(Path, image["paths"])]
    return shown_slices(entries, image["series"].partition("#")[0], grid)


def _as_shown(
    array: NDArray[Any], grid: Grid, image: Mapping[str, Any]
) -> tuple[NDArray[Any], Grid]:
    """Slice by slice as a viewer has the series; on no place in space if that is no grid."""
    order = shown(image, grid)
    if np.array_equal(order, np.arange(len(array))):
        return array, grid
    laid = array[order]
    laid[order < 0] = 0
    return laid, Grid.regular((len(order), *grid.shape[1:]))


def write_volume(array: NDArray[Any], grid: Grid, path: Path, *, compress: bool) -> None:
    """Write samples as ITK does, in the format that the path's suffix says.

    Raises
    ------
    ExportError
        If that cannot hold the grid.
    """
    import SimpleITK

    steps = grid.affine[:3, 2::-1]
    spacing = np.linalg.norm(steps, axis=0)
    axes = steps / spacing
    if path.suffix != ".nrrd" and np.abs(axes.T @ axes - np.eye(3)).max() > _RIGHT_ANGLE:
        raise ExportError(  # ITK would make it upright without a word
            "NIfTI cannot hold the grid of this image as ITK writes it, for its slices are sheared "
            "(a tilted gantry); ask for 'result_extension': '.nrrd'"
        )
    plain = array.view(np.uint8) if array.dtype == np.bool_ else array
    made = SimpleITK.GetImageFromArray(plain, isVector=array.ndim == 4)
    made.SetSpacing(spacing.tolist())
    made.SetOrigin(grid.affine[:3, 3].tolist())
    made.SetDirection(axes.ravel().tolist())
    SimpleITK.WriteImage(made, str(path), useCompression=compress)
