"""`defects.compare`: faults of a printed board, against a picture of one without.

Cheap to import; the work is in :mod:`delineate.detectors.compare.detector`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from delineate.imaging import Category
from delineate.plugins import DetectorSpec, Options, Reference, Wants

__all__ = [
    "COPPER",
    "MOUSEBITE",
    "OPEN",
    "PIN_HOLE",
    "SHORT",
    "SPUR",
    "CompareOptions",
    "spec",
]

OPEN = Category("open", colour=(213, 94, 0))
SHORT = Category("short", colour=(0, 158, 115))
MOUSEBITE = Category("mousebite", colour=(0, 114, 178))
SPUR = Category("spur", colour=(230, 159, 0))
COPPER = Category("copper", colour=(204, 121, 167))
PIN_HOLE = Category("pin-hole", colour=(86, 180, 233))


class CompareOptions(Options):
    """What may be chosen; lengths are in samples of the picture."""

    template: Reference | None = Field(
        None, description="Picture of the same board without a fault; must be given."
    )
    copper: Literal["auto", "bright", "dark"] = Field(
        "auto",
        description="Whether copper is the brighter or the darker of the two levels; auto goes by "
        "the template's conductors and holes, and takes dark where they do not tell.",
    )
    contrast: float = Field(
        0.5,
        ge=0.1,
        le=0.9,
        description="Least change that counts, as a share of the step from board to copper; "
        "less is more sensitive.",
    )
    tolerance: int = Field(
        2, ge=0, le=50, description="How far, in samples, an edge may wander without being a fault."
    )
    min_area: int = Field(12, ge=1, description="Fewest changed samples that make a fault.")
    margin: float = Field(
        10.0, ge=0, le=1000, description="Samples left around a fault on each side of its box."
    )
    max_shift: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="Largest shift between the pictures, as a share of the longer side.",
    )


spec = DetectorSpec(
    id="defects.compare",
    title="Faults of a printed board, against a template",
    factory="delineate.detectors.compare.detector:TemplateComparison",
    categories=(OPEN, SHORT, MOUSEBITE, SPUR, COPPER, PIN_HOLE),
    task="detection",
    wants=Wants(dimensions=2),
    gives="instances",
    options=CompareOptions,
    memory_mb=200,
    memory_bytes_per_sample=45.0,
    intended_use=(
        "Inspection of bare printed boards from above, by pictures in which copper and board are "
        "two levels of brightness. What it does not find may still be there."
    ),
)
