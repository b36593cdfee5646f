"""What a caller may choose about a segmentation model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from delineate.plugins import Options
from delineate.segmentation.structures import ORGANS

__all__ = ["NAMES", "AnomalyOptions", "ModelOptions", "OrganOptions", "PointOptions"]

NAMES: tuple[str, ...] = tuple(each.category.name for each in ORGANS if not each.auxiliary)


class ModelOptions(Options):
    """Options of every model folder."""

    structures: tuple[str, ...] = Field(
        default=(), description="Names of the structures to return; none named: all."
    )
    region_mm: tuple[float, float, float, float, float, float] | None = Field(
        default=None,
        description="Look only within x low, x high, y low, y high, z low, z high (LPS mm).",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where to compute; auto takes a CUDA device if there is one.",
    )
    backend: Literal[
        "auto",
        "torch",
        "torch-bf16",
        "torch-fp16",
        "compile",
        "openvino",
        "openvino-bf16",
        "onnxruntime",
    ] = Field(
        default="auto",
        description="What runs the network; auto takes the fastest that agrees with torch.",
    )
    overlap: float | None = Field(
        default=None,
        ge=0.0,
        le=0.75,
        description="Share that neighbouring tiles have in common: more is smoother and slower; "
        "by default what the model says.",
    )
    mirror: bool = Field(
        default=False,
        description="Average over flips, where the model was trained for it: slower, and tells "
        "how far they agree.",
    )
    area: Literal["body", "whole"] = Field(
        default="body",
        description="On CT look at the body alone, or at the air around it too.",
    )


class PointOptions(Options):
    """Options of a model that finds points."""

    threshold: float | None = Field(
        default=None,
        gt=0.0,
        lt=1.0,
        description="Least score of a point; by default the one that validation chose.",
    )
    scale: float = Field(
        default=1.0,
        gt=0.0,
        le=20.0,
        description="How many times larger things are here than in the training pictures.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where to compute; auto takes a CUDA device if there is one.",
    )


class AnomalyOptions(Options):
    """Options of a model that finds what is unlike anything good."""

    threshold: float | None = Field(
        default=None,
        gt=0.0,
        description="Score from where on a sample counts; by default what training chose.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where to compute; auto takes a CUDA device if there is one.",
    )


class OrganOptions(ModelOptions):
    """Options of `organs.ct`."""

    structures: tuple[str, ...] = Field(
        default=(),
        description=f"Structures to return, any of {', '.join(NAMES)}; none named: all.",
    )

    @field_validator("structures")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(names) - set(NAMES))
        if unknown:
            raise ValueError(
                f"names structures that there are not ({', '.join(unknown)}); "
                f"known are {', '.join(NAMES)}"
            )
        return names
