"""Healthy detectors, one of each kind at least, which pass every law."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate.imaging import Category, Image, LabelMap
from delineate.plugins import (
    Classes,
    Detection,
    DetectorSpec,
    Field,
    Instance,
    Instances,
    Masks,
    Monitor,
    Options,
    Wants,
)

SPOT, RIM = Category("spot"), Category("rim")


def bright(image: Image) -> NDArray[np.bool_]:
    return np.asarray(image.array > 100)


def labelled(mask: NDArray[Any], image: Image) -> LabelMap:
    return LabelMap(mask.astype(np.uint8), image.grid, {1: SPOT})


# Healthy, one of each kind.


class Labels:
    def detect(self, image: Image, options: Options) -> LabelMap | Detection:
        return labelled(bright(image), image)


class Layers:
    def detect(self, image: Image, options: Options) -> Masks:
        spots = bright(image)
        return Masks(np.stack([spots, ndimage.binary_dilation(spots)]), image.grid, (SPOT, RIM))


class Points:
    """The middles of bright things, at most four samples wide."""

    def detect(self, image: Image, options: Options) -> Instances:
        pieces, number = ndimage.label(bright(image))
        middles = ndimage.center_of_mass(pieces > 0, pieces, range(1, number + 1))
        items = (Instance(SPOT, 0.9, point=tuple(place)) for place in middles)
        return Instances(tuple(items), image.grid)


class Whole:
    def detect(self, image: Image, options: Options) -> Classes:
        return Classes({SPOT: float(image.array.max()) / 255})


class Scores:
    def detect(self, image: Image, options: Options) -> Field:
        smooth = ndimage.gaussian_filter(image.array.astype(np.float32), 1.0)
        return Field(smooth / 255, image.grid, SPOT, "brightness", 0.3)


class Finer:
    def detect(self, image: Image, options: Options) -> Image:
        grid = image.grid.with_spacing(tuple(step / 2 for step in image.grid.spacing))  # type: ignore[arg-type]
        array = image.array.repeat(2, 0).repeat(2, 1).repeat(2, 2)
        return Image(array, grid, image.modality)


class Attentive:
    """Works for a while on what is large, and listens."""

    def detect_monitored(self, image: Image, options: Options, monitor: Monitor) -> LabelMap:
        rounds = 200 if image.array.size > 100_000 else 4
        for number in range(rounds):
            monitor.checkpoint()
            monitor.progress(number / rounds, "looking")
            time.sleep(0.02)
        return labelled(bright(image), image)


def spec(factory: str, module: str = "healthy", **declared: Any) -> DetectorSpec:
    """A detector of this module, or of another."""
    categories = declared.pop("categories", (SPOT, RIM))
    return DetectorSpec(
        id=declared.pop("id", factory.lower()),
        title=factory,
        factory=f"{module}:{factory}",
        categories=categories,
        **declared,
    )


TILES = Wants(tile=(8, 16, 16), overlap=6)
ORIENTED = Wants(orientation="SPL")

HEALTHY = {
    one.id: one
    for one in (
        spec("Labels"),
        spec("Labels", id="labels.oriented", wants=ORIENTED),
        spec("Labels", id="labels.tiled", wants=TILES),
        spec("Layers", gives="masks"),
        spec("Layers", id="layers.tiled", gives="masks", wants=TILES),
        spec("Points", gives="instances"),
        spec("Points", id="points.tiled", gives="instances", wants=TILES),
        spec("Whole", gives="classes"),
        spec("Scores", gives="field", memory_bytes_per_sample=8),
        spec("Finer", gives="image", memory_bytes_per_sample=16),
        spec("Attentive"),
    )
}


def installed() -> Iterator[DetectorSpec]:
    """For the entry point."""
    return iter(HEALTHY.values())
