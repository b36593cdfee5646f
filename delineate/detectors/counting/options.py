"""What a caller may choose about `pests.count`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from delineate.segmentation.options import PointOptions

__all__ = ["PestOptions"]


class PestOptions(PointOptions):
    """Options of `pests.count`."""

    surface: Literal["auto", "card", "scene"] = Field(
        default="auto",
        description="card: they lie on a card, a trap or a sheet of one colour. scene: before "
        "anything else. auto: a card is where half of the picture has one colour.",
    )
    classes: Literal["none", "size"] = Field(
        default="none",
        description="none: all are called insect. size: moth, fly or thrips by length, for which "
        "the scale must be known.",
    )
    px_per_mm: float | None = Field(
        default=None,
        gt=0.0,
        le=10_000.0,
        description="Pixels a millimetre, where the picture does not say.",
    )
    fly_mm: float = Field(
        default=2.0, gt=0.0, description="Length from where on one is called a fly, not thrips."
    )
    moth_mm: float = Field(
        default=8.0, gt=0.0, description="Length from where on one is called a moth, not a fly."
    )
