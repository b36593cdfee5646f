"""Classes of whole images: the truth is a reference in which one class has the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.errors import InputError
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import Score
from delineate.plugins.outputs import Classes

__all__ = ["NOTHING", "Told", "auroc", "calibration", "confusion", "score_classes", "told"]

NOTHING = "(no answer)"


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of one case: probabilities by class, and the true class."""

    probabilities: tuple[tuple[str, float], ...]
    truth: str

    @property
    def answer(self) -> str:
        """The most probable class, of equal ones the first by name; `NOTHING` if none is."""
        name, value = min(self.probabilities, key=lambda each: (-each[1], each[0]), default=("", 0))
        return name if value > 0 else NOTHING


def told(prediction: Classes, reference: Classes) -> Told:
    """Bring a prediction and a reference to names.

    Raises
    ------
    InputError
        If the reference does not single out one class.
    """
    truth = sorted(reference.probabilities.items(), key=lambda each: -each[1])
    if not truth or (len(truth) > 1 and truth[0][1] == truth[1][1]):
        raise InputError("expected a reference in which one class is the most probable, got none")
    named = sorted((one.name, value) for one, value in prediction.probabilities.items())
    return Told(tuple(named), truth[0][0].name)


def score_classes(prediction: Classes, reference: Classes, scoring: Scoring) -> tuple[Score, ...]:
    """Score one case; a curve, a calibration and a confusion need many."""
    case = told(prediction, reference)
    given = dict(case.probabilities)
    names = {*given, case.truth}
    values = {
        "correct": float(case.answer == case.truth) if given else float("nan"),
        "true_probability": given.get(case.truth, 0.0),
        "brier": sum((given.get(name, 0.0) - (name == case.truth)) ** 2 for name in names),
    }
    return tuple(
        Score("", metric, value, "1") for metric, value in values.items() if scoring.wants(metric)
    )


def auroc(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Probability that a true one scores above a false one, ties by half.

    Source: Hanley and McNeil, Radiology 143, 1982, doi:10.1148/radiology.143.1.7063747, by ranks.
    Not a number unless there are both.
    """
    from scipy.stats import rankdata

    true = int(truth.sum())
    false = truth.size - true
    if not true or not false:
        return float("nan")
    ranks = rankdata(scores.ravel())
    return float((ranks[truth.ravel()].sum() - true * (true + 1) / 2) / (true * false))


def calibration(cases: Sequence[Told], bins: int = 10) -> list[dict[str, float]]:
    """Confidence of the answers beside how often they are right, in bins of equal width.

    The mean gap, weighted by cases, is the expected calibration error: Guo and others, ICML 2017,
    arXiv:1706.04599. Cases without an answer are left out, and so are bins without cases.
    """
    known = [case for case in cases if case.answer != NOTHING]
    sure = np.array([max(value for _, value in case.probabilities) for case in known])
    right = np.array([case.answer == case.truth for case in known], float)
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    return [
        {
            "from": one / bins,
            "to": (one + 1) / bins,
            "n": int((place == one).sum()),
            "confidence": float(sure[place == one].mean()),
            "accuracy": float(right[place == one].mean()),
        }
        for one in np.unique(place).tolist()
    ]


def confusion(cases: Sequence[Told]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """How often which class (row) was taken for which (column); their names."""
    names = sorted({case.truth for case in cases} | {case.answer for case in cases})
    table = np.zeros((len(names), len(names)), np.int64)
    for case in cases:
        table[names.index(case.truth), names.index(case.answer)] += 1
    return tuple(names), table
