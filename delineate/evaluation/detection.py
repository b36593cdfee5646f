"""Things found one by one: partners, misses, false alarms, counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError
from delineate.evaluation import matching
from delineate.evaluation.curves import average_precision, ranking
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import Score, presence
from delineate.imaging import Grid
from delineate.plugins.outputs import Instance, Instances

__all__ = ["IOUS", "Found", "found", "game", "matched_things", "score_instances"]

IOUS = tuple((0.5 + 0.05 * np.arange(10)).round(2).tolist())  # of COCO


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The things of one case and category, as curves over many cases need them.

    Parameters
    ----------
    scores
        ``(n,)``: confidence of each predicted thing.
    partners
        ``(n,)``: place of its partner in the reference, -1 for none; as many as can be.
    likeness
        ``(n,)``: IoU or minus distance to the partner; not a number without one.
    ranked
        ``(n,)``: whether it has one where the surest chooses first, as curves need it.
    references
        How many things the reference has.
    by_overlap
        Whether likeness is an IoU.
    coco
        ``(10, n)``: the same as ``ranked`` at the IoU of `IOUS`; none where it is no IoU.
    """

    scores: NDArray[np.float64]
    partners: matching.Matches
    likeness: NDArray[np.float64]
    ranked: NDArray[np.bool_]
    references: int
    by_overlap: bool
    coco: NDArray[np.bool_] | None = None

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Which things have a partner."""
        there: NDArray[np.bool_] = self.partners >= 0
        return there

    @property
    def overlaps(self) -> NDArray[np.float64]:
        """IoU of the partners that share more than half, of which there is but one matching."""
        shared: NDArray[np.float64] = self.likeness[self.likeness > 0.5]
        return shared if self.by_overlap else shared[:0]


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
    scores = np.array([item.score for item in prediction], float)
    return Found(
        scores,
        partners,
        alike,
        matching.ranked_hits(likeness, scores, least),
        len(reference),
        extended,
        np.array([matching.ranked_hits(likeness, scores, iou) for iou in IOUS])
        if extended
        else None,
    )


def matched_things(
    prediction: Instances, reference: Instances, scoring: Scoring
) -> dict[str, Found]:
    """Match the things of each category by its name, then all together, whose name is empty.

    Raises
    ------
    GeometryError
        If they do not lie on one grid.
    """
    if prediction.grid.shape != reference.grid.shape or not prediction.grid.matches(reference.grid):
        raise GeometryError(
            f"expected things on the reference's grid of {reference.grid.shape} samples, got some "
            f"on another of {prediction.grid.shape}"
        )
    names = dict.fromkeys(item.category.name for item in (*reference.items, *prediction.items))
    return {
        name: found(_of(prediction, name), _of(reference, name), reference.grid, scoring)
        for name in (*names, "")
    }


def _of(things: Instances, name: str) -> list[Instance]:
    return [item for item in things.items if not name or item.category.name == name]


def score_instances(
    prediction: Instances,
    reference: Instances,
    scoring: Scoring,
    matched: Mapping[str, Found] | None = None,
) -> tuple[Score, ...]:
    """Score the things of each category, then all together as the structure ``""``.

    ``matched`` is what `matched_things` gives of them, if it is known already.
    """
    scores: list[Score] = []
    for name, one in (matched or matched_things(prediction, reference, scoring)).items():
        scores += _group(
            name, _of(prediction, name), _of(reference, name), reference.grid, scoring, one
        )
    return tuple(scores)


def _group(
    name: str,
    prediction: Sequence[Instance],
    reference: Sequence[Instance],
    grid: Grid,
    scoring: Scoring,
    matched: Found,
) -> list[Score]:
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
        "average_precision": (_average_precision(matched), "1"),
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
    overlap = matched.overlaps
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


def _average_precision(matched: Found) -> float:
    ranked = ranking([(matched.scores, matched.ranked, matched.references)])
    return float(average_precision(ranked, np.ones((1, 1)))[0])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
