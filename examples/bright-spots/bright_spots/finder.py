"""Bright spots: the detector."""

import numpy as np
from scipy import ndimage

from bright_spots import SPOT, SpotOptions
from delineate import Image, LabelMap
from delineate.plugins import Detection


class BrightSpots:
    """Connected samples above a threshold between the darkest and the brightest."""

    def detect(self, image: Image, options: SpotOptions) -> Detection:
        """Find the spots; photographs come as grey ones, whatever they were."""
        grey = image.array.astype(float)
        low, high = grey.min(), grey.max()
        pieces, _ = ndimage.label(grey > low + options.threshold * (high - low))
        large = np.bincount(pieces.ravel()) >= options.min_size
        large[0] = False
        spots = LabelMap(large[pieces].astype(np.uint8), image.grid, {1: SPOT})
        return Detection(spots, remarks=(f"{large.sum()} spots",))
