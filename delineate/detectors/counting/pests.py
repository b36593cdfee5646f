"""Small animals on photographs, one by one, and their classes by size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from delineate.detectors.counting.background import is_plain
from delineate.detectors.counting.categories import FLY, INSECT, MOTH, THRIPS
from delineate.detectors.counting.detector import PointDetector
from delineate.detectors.counting.extent import lengths
from delineate.detectors.counting.options import PestOptions
from delineate.detectors.counting.pictures import as_rgb
from delineate.errors import OptionError, UnsuitableImageError
from delineate.imaging import Category, Grid, Image
from delineate.plugins import Detection, Instances

__all__ = ["MODELS", "PestCounter"]

_FOLDER = Path(__file__).parent / "models"
MODELS = {"card": _FOLDER / "pests_cards", "scene": _FOLDER / "pests_scenes"}
"""Model folders by what the animals lie on; each finds points of one category."""

_REACH_MM = 1.5  # times the length from where on one is a moth


class PestCounter:
    """Counts small animals, with one model for cards and one for all else."""

    def __init__(self) -> None:
        self._counters = {surface: PointDetector(folder) for surface, folder in MODELS.items()}

    def detect(self, image: Image, options: PestOptions) -> Detection:
        """Find the animals; see `PointDetector.detect`.

        Raises
        ------
        UnsuitableImageError
            If classes are asked for and the scale is not known.
        """
        surface = options.surface
        if surface == "auto":
            surface = "card" if is_plain(as_rgb(image)) else "scene"
        detection = self._counters[surface].detect(image, options)
        output = detection.output
        assert isinstance(output, Instances)
        if options.classes == "none":
            items = tuple(replace(item, category=INSECT) for item in output.items)
            return replace(detection, output=Instances(items, image.grid))
        if options.fly_mm >= options.moth_mm:
            raise OptionError(
                f"expected fly_mm below moth_mm, got {options.fly_mm} and {options.moth_mm}"
            )
        scale = _px_per_mm(image.grid, options)
        points = np.array([item.point[1:] for item in output.items if item.point]).reshape(-1, 2)
        long_px = lengths(as_rgb(image), points, _REACH_MM * options.moth_mm * scale)
        long_mm = (long_px / scale).tolist()
        items = tuple(
            replace(item, category=_named(length, options))
            for item, length in zip(output.items, long_mm, strict=True)
        )
        measured = {number: {"length_mm": length} for number, length in enumerate(long_mm, 1)}
        return replace(detection, output=Instances(items, image.grid), measurements=measured)


def _px_per_mm(grid: Grid, options: PestOptions) -> float:
    if options.px_per_mm is not None:
        return options.px_per_mm
    if grid.unit != "mm":
        raise UnsuitableImageError(
            "classes by size want a picture of known scale, got one in pixels; give the option "
            "px_per_mm, or state the picture's spacing_mm"
        )
    return 1 / float(np.sqrt(grid.pixel_area))


def _named(length_mm: float, options: PestOptions) -> Category:
    if length_mm < options.fly_mm:
        return THRIPS
    return FLY if length_mm < options.moth_mm else MOTH
