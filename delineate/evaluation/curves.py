"""Curves over a falling score, for all cases together and for draws of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FROC_RATES",
    "Ranking",
    "area",
    "average_precision",
    "coco_precision",
    "froc",
    "precision_recall",
    "ranking",
    "roc",
    "tied",
]

Array = NDArray[np.float64]

FROC_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of LUNA16
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The things of many cases, the surest first.

    Parameters
    ----------
    scores, hits, case
        ``(n,)``: confidence, whether it has a partner, and the place of its case.
    last
        Last place of each run of equal scores: these are taken together, so that their order
        does not count.
    references
        ``(case,)``: how many things each reference has.
    """

    scores: Array
    hits: NDArray[np.bool_]
    case: NDArray[np.int64]
    last: NDArray[np.int64]
    references: Array

    def reached(self, weights: Array) -> tuple[Array, Array]:
        """Hits and false alarms down to each score, ``(draw, k)`` each.

        ``weights`` is ``(draw, case)``: how often each case counts.
        """
        each = weights[:, self.case]
        true = np.cumsum(each * self.hits, axis=1)[:, self.last]
        return true, np.cumsum(each, axis=1)[:, self.last] - true


def ranking(cases: Sequence[tuple[Array, NDArray[np.bool_], int]]) -> Ranking:
    """Rank scores and hits of cases; the third is how many things the reference has."""
    scores = np.concatenate([np.zeros(0), *(one[0] for one in cases)])
    hits = np.concatenate([np.zeros(0, bool), *(one[1] for one in cases)])
    case = np.repeat(np.arange(len(cases)), [len(one[0]) for one in cases])
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order]))
    last = np.append(ends, len(order) - 1) if len(order) else ends
    references = np.array([one[2] for one in cases], float)
    return Ranking(scores[order], hits[order], case[order], last, references)


def precision_recall(ranked: Ranking, weights: Array) -> tuple[Array, Array]:
    """Recall and the best precision at that recall or a higher one, ``(draw, k)`` each."""
    true, alarms = ranked.reached(weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(true / (true + alarms))
        recall = true / (weights @ ranked.references)[:, None]
    return recall, np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]


def average_precision(ranked: Ranking, weights: Array) -> Array:
    """Area under the step curve of precision over recall, ``(draw,)``.

    0 if the references have things and nothing was found; not a number if they have none.
    """
    recall, precision = precision_recall(ranked, weights)
    found = np.sum(np.diff(recall, prepend=0.0, axis=1) * precision, axis=1)
    return np.where(weights @ ranked.references > 0, found, np.nan)


def coco_precision(ranked: Ranking) -> float:
    """Mean precision at 101 recalls from 0 to 1, as COCO has it; 0 where one is not reached.

    Source: Lin and others, ECCV 2014, arXiv:1405.0312, without a limit of things an image.
    """
    if not ranked.references.sum():
        return float("nan")
    recall, precision = precision_recall(ranked, np.ones((1, len(ranked.references))))
    places = np.searchsorted(recall[0], _RECALLS, side="left")
    return float(np.append(precision[0], 0.0)[places].mean())


def froc(ranked: Ranking, weights: Array, rates: Sequence[float] = FROC_RATES) -> Array:
    """Sensitivity at so many false alarms a case, ``(draw, rate)``: free-response ROC curve.

    The highest that at most as many false alarms allow; not a number without things. Source:
    Bunch and others, Proc. SPIE 127, 1977.
    """
    true, alarms = ranked.reached(weights)
    alarms = alarms / weights.sum(axis=1, keepdims=True)
    hits = [np.where(alarms <= rate, true, 0.0).max(axis=1, initial=0.0) for rate in rates]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack(hits, axis=1) / (weights @ ranked.references)[:, None]


def tied(scores: Array, truth: NDArray[np.bool_], weights: Array) -> tuple[Array, Array]:
    """How many true and false cases have each score, the highest first, ``(draw, k)`` each."""
    order = np.argsort(-scores, kind="stable")
    starts = np.append(0, np.flatnonzero(np.diff(scores[order])) + 1)
    each = weights[:, order]
    true = np.add.reduceat(each * truth[order], starts, axis=1)
    return true, np.add.reduceat(each, starts, axis=1) - true


def area(true: Array, false: Array) -> Array:
    """Area under the ROC curve, ``(draw,)``; not a number unless there are true and false.

    Parameters
    ----------
    true, false
        ``(draw, k)``: how many have each score, the highest first. Ties count by half.
    """
    above = np.cumsum(true, axis=1) - true / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = (false * above).sum(axis=1) / (true.sum(axis=1) * false.sum(axis=1))
    return found


def roc(true: Array, false: Array) -> tuple[Array, Array]:
    """False and true positive rates ``(k + 1,)`` from (0, 0) on, of ``(k,)`` as in `area`."""
    one, two = np.cumsum(false) / max(false.sum(), 1), np.cumsum(true) / max(true.sum(), 1)
    return np.append(0.0, one), np.append(0.0, two)
