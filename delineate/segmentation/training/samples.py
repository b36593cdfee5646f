"""Cases as the network will see them, made once and kept on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Category, Grid, Image, LabelMap, resample_labels
from delineate.segmentation.engine import cropped
from delineate.segmentation.model import Model
from delineate.segmentation.sampler import Sampler
from delineate.segmentation.training.organ_cases import IGNORED
from delineate.segmentation.working import Working, working_grid

__all__ = ["Sample", "prepare"]

_SLAB = 32
_PLACES = 2000  # kept of each label


@dataclass(frozen=True, slots=True)
class Sample:
    """One prepared case: three files that are mapped into memory, not read.

    Parameters
    ----------
    folder
        Where they lie.
    number
        Of the case; its name is not in the files' names.
    """

    folder: Path
    number: int

    @property
    def inputs(self) -> NDArray[np.float16]:
        """Normalised, ``(channel, slice, row, column)``, axes in the network's order."""
        return np.load(self._path("inputs"), mmap_mode="r")  # type: ignore[no-any-return]

    @property
    def labels(self) -> NDArray[np.uint8]:
        """``(slice, row, column)``; `IGNORED` where nothing is known."""
        return np.load(self._path("labels"), mmap_mode="r")  # type: ignore[no-any-return]

    @property
    def places(self) -> NDArray[np.int32]:
        """Some samples of each label, ``(label, slice, row, column)`` a row."""
        return np.load(self._path("places"), mmap_mode="r")  # type: ignore[no-any-return]

    def is_made(self) -> bool:
        """Whether all is there; the places are written last."""
        return self._path("places").is_file()

    def _path(self, what: str) -> Path:
        return self.folder / f"{self.number:06d}_{what}.npy"


def prepare(image: Image, labels: NDArray[np.uint8], model: Model, sample: Sample) -> None:
    """Sample and normalise a case as the engine does before it infers, and keep it.

    Parameters
    ----------
    image, labels
        As `pairs.read_pair` gives them.
    model
        What the network wants.
    sample
        Where to keep it. Inputs are kept in 16 bits, of which 11 are significant.
    """
    image, box = cropped(image, model)
    working = working_grid(image.grid, model.sampling, (1, 1, 1))
    sampler = Sampler(image, working, model)
    drawn = _on_grid(labels[box], image.grid, working)
    back = tuple(1 + axis for axis in working.order)
    inputs = np.empty((len(model.inputs), *working.grid.shape), np.float16)
    for first in range(0, inputs.shape[1], _SLAB):
        stop = min(inputs.shape[1], first + _SLAB)
        inputs[:, first:stop] = sampler.inputs(first, stop).clip(-6e4, 6e4)
    drawn = drawn.transpose(working.order)
    sample.folder.mkdir(parents=True, exist_ok=True)
    for what, array in (
        ("inputs", inputs.transpose(0, *back)),
        ("labels", drawn),
        ("places", _places(drawn)),
    ):
        path = sample._path(what)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as stream:
            np.save(stream, np.ascontiguousarray(array))
        partial.replace(path)


def _on_grid(labels: NDArray[np.uint8], grid: Grid, working: Working) -> NDArray[np.uint8]:
    """Labels on the working grid: what fills most of a sample; unknown beyond the image."""
    same = working.grid.matches(grid)
    numbers = {int(number): Category(f"label {number}") for number in np.unique(labels) if number}
    drawn = LabelMap(labels, grid, numbers)
    placed = drawn if same else resample_labels(drawn, working.grid, "majority")
    out = placed.array.astype(np.uint8)
    if not same:
        out[~working.covered(0, out.shape[0])] = IGNORED
    return out


def _places(labels: NDArray[np.uint8]) -> NDArray[np.int32]:
    rows = []
    for label in np.unique(labels).tolist():
        if label in (0, IGNORED):
            continue
        there = np.argwhere(labels == label)
        there = there[np.linspace(0, len(there) - 1, min(_PLACES, len(there))).astype(int)]
        rows.append(np.column_stack([np.full(len(there), label), there]))
    return np.concatenate(rows).astype(np.int32) if rows else np.zeros((0, 4), np.int32)
