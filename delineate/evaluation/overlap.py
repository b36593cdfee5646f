"""How many samples two results share, structure by structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError, InputError
from delineate.evaluation.surface import Part
from delineate.imaging import Grid, LabelMap
from delineate.plugins.outputs import Masks

__all__ = ["Structure", "structures"]

Segmentation = LabelMap | Masks


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """One structure in a reference and in a prediction on the same grid.

    Parameters
    ----------
    name
        Its name.
    reference, prediction
        Where it is; ``None`` where it is empty.
    samples
        How many the reference, the prediction and both have.
    centroids
        Of the reference and of the prediction, indices ``(slice, row, column)``; not a number
        where it is empty.
    """

    name: str
    reference: Part | None
    prediction: Part | None
    samples: tuple[int, int, int]
    centroids: tuple[NDArray[np.float64], NDArray[np.float64]]

    @property
    def dice(self) -> float:
        """Twice the common samples by the sum of both; not a number where both are empty."""
        one, two, both = self.samples
        return _ratio(2 * both, one + two)

    @property
    def iou(self) -> float:
        """The common samples by those of either; not a number where both are empty."""
        one, two, both = self.samples
        return _ratio(both, one + two - both)

    @property
    def sensitivity(self) -> float:
        """The common samples by the reference's."""
        return _ratio(self.samples[2], self.samples[0])

    @property
    def precision(self) -> float:
        """The common samples by the prediction's."""
        return _ratio(self.samples[2], self.samples[1])

    def centroid_distance(self, grid: Grid) -> float:
        """Between both centroids, in the grid's unit; not a number where one is empty."""
        one, two = self.centroids
        return float(np.linalg.norm(grid.affine[:3, :3] @ (one - two)))


def structures(reference: Segmentation, prediction: Segmentation) -> tuple[Structure, ...]:
    """Count the structures of both, matched by name: those of the reference, then the others.

    Two label maps are counted in one pass. Beside them it takes no memory worth mention; a
    label map against masks takes one byte a sample.

    Raises
    ------
    GeometryError
        If they do not lie on the same grid.
    InputError
        If one has two structures of one name.
    """
    if reference.grid.shape != prediction.grid.shape or not reference.grid.matches(prediction.grid):
        raise GeometryError(
            f"expected a prediction on the reference's grid ({_shown(reference.grid)}), got one on "
            f"another ({_shown(prediction.grid)}); resample it first"
        )
    ours, theirs = _named(reference, "reference"), _named(prediction, "prediction")
    names = [*ours, *(name for name in theirs if name not in ours)]
    if isinstance(reference, LabelMap) and isinstance(prediction, LabelMap):
        return _exclusive(reference, prediction, names, ours, theirs)
    return tuple(
        _single(name, _mask(reference, ours.get(name)), _mask(prediction, theirs.get(name)))
        for name in names
    )


def _named(given: Segmentation, side: str) -> dict[str, int]:
    """Label, or place, of each structure's name."""
    if isinstance(given, LabelMap):
        pairs = [(category.name, label) for label, category in sorted(given.categories.items())]
    else:
        pairs = [(category.name, place) for place, category in enumerate(given.categories)]
    named = dict(pairs)
    if len(named) < len(pairs):
        twice = sorted({name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1})
        raise InputError(f"the {side} has two structures named {twice[0]!r}; rename one")
    return named


def _exclusive(
    reference: LabelMap,
    prediction: LabelMap,
    names: Sequence[str],
    ours: Mapping[str, int],
    theirs: Mapping[str, int],
) -> tuple[Structure, ...]:
    from delineate.evaluation.overlap_kernel import tally

    one, two = np.ascontiguousarray(reference.array), np.ascontiguousarray(prediction.array)
    ids = []
    for array, labels in ((one, ours), (two, theirs)):
        table = np.zeros(256**array.dtype.itemsize, np.int32)
        for number, name in enumerate(names, start=1):
            if name in labels and labels[name] < len(table):
                table[labels[name]] = number
        ids.append(table)
    counts, sums, boxes = tally(one, two, ids[0], ids[1], len(names) + 1)
    return tuple(
        _structure(
            name,
            ((one, ours.get(name, 0)), (two, theirs.get(name, 0))),
            counts[number],
            sums[number],
            boxes[number],
        )
        for number, name in enumerate(names, start=1)
    )


def _single(name: str, one: NDArray[np.uint8], two: NDArray[np.uint8]) -> Structure:
    from delineate.evaluation.overlap_kernel import tally

    ids = np.array([0, 1], np.int32)
    counts, sums, boxes = tally(one, two, ids, ids, 2)
    return _structure(name, ((one, 1), (two, 1)), counts[1], sums[1], boxes[1])


def _structure(
    name: str,
    places: Sequence[tuple[NDArray[Any], int]],
    counts: NDArray[np.int64],
    sums: NDArray[np.int64],
    boxes: NDArray[np.int64],
) -> Structure:
    parts = [
        Part(array, label, tuple(box.tolist())) if count else None
        for (array, label), count, box in zip(places, counts, boxes, strict=False)
    ]
    with np.errstate(invalid="ignore"):
        one, two = (total / (2 * count) for total, count in zip(sums, counts, strict=False))
    samples = int(counts[0]), int(counts[1]), int(counts[2])
    return Structure(name, parts[0], parts[1], samples, (one, two))


def _mask(given: Segmentation, place: int | None) -> NDArray[np.uint8]:
    if place is None:
        return np.zeros(given.grid.shape, np.uint8)
    if isinstance(given, Masks):
        return np.ascontiguousarray(given.array[place]).view(np.uint8)
    return given.mask(place).view(np.uint8)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _shown(grid: Grid) -> str:
    spacing = " x ".join(f"{step:.4g}" for step in grid.spacing)
    shape = " x ".join(map(str, grid.shape))
    origin = ", ".join(f"{value:.4g}" for value in grid.affine[:3, 3])
    return f"{shape} samples of {spacing} {grid.unit} from ({origin}), axes {grid.orientation}"
