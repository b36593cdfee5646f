"""From what a detector returned to what people want: outlines, numbers, notes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour, measure, trace, trace_all
from delineate.delineation.result import Finding, Point
from delineate.imaging import Grid, Image, LabelMap
from delineate.plugins import Classes, Detection, DetectorSpec, Field, Instance, Instances, Masks

__all__ = ["CUT", "DECIMALS", "counts", "findings", "overall", "significant"]

DECIMALS = 4  # of positions, in mm or px
_DIGITS = 7  # of measurements
CUT = "cut by the field of view"


def findings(
    detection: Detection, image: Image, progress: Callable[[float], None] = lambda _: None
) -> tuple[Finding, ...]:
    """Turn an output into findings, by ascending id.

    Parameters
    ----------
    detection
        On the image's own grid.
    image
        Whose samples are measured.
    progress
        Told how far it is, 0 to 1.

    Returns
    -------
    tuple of Finding
        Labels and masks: one each, with contours, also of what is empty. Instances: one each.
        Classes: one each, its probability as the score. A field: one, of what is at or above the
        threshold. A restored image: none.
    """
    output = detection.output
    if isinstance(output, LabelMap):
        return _of_labels(detection, output, image)
    if isinstance(output, Masks):
        return _of_masks(detection, output, image, progress)
    if isinstance(output, Instances):
        return tuple(
            _of_instance(detection, number, item, output.grid)
            for number, item in enumerate(output.items, 1)
        )
    if isinstance(output, Classes):
        return tuple(
            Finding(id=number, category=category, score=significant(probability))
            for number, (category, probability) in enumerate(output.probabilities.items(), 1)
        )
    if isinstance(output, Field):
        return (_of_field(detection, output, image),)
    return ()


def overall(detection: Detection, spec: DetectorSpec) -> dict[str, float]:
    """Numbers about the whole image: those the detector gives, and how many things there are.

    ``count`` is the number of instances; ``count_low`` and ``count_high`` hold the true number 95
    times in 100, where the detector states how far its counts are off. Where it declares several
    categories, the number of each stands beside them as ``count_NAME``.
    """
    numbers = dict(detection.overall)
    if isinstance(detection.output, Instances):
        items = detection.output.items
        numbers["count"] = len(items)
        if spec.count_error is not None:
            low, high = spec.count_error.interval(len(items))
            numbers |= {"count_low": low, "count_high": high}
        if len(spec.categories) > 1:
            numbers |= counts(detection.output, [category.name for category in spec.categories])
    return dict(significant(numbers))


def counts(things: Instances, names: Iterable[str]) -> dict[str, float]:
    """How many there are of each of some categories, as ``count_NAME``.

    Categories whose names differ in case and separators alone are counted together.
    """
    found = Counter(_word(item.category.name) for item in things.items)
    return {f"count_{word}": found[word] for word in map(_word, names)}


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def significant(value: Any) -> Any:
    """A number, or lists and mappings of them, to seven significant digits; NaN as ``None``."""
    if isinstance(value, Mapping):
        return {key: significant(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [significant(entry) for entry in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{_DIGITS}g}") + 0.0 if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def _of_labels(detection: Detection, labels: LabelMap, image: Image) -> tuple[Finding, ...]:
    measured = _measured(labels, image)
    return tuple(
        _outlined(
            detection,
            structure.number,
            labels.categories[structure.number],
            structure.contours,
            measured[structure.number],
        )
        for structure in trace_all(labels)
    )


def _measured(labels: LabelMap, image: Image) -> dict[int, dict[str, Any]]:
    """Measurements by label; of a photograph of known scale, which has no depth, no volume."""
    measured = measure(labels, image)
    if image.modality == "photo":
        for one in measured.values():
            one.pop("volume_ml", None)
    return measured


def _of_masks(
    detection: Detection, masks: Masks, image: Image, progress: Callable[[float], None]
) -> tuple[Finding, ...]:
    found = []
    for place, category in enumerate(masks.categories):
        one = LabelMap(masks.array[place].view(np.uint8), masks.grid, {1: category})
        number = place + 1
        found.append(
            _outlined(detection, number, category, trace(one, 1), _measured(one, image)[1])
        )
        progress(number / len(masks.categories))
    return tuple(found)


def _of_field(detection: Detection, field: Field, image: Image) -> Finding:
    counts = (field.array >= field.threshold).view(np.uint8)
    one = LabelMap(counts, field.grid, {1: field.category})
    measured = _measured(one, image)[1] | {
        "meaning": field.meaning,
        "threshold": float(field.threshold),
        "highest": float(field.array.max()),
    }
    return _outlined(detection, 1, field.category, trace(one, 1), measured)


def _outlined(
    detection: Detection,
    number: int,
    category: Any,
    contours: tuple[Contour, ...],
    measured: Mapping[str, Any],
) -> Finding:
    cut = (CUT,) if measured["touches_border"] else ()
    return Finding(
        id=number,
        category=category,
        score=significant(detection.scores.get(number)),
        contours=tuple(_rounded(contour) for contour in contours),
        measurements=significant({**detection.measurements.get(number, {}), **measured}),
        notes=cut + detection.notes.get(number, ()),
    )


def _of_instance(detection: Detection, number: int, item: Instance, grid: Grid) -> Finding:
    contours: tuple[Contour, ...] = ()
    measured = {}
    if item.polygon is not None:
        contours = (_rounded(Contour(grid.to_world(item.polygon))),)
        measured["area_mm2" if grid.unit == "mm" else "area_px"] = contours[0].area
    box = None
    if item.box is not None:
        box = _position(grid.to_world(item.box[0])), _position(grid.to_world(item.box[1]))
    return Finding(
        id=number,
        category=item.category,
        score=significant(float(detection.scores.get(number, item.score))),
        contours=contours,
        measurements=significant({**detection.measurements.get(number, {}), **measured}),
        notes=detection.notes.get(number, ()),
        point=None if item.point is None else _position(grid.to_world(item.point)),
        box=box,
    )


def _rounded(contour: Contour) -> Contour:
    """Rounded once and here, so that JSON, store and files all have the same points."""
    return Contour(_to_decimals(contour.points), contour.is_hole)


def _position(point: NDArray[np.float64]) -> Point:
    x, y, z = _to_decimals(point).tolist()
    return x, y, z


def _to_decimals(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(points, DECIMALS) + 0.0  # + 0.0: no negative zero
