"""A detector made of a model folder that finds points."""

from __future__ import annotations

from pathlib import Path

from delineate.detectors.counting.finder import Finder
from delineate.detectors.counting.pictures import as_rgb
from delineate.errors import ModelError
from delineate.imaging import Image
from delineate.plugins import Detection, Instance, Instances
from delineate.segmentation.model_file import read_model
from delineate.segmentation.options import PointOptions

__all__ = ["PointDetector"]


class PointDetector:
    """Finds things on photographs, each as a point.

    Parameters
    ----------
    folder
        Of a model that finds points.
    """

    def __init__(self, folder: str | Path) -> None:
        self.model = read_model(Path(folder))
        if self.model.finds != "points":
            raise ModelError(
                f"expected a model that finds points in {folder}, got one of {self.model.finds}"
            )
        self._finder: Finder | None = None
        self._asked = ""

    def detect(self, image: Image, options: PointOptions) -> Detection:
        """Find the points of a photograph, or of a tile of one.

        Returns
        -------
        Detection
            Instances with a point each, the surest first; the score is the height of the peak.
        """
        finder = self.finder(options.device)
        found = finder.points(as_rgb(image), options.threshold, options.scale)
        items = [
            Instance(structure.category, float(score), point=(0.0, float(row), float(column)))
            for structure, points in zip(self.model.structures, found, strict=True)
            for row, column, score in points
        ]
        items.sort(key=lambda item: -item.score)
        return Detection(Instances(tuple(items), image.grid), device=finder.device)

    def finder(self, device: str) -> Finder:
        """What finds, on a device; kept for the following images."""
        if self._finder is None or self._asked != device:
            self._finder, self._asked = Finder(self.model, device), device
        return self._finder
