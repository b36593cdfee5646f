"""DICOM series in and out: CT first, and whatever else comes as parallel grey slices."""

from delineate.formats.dicom.series import find_stacks, read_stack, report
from delineate.formats.dicom.slices import Entry
from delineate.formats.dicom.source import DicomSource, ResampledSource
from delineate.formats.dicom.stack import Stack
from delineate.formats.dicom.write import write_series

__all__ = [
    "DicomSource",
    "Entry",
    "ResampledSource",
    "Stack",
    "find_stacks",
    "read_stack",
    "report",
    "write_series",
]
