"""DICOM Segmentation: labels beside the series that they were made on."""

from __future__ import annotations

from delineate.formats.seg_reading import origin, read_labels, read_layers
from delineate.formats.seg_segments import Segments, segments
from delineate.formats.seg_writing import write

__all__ = ["Segments", "origin", "read_labels", "read_layers", "segments", "write"]
