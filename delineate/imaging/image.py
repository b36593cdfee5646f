"""Samples and labels on a grid."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError
from delineate.imaging.category import Category
from delineate.imaging.grid import Grid

__all__ = ["Image", "LabelMap", "Source"]


class Source:
    """Where samples came from, kept for what has to point back to it (an RTSTRUCT, say).

    Opaque to all but the format that made it, which derives from this class.
    """

    format: str = "memory"


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Samples on a grid.

    Parameters
    ----------
    array
        ``(slice, row, column)`` or ``(slice, row, column, channel)``, any real dtype; Hounsfield
        units for ``modality="CT"``. Made read-only (a view is taken, nothing is copied).
    grid
        Where the samples lie. A photograph is a grid of one slice.
    modality
        DICOM's code (``"CT"``, ``"MR"``, ``"US"``), ``"photo"``, or ``"unknown"``.
    channels
        Names of the channels; empty for a grey image.
    source
        What the samples were read from.
    notes
        Sentences on what reading assumed or changed, for every result to repeat.
    """

    array: NDArray[Any]
    grid: Grid
    modality: str = "unknown"
    channels: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        expected = self.grid.shape + ((len(self.channels),) if self.channels else ())
        if self.array.shape != expected:
            raise GeometryError(
                f"expected samples of shape {expected} for this grid, got {self.array.shape}"
            )
        if self.array.dtype.kind not in "biuf":
            raise TypeError(f"expected real samples, got dtype {self.array.dtype}")
        object.__setattr__(self, "array", _read_only(self.array))

    def __reduce__(self) -> tuple[type[Image], tuple[Any, ...]]:
        parts = (self.array, self.grid, self.modality, self.channels, self.source, self.notes)
        return Image, parts

    @property
    def content_hash(self) -> str:
        """``"sha256:..."`` over shape, dtype, affine (to 1e-6), unit, modality and samples.

        The same picture has the same hash whatever file it came in.
        """
        digest = hashlib.sha256()
        affine = (np.round(self.grid.affine, 6) + 0.0).astype("<f8")  # + 0.0: no negative zero
        array = np.ascontiguousarray(self.array)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        head = f"{array.shape}{array.dtype.str}{self.grid.unit}{self.modality}{self.channels}"
        digest.update(head.encode())
        digest.update(affine.tobytes())
        digest.update(array.view(np.uint8).data)
        return f"sha256:{digest.hexdigest()}"


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """Mutually exclusive labels on a grid; 0 is background.

    Parameters
    ----------
    array
        ``(slice, row, column)`` of integers from 0 to 65535; kept as the smallest of uint8 and
        uint16 that holds them, read-only.
    grid
        Where the labels lie.
    categories
        What each label is. A category without a single sample is allowed: it was looked for and
        not found.
    """

    array: NDArray[np.uint8] | NDArray[np.uint16]
    grid: Grid
    categories: Mapping[int, Category]

    def __post_init__(self) -> None:
        array: NDArray[Any] = np.asarray(self.array)
        if array.shape != self.grid.shape:
            raise GeometryError(
                f"expected labels of shape {self.grid.shape} for this grid, got {array.shape}"
            )
        if array.dtype.kind not in "bui":
            raise TypeError(f"expected integer labels, got dtype {array.dtype}")
        if array.dtype != np.uint8:
            low, high = int(array.min()), int(array.max())
            if low < 0 or high > 65535:
                raise ValueError(f"expected labels from 0 to 65535, got {low} to {high}")
            array = array.astype(np.uint8 if high < 256 else np.uint16, copy=False)
        categories = {int(label): category for label, category in self.categories.items()}
        if any(label < 1 or label > 65535 for label in categories):
            raise ValueError(
                f"expected categories for labels from 1 to 65535, got {sorted(categories)}"
            )
        object.__setattr__(self, "array", _read_only(array))
        object.__setattr__(self, "categories", MappingProxyType(categories))

    def __reduce__(self) -> tuple[type[LabelMap], tuple[Any, ...]]:
        return LabelMap, (self.array, self.grid, dict(self.categories))  # a proxy has no pickle

    def present(self) -> tuple[int, ...]:
        """Labels with at least one sample, in ascending order."""
        there = np.zeros(65536, dtype=bool)
        for plane in self.array:  # one by one: bincount makes eight bytes of each sample
            counts = np.bincount(_changing(plane.ravel()))
            there[: len(counts)] |= counts > 0
        return tuple(label for label in np.flatnonzero(there).tolist() if label)

    def mask(self, label: int) -> NDArray[np.bool_]:
        """Where ``label`` is: ``(slice, row, column)``."""
        return np.asarray(self.array == label)


def _changing(samples: NDArray[Any]) -> NDArray[Any]:
    """The same set of values in fewer samples: of eight bytes that repeat the eight before, none.

    Labels come in runs, and words are compared eight times as fast as bytes.
    """
    together = 8 // samples.itemsize
    words = samples[: len(samples) // together * together].view(np.uint64)
    kept = np.concatenate((words[:1], words[1:][words[1:] != words[:-1]]))
    return np.concatenate((kept.view(samples.dtype), samples[len(words) * together :]))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.setflags(write=False)
    return view
