"""What a detector may return: a closed union of six kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Category, Grid, Image, LabelMap

__all__ = [
    "Classes",
    "Detection",
    "Field",
    "Instance",
    "Instances",
    "Masks",
    "Output",
    "OutputKind",
]

OutputKind = Literal["labelmap", "masks", "instances", "classes", "field", "image"]


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """Structures that may overlap.

    ``array`` is bool ``(structure, slice, row, column)``, in the order of ``categories``.
    """

    array: NDArray[np.bool_]
    grid: Grid
    categories: tuple[Category, ...]

    def __post_init__(self) -> None:
        expected = (len(self.categories), *self.grid.shape)
        if self.array.shape != expected or self.array.dtype != np.bool_:
            raise ValueError(
                f"expected masks of bool {expected}, got {self.array.dtype} {self.array.shape}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One thing among many of its kind; has a point, a box, a polygon or several of these.

    Parameters
    ----------
    category
        One that the detector declares.
    score
        Confidence from 0 to 1.
    point
        Index ``(slice, row, column)`` on the grid of its :class:`Instances`, fractions allowed.
    box
        ``(low, high)`` indices of opposite corners; faces, so a box around the one sample 3 goes
        from 2.5 to 3.5.
    polygon
        ``(n, 3)`` indices of a closed ring within one slice.
    """

    category: Category
    score: float
    point: tuple[float, float, float] | None = None
    box: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    polygon: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"expected a score from 0 to 1, got {self.score}")
        if self.point is None and self.box is None and self.polygon is None:
            raise ValueError("an instance needs a point, a box or a polygon")


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """Things found one by one; their number is the count."""

    items: tuple[Instance, ...]
    grid: Grid


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Probabilities for the image as a whole, by category; they need not sum to one."""

    probabilities: Mapping[Category, float]

    def __post_init__(self) -> None:
        for category, value in self.probabilities.items():
            if not 0 <= value <= 1:
                raise ValueError(f"expected a probability for {category.name!r}, got {value}")
        object.__setattr__(self, "probabilities", MappingProxyType(dict(self.probabilities)))


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A score for every sample, with what it means and from where on it counts.

    ``array`` is float ``(slice, row, column)``; samples at or above ``threshold`` are a finding of
    ``category``.
    """

    array: NDArray[Any]
    grid: Grid
    category: Category
    meaning: str
    threshold: float

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape or self.array.dtype.kind != "f":
            raise ValueError(
                f"expected a float field of shape {self.grid.shape}, "
                f"got {self.array.dtype} {self.array.shape}"
            )


Output = LabelMap | Masks | Instances | Classes | Field | Image


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """An output with what else the detector knows of it; ``detect`` may return it instead.

    Parameters
    ----------
    output
        What was found.
    scores
        Confidence from 0 to 1 by number: the label of a :class:`LabelMap`, the place counted from
        1 in :class:`Masks` and :class:`Instances`, 1 for a :class:`Field`. Any may be left out.
    notes
        Short remarks by the same numbers, such as ``("smaller than most livers",)``.
    measurements
        What the detector itself knows of its findings, by the same numbers and by name, such as
        ``{1: {"border_entropy": 0.12}}``. Names of the framework's own measurements are not
        overruled.
    overall
        Numbers about the image as a whole, by name. The number of :class:`Instances` is counted
        without it.
    remarks
        Remarks on the whole result.
    device
        Where it was computed, such as ``"cuda:0"``; empty if it does not matter.
    versions
        Versions of packages that bear on the result; torch's is added where it was loaded.
    """

    output: Output
    scores: Mapping[int, float] = field(default_factory=dict)
    notes: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    measurements: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    overall: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, score in self.scores.items():
            if not 0 <= score <= 1:
                raise ValueError(f"expected a score from 0 to 1 for {number}, got {score}")
        notes = {number: tuple(lines) for number, lines in self.notes.items()}
        measured = {
            number: MappingProxyType(dict(values)) for number, values in self.measurements.items()
        }
        object.__setattr__(self, "scores", MappingProxyType(dict(self.scores)))
        object.__setattr__(self, "notes", MappingProxyType(notes))
        object.__setattr__(self, "measurements", MappingProxyType(measured))
        object.__setattr__(self, "overall", MappingProxyType(dict(self.overall)))
        object.__setattr__(self, "remarks", tuple(self.remarks))
        object.__setattr__(self, "versions", MappingProxyType(dict(self.versions)))
