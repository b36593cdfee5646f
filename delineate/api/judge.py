"""Compares results in a process of its own: run as ``python -m delineate.api.judge PARENT``.

The scores are those of :mod:`delineate.evaluation`, which the processes of `delineate.jobs` do not
know.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delineate.errors import InputError
from delineate.evaluation.case import Case, Rules
from delineate.evaluation.detection import Found, matched_things
from delineate.evaluation.pairing import paired
from delineate.evaluation.results import document, read_result
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import Score
from delineate.evaluation.scored import score_case
from delineate.imaging import category_from_json
from delineate.jobs import errands
from delineate.plugins.outputs import Instances

__all__ = ["compare"]

_METRICS = (
    *("dice", "sensitivity", "hd", "hd95", "assd"),
    *("volume_reference", "volume_prediction"),
)
_SEGMENTATIONS = ("labelmap", "masks")
_DIGITS = 7


def compare(
    reference: str, prediction: str, distance: float | None = None, iou: float | None = None
) -> dict[str, Any]:
    """Measure how two results on one image differ: structure by structure, or thing by thing.

    Parameters
    ----------
    reference, prediction
        Folders of kept results.
    distance, iou
        When two things are the same one; see `Scoring`, whose defaults they have.

    Returns
    -------
    dict
        ``structures``: one for each of the reference, then those of the prediction that it lacks;
        ``reference`` and ``prediction`` are their names there, ``None`` where it has none.
        Numbers that are not defined are ``None``. ``dice``: the mean over the reference's
        structures where it is defined. ``things`` is of two results of things, whose
        ``structures`` are none; else it is ``None``.

    Raises
    ------
    InputError
        If they are not two of one kind, or one names two structures alike.
    """
    folders = Path(reference), Path(prediction)
    kinds = [document(folder)["detector"]["gives"] for folder in folders]
    if kinds == ["instances", "instances"]:
        usual = Scoring()
        scoring = Scoring(
            distance=usual.distance if distance is None else distance,
            iou=usual.iou if iou is None else iou,
        )
        return {"structures": [], "dice": None, "notes": [], "things": _things(*folders, scoring)}
    if not set(kinds) <= set(_SEGMENTATIONS):
        raise InputError(
            f"expected two results with areas or two with things to compare, got {kinds[1]} and "
            f"{kinds[0]}"
        )
    return {**_areas(*folders), "things": None}


def _areas(*folders: Path) -> dict[str, Any]:
    ours, theirs = (_categories(folder) for folder in folders)
    case = Case(name="comparison", reference=folders[0], prediction=folders[1])
    rules = Rules(scoring=Scoring(metrics=_METRICS), count_unreferenced=True)
    scored = score_case(case, rules, {}, threads=None)
    if scored.error:
        raise InputError(scored.error)
    pairing = paired(ours, theirs, {})
    partners = {
        one.name: None if place is None else theirs[place].name
        for one, place in zip(ours, pairing.partners, strict=True)
    }
    by_name: dict[str, dict[str, Score]] = {}
    for score in scored.scores:
        by_name.setdefault(score.structure, {})[score.metric] = score
    structures = [_structure(name, partners, scores) for name, scores in by_name.items()]
    dice = [one["dice"] for one in structures if one["reference"] and one["dice"] is not None]
    return {
        "structures": structures,
        "dice": sum(dice) / len(dice) if dice else None,
        "notes": list(scored.notes),
    }


def _things(reference: Path, prediction: Path, scoring: Scoring) -> dict[str, Any]:
    """Partners of all things together, as ids of findings, and figures of each category."""
    theirs, ours = (read_result(folder) for folder in (reference, prediction))
    assert isinstance(theirs, Instances)
    assert isinstance(ours, Instances)
    here, there = _ids(prediction), _ids(reference)
    matched = matched_things(ours, theirs, scoring)
    together = matched[""]
    pairs = [
        [here[place], there[partner]]
        for place, partner in enumerate(together.partners.tolist())
        if partner >= 0
    ]
    return {
        "by": "iou" if together.by_overlap else "distance",
        "least": scoring.iou if together.by_overlap else scoring.distance,
        "unit": "1" if together.by_overlap else ours.grid.unit,
        "pairs": pairs,
        "categories": [_figures(name, one) for name, one in matched.items() if name],
        "all": _figures("", together),
    }


def _ids(folder: Path) -> list[int]:
    return [one["id"] for one in document(folder)["findings"]]


def _figures(name: str, found: Found) -> dict[str, Any]:
    hits, here, there = int(found.hits.sum()), len(found.scores), found.references
    return {
        "name": name,
        "prediction": here,
        "reference": there,
        "hits": hits,
        "precision": _rounded(hits / here) if here else None,
        "recall": _rounded(hits / there) if there else None,
        "f1": _rounded(2 * hits / (here + there)) if here + there else None,
    }


def _categories(folder: Path) -> list[Any]:
    return [category_from_json(one["category"]) for one in document(folder)["findings"]]


def _structure(
    name: str, partners: Mapping[str, str | None], scores: Mapping[str, Score]
) -> dict[str, Any]:
    before, after = scores["volume_reference"].value, scores["volume_prediction"].value
    sensitivity = scores["sensitivity"].value
    both = 0.0 if math.isnan(sensitivity) else sensitivity * before
    numbers = {
        **{metric: scores[metric].value for metric in ("dice", "hd", "hd95", "assd")},
        "volume_reference": before,
        "volume_prediction": after,
        "added": max(0.0, after - both),
        "removed": max(0.0, before - both),
    }
    return {
        "reference": name if name in partners else None,
        "prediction": partners.get(name, name),
        "note": scores["dice"].note,
        **{key: _rounded(value) for key, value in numbers.items()},
        "unit": scores["volume_reference"].unit,
        "unit_of_length": scores["hd"].unit,
    }


def _rounded(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


if __name__ == "__main__":
    errands.main(int(sys.argv[1]), {"compare": compare})
