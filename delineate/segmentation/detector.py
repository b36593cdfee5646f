"""A detector made of a model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.errors import OptionError, UnsuitableImageError
from delineate.imaging import Image, LabelMap
from delineate.plugins import Detection, Monitor
from delineate.segmentation.confidence import Certainty
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import read_model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.segmenter import Segmented, Segmenter

__all__ = ["ModelDetector"]

_SMALL = "smaller than plausible"
_PART = "within the region alone"


class ModelDetector:
    """Segments images with the model of a folder.

    Parameters
    ----------
    folder
        Model folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.model: Model = read_model(Path(folder))
        self._segmenter = Segmenter(self.model)

    def detect(self, image: Image, options: ModelOptions) -> Detection:
        """Segment an image; see `detect_monitored`."""
        return self.detect_monitored(image, options, Monitor())

    def detect_monitored(self, image: Image, options: ModelOptions, monitor: Monitor) -> Detection:
        """Segment an image of any orientation, spacing and extent.

        Parameters
        ----------
        image
            Of the model's modality.
        options
            What to return and how to compute.
        monitor
            Told of progress; may cancel between tiles.

        Returns
        -------
        Detection
            A label map on the image's grid whose categories are the structures looked for, with the
            mean probability of those found as their scores, and ``border_entropy`` (and
            ``flip_agreement``) as measurements. Nothing found is an empty map.
        """
        check_values(image, self.model)
        wanted = self._wanted(options)
        found = self._segmenter.run(image, options, monitor, wanted=wanted)
        sure = {label: each.probability for label, each in found.certainty.items()}
        return self._detection(image, found.labels, found, wanted, sure, options)

    def _wanted(self, options: ModelOptions) -> list[int]:
        """Labels that are asked for."""
        shown = {
            each.category.name: label
            for label, each in enumerate(self.model.structures, 1)
            if not each.auxiliary
        }
        unknown = sorted(set(options.structures) - set(shown))
        if unknown:
            raise OptionError(
                f"model {self.model.name} knows no structures {', '.join(unknown)}; it knows "
                f"{', '.join(shown)}"
            )
        return sorted(shown[name] for name in options.structures or shown)

    def _detection(
        self,
        image: Image,
        labels: NDArray[np.uint8],
        found: Segmented,
        wanted: Sequence[int],
        scores: Mapping[int, float],
        options: ModelOptions,
    ) -> Detection:
        """What was found, as the framework wants it; of labels that have samples alone."""
        structures = self.model.structures
        there = np.bincount(labels.ravel(), minlength=len(structures) + 1) > 0
        shown = {n: sure for n, sure in found.certainty.items() if n in wanted and there[n]}
        return Detection(
            LabelMap(labels, image.grid, {n: structures[n - 1].category for n in wanted}),
            scores={n: min(1.0, score) for n, score in scores.items() if n in wanted and there[n]},
            notes={
                n: (_SMALL,) * (0 < sure.volume_ml < structures[n - 1].min_volume_ml)
                + (_PART,) * (options.region_mm is not None)
                for n, sure in shown.items()
            },
            measurements={n: _measurements(sure) for n, sure in shown.items()},
            remarks=found.remarks,
            device=found.device,
        )


def _measurements(sure: Certainty) -> dict[str, float]:
    values = {"border_entropy": sure.border_entropy}
    if sure.agreement is not None:
        values["flip_agreement"] = sure.agreement
    return values


def check_values(image: Image, model: Model) -> None:
    """Refuse a CT whose values cannot be Hounsfield units, and a picture of the wrong kind.

    Raises
    ------
    UnsuitableImageError
        Naming what was expected.
    """
    if model.modality and image.modality not in (model.modality, "unknown"):
        raise UnsuitableImageError(
            f"model {model.name} reads {model.modality}, the image is {image.modality}"
        )
    if model.modality != "CT":
        return
    if image.grid.unit != "mm" or image.channels:
        raise UnsuitableImageError("expected a grey CT whose size in mm is known")
    sample = image.array[:: max(1, image.array.shape[0] // 16), ::8, ::8]
    low, high = float(np.nanmin(sample)), float(np.nanmax(sample))
    if low >= -200 and high <= 300:
        raise UnsuitableImageError(
            f"expected Hounsfield units, got values from {low:.0f} to {high:.0f}; "
            "the rescale slope and intercept were probably not applied"
        )
