"""Score one case: read both sides, match their structures, measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from delineate.errors import DelineateError, InputError
from delineate.evaluation.case import Case, Rules, Scored
from delineate.evaluation.cutout import cutout_of
from delineate.evaluation.evidence import Judged, judged
from delineate.evaluation.fingerprint import fingerprint
from delineate.evaluation.overlap import structures
from delineate.evaluation.pairing import paired, same
from delineate.evaluation.reading import Side, aligned, read_sides
from delineate.evaluation.results import Labels, Other
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import INVENTED, MISSED, Score
from delineate.evaluation.scoring import score_structures
from delineate.imaging import Category, Grid, LabelMap
from delineate.plugins.outputs import Classes, Field, Instances

__all__ = ["Matched", "inputs_of", "matched", "score_case"]

_DISTANCES = ("hd", "hd95", "assd", "masd", "centroid_distance")


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Two segmentations of one case on one grid.

    Parameters
    ----------
    pairs
        Label maps of reference and prediction that hold the same structures under the same
        names, overlaps being in different pairs.
    names
        Of the structures that are scored, in the reference's order.
    prediction_only
        Those of the prediction that are not scored: the reference does not name them.
    notes
        What to know of it.
    called
        What the reference calls a structure and what the prediction does, where they differ.
    """

    pairs: tuple[tuple[LabelMap, LabelMap], ...]
    names: tuple[str, ...]
    prediction_only: tuple[str, ...]
    notes: tuple[str, ...]
    called: tuple[tuple[str, str], ...] = ()


def inputs_of(case: Case) -> dict[str, str]:
    """Hashes of the files of a case, by what they are."""
    paths = {"prediction": case.prediction, "reference": case.reference, "image": case.image}
    return {name: fingerprint(path) for name, path in paths.items() if path is not None}


def score_case(
    case: Case, rules: Rules, inputs: Mapping[str, str], threads: int | None = 1
) -> Scored:
    """Score a case; one that cannot be scored says why, and never raises.

    Parameters
    ----------
    case, rules
        What, and how.
    inputs
        Hashes of its files.
    threads
        How many structures are measured at a time; ``None``: one on each core.
    """
    try:
        found, told = _scores(case, rules, threads)
    except MemoryError:
        return Scored(case=case.name, inputs=inputs, error="not enough memory; use fewer --workers")
    except (DelineateError, OSError) as error:
        return Scored(case=case.name, inputs=inputs, error=_words(error, case))
    except Exception as error:  # a library that fails on a broken file must not end the others
        return Scored(
            case=case.name, inputs=inputs, error=f"{type(error).__name__}: {_words(error, case)}"
        )
    return Scored(
        case=case.name,
        scores=found.scores,
        notes=told.notes,
        prediction_only=told.prediction_only,
        evidence=found.evidence,
        inputs=inputs,
        cutout=found.picture,
    )


def _words(error: Exception, case: Case) -> str:
    """What went wrong, the same wherever the folders lie."""
    text = str(error) or type(error).__name__
    for path in (case.reference, case.prediction, case.image):
        if path is not None:
            text = text.replace(str(path), path.name)
    return text


def _scores(case: Case, rules: Rules, threads: int | None) -> tuple[Judged, Matched]:
    reference, prediction = _sides(case)
    missing = () if prediction is not None else ("there is no prediction: all is missed",)
    if not isinstance(reference.held, tuple):
        held = _other(reference.held, prediction)
        return judged(held, reference.held, rules.scoring), Matched((), (), (), missing)
    if prediction is not None and isinstance(prediction.held, Field):
        if len(reference.held) > 1:
            raise InputError("a field is scored against one label map, the reference has overlaps")
        found = judged(prediction.held, reference.held[0], rules.scoring)
        return found, Matched((), (), (), reference.notes + prediction.notes)
    told = matched(reference, prediction, rules)
    by_name: dict[str, list[Score]] = {name: [] for name in told.names}
    grid, scoring = reference.held[0].grid, _with_tolerances(rules.scoring, told.names)
    both = [one for ours, theirs in told.pairs for one in structures(ours, theirs)]
    for one in score_structures(both, grid, scoring, threads):
        by_name[one.structure].append(one)
    scores = tuple(one for name in told.names for one in by_name[name])
    if rules.missed_distance == "diagonal":
        diagonal = _diagonal(grid)
        scores = tuple(_with_distance(one, diagonal) for one in scores)
    cutout = cutout_of(both, grid, scores)
    picture = None if cutout is None else cutout.to_json()
    evidence = {"kind": "labels", "called": [list(pair) for pair in told.called]}
    return Judged(scores, evidence, picture), replace(told, notes=missing + told.notes)


def _sides(case: Case) -> tuple[Side, Side | None]:
    prediction: tuple[Path, Mapping[str, tuple[int, ...]] | None] | None = None
    if case.prediction is not None:
        prediction = (case.prediction, case.prediction_table)
    return read_sides((case.reference, case.reference_table), prediction, case.image)


