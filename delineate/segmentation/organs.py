"""The detector `organs.ct`: organs and bones on CT of the trunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Image
from delineate.plugins import Detection, Monitor
from delineate.segmentation.detector import ModelDetector, check_values
from delineate.segmentation.judge import Found, judge
from delineate.segmentation.model import Model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.plausible import (
    LARGER,
    largest_ml,
    shows_a_body,
    told_of_the_missing,
)
from delineate.segmentation.specks import without_specks
from delineate.segmentation.working import Working

__all__ = ["MODEL", "OrganDetector"]

MODEL = Path(__file__).parent / "models" / "organs_ct"

_LOW_HU, _HIGH_HU = -1024.0, 3071.0


class OrganDetector(ModelDetector):
    """Segments the trunk, and believes of what the network says only what anatomy allows.

    Parameters
    ----------
    folder
        Model folder; the shipped one unless said otherwise.
    """

    def __init__(self, folder: str | Path = MODEL) -> None:
        super().__init__(folder)

    def detect_monitored(self, image: Image, options: ModelOptions, monitor: Monitor) -> Detection:
        """Segment a CT in HU of any orientation, spacing and extent; see `ModelDetector`."""
        check_values(image, self.model)
        model, believed = self.model, list[Found]()

        def review(logits: NDArray[np.float32], hu: NDArray[np.float32], working: Working) -> None:
            clipped = np.clip(hu, _LOW_HU, _HIGH_HU)
            covered = working.covered(0, len(hu))
            believed.clear()
            found = judge(logits, clipped, model.structures, working.grid.spacing, covered)
            if shows_a_body(clipped, covered, found, model.structures):
                believed.extend(found)

        wanted = self._wanted(options)
        found = self._segmenter.run(image, options, monitor, wanted=wanted, review=review)
        kept = np.zeros(256, np.uint8)
        for each in believed:
            kept[each.label] = each.label
        labels = without_specks(kept[found.labels], model.structures)
        scores = {each.label: each.confidence for each in believed}
        detection = self._detection(image, labels, found, wanted, scores, options)
        if options.region_mm is not None:
            return detection
        return _with_anatomy(detection, believed, wanted, model)


def _with_anatomy(
    detection: Detection, believed: Sequence[Found], wanted: Sequence[int], model: Model
) -> Detection:
    """Add what anatomy says of the missing and of what is too large."""
    told = told_of_the_missing(believed, model.structures, wanted)
    notes = dict(detection.notes)
    for each in believed:
        name = model.structures[each.label - 1].category.name
        if each.label in notes and each.volume_ml > largest_ml(name):
            notes[each.label] = (*notes[each.label], LARGER)
    return replace(detection, notes=notes, remarks=(*detection.remarks, *told))
