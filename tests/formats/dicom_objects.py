"""What the tests of RTSTRUCT, SEG and SR share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pydicom

from delineate.formats.dicom import DicomSource
from delineate.imaging import Category, Grid, Image


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
