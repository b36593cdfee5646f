"""How results are to be scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from delineate.errors import InputError
from delineate.evaluation.score import METRICS
from delineate.evaluation.surface import SurfaceKind

__all__ = ["Scoring"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """How results are scored.

    Parameters
    ----------
    metrics
        Names in `METRICS`, in any order; all that fit the results' kind if empty.
    tolerance_mm
        Of the normalised surface Dice, in the grid's unit.
    tolerances_mm
        Its own for some structures, by name.
    path_tolerance_mm
        Of the added path length.
    surface
        What a surface is; see `evaluation.surface`.
    distance
        Farthest apart that two points may be and still be the same thing, in the grid's unit.
    iou
        Least overlap of two boxes, polygons or regions that are the same thing.
    """

    metrics: tuple[str, ...] = ()
    tolerance_mm: float = 2.0
    tolerances_mm: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    path_tolerance_mm: float = 0.0
    surface: SurfaceKind = "voxels"
    distance: float = 20.0
    iou: float = 0.5

    def __post_init__(self) -> None:
        unknown = [name for name in self.metrics if name not in METRICS]
        if unknown:
            raise InputError(f"expected metrics among {', '.join(METRICS)}, got {unknown[0]!r}")
        if self.surface not in ("voxels", "elements"):
            raise InputError(f"expected a surface of voxels or elements, got {self.surface!r}")
        lengths = {
            "tolerance_mm": self.tolerance_mm,
            "path_tolerance_mm": self.path_tolerance_mm,
            "distance": self.distance,
            **{f"tolerance_mm of {name}": value for name, value in self.tolerances_mm.items()},
        }
        for name, value in lengths.items():
            if not 0 <= value < float("inf"):
                raise InputError(f"expected a {name} of 0 or more, got {value}")
        if not 0 < self.iou <= 1:
            raise InputError(f"expected an iou above 0 and at most 1, got {self.iou}")
        object.__setattr__(self, "metrics", tuple(m for m in METRICS if m in set(self.metrics)))
        ordered = dict(sorted(self.tolerances_mm.items()))
        object.__setattr__(self, "tolerances_mm", MappingProxyType(ordered))

    def tolerance_of(self, structure: str) -> float:
        """The tolerance of a structure's normalised surface Dice."""
        return self.tolerances_mm.get(structure, self.tolerance_mm)

    def wants(self, *names: str) -> bool:
        """Whether one of these metrics is asked for."""
        return not self.metrics or any(name in self.metrics for name in names)

    def to_json(self) -> dict[str, Any]:
        """All of it, for provenance and keys; equal for equal scoring."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**fields, "metrics": list(self.metrics), "tolerances_mm": dict(self.tolerances_mm)}
