"""Detectors whose output has samples of its own, one that has none, and a label map."""

from __future__ import annotations

import numpy as np
from pydantic import Field as OptionField

from delineate.imaging import Category, Image, LabelMap
from delineate.plugins import Classes, DetectorSpec, Field, Options, Reference

WARM = Category("warm")
NAMES = ("field", "double", "classes", "labels", "compare")


class Ramp:
    """The index of each sample, as a float field."""

    def detect(self, image: Image, options: Options) -> Field:
        ramp = np.arange(image.array.size, dtype=np.float64)
        return Field(ramp.reshape(image.grid.shape), image.grid, WARM, "index of the sample", 9.5)


class Double:
    """Every sample of a slice twice along rows and columns."""

    def detect(self, image: Image, options: Options) -> Image:
        slices, rows, columns = image.grid.spacing
        array = image.array.repeat(2, axis=1).repeat(2, axis=2)
        grid = image.grid.with_spacing((slices, rows / 2, columns / 2))
        return Image(array, grid, image.modality, image.channels)


class Whole:
    """The image as a whole is warm."""

    def detect(self, image: Image, options: Options) -> Classes:
        return Classes({WARM: 0.75})


class Bright:
    """Everything above 0."""

    def detect(self, image: Image, options: Options) -> LabelMap:
        return LabelMap((image.array > 0).astype(np.uint8), image.grid, {1: WARM})


field = DetectorSpec(
    id="sampled.field",
    title="Ramp",
    factory="sampled_detectors:Ramp",
    gives="field",
    categories=(WARM,),
)
double = DetectorSpec(
    id="sampled.double", title="Double", factory="sampled_detectors:Double", gives="image"
)
classes = DetectorSpec(
    id="sampled.classes",
    title="Whole",
    factory="sampled_detectors:Whole",
    gives="classes",
    categories=(WARM,),
)
labels = DetectorSpec(
    id="sampled.labels", title="Bright", factory="sampled_detectors:Bright", categories=(WARM,)
)


class CompareOptions(Options):
    other: Reference | None = OptionField(None, description="Image to compare with.")


class Compare:
    """How far each sample is from that of another image."""

    def detect(self, image: Image, options: CompareOptions) -> Field:
        other = image if options.other is None else options.other.image
        away = np.abs(image.array.astype(np.float32) - other.array)
        return Field(away, image.grid, WARM, "difference", 1.0)


compare = DetectorSpec(
    id="sampled.compare",
    title="Compare",
    factory="sampled_detectors:Compare",
    gives="field",
    categories=(WARM,),
    options=CompareOptions,
)
