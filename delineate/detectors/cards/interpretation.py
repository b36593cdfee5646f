"""How an image becomes the input of a network, and what its outputs mean: parts of a card."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from delineate.plugins import OutputKind

__all__ = [
    "OUTPUT_KINDS",
    "Activation",
    "BoxesOutput",
    "ClassesOutput",
    "FieldOutput",
    "ImageOutput",
    "InputPart",
    "LabelsOutput",
    "MasksOutput",
    "OutputPart",
    "Part",
    "PeaksOutput",
]

Activation = Literal["softmax", "sigmoid", "none"]
Probability = Annotated[float, Field(ge=0, le=1)]
TensorName = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Part(BaseModel):
    """Base of all parts of a card: unknown keys and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class InputPart(Part):
    """How an image becomes the input of a network."""

    name: TensorName | None = None
    layout: Literal["NCHW", "NHWC", "NCDHW", "NDHWC"] = "NCHW"
    dtype: Literal["float32", "float16", "float64", "uint8", "int8", "uint16", "int16", "int32"] = (
        "float32"
    )
    channels: tuple[Annotated[int, Field(ge=0, le=63)], ...] = ()
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[Annotated[float, Field(gt=0)], ...] = ()
    size: tuple[Annotated[int, Field(ge=1, le=8192)], ...] | None = None
    multiple: int = Field(1, ge=1, le=1024)
    fit: Literal["pad", "stretch"] = "pad"
    padding: Literal["edge", "zero"] = "edge"

    @property
    def axes(self) -> int:
        """2: slices one by one. 3: the whole volume."""
        return len(self.layout) - 2

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.size is not None and len(self.size) != self.axes:
            raise ValueError(
                f"expected a size of {self.axes} numbers for {self.layout}, got {self.size}"
            )
        if self.fit == "stretch" and self.size is None:
            raise ValueError("fit 'stretch' needs a size to stretch to")
        if len(self.mean) > 1 and len(self.std) > 1 and len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} numbers, std {len(self.std)}")
        if (self.mean or self.std) and not self.dtype.startswith("float"):
            raise ValueError(f"mean and std make fractions, which {self.dtype} does not hold")
        return self


class _Output(Part):
    name: TensorName | None = None


class LabelsOutput(_Output):
    """A channel for each category, after the background where that has one; or labels."""

    form: Literal["labels"]
    activation: Literal["softmax", "sigmoid", "none", "index"] = "softmax"
    background: bool = True
    threshold: Probability = 0.5


class MasksOutput(_Output):
    """A channel for each category; they may overlap."""

    form: Literal["masks"]
    activation: Activation = "sigmoid"
    threshold: Probability = 0.5


class FieldOutput(_Output):
    """One channel is the score of each sample."""

    form: Literal["field"]
    activation: Activation = "none"
    channel: int = Field(0, ge=0)
    meaning: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    threshold: float


class ClassesOutput(_Output):
    """One number for each category."""

    form: Literal["classes"]
    activation: Activation = "softmax"
    temperature: float = Field(1.0, gt=0)


class PeaksOutput(_Output):
    """A channel for each category, with a peak at each thing."""

    form: Literal["peaks"]
    activation: Activation = "sigmoid"
    threshold: Probability = 0.5
    distance: float = Field(1.0, gt=0, description="Samples between two peaks, at least.")


class BoxesOutput(_Output):
    """Rows ``(four coordinates, score, label)``, or these three in outputs of their own."""

    form: Literal["boxes"]
    scores: TensorName | None = None
    labels: TensorName | None = None
    order: Literal["xyxy", "yxyx", "cxcywh"] = "xyxy"
    normalised: bool = False
    first_label: int = Field(0, ge=0)
    threshold: Probability = 0.5
    iou: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.labels is not None) and self.scores is None:
            raise ValueError("labels in an output of their own need scores in one, too")
        return self


class ImageOutput(_Output):
    """The restored image, larger by ``factor`` along each axis that the network sees."""

    form: Literal["image"]
    factor: int = Field(1, ge=1, le=16)
    scale: float = 1.0
    offset: float = 0.0
    clip: tuple[float, float] | None = None


OutputPart = Annotated[
    LabelsOutput
    | MasksOutput
    | FieldOutput
    | ClassesOutput
    | PeaksOutput
    | BoxesOutput
    | ImageOutput,
    Field(discriminator="form"),
]

OUTPUT_KINDS: Mapping[str, OutputKind] = MappingProxyType(
    {
        "labels": "labelmap",
        "masks": "masks",
        "field": "field",
        "classes": "classes",
        "peaks": "instances",
        "boxes": "instances",
        "image": "image",
    }
)
