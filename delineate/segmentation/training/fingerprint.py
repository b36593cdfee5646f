"""What the images of a data set have in common, measured before anything is planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.errors import InputError
from delineate.imaging import Grid
from delineate.segmentation.training.layouts import CaseFiles, DataSet
from delineate.segmentation.training.organ_cases import IGNORED
from delineate.segmentation.training.pairs import read_pair

__all__ = ["Fingerprint", "fingerprint"]

_SOME = 10_000  # intensities kept of each case


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """Measured over the cases to learn from.

    Parameters
    ----------
    unit
        ``"mm"``, or ``"px"`` for pictures without a scale.
    modalities
        Of each channel; ``"unknown"`` where cases differ.
    shapes, spacings
        Of each case, ``(case, 3)``; along head, back and left where sizes are in mm.
    intensities
        Of each channel those of labelled samples, some of each case.
    counts
        Cases that hold each label, in label order.
    """

    unit: str
    modalities: tuple[str, ...]
    shapes: NDArray[np.int64]
    spacings: NDArray[np.float64]
    intensities: tuple[NDArray[np.float32], ...]
    counts: tuple[int, ...]

    @property
    def is_flat(self) -> bool:
        """Whether most of the images are single slices."""
        return bool(np.median(self.shapes.min(axis=1)) == 1)


def fingerprint(
    cases: Sequence[CaseFiles],
    dataset: DataSet,
    progress: Callable[[int], None] = lambda _: None,
) -> Fingerprint:
    """Read each case once and measure it.

    Raises
    ------
    InputError
        If a case cannot be used, they do not have the same unit and channels, or no sample of any
        case is labelled.
    """
    grids: list[Grid] = []
    modalities: list[set[str]] = []
    values: list[list[NDArray[np.float32]]] = []
    held = np.zeros(len(dataset.names) + 1, np.int64)
    for number, case in enumerate(cases):
        image, labels = read_pair(case, dataset)
        array = image.array if image.channels else image.array[..., None]
        if not grids:
            modalities = [set() for _ in range(array.shape[-1])]
            values = [[] for _ in range(array.shape[-1])]
        elif (len(values), grids[0].unit) != (array.shape[-1], image.grid.unit):
            raise InputError(
                f"case {case.name} has {array.shape[-1]} channels in {image.grid.unit}, "
                f"{cases[0].name} has {len(values)} in {grids[0].unit}; expected them to be alike"
            )
        grids.append(image.grid.oriented("SPL") if image.grid.unit == "mm" else image.grid)
        present = np.unique(labels)
        held[present[present <= len(dataset.names)]] += 1
        inside = np.flatnonzero((labels > 0) & (labels != IGNORED))
        chosen = inside[:: max(1, len(inside) // _SOME)]
        for channel in range(array.shape[-1]):
            modalities[channel].add(image.modality)
            values[channel].append(array[..., channel].ravel()[chosen].astype(np.float32))
        progress(number)
    stated = dataset.channels
    if stated and len(stated) != len(values):
        raise InputError(
            f"dataset.json names {len(stated)} channels ({', '.join(stated)}), the images have "
            f"{len(values)}"
        )
    if held[1:].sum() == 0:
        raise InputError("no sample of any case is labelled; there is nothing to learn")
    return Fingerprint(
        grids[0].unit,
        tuple(
            "CT" if stated and stated[n].upper() == "CT" else _only(each)
            for n, each in enumerate(modalities)
        ),
        np.array([grid.shape for grid in grids]),
        np.array([grid.spacing for grid in grids]),
        tuple(np.concatenate(each) for each in values),
        tuple(held[1:].tolist()),
    )


def _only(found: set[str]) -> str:
    return next(iter(found)) if len(found) == 1 else "unknown"
