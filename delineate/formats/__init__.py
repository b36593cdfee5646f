"""Files in and out: one module for each format, `read` and `inspect` for all of them."""

from delineate.formats.dicom import Entry
from delineate.formats.geometry import Report, SeriesReport
from delineate.formats.particulars import Duplicate, Gap, Ignored, Problem, Samples, Spacing
from delineate.formats.reading import inspect, read

__all__ = [
    "Duplicate",
    "Entry",
    "Gap",
    "Ignored",
    "Problem",
    "Report",
    "Samples",
    "SeriesReport",
    "Spacing",
    "inspect",
    "read",
]
