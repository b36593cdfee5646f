"""Put together what a detector found in the parts of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.delineation.doubles import joined
from delineate.delineation.tiling import Tile
from delineate.errors import BadDetectionError
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import Classes, Detection, DetectorSpec, Field, Instances, Masks, Output

__all__ = ["merged"]

Triple = tuple[int, int, int]
Part = tuple[Tile, Detection]

_SPREAD = 1 / 8  # standard deviation of a tile's weight, as a share of the tile
_LEAST = 1e-3
_SAME = 1e-3  # of a sample


def merged(parts: Sequence[Part], grid: Grid, spec: DetectorSpec) -> Detection:
    """One detection from those in tiles.

    Labels and masks are taken from the tile whose edge is farther away; fields and restored images
    are averaged with Gaussian weights; of instances found in two tiles one stays; classes, and
    numbers about the whole image, are averaged by area.

    Parameters
    ----------
    parts
        Tiles, as `tiling.cut` made them, and what was found in each.
    grid
        The one that was cut.
    spec
        Of the detector.

    Raises
    ------
    BadDetectionError
        If restored images of the parts do not make one image.
    """
    first = parts[0][1]
    if len(parts) == 1:
        return first
    outputs = [detection.output for _, detection in parts]
    together: Detection
    if isinstance(first.output, Instances):
        together = joined(parts, grid, spec.wants.overlap)
    else:
        output: Output
        if isinstance(first.output, LabelMap):
            output = _labels(parts, grid)
        elif isinstance(first.output, Masks):
            output = _masks(parts, grid)
        elif isinstance(first.output, Field):
            samples = _blended(parts, grid.shape, lambda found: found.array, (1.0, 1.0, 1.0))
            output = replace(first.output, array=samples, grid=grid)
        elif isinstance(first.output, Classes):
            output = _classes(parts)
        else:
            output = _image(parts, grid, spec)
        together = Detection(output)
        if not isinstance(output, (Classes, Image)):
            together = _numbered(together, parts, [_extents(found) for found in outputs])
    areas = [float(np.prod(tile.shape)) for tile, _ in parts]
    return replace(
        together,
        overall=_averaged([detection.overall for _, detection in parts], areas),
        remarks=_once(line for _, detection in parts for line in detection.remarks),
        device=first.device,
        versions=first.versions,
    )


def _labels(parts: Sequence[Part], grid: Grid) -> LabelMap:
    categories: dict[int, Category] = {}
    array = np.zeros(grid.shape, np.uint16)
    for tile, detection in parts:
        found = detection.output
        assert isinstance(found, LabelMap)
        array[tile.core] = found.array[tile.core_within]
        categories |= found.categories
    return LabelMap(array, grid, dict(sorted(categories.items())))


def _masks(parts: Sequence[Part], grid: Grid) -> Masks:
    categories = tuple(
        dict.fromkeys(category for _, found in parts for category in _of_masks(found).categories)
    )
    array = np.zeros((len(categories), *grid.shape), np.bool_)
    for tile, detection in parts:
        found = _of_masks(detection)
        for mask, category in zip(found.array, found.categories, strict=True):
            array[categories.index(category)][tile.core] |= mask[tile.core_within]
    return Masks(array, grid, categories)


def _of_masks(detection: Detection) -> Masks:
    assert isinstance(detection.output, Masks)
    return detection.output


def _classes(parts: Sequence[Part]) -> Classes:
    values = [
        found.probabilities
        for _, detection in parts
        if isinstance(found := detection.output, Classes)
    ]
    areas = [float(np.prod(tile.shape)) for tile, _ in parts]
    return Classes(
        {category: min(1.0, value) for category, value in _averaged(values, areas).items()}
    )


def _image(parts: Sequence[Part], grid: Grid, spec: DetectorSpec) -> Image:
    """A restored image of finer or coarser samples, whose parts fit together."""
    tile, detection = parts[0]
    first = detection.output
    assert isinstance(first, Image)
    steps = grid.crop(tile.start, tile.shape).inverse @ first.grid.affine
    a, b, c = (size / length for size, length in zip(first.grid.shape, tile.shape, strict=True))
    whole = tuple(
        round(length * factor) for length, factor in zip(grid.shape, (a, b, c), strict=True)
    )
    target = Grid((whole[0], whole[1], whole[2]), grid.affine @ steps, grid.unit)
    for tile, detection in parts:
        found = detection.output
        assert isinstance(found, Image)
        start = np.array(tile.start) * (a, b, c)
        corner = np.rint(start).astype(int)
        expected = target.crop((int(corner[0]), int(corner[1]), int(corner[2])), found.grid.shape)
        if np.abs(start - corner).max() > _SAME or not found.grid.matches(expected):
            raise BadDetectionError(
                f"the images that detector {spec.id} restored from tiles of {tile.shape} samples "
                "do not lie on one grid; expected the same whole or fractional factor in each, "
                "declare a tile and overlap that it divides",
                spec.id,
            )
    samples = _blended(parts, target.shape, lambda found: found.array, (a, b, c))
    if first.array.dtype.kind in "biu":
        samples = np.rint(samples)
    return Image(samples.astype(first.array.dtype), target, first.modality, first.channels)


def _blended(
    parts: Sequence[Part],
    shape: Triple,
    samples: Callable[[Any], NDArray[Any]],
    factors: tuple[float, float, float],
) -> NDArray[Any]:
    """Mean of what tiles say, each weighted by a Gaussian about its middle along cut axes."""
    first = samples(parts[0][1].output)
    total = np.zeros((*shape, *first.shape[3:]), np.float32)
    weights = np.zeros(shape, np.float32)
    for tile, detection in parts:
        found = samples(detection.output)
        weight = np.ones(found.shape[:3], np.float32)
        for axis, length in enumerate(found.shape[:3]):
            if length < shape[axis]:
                place = (np.arange(length) - (length - 1) / 2) / (_SPREAD * length)
                curve = np.maximum(np.exp(-(place**2) / 2), _LEAST).astype(np.float32)
                weight *= np.expand_dims(curve, tuple({0, 1, 2} - {axis}))
        box = tuple(
            slice(low := round(start * factor), low + length)
            for start, factor, length in zip(tile.start, factors, found.shape[:3], strict=True)
        )
        total[box] += found * (weight[..., None] if found.ndim == 4 else weight)
        weights[box] += weight
    total /= weights[..., None] if total.ndim == 4 else weights
    return total


def _extents(output: Output) -> dict[int, float]:
    """How many samples each number has in a part: what its score counts for."""
    if isinstance(output, LabelMap):
        numbers, counts = np.unique(output.array, return_counts=True)
        there = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        return {number: float(there.get(number, 0)) for number in output.categories}
    if isinstance(output, Masks):
        return {number: float(mask.sum()) for number, mask in enumerate(output.array, 1)}
    assert isinstance(output, Field)
    return {1: float((output.array >= output.threshold).sum())}


def _numbered(
    together: Detection, parts: Sequence[Part], extents: Sequence[Mapping[int, float]]
) -> Detection:
    """Add scores and measurements, weighted by extent, and notes of labels, masks or a field."""
    numbers = sorted({number for extent in extents for number in extent})
    scores: dict[int, float] = {}
    measurements: dict[int, Mapping[str, float]] = {}
    notes: dict[int, tuple[str, ...]] = {}
    found = [detection for _, detection in parts]
    for number in numbers:
        shares = [extent.get(number, 0.0) + 1e-9 for extent in extents]
        sure = [{0: one.scores[number]} if number in one.scores else {} for one in found]
        if mean := _averaged(sure, shares):
            scores[number] = min(1.0, mean[0])
        if means := _averaged([one.measurements.get(number, {}) for one in found], shares):
            measurements[number] = means
        if lines := _once(line for one in found for line in one.notes.get(number, ())):
            notes[number] = lines
    return replace(together, scores=scores, measurements=measurements, notes=notes)


def _averaged(values: Sequence[Mapping[Any, float]], weights: Sequence[float]) -> dict[Any, float]:
    """Weighted mean by name, over the parts that have it."""
    totals: dict[Any, list[float]] = {}
    for one, weight in zip(values, weights, strict=True):
        for name, value in one.items():
            sums = totals.setdefault(name, [0.0, 0.0])
            sums[0] += weight * value
            sums[1] += weight
    return {name: total / weight for name, (total, weight) in totals.items()}


def _once(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))
