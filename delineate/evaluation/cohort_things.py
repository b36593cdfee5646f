"""Things found one by one, over all cases: detection, curves and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation import curves
from delineate.evaluation.agreement import bland_altman, icc
from delineate.evaluation.bootstrap import bootstrapped, figure_json, resamples
from delineate.evaluation.curves import FROC_RATES, Ranking, ranking
from delineate.evaluation.detection import IOUS, Found, game
from delineate.plugins.outputs import Instances

__all__ = ["evidence", "figures"]

Array = NDArray[np.float64]

_GAMES = (1, 2, 3)
_POINTS = 200  # of a curve that is kept for a plot
_SUMS = ("references", "predictions", "hits", "partners", "overlap")


def evidence(
    matched: Mapping[str, Found], prediction: Instances, reference: Instances
) -> dict[str, Any]:
    """What is kept of a case: scores and whether they hit, by category, then of all together."""
    groups = []
    for name, one in matched.items():
        ours, theirs = (
            [item for item in side.items if not name or item.category.name == name]
            for side in (reference, prediction)
        )
        groups.append(
            {
                "structure": name,
                "references": one.references,
                "scores": one.scores.tolist(),
                "hits": int(one.hits.sum()),
                "ranked": _bits(one.ranked),
                "coco": None if one.coco is None else [_bits(row) for row in one.coco],
                "partners": len(one.overlaps),
                "overlap": float(one.overlaps.sum()),
                "game": [game(theirs, ours, reference.grid, level) for level in _GAMES],
            }
        )
    return {"kind": "things", "groups": groups}


def _bits(hits: NDArray[np.bool_]) -> str:
    return "".join("1" if hit else "0" for hit in hits)


def _flags(bits: str) -> NDArray[np.bool_]:
    return np.array([one == "1" for one in bits], bool)


def figures(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Figures of each category, then of all together where there are several.

    Parameters
    ----------
    cases
        What `evidence` gave of each; a case without a category has none of its things.
    """
    found = [{group["structure"]: group for group in case["groups"]} for case in cases]
    names = list(dict.fromkeys(name for case in found for name in case if name))
    if len(names) != 1:
        names.append("")
    drawn = resamples(len(cases))
    return [_structure(name, [case.get(name) for case in found], drawn) for name in names]


def _structure(
    name: str, groups: Sequence[Mapping[str, Any] | None], drawn: NDArray[np.int32]
) -> dict[str, Any]:
    from delineate.evaluation.curves_kernel import precision_and_froc

    sums = np.array([_sums(group) for group in groups])
    total = dict(zip(_SUMS, sums.sum(axis=0).tolist(), strict=True))
    extended = all(group is None or group["coco"] is not None for group in groups)
    ranked = _ranking(groups, None)
    quality = bootstrapped(lambda weights: _quality(weights @ sums), drawn)
    rates = np.array(FROC_RATES)
    curve = bootstrapped(
        lambda weights: precision_and_froc(
            weights, ranked.case, ranked.hits, ranked.last, ranked.references, rates
        ),
        drawn,
    )
    names = ("precision", "recall", "f1", "recognition", "segmentation", "panoptic")
    kept = names if extended else names[:3]
    found = {
        "structure": name,
        "cases": len(groups),
        "references": int(total["references"]),
        "predictions": int(total["predictions"]),
        "hits": int(total["hits"]),
        "missed": int(total["references"] - total["hits"]),
        "invented": int(total["predictions"] - total["hits"]),
        **{one: figure_json(quality[:, place]) for place, one in enumerate(kept)},
        "average_precision": figure_json(curve[:, 0]),
        "froc": [
            {"rate": rate, **figure_json(curve[:, place])}
            for place, rate in enumerate(FROC_RATES, 1)
        ],
        "levels": len(ranked.last),
        "curves": _plotted(ranked),
        "counts": _counts(groups, sums, drawn),
    }
    if extended:
        at = [curves.coco_precision(_ranking(groups, place)) for place in range(len(IOUS))]
        found["coco"] = {
            "mean": float(np.mean(at)),
            "by_iou": [{"iou": iou, "value": value} for iou, value in zip(IOUS, at, strict=True)],
        }
    return found


def _sums(group: Mapping[str, Any] | None) -> tuple[float, ...]:
    if group is None:
        return (0.0,) * len(_SUMS)
    return (
        group["references"],
        len(group["scores"]),
        group["hits"],
        group["partners"],
        group["overlap"],
    )


def _ranking(groups: Sequence[Mapping[str, Any] | None], coco: int | None) -> Ranking:
    held = []
    for group in groups:
        if group is None:
            held.append((np.zeros(0), np.zeros(0, bool), 0))
            continue
        bits = group["ranked"] if coco is None else group["coco"][coco]
        held.append((np.array(group["scores"], float), _flags(bits), group["references"]))
    return ranking(held)


def _quality(sums: Array) -> Array:
    """Precision, recall, F1; recognition, segmentation and panoptic quality, ``(draw, 6)``."""
    references, predictions, hits, partners, overlap = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        recognition = 2 * partners / (references + predictions)
        found = (
            hits / predictions,
            hits / references,
            2 * hits / (references + predictions),
            recognition,
            overlap / partners,
            2 * overlap / (references + predictions),
        )
    return np.column_stack(found)


def _plotted(ranked: Ranking) -> dict[str, list[list[float]]]:
    """Points of the curves, at most so many: recall and precision, false alarms and recall."""
    cases = len(ranked.references)
    if not len(ranked.last) or not ranked.references.sum():
        return {"precision_recall": [], "froc": []}
    ones = np.ones((1, cases))
    recall, precision = (one[0] for one in curves.precision_recall(ranked, ones))
    alarms = ranked.reached(ones)[1][0] / cases
    some = np.unique(np.linspace(0, len(recall) - 1, _POINTS).round().astype(int))
    return {
        "precision_recall": np.column_stack((recall, precision))[some].tolist(),
        "froc": np.column_stack((alarms, recall))[some].tolist(),
    }


def _counts(
    groups: Sequence[Mapping[str, Any] | None], sums: Array, drawn: NDArray[np.int32]
) -> dict[str, Any]:
    """How far numbers of things agree, over all cases, those without any too."""
    truth, found = sums[:, 0], sums[:, 1]
    apart = found - truth
    games = np.array([(0.0,) * len(_GAMES) if group is None else group["game"] for group in groups])
    table = np.column_stack((np.abs(apart), apart, apart**2, truth, games))

    def means(weights: Array) -> Array:
        mean = weights @ table / weights.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = mean[:, 0] / mean[:, 3]
        return np.column_stack((mean[:, 0], np.sqrt(mean[:, 2]), share, mean[:, 4:]))

    figures_ = bootstrapped(means, drawn)
    limits = bland_altman(found, truth)
    agreed = icc(np.column_stack((found, truth)))
    return {
        "mae": figure_json(figures_[:, 0]),
        "rmse": figure_json(figures_[:, 1]),
        "relative": figure_json(figures_[:, 2]),
        "game": [
            {"level": level, **figure_json(figures_[:, place])}
            for place, level in enumerate(_GAMES, 3)
        ],
        "limits": None if limits is None else asdict(limits),
        "icc": None if agreed is None else asdict(agreed),
        "pairs": np.column_stack((found, truth)).astype(int).tolist(),
    }
