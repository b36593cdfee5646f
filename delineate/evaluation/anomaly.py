"""Fields of scores against regions that are truly different."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError, InputError
from delineate.evaluation.classification import auroc
from delineate.evaluation.overlap import structures
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import Score, presence
from delineate.imaging import Category, LabelMap
from delineate.plugins.outputs import Field, Masks

__all__ = ["MOST_FALSE", "per_region_overlap", "score_field", "truth_of"]

MOST_FALSE = 0.3


def score_field(
    prediction: Field, reference: LabelMap | Masks, scoring: Scoring
) -> tuple[Score, ...]:
    """Score a field against every structure of the reference taken together.

    Besides what needs no threshold, the Dice at the field's own.
    """
    grid = reference.grid
    if prediction.grid.shape != grid.shape or not prediction.grid.matches(grid):
        raise GeometryError(
            f"expected a field on the reference's grid of {grid.shape} samples, got one on another "
            f"of {prediction.grid.shape}"
        )
    if np.isnan(prediction.array).any():
        raise InputError("expected a field with a number for every sample, got some without")
    name = prediction.category.name
    truth = truth_of(reference)
    found = prediction.array >= prediction.threshold
    category = {1: Category(name)}
    one, two = (LabelMap(np.asarray(mask, np.uint8), grid, category) for mask in (truth, found))
    (overlap,) = structures(one, two)
    values = {
        "dice": overlap.dice,
        "sensitivity": overlap.sensitivity,
        "precision": overlap.precision,
        "auroc": auroc(np.asarray(prediction.array, np.float64), np.asarray(truth)),
        "pro": per_region_overlap(prediction.array, np.asarray(truth)),
    }
    note = presence(reference=bool(truth.any()), prediction=bool(found.any()))
    return tuple(
        # An area under a curve is of the scores, whatever was found at the threshold.
        Score(name, metric, value, "1", "" if metric in ("auroc", "pro") else note)
        for metric, value in values.items()
        if scoring.wants(metric)
    )


def truth_of(reference: LabelMap | Masks) -> NDArray[np.bool_]:
    """Where any structure of a reference is, ``(slice, row, column)``."""
    masks = reference.array.any(axis=0) if isinstance(reference, Masks) else reference.array > 0
    return np.asarray(masks, bool)


def per_region_overlap(
    scores: NDArray[np.floating], truth: NDArray[np.bool_], most_false: float = MOST_FALSE
) -> float:
    """Mean share of a region that is found, over the false positive rate up to ``most_false``.

    Source: Bergmann and others, Int. J. Comput. Vis. 129, 2021, doi:10.1007/s11263-020-01400-4:
    the area under the curve divided by ``most_false``, so 1 at best. Regions are connected across
    faces, edges and corners. Not a number unless there are both true and false samples.
    """
    from scipy.ndimage import label

    regions, number = label(truth, np.ones((3,) * truth.ndim))
    if not number or truth.all():
        return float("nan")
    order = np.argsort(-scores, axis=None, kind="stable")
    ranked, owner = scores.ravel()[order], regions.ravel()[order]
    # Each sample of a region adds one by its size to the sum of shares.
    sizes = np.bincount(regions.ravel(), minlength=number + 1).astype(float)
    gains = np.where(owner > 0, 1.0 / sizes[owner], 0.0)
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    share = np.concatenate([[0.0], np.cumsum(gains)[last] / number])
    false = np.concatenate([[0.0], np.cumsum(owner == 0)[last] / sizes[0]])
    end = np.interp(most_false, false, share)
    within = false < most_false
    return float(
        np.trapezoid(np.append(share[within], end), np.append(false[within], most_false))
        / most_false
    )
