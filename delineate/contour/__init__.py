"""From label maps to outlines and back, and what can be measured on the way."""

from delineate.contour.deviation import Deviation, deviation
from delineate.contour.fill import fill, fill_all, fill_layers
from delineate.contour.measure import measure
from delineate.contour.plane import index_points
from delineate.contour.reslice import Plane, plane_grid, reslice
from delineate.contour.ring import Contour
from delineate.contour.simplify import simplify, smooth
from delineate.contour.structure import Structure
from delineate.contour.surface import Surface, surface, surfaces
from delineate.contour.surface_fill import SurfaceLoss, fill_surface, surface_loss
from delineate.contour.trace import ContourStyle, trace, trace_all

__all__ = [
    "Contour",
    "ContourStyle",
    "Deviation",
    "Plane",
    "Structure",
    "Surface",
    "SurfaceLoss",
    "deviation",
    "fill",
    "fill_all",
    "fill_layers",
    "fill_surface",
    "index_points",
    "measure",
    "plane_grid",
    "reslice",
    "simplify",
    "smooth",
    "surface",
    "surface_loss",
    "surfaces",
    "trace",
    "trace_all",
]
