"""What the tests of RTSTRUCT, SEG and SR share, and the recipe of their golden files.

``python -c "from tests.formats.dicom_objects import write_golden; write_golden()"`` writes those
anew; that is needed only where what is read of them is meant to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from delineate.contour import trace_all
from delineate.formats import rtstruct, seg, sr
from delineate.formats.dicom import DicomSource
from delineate.imaging import Category, Code, Grid, Image, LabelMap

GOLDEN = Path(__file__).parent / "golden"


def from_dicom(grid: Grid, **header: Any) -> Image:
    """An image as if it had been read from a series."""
    dataset = pydicom.Dataset()
    for name, value in header.items():
        setattr(dataset, name, value)
    count = grid.shape[0]
    source = DicomSource(
        study_uid="1.2.3",
        series_uid="1.2.3.4",
        frame_of_reference_uid="1.2.3.5",
        stack="1.2.3.4",
        sop_class_uids=("1.2.840.10008.5.1.4.1.1.2",) * count,
        sop_instance_uids=tuple(f"1.2.3.4.{k + 1}" for k in range(count)),
        frame_numbers=(0,) * count,
        header=dataset,
    )
    return Image(np.zeros(grid.shape, np.int16), grid, "CT", source=source)


@dataclass(frozen=True)
class Row:
    """A finding with its measurements."""

    id: int
    category: Category
    measurements: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def golden() -> tuple[Image, tuple[LabelMap, LabelMap], list[Row]]:
    """A tilted series, structures that overlap, one that was not found, and measurements."""
    affine = np.array(
        [[0.0, 0.0, 0.75, -12.5], [0.4, 0.8, 0.0, 7.25], [2.5, 0.0, 0.0, -100.0], [0, 0, 0, 1]]
    )
    grid = Grid((4, 7, 9), affine)
    one, other = np.zeros(grid.shape, np.uint8), np.zeros(grid.shape, np.uint8)
    one[1:3, 1:6, 1:7] = 1
    one[1:3, 3:5, 3:5] = 0  # a hole
    one[3, 0, 0] = 1
    other[2, 2:5, 2:9] = 3
    kidney = Category("kidney_left", (200, 40, 30), Code("64033007", "SCT", "Kidney"), "left")
    layers = (
        LabelMap(one, grid, {1: kidney, 2: Category("Ähre", (0, 158, 115))}),
        LabelMap(other, grid, {3: Category("spot", (0, 114, 178))}),
    )
    rows = [
        Row(1, kidney, {"voxels": 53, "volume_ml": 0.0795, "mean_hu": -12.25}, ("cut",)),
        Row(2, layers[0].categories[2], {"voxels": 0, "volume_ml": 0.0}),
        Row(3, layers[1].categories[3], {"voxels": 21, "longest_diameter_mm": 5.5}),
    ]
    return from_dicom(grid, PatientName="Golden^File", PatientID="golden"), layers, rows


def write_golden(folder: Path = GOLDEN) -> None:
    image, layers, rows = golden()
    structures = [structure for layer in layers for structure in trace_all(layer)]
    rtstruct.write(structures, image, folder / "rtstruct.dcm", accuracy="golden")
    seg.write(layers, image, folder / "seg.dcm", accuracy="golden")
    known = seg.segments(layers, image)
    sr.write(rows, image, folder / "sr.dcm", segmentation=known, accuracy="golden")
