"""Hold what a detector returned against what it declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delineate.errors import BadDetectionError
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins.contract import DetectorSpec
from delineate.plugins.outputs import Classes, Detection, Field, Instances, Masks
from delineate.plugins.wire import kind_of

__all__ = ["verify"]

_SAME_SLICE = 1e-6  # of a slice


def verify(detection: Detection, spec: DetectorSpec, image: Image) -> None:
    """Check an output's kind, grid, categories and scores.

    Parameters
    ----------
    detection
        What the detector returned.
    spec
        What it declared.
    image
        What it was given, whose grid the output has to have. A restored image may have another
        grid of the same unit, for it may be finer.

    Raises
    ------
    BadDetectionError
        Naming what was expected and what came.
    """
    output = detection.output
    _named_numbers(spec, detection.overall)
    kind = kind_of(output)
    if kind != spec.gives:
        _refuse(spec, f"declares to give {spec.gives!r} but returned {kind!r}")
    if isinstance(output, Classes):
        numbers = 0
        _categories(spec, output.probabilities)
    elif isinstance(output, Image):
        numbers = 0
        if output.grid.unit != image.grid.unit:
            _refuse(spec, f"was given a grid in {image.grid.unit}, returned {output.grid.unit}")
        if output.array.dtype.kind == "f" and not np.isfinite(output.array).all():
            _refuse(spec, "returned an image that holds NaN or infinity")
    elif isinstance(output, LabelMap):
        _grid(spec, output.grid, image.grid)
        _categories(spec, output.categories.values())
        if stray := set(output.present()) - set(output.categories):
            _refuse(
                spec,
                f"returned the labels {sorted(stray)} without saying what they are; its "
                f"categories are {sorted(output.categories)}",
            )
        _numbers(spec, detection, output.categories)
        return
    elif isinstance(output, Masks):
        _grid(spec, output.grid, image.grid)
        _categories(spec, output.categories)
        numbers = len(output.categories)
    elif isinstance(output, Instances):
        _grid(spec, output.grid, image.grid)
        _categories(spec, (item.category for item in output.items))
        _instances(spec, output)
        numbers = len(output.items)
    else:
        numbers = 1
        _field(spec, output, image.grid)
    _numbers(spec, detection, range(1, numbers + 1))


def _field(spec: DetectorSpec, output: Field, grid: Grid) -> None:
    _grid(spec, output.grid, grid)
    _categories(spec, [output.category])
    if not (np.isfinite(output.array).all() and np.isfinite(output.threshold)):
        _refuse(spec, "returned a field or threshold that holds NaN or infinity")


def _instances(spec: DetectorSpec, output: Instances) -> None:
    for number, item in enumerate(output.items, 1):
        for name, value, shape in (("point", item.point, (3,)), ("box", item.box, (2, 3))):
            if value is not None and _finite(value).shape != shape:
                _refuse(
                    spec,
                    f"returned instance {number} with the {name} {value}; expected finite indices "
                    f"of shape {shape}",
                )
        if item.polygon is None:
            continue
        ring = _finite(item.polygon)
        if ring.ndim != 2 or ring.shape[1] != 3 or len(ring) < 3:
            _refuse(
                spec,
                f"returned instance {number} with a polygon of shape {np.shape(item.polygon)}; "
                "expected finite indices of shape (n, 3), n >= 3",
            )
        if np.ptp(ring[:, 0]) > _SAME_SLICE:
            _refuse(spec, f"returned instance {number} with a polygon that is not in one slice")


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    """Values as an array; an empty one if they are ragged or not finite."""
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)
    return numbers if np.isfinite(numbers).all() else np.empty(0)


def _grid(spec: DetectorSpec, came: Grid, expected: Grid) -> None:
    if not came.matches(expected):
        _refuse(
            spec,
            f"was given a grid of shape {expected.shape} and spacing "
            f"{_steps(expected)} {expected.unit}, but returned one of shape {came.shape} and "
            f"spacing {_steps(came)} {came.unit}"
            + (" elsewhere in space" if came.shape == expected.shape else "")
            + "; use image.grid",
        )


def _steps(grid: Grid) -> str:
    return "x".join(f"{step:.4g}" for step in grid.spacing)


def _categories(spec: DetectorSpec, came: Iterable[Category]) -> None:
    declared = set(spec.categories)
    stray = [category.name for category in came if category not in declared]
    if stray:
        names = sorted(category.name for category in spec.categories)
        same = sorted(set(stray) & set(names))
        hint = f"; {same} differ from what is declared in colour, code or side" if same else ""
        _refuse(spec, f"declares {names} but returned {sorted(set(stray))}{hint}")


def _numbers(spec: DetectorSpec, detection: Detection, allowed: Iterable[int]) -> None:
    named = set(detection.scores) | set(detection.notes) | set(detection.measurements)
    if stray := named - set(allowed):
        _refuse(
            spec,
            f"returned scores, notes or measurements for {sorted(stray)}, which it did not return",
        )
    for values in detection.measurements.values():
        _named_numbers(spec, values)


def _named_numbers(spec: DetectorSpec, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not np.isfinite(value):
            _refuse(
                spec,
                "returned a measurement that is not a finite number under a name such as "
                f"'border_entropy': {name!r}: {value}",
            )


def _refuse(spec: DetectorSpec, what: str) -> None:
    raise BadDetectionError(f"detector {spec.id} {what}", spec.id)
