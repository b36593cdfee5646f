"""What a caller may choose about the organ detector."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from delineate.plugins import Options
from delineate.segmentation.structures import ORGANS

NAMES: tuple[str, ...] = tuple(each.category.name for each in ORGANS if not each.auxiliary)


class OrganOptions(Options):
    """Options of `organs.ct`."""

    structures: tuple[str, ...] = Field(
        default=(),
        description=f"Structures to return, any of {', '.join(NAMES)}; none named: all.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where to compute; auto takes a CUDA device if there is one.",
    )
    overlap: float = Field(
        default=0.5,
        ge=0.0,
        le=0.75,
        description="Share that neighbouring tiles have in common: more is smoother and slower.",
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
