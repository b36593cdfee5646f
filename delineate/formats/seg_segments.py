"""Which label becomes which segment of a DICOM Segmentation, and under which UIDs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from delineate.errors import ExportError
from delineate.formats.derived import Made, new_uid, series_of
from delineate.imaging import Category, Image, LabelMap

__all__ = ["Kind", "Segments", "segments"]

Kind = Literal["binary", "labelmap"]

_STORAGE = {
    "binary": "1.2.840.10008.5.1.4.1.1.66.4",
    "labelmap": "1.2.840.10008.5.1.4.1.1.66.7",
}


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """What has to be known of a segmentation to refer to it; it need not be written yet.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid, series_uid
        Of the segmentation.
    numbers
        Number of its segment by label: from 1 on, in the order of the labels, those without a
        sample included.
    categories
        What each label is.
    tracking_uids
        Of each label's segment: names the finding, in whatever object it is spoken of.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
    numbers: Mapping[int, int]
    categories: Mapping[int, Category]
    tracking_uids: Mapping[int, str]

    def __post_init__(self) -> None:
        for name in ("numbers", "categories", "tracking_uids"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


def segments(
    layers: Sequence[LabelMap],
    image: Image,
    *,
    algorithm: str = "delineate",
    kind: Kind = "binary",
    made_of: Mapping[int, Made] = MappingProxyType({}),
) -> Segments:
    """The segments that :func:`~delineate.formats.seg.write` makes of the same arguments.

    Raises
    ------
    ExportError
        If the image does not come from DICOM, grids differ, a label is in two layers, there is no
        label at all, or ``kind`` cannot hold them. Slices of fewer than 8 samples are refused too.
    """
    source = series_of(image, "a SEG")
    if not layers:
        raise ExportError("expected at least one label map, got none")
    if not all(layer.grid.matches(image.grid) for layer in layers):
        raise ExportError("expected labels on the grid of the image that the SEG refers to")
    rows, columns = image.grid.shape[1:]
    if kind == "binary" and rows * columns < 8:  # highdicom packs each into a byte of its own
        raise ExportError(f"expected slices of 8 samples or more, got {rows} x {columns}")
    if kind == "labelmap" and len(layers) > 1:
        raise ExportError(
            f"the structures overlap ({len(layers)} layers), and a SEG of kind 'labelmap' holds "
            "one label a sample; write kind='binary'"
        )
    categories: dict[int, Category] = {}
    digest = hashlib.sha256(f"{source.series_uid} {algorithm} {kind}".encode())
    for layer in layers:
        labels = {n: Category(f"label {n}") for n in layer.present()} | dict(layer.categories)
        if twice := sorted(labels.keys() & categories.keys()):
            raise ExportError(f"expected each label in one layer, got {twice} in two")
        categories |= labels
        digest.update(repr((layer.array.dtype, sorted(labels.items()))).encode())
        digest.update(np.ascontiguousarray(layer.array).view(np.uint8).data)
    if not categories:
        raise ExportError("there is no label to write, and a SEG needs at least one segment")
    if made_of:
        digest.update(repr(sorted(made_of.items())).encode())
    content = digest.digest()
    ordered = sorted(categories)
    return Segments(
        _STORAGE[kind],
        new_uid(content, "instance"),
        new_uid(content, "series"),
        {label: number for number, label in enumerate(ordered, 1)},
        {label: categories[label] for label in ordered},
        {label: new_uid(content, f"segment {label}") for label in ordered},
    )
