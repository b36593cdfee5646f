"""DICOM Structured Report of measurements: TID 1500, one measurement group a finding."""

from __future__ import annotations

from delineate.formats.sr_reading import Report, Reported, read
from delineate.formats.sr_writing import Measured, write

__all__ = ["Measured", "Report", "Reported", "read", "write"]
