"""Files in and out: one module for each format, `read` and `inspect` for all of them."""

from delineate.formats.geometry import Ignored, Problem, Report, SeriesReport
from delineate.formats.reading import inspect, read

__all__ = ["Ignored", "Problem", "Report", "SeriesReport", "inspect", "read"]
