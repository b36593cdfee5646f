"""Surface defects on photographs: `defects.surface`, and what good pictures alone teach.

Cheap to import: torch and MONAI are loaded when a detector is made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from delineate.imaging import Category
from delineate.plugins import DetectorSpec, Options, Wants, Weights

__all__ = ["MODEL", "PITTING", "SurfaceOptions", "spec"]

MODEL = Path(__file__).parent / "model"
"""The shipped model folder."""

PITTING = Category("pitting", colour=(213, 94, 0))

_SHIPPED = json.loads((MODEL / "model.json").read_text(encoding="utf-8"))


class SurfaceOptions(Options):
    """What may be chosen about a search for surface defects."""

    outline_at: float = Field(
        default=0.7,
        ge=0.5,
        lt=1.0,
        description="Probability from which on a sample counts as pitting: more draws it tighter.",
    )
    min_area_px: int = Field(
        default=300, ge=1, description="Connected samples fewer than these are not given out."
    )
    min_probability: float = Field(
        default=0.9,
        ge=0.5,
        le=1.0,
        description="Least mean probability of a region: more finds less, and less that is wrong.",
    )
    mirror: bool = Field(
        default=False,
        description="Average over flips: four times slower, and tells how far they agree.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where to compute; auto takes a CUDA device if there is one.",
    )
    backend: Literal["auto", "torch"] = Field(
        default="auto",
        description="What runs the network; auto takes the fastest that agrees with torch.",
    )


spec = DetectorSpec(
    id="defects.surface",
    title="Pitting of ball screws on photographs",
    factory="delineate.detectors.surface.detector:SurfaceDetector",
    version=_SHIPPED["version"],
    wants=Wants(modalities=("photo",), dimensions=2, channels=3),
    gives="labelmap",
    categories=(PITTING,),
    options=SurfaceOptions,
    weights=(
        Weights(
            name="defects-surface/weights.safetensors",
            sha256=_SHIPPED["weights"][0]["sha256"],
            licence=_SHIPPED["licence"],
        ),
    ),
    memory_mb=1200,
    memory_bytes_per_sample=40.0,
    intended_use=_SHIPPED["intended_use"],
)
