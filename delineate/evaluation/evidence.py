"""Score a case of things, of classes or of a field, and keep what all cases together need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from delineate.evaluation import cohort_classes, cohort_fields, cohort_things
from delineate.evaluation.anomaly import truth_of
from delineate.evaluation.classification import told
from delineate.evaluation.detection import matched_things, score_instances
from delineate.evaluation.heat import heat_of
from delineate.evaluation.rules import Scoring
from delineate.evaluation.scene import scene_of
from delineate.evaluation.score import Score
from delineate.evaluation.scoring import score
from delineate.imaging import LabelMap
from delineate.plugins.outputs import Classes, Field, Instances

__all__ = ["Judged", "judged"]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What came of one case.

    Parameters
    ----------
    scores
        Structure by structure.
    evidence
        What `cohort` needs of it.
    picture
        What the report draws of it, as JSON; ``None``: the image alone.
    """

    scores: tuple[Score, ...]
    evidence: dict[str, Any] = field(default_factory=dict)
    picture: dict[str, Any] | None = None


def judged(
    prediction: Instances | Classes | Field,
    reference: Instances | Classes | Field | LabelMap,
    scoring: Scoring,
) -> Judged:
    """Score a prediction as `score` does.

    Raises
    ------
    GeometryError
        If they do not lie on the same grid.
    InputError
        If their kinds do not fit.
    """
    if isinstance(prediction, Instances) and isinstance(reference, Instances):
        matched = matched_things(prediction, reference, scoring)
        return Judged(
            score_instances(prediction, reference, scoring, matched),
            cohort_things.evidence(matched, prediction, reference),
            scene_of(matched, prediction, reference).to_json(),
        )
    scores = score(prediction, reference, scoring)
    if isinstance(prediction, Classes) and isinstance(reference, Classes):
        return Judged(scores, cohort_classes.evidence(told(prediction, reference)))
    if isinstance(prediction, Field) and isinstance(reference, LabelMap):
        truth = truth_of(reference)
        return Judged(
            scores, cohort_fields.evidence(prediction, truth), heat_of(prediction, truth).to_json()
        )
    return Judged(scores)
