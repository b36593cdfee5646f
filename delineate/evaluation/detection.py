"""Things found one by one: partners, misses, false alarms, counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError
from delineate.evaluation import matching
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import Score, presence
from delineate.imaging import Grid
from delineate.plugins.outputs import Instance, Instances

__all__ = ["Found", "average_precision", "found", "froc", "game", "score_instances"]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The things of one case and category, as curves over many cases need them.

    Parameters
    ----------
    scores
        ``(n,)``: confidence of each predicted thing.
    hits
        ``(n,)``: whether it has a partner.
    likeness
        ``(n,)``: IoU or minus distance to the partner; not a number without one.
    references
        How many things the reference has.
    by_overlap
        Whether likeness is an IoU.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    likeness: NDArray[np.float64]
    references: int
    by_overlap: bool


def found(
    prediction: Sequence[Instance], reference: Sequence[Instance], grid: Grid, scoring: Scoring
) -> Found:
    """Match the things of one category.

    By intersection over union where all things of the reference have a box or a polygon and so
    have all of the prediction; else by distance in the world, of points or middles.
    """
    extended = all(item.box or item.polygon is not None for item in (*prediction, *reference))
    if extended:
        likeness, least = matching.overlaps(prediction, reference), scoring.iou
    else:
        one, two = (grid.to_world(matching.positions(all_)) for all_ in (prediction, reference))
        likeness, least = matching.nearness(one, two), -scoring.distance
    partners = matching.match(likeness, least)
    hits = partners >= 0
    alike = np.full(len(prediction), np.nan)
    alike[hits] = likeness[np.flatnonzero(hits), partners[hits]]
    scores = np.array([item.score for item in prediction])
    return Found(scores, hits, alike, len(reference), extended)


def score_instances(
    prediction: Instances, reference: Instances, scoring: Scoring
) -> tuple[Score, ...]:
    """Score the things of each category, then all together as the structure ``""``.

    Where there is one category only, the whole is not told again.
    """
    if prediction.grid.shape != reference.grid.shape or not prediction.grid.matches(reference.grid):
        raise GeometryError(
            f"expected things on the reference's grid of {reference.grid.shape} samples, got some "
            f"on another of {prediction.grid.shape}"
        )
    every = (*reference.items, *prediction.items)
    names = list(dict.fromkeys(item.category.name for item in every))
    groups: list[str | None] = [*names] if len(names) == 1 else [*names, None]
    scores: list[Score] = []
    for name in groups:
        one, two = (
            [item for item in side.items if name is None or item.category.name == name]
            for side in (prediction, reference)
        )
        scores += _group(name or "", one, two, reference.grid, scoring)
    return tuple(scores)


def _group(
    name: str,
    prediction: Sequence[Instance],
    reference: Sequence[Instance],
    grid: Grid,
    scoring: Scoring,
) -> list[Score]:
    matched = found(prediction, reference, grid, scoring)
    hits, here, there = int(matched.hits.sum()), len(prediction), len(reference)
    note = presence(reference=there > 0, prediction=here > 0)
    values = {
        "count_reference": (float(there), "count"),
        "count_prediction": (float(here), "count"),
        "count_error": (float(abs(here - there)), "count"),
        "count_relative_error": (_ratio(abs(here - there), there), "1"),
        "game": (game(prediction, reference, grid), "count"),
        "detection_precision": (_ratio(hits, here), "1"),
        "detection_recall": (_ratio(hits, there), "1"),
        "detection_f1": (_ratio(2 * hits, here + there), "1"),
        **_panoptic(matched, here + there),
        "average_precision": (average_precision([matched]), "1"),
    }
    return [
        Score(name, metric, value, unit, note)
        for metric, (value, unit) in values.items()
        if scoring.wants(metric)
    ]


def _panoptic(matched: Found, things: int) -> dict[str, tuple[float, str]]:
    """Quality where partners overlap by more than half; nothing where they have no extent."""
    if not matched.by_overlap:
        return {}
    overlap = matched.likeness[matched.likeness > 0.5]
    recognition = _ratio(2 * len(overlap), things)
    quality = float(overlap.mean()) if len(overlap) else float("nan")
    return {
        "recognition_quality": (recognition, "1"),
        "segmentation_quality": (quality, "1"),
        "panoptic_quality": (recognition * quality if len(overlap) else recognition, "1"),
    }


def game(
    prediction: Sequence[Instance], reference: Sequence[Instance], grid: Grid, level: int = 2
) -> float:
    """Grid average mean absolute error: the image cut into ``4**level`` equal parts of its slices.

    Source: Guerrero-Gomez-Olmedo and others, IbPRIA 2015, doi:10.1007/978-3-319-19390-8_48.
    """
    parts = 2**level
    size = np.array(grid.shape[1:], float)
    counts = np.zeros((2, parts, parts), np.int64)
    for side, items in enumerate((prediction, reference)):
        places = matching.positions(items)[:, 1:]
        cells = np.clip(((places + 0.5) / size * parts).astype(int), 0, parts - 1)
        np.add.at(counts[side], tuple(cells.T), 1)
    return float(np.abs(counts[0] - counts[1]).sum())


def average_precision(cases: Sequence[Found]) -> float:
    """Area under the step curve of precision over recall, over all cases together.

    0 if the references have things and nothing was found; not a number if they have none. Things
    of equal score are taken together, so that their order does not count.
    """
    references = sum(case.references for case in cases)
    if not references:
        return float("nan")
    scores, hits = _ranked(cases)
    if not len(scores):
        return 0.0
    last = _last(scores)
    true = np.cumsum(hits)[last]
    precision, recall = true / (last + 1), true / references
    # The best precision at that recall or a higher one.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def froc(
    cases: Sequence[Found], rates: Sequence[float] = (0.125, 0.25, 0.5, 1, 2, 4, 8)
) -> tuple[tuple[float, float], ...]:
    """Sensitivity at so many false alarms a case (free-response receiver operating curve).

    Source: Bunch and others, Proc. SPIE 127, 1977; the rates are those of LUNA16.

    Returns
    -------
    tuple of (rate, sensitivity)
        The highest sensitivity at most as many false alarms allow; not a number without things.
    """
    references = sum(case.references for case in cases)
    scores, hits = _ranked(cases)
    last = _last(scores)
    alarms, true = np.cumsum(~hits)[last] / max(len(cases), 1), np.cumsum(hits)[last]
    reached = []
    for rate in rates:
        best = float(true[alarms <= rate].max(initial=0))
        reached.append((rate, _ratio(best, references)))
    return tuple(reached)


def _ranked(cases: Sequence[Found]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if not cases:
        return np.zeros(0), np.zeros(0, bool)
    scores = np.concatenate([case.scores for case in cases])
    hits = np.concatenate([case.hits for case in cases])
    order = np.argsort(-scores, kind="stable")
    return scores[order], hits[order]


def _last(ranked: NDArray[np.float64]) -> NDArray[np.int64]:
    """The last place of each run of equal scores."""
    changes = np.flatnonzero(np.diff(ranked))
    return np.append(changes, len(ranked) - 1) if len(ranked) else changes


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
