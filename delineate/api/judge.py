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
from delineate.evaluation.pairing import paired
from delineate.evaluation.results import document
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import Score
from delineate.evaluation.scored import score_case
from delineate.imaging import category_from_json
from delineate.jobs import errands

__all__ = ["compare"]

_METRICS = (
    *("dice", "sensitivity", "hd", "hd95", "assd"),
    *("volume_reference", "volume_prediction"),
)
_SEGMENTATIONS = ("labelmap", "masks")
_DIGITS = 7


def compare(reference: str, prediction: str) -> dict[str, Any]:
    """Measure how two results on one image differ, structure by structure.

    Parameters
    ----------
    reference, prediction
        Folders of kept results.

    Returns
    -------
    dict
        ``structures``: one for each of the reference, then those of the prediction that it lacks;
        ``reference`` and ``prediction`` are their names there, ``None`` where it has none.
        Numbers that are not defined are ``None``. ``dice``: the mean over the reference's
        structures where it is defined.

    Raises
    ------
    InputError
        If one of them is no segmentation, or names two structures alike.
    """
    folders = Path(reference), Path(prediction)
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


def _categories(folder: Path) -> list[Any]:
    held = document(folder)
    if held["detector"]["gives"] not in _SEGMENTATIONS:
        raise InputError(
            f"expected two segmentations to compare, got a result of {held['detector']['gives']}"
        )
    return [category_from_json(one["category"]) for one in held["findings"]]


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
