"""Write labels, painted or found, in the formats that results leave in."""

from __future__ import annotations

from typing import Any

import numpy as np

from delineate.errors import ExportError
from delineate.viewers.napari.layers import KEY

__all__ = ["write_labels"]


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a layer of labels; each file is read back and compared.

    Parameters
    ----------
    path
        The ending decides: ``.nii.gz``, ``.nrrd``, ``.geojson``, ``.svg``, ``.glb``, ``.stl``;
        for DICOM ``NAME.dcm`` is an RTSTRUCT and ``NAME.seg.dcm`` a segmentation.
    data
        ``(slice, row, column)`` integers.
    meta
        The layer's state. Its metadata tells grid, names and, for DICOM, the image: layers that
        delineate made have it.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    ExportError
        If the layer does not know its grid, or the file's ending is unknown.
    """
    from pathlib import Path

    from delineate.formats.annotations import Annotation
    from delineate.formats.conversion import drawing_of
    from delineate.formats.derived import Made
    from delineate.formats.writing import write
    from delineate.imaging import Category, LabelMap

    known = meta.get("metadata", {}).get(KEY)
    if known is None or "labels" not in known:
        raise ExportError(
            "this layer does not say where its samples lie in the patient; expected one that "
            "delineate read or found. Run a detector, or paint on such a layer"
        )
    before: LabelMap = known["labels"]
    array = np.asarray(data)
    categories = dict(known["categories"])
    for number in np.unique(array[array > 0]).tolist():
        categories.setdefault(number, Category(f"label {number}"))
    labels = LabelMap(array, before.grid, categories)
    untouched = known["found"] is not None and np.array_equal(array, before.array)
    made: Made = "automatic" if untouched else "semiautomatic"
    target = Path(path)
    drawing = drawing_of(
        Annotation(format="memory", layers=(labels,), made=made),
        known["image"],
        title=meta.get("name", target.stem),
        made=made,
    )
    write(drawing, _format(target.name), target)
    return [str(target)]


def _format(name: str) -> str:
    from delineate.formats.table import FORMATS

    lower = name.lower()
    if lower.endswith(".seg.dcm"):
        return "seg"
    if lower.endswith(".dcm"):
        return "rtstruct"
    for each in FORMATS.values():
        if lower.endswith(each.endings):
            return each.name
    endings = sorted({ending for each in FORMATS.values() for ending in each.endings})
    raise ExportError(f"expected a file that ends in {', '.join(endings)}, got {name}")