def _other(reference: Other, prediction: Side | None) -> Other:
    if prediction is not None and not isinstance(prediction.held, tuple):
        return prediction.held
    if prediction is None and isinstance(reference, Instances):
        return Instances((), reference.grid)
    if prediction is None and isinstance(reference, Classes):
        return Classes(dict.fromkeys(reference.probabilities, 0.0))
    raise InputError(
        f"the reference holds {type(reference).__name__.lower()}, the prediction labels or "
        "nothing; expected two of one kind"
    )


def matched(reference: Side, prediction: Side | None, rules: Rules) -> Matched:
    """Bring two segmentations to one grid and one set of names.

    Raises
    ------
    InputError
        If the prediction is no segmentation, or lies on other samples and may not be resampled.
    """
    if not isinstance(reference.held, tuple):
        raise InputError("expected labels or outlines as a reference")
    grid = reference.held[0].grid
    notes: tuple[str, ...] = ()
    if prediction is None:
        layers: Labels = (LabelMap(np.zeros(grid.shape, np.uint8), grid, {}),)
    elif isinstance(prediction.held, tuple):
        layers, notes = aligned(prediction.held, grid, resample=rules.resample)
        notes = tuple(dict.fromkeys((*reference.notes, *prediction.notes, *notes)))
    else:
        kind = type(prediction.held).__name__.lower()
        raise InputError(
            f"the reference holds labels or outlines, the prediction {kind}; expected two of one "
            "kind"
        )
    ours, theirs = _listed(reference.held), _listed(layers)
    pairing = paired(
        [one.category for one in ours], [one.category for one in theirs], rules.renamed
    )
    rows: list[tuple[_Place | None, _Place | None]] = [
        (one, None if other is None else theirs[other])
        for one, other in zip(ours, pairing.partners, strict=True)
    ]
    alone = [theirs[place] for place in pairing.alone]
    counted = rules.count_unreferenced or (
        reference.nameless and prediction is not None and prediction.nameless
    )
    present = [set(layer.present() if alone else ()) for layer in layers]
    if counted:
        rows += [(None, one) for one in alone if one.label in present[one.layer]]
        alone = []
    return Matched(
        pairs=_pairs(reference.held, layers, rows),
        names=tuple((one or other).category.name for one, other in rows if one or other),  # type: ignore[union-attr]
        prediction_only=tuple(
            one.category.name for one in alone if one.label in present[one.layer]
        ),
        notes=notes + _unnamed(reference, prediction, pairing.partners),
        called=tuple(
            (one.category.name, other.category.name)
            for one, other in rows
            if one and other and one.category.name != other.category.name
        ),
    )


def _unnamed(
    reference: Side, prediction: Side | None, partners: Sequence[int | None]
) -> tuple[str, ...]:
    """What to do where nothing matches because one side has names and the other has not."""
    if (
        prediction is None
        or reference.nameless == prediction.nameless
        or any(one is not None for one in partners)
    ):
        return ()
    side, option = (
        ("reference", "labels") if reference.nameless else ("prediction", "prediction-labels")
    )
    return (
        f"nothing matches: labels of the {side} have no names, those of the other side have; say "
        f"what they are with --{option}",
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a structure is among layers."""

    layer: int
    label: int
    category: Category


def _listed(layers: Labels) -> list[_Place]:
    return [
        _Place(number, label, category)
        for number, layer in enumerate(layers)
        for label, category in layer.categories.items()
    ]


def _pairs(
    reference: Labels, prediction: Labels, rows: Sequence[tuple[_Place | None, _Place | None]]
) -> tuple[tuple[LabelMap, LabelMap], ...]:
    """Pairs of layers with the structures that one side has in one and the other in the other."""
    groups: dict[tuple[int, int], tuple[dict[int, Category], dict[int, Category]]] = {}
    for one, other in rows:
        place = (one.layer if one else 0, other.layer if other else 0)
        ours, theirs = groups.setdefault(place, ({}, {}))
        name = Category(one.category.name if one else other.category.name)  # type: ignore[union-attr]
        if one:
            ours[one.label] = name
        if other:
            theirs[other.label] = name
    return tuple(
        (
            LabelMap(reference[first].array, reference[first].grid, ours),
            LabelMap(prediction[second].array, prediction[second].grid, theirs),
        )
        for (first, second), (ours, theirs) in groups.items()
    )


def _with_tolerances(scoring: Scoring, names: Sequence[str]) -> Scoring:
    """Tolerances under the names that the reference has."""
    if not scoring.tolerances_mm:
        return scoring
    known = {
        name: value
        for name in names
        for given, value in scoring.tolerances_mm.items()
        if same(given, name)
    }
    return replace(scoring, tolerances_mm=known)


def _diagonal(grid: Grid) -> float:
    """The longest distance between corners of the image."""
    corners = grid.corners
    return float(np.linalg.norm(corners[:, None] - corners[None], axis=-1).max())


def _with_distance(one: Score, diagonal: float) -> Score:
    if one.metric in _DISTANCES and one.note in (MISSED, INVENTED):
        return replace(one, value=diagonal)
    return one
