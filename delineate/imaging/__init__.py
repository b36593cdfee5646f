"""Values that everything else speaks of: grids, images, label maps, categories."""

from delineate.imaging.category import Category, Code, category_from_json, category_json
from delineate.imaging.grid import Grid, axis_order
from delineate.imaging.image import Image, LabelMap, Source
from delineate.imaging.lattice import place
from delineate.imaging.resample import resample, resample_labels

__all__ = [
    "Category",
    "Code",
    "Grid",
    "Image",
    "LabelMap",
    "Source",
    "axis_order",
    "category_from_json",
    "category_json",
    "place",
    "resample",
    "resample_labels",
]
