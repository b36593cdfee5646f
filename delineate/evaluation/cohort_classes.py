"""Classes of images, over all cases: who was taken for whom, and how far the numbers are sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.bootstrap import bootstrapped, figure_json, resamples
from delineate.evaluation.classification import NOTHING, Told, calibration, confusion
from delineate.evaluation.curves import area, roc, tied
from delineate.evaluation.statistics import share_json, wilson

__all__ = ["evidence", "figures"]

Array = NDArray[np.float64]

_POINTS = 200  # of a curve that is kept for a plot


def evidence(case: Told) -> dict[str, Any]:
    """What is kept of a case."""
    return {"kind": "classes", "probabilities": dict(case.probabilities), "truth": case.truth}


def figures(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Figures of all cases: one row, with a list of its classes."""
    known = [Told(tuple(sorted(one["probabilities"].items())), one["truth"]) for one in cases]
    drawn = resamples(len(known))
    names, table = confusion(known)
    right = sum(one.answer == one.truth for one in known)
    recalls = [table[n, n] / table[n].sum() for n in range(len(names)) if table[n].any()]
    bins = calibration(known)
    classes = [_class(name, n, table, known, drawn) for n, name in enumerate(names)]
    areas = [area_ for one in classes if (area_ := one["auroc"]["value"]) == area_]
    return [
        {
            "structure": "",
            "cases": len(known),
            "without_answer": sum(one.answer == NOTHING for one in known),
            "accuracy": share_json(right, len(known)),
            "balanced_accuracy": float(np.mean(recalls)),
            "mean_auroc": float(np.mean(areas)) if areas else float("nan"),
            "ece": sum(one["n"] * abs(one["confidence"] - one["accuracy"]) for one in bins)
            / max(1, sum(one["n"] for one in bins)),
            "bins": [_with_interval(one) for one in bins],
            "names": list(names),
            "confusion": table.tolist(),
            "classes": classes,
        }
    ]


def _with_interval(one: Mapping[str, Any]) -> dict[str, Any]:
    low, high = wilson(one["accuracy"] * one["n"], one["n"])
    return {**one, "low": low, "high": high}


def _class(
    name: str,
    place: int,
    table: NDArray[np.int64],
    cases: Sequence[Told],
    drawn: NDArray[np.int32],
) -> dict[str, Any]:
    """One class against the others."""
    truth = np.array([one.truth == name for one in cases])
    scores = np.array([dict(one.probabilities).get(name, 0.0) for one in cases])
    found = bootstrapped(lambda weights: area(*tied(scores, truth, weights))[:, None], drawn)
    points = roc(*(one[0] for one in tied(scores, truth, np.ones((1, len(cases))))))
    curve = np.column_stack(points)
    some = np.unique(np.linspace(0, len(curve) - 1, _POINTS).round().astype(int))
    return {
        "name": name,
        "truth": int(table[place].sum()),
        "told": int(table[:, place].sum()),
        "recall": share_json(int(table[place, place]), int(table[place].sum())),
        "precision": share_json(int(table[place, place]), int(table[:, place].sum())),
        "auroc": figure_json(found[:, 0]),
        "roc": curve[some].tolist() if np.isfinite(found[0, 0]) else [],
    }
