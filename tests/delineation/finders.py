"""Detectors whose answers are known beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np

from delineate.imaging import Category, Image, LabelMap
from delineate.plugins import (
    Classes,
    Detection,
    DetectorSpec,
    Field,
    Instance,
    Instances,
    Masks,
    Options,
    Wants,
)

ONE, TWO, THREE = (Category(f"thing {n}") for n in (1, 2, 3))
CATEGORIES = (ONE, TWO, THREE)


class Echo:
    """Takes the samples for labels."""

    def detect(self, image: Image, options: Options) -> LabelMap:
        array = np.clip(np.rint(image.array), 0, 3).astype(np.uint8)
        return LabelMap(array, image.grid, dict(enumerate(CATEGORIES, 1)))


class Everything:
    """Everything there is is thing 1."""

    def detect(self, image: Image, options: Options) -> Detection:
        array = np.ones(image.grid.shape, np.uint8)
        return Detection(
            LabelMap(array, image.grid, {1: ONE, 2: TWO}),
            scores={1: 0.123456789},
            notes={1: ("large",), 2: ("missing",)},
            measurements={1: {"surprise": 0.123456789, "voxels": -1.0}},
            remarks=("seen all",),
            device="abacus",
            versions={"beads": "10"},
        )


class Layers:
    """Thing 1 where samples are positive, thing 2 everywhere: they overlap."""

    def detect(self, image: Image, options: Options) -> Masks:
        return Masks(np.stack([image.array > 0, image.array > -1]), image.grid, (ONE, TWO))


class Apart:
    """Thing 1 where samples are positive, thing 3 where they are not."""

    def detect(self, image: Image, options: Options) -> Masks:
        return Masks(np.stack([image.array > 0, image.array <= 0]), image.grid, (ONE, THREE))


class Corners:
    """A point at the first sample, a box around the last, a polygon in the first slice."""

    def detect(self, image: Image, options: Options) -> Instances:
        last = np.array(image.grid.shape) - 1.0
        a, b, c = last.tolist()
        ring = np.array([[0, 0, 0], [0, b, 0], [0, b, c]])
        return Instances(
            (
                Instance(ONE, 0.5, point=(0.0, 0.0, 0.0)),
                Instance(TWO, 0.25, box=((a - 0.5, b - 0.5, c - 0.5), (a + 0.5, b + 0.5, c + 0.5))),
                Instance(THREE, 1.0, polygon=ring),
            ),
            image.grid,
        )


class Guess:
    """Thinks it is thing 2."""

    def detect(self, image: Image, options: Options) -> Classes:
        return Classes({ONE: 0.2, TWO: 0.8})


class Odd:
    """The samples themselves, at or above 0.5 odd."""

    def detect(self, image: Image, options: Options) -> Field:
        return Field(image.array.astype(np.float32), image.grid, THREE, "oddness", 0.5)


class Double:
    """Twice the samples."""

    def detect(self, image: Image, options: Options) -> Image:
        return Image(image.array.astype(np.float32) * 2, image.grid)


GIVES = {
    "Echo": "labelmap",
    "Everything": "labelmap",
    "Layers": "masks",
    "Apart": "masks",
    "Corners": "instances",
    "Guess": "classes",
    "Odd": "field",
    "Double": "image",
}


def spec(name: str, **wants: Any) -> DetectorSpec:
    gives: Any = GIVES[name]
    return DetectorSpec(
        id=f"test.{name.lower()}",
        title=name,
        factory=f"finders:{name}",
        categories=CATEGORIES,
        gives=gives,
        wants=Wants(**wants),
    )
