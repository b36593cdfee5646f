"""How far two outputs of one kind differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from delineate.imaging import Image, LabelMap
from delineate.plugins import Classes, Field, Instances, Masks, Output
from delineate.testing.moves import centre

__all__ = ["Difference", "compare"]

_NEAR, _FAR = 5.0, 20.0  # samples within which two instances may be one


@dataclass(frozen=True, slots=True)
class Difference:
    """How far an output differs from another.

    Parameters
    ----------
    share
        0 for equal to 1 for nothing in common. Label maps, masks: one less the Dice coefficient of
        the category that agrees least. Instances: one less the F1 of pairing each with the nearest
        of its category. Classes: the largest difference of probabilities. Fields: as a mask of
        what is at or above the threshold, or the mean difference by the range if that is larger.
        Images: the mean difference by the range.
    samples
        How far things lie from where they were in the mean, in samples along the axis where it is
        most: centroids of categories, weighted by their samples; or paired instances, less two
        standard errors, for what scatters is not elsewhere.
    """

    share: float
    samples: float = 0.0


def compare(came: Output, expected: Output) -> Difference:
    """Compare two outputs of the same kind on the same grid."""
    if isinstance(came, Instances) and isinstance(expected, Instances):
        return _of_points(_points(came), _points(expected))
    if isinstance(came, Classes) and isinstance(expected, Classes):
        a = {category.name: value for category, value in came.probabilities.items()}
        b = {category.name: value for category, value in expected.probabilities.items()}
        return Difference(max((abs(a.get(n, 0) - b.get(n, 0)) for n in {*a, *b}), default=0.0))
    if isinstance(came, Image) and isinstance(expected, Image):
        return Difference(_mean_difference(came.array, expected.array))
    outlined = _of_masks(_masks(came), _masks(expected))
    if isinstance(came, Field) and isinstance(expected, Field):
        share = _mean_difference(came.array, expected.array)
        return Difference(max(share, outlined.share), outlined.samples)
    return outlined


def _masks(output: Output) -> dict[str, NDArray[np.bool_]]:
    """Where each category is."""
    if isinstance(output, LabelMap):
        return {category.name: output.mask(n) for n, category in output.categories.items()}
    if isinstance(output, Masks):
        names = [category.name for category in output.categories]
        return dict(zip(names, output.array, strict=True))
    assert isinstance(output, Field)
    return {output.category.name: np.asarray(output.array >= output.threshold)}


def _points(output: Instances) -> dict[str, NDArray[np.float64]]:
    """Indices ``(n, 3)`` of the middles, by category."""
    found = defaultdict(list)
    for item in output.items:
        found[item.category.name].append(centre(item))
    return {name: np.array(places) for name, places in found.items()}


def _of_masks(
    came: Mapping[str, NDArray[np.bool_]], expected: Mapping[str, NDArray[np.bool_]]
) -> Difference:
    share, apart, weight = 0.0, np.zeros(3), 0
    for name in {*came, *expected}:
        a, b = came.get(name), expected.get(name)
        both = 0 if a is None or b is None else int(np.count_nonzero(a & b))
        size = sum(0 if one is None else int(np.count_nonzero(one)) for one in (a, b))
        if size:
            share = max(share, 1 - 2 * both / size)
        if a is not None and b is not None and a.any() and b.any():
            apart += size * (np.argwhere(a).mean(axis=0) - np.argwhere(b).mean(axis=0))
            weight += size
    return Difference(share, float(np.abs(apart).max()) / max(1, weight))


def _of_points(
    came: Mapping[str, NDArray[np.float64]], expected: Mapping[str, NDArray[np.float64]]
) -> Difference:
    total, moves = 0, [np.empty((0, 3))]
    for name in {*came, *expected}:
        a, b = came.get(name), expected.get(name)
        total += sum(0 if one is None else len(one) for one in (a, b))
        if a is None or b is None:
            continue
        far, nearest = cKDTree(b).query(a, distance_upper_bound=_reach(b))
        _, back = cKDTree(a).query(b)
        mine = np.flatnonzero(np.isfinite(far))
        mine = mine[back[nearest[mine]] == mine]  # each is the other's nearest
        moves.append(a[mine] - b[nearest[mine]])
    apart = np.concatenate(moves)
    number = max(1, len(apart))
    scatter = apart.std(axis=0) / np.sqrt(number) if len(apart) else np.zeros(3)
    elsewhere = np.abs(apart.sum(axis=0) / number) - 2 * scatter
    share = 1 - 2 * len(apart) / total if total else 0.0
    return Difference(share, max(0.0, float(elsewhere.max())))


def _reach(places: NDArray[np.float64]) -> float:
    """How far one of these may have moved: half of the way to another, within bounds."""
    if len(places) < 2:
        return _FAR
    away, _ = cKDTree(places).query(places, k=2)
    return float(np.clip(np.median(away[:, 1]) / 2, _NEAR, _FAR))


def _mean_difference(came: NDArray[np.generic], expected: NDArray[np.generic]) -> float:
    if came.shape != expected.shape:
        return 1.0
    a, b = came.astype(np.float64), expected.astype(np.float64)
    span = float(np.ptp(b))
    apart = float(np.abs(a - b).mean())
    return min(1.0, apart / span) if span else float(apart > 0)
