"""Detectors whose labels, boxes and classes follow from the samples."""

from __future__ import annotations

import time

import numpy as np
from pydantic import Field as OptionField

from delineate.imaging import Category, Image, LabelMap
from delineate.plugins import (
    Classes,
    DetectorSpec,
    Instance,
    Instances,
    Masks,
    Monitor,
    Options,
    Reference,
)

# Of each band of Hounsfield units the label that the detector itself has for it: with gaps.
BANDS = {1: (-150, 0), 5: (0, 120), 9: (120, 4000)}
FAT, SOFT, BONE = Category("fat"), Category("soft"), Category("bone")
NAMES = ("bands", "layers", "boxes", "whole", "many", "lost")


class BandOptions(Options):
    seconds: float = OptionField(0.0, ge=0, le=600, description="How long to take.")
    side: str = OptionField("both", description="Kept as it is.")
    bands: list[int] = OptionField([1, 5, 9], description="Which to look for.")
    above: float | None = OptionField(None, description="From this value on only.")
    other: Reference | None = OptionField(None, description="Nothing where this is 0.")


class Bands:
    """Fat, soft parts and bone by their Hounsfield units."""

    def detect_monitored(self, image: Image, options: BandOptions, monitor: Monitor) -> LabelMap:
        began = time.monotonic()
        while time.monotonic() - began < options.seconds:
            monitor.progress(0.5, "waiting")
            monitor.checkpoint()
            time.sleep(0.02)
        labels = np.zeros(image.grid.shape, np.uint8)
        for label in options.bands:
            low, high = BANDS[label]
            labels[(image.array >= low) & (image.array < high)] = label
        if options.above is not None:
            labels[image.array < options.above] = 0
        if options.other is not None:
            labels[options.other.image.array == 0] = 0
        return LabelMap(labels, image.grid, {1: FAT, 5: SOFT, 9: BONE})

    detect = detect_monitored


class Layers:
    """Everything soft or harder, and the bone in it: they overlap."""

    def detect(self, image: Image, options: Options) -> Masks:
        return Masks(np.stack([image.array >= 0, image.array >= 120]), image.grid, (SOFT, BONE))


class Boxes:
    """One of each kind, at known indices."""

    def detect(self, image: Image, options: Options) -> Instances:
        ring = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 3.0], [1.0, 3.0, 3.0]])
        return Instances(
            (
                Instance(SOFT, 0.9, box=((0.5, 1.5, 2.5), (2.5, 4.5, 6.5))),
                Instance(BONE, 0.8, point=(1.0, 2.0, 3.0)),
                Instance(BONE, 0.7, polygon=ring),
            ),
            image.grid,
        )


class Whole:
    """The image as a whole."""

    def detect(self, image: Image, options: Options) -> Classes:
        return Classes({SOFT: 0.75, BONE: 0.25})


class Many:
    """More labels than 8 bits hold."""

    def detect(self, image: Image, options: Options) -> LabelMap:
        return LabelMap(np.full(image.grid.shape, 300, np.uint16), image.grid, {300: MANY[-1]})


MANY = tuple(Category(f"part {number}") for number in range(1, 301))
_FACTORY = "label_detectors:{}".format
bands = DetectorSpec(
    id="label.bands",
    title="Bands",
    factory=_FACTORY("Bands"),
    categories=(BONE, FAT, SOFT),
    options=BandOptions,
)
layers = DetectorSpec(
    id="label.layers",
    title="Layers",
    factory=_FACTORY("Layers"),
    gives="masks",
    categories=(SOFT, BONE),
)
boxes = DetectorSpec(
    id="label.boxes",
    title="Boxes",
    factory=_FACTORY("Boxes"),
    gives="instances",
    task="detection",
    categories=(SOFT, BONE),
)
whole = DetectorSpec(
    id="label.whole",
    title="Whole",
    factory=_FACTORY("Whole"),
    gives="classes",
    categories=(SOFT, BONE),
)
many = DetectorSpec(id="label.many", title="Many", factory=_FACTORY("Many"), categories=MANY)
lost = DetectorSpec(id="label.lost", title="Lost", factory=_FACTORY("Lost"), categories=(SOFT,))
