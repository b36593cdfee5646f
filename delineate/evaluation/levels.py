"""Samples of a field counted by score, so that those of many images can be added up."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Levels", "levels_of", "merged"]

_DROPPED = 14  # bits of a score's 32, so that levels of scores differ by one in 512 at most
_MOST = 10_000_000  # counts that `merged` holds


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """How many samples have which score.

    Parameters
    ----------
    levels
        ``(k,)``, falling: scores as integers in the same order, less their last bits.
    true, false
        ``(k,)``: samples inside and outside of what is truly different.
    shares
        ``(k,)``: their sum over regions, each sample being its part of its region.
    regions
        How many regions there are, connected across faces, edges and corners.
    """

    levels: NDArray[np.int64]
    true: NDArray[np.int64]
    false: NDArray[np.int64]
    shares: NDArray[np.float64]
    regions: int

    def to_json(self) -> dict[str, Any]:
        """Small: the numbers are compressed."""
        arrays = (self.levels, self.true, self.false, self.shares)
        packed = b"".join(one.astype(one.dtype.newbyteorder("<")).tobytes() for one in arrays)
        return {
            "regions": self.regions,
            "counts": base64.b64encode(zlib.compress(packed, 6)).decode(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Levels:
        """Inverse of `to_json`."""
        packed = zlib.decompress(base64.b64decode(document["counts"]))
        whole = np.frombuffer(packed, "<i8").reshape(4, -1)
        levels, true, false = whole[:3].astype(np.int64)
        return cls(levels, true, false, whole[3].view("<f8").astype(float), document["regions"])


def levels_of(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> Levels:
    """Count the samples of a field, ``(slice, row, column)``, by their score in single precision.

    Scores that differ by less than one in 512 may share a level.
    """
    from scipy.ndimage import label

    regions, number = label(truth, np.ones((3,) * truth.ndim))
    bits = (np.ascontiguousarray(scores, np.float32) + np.float32(0)).view(np.uint32).ravel()
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)) >> _DROPPED
    levels, place = np.unique(ordered, return_inverse=True)
    owner = regions.ravel()
    parts = 1.0 / np.maximum(np.bincount(owner, minlength=number + 1), 1)
    parts[0] = 0.0
    size = len(levels)
    inside = np.bincount(place[owner > 0], minlength=size)
    return Levels(
        levels[::-1].astype(np.int64),
        inside[::-1],
        (np.bincount(place, minlength=size) - inside)[::-1],
        np.asarray(np.bincount(place, weights=parts[owner], minlength=size)[::-1], np.float64),
        int(number),
    )


def merged(images: list[Levels]) -> tuple[NDArray[np.float64], ...]:
    """``true``, ``false`` and ``shares`` of images on common levels, ``(image, k)`` each.

    Where there are too many levels for so many images, their last bits are dropped.
    """
    dropped = 0
    while True:
        known = np.unique(np.concatenate([one.levels >> dropped for one in images]))
        if known.size * len(images) <= _MOST:
            break
        dropped += 1
    counts = np.zeros((3, len(images), known.size))
    for number, one in enumerate(images):
        places = known.size - 1 - np.searchsorted(known, one.levels >> dropped)
        for kind, held in enumerate((one.true, one.false, one.shares)):
            counts[kind, number] = np.bincount(places, weights=held, minlength=known.size)
    return counts[0], counts[1], counts[2]
