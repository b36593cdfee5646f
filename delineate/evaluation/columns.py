"""The scores of all cases as one matrix: a row a case, a column a metric of a structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.case import Scored
from delineate.evaluation.pairing import code_of, plain
from delineate.evaluation.score import ABSENT, INVENTED, METRICS, MISSED
from delineate.imaging import Category

__all__ = ["Column", "Columns", "columns_of", "unified"]

_NOTES = ("", MISSED, INVENTED, ABSENT)
_NONE = -1


@dataclass(frozen=True, slots=True)
class Column:
    """A metric of a structure; an empty ``structure`` is the image as a whole."""

    structure: str
    metric: str
    unit: str


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Values of all cases that could be scored.

    Parameters
    ----------
    cases
        Names, by row.
    columns
        Structure by structure, in the order in which the cases name them.
    values
        ``(case, column)``; NaN where there is no value, and where a structure is absent.
    notes
        ``(case, column)``: place in ``("", missed, invented, absent)``; -1 where a case has no
        such score.
    """

    cases: tuple[str, ...]
    columns: tuple[Column, ...]
    values: NDArray[np.float64]
    notes: NDArray[np.int8]

    @property
    def structures(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(dict.fromkeys(one.structure for one in self.columns))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names, in the order of `METRICS`."""
        there = {one.metric for one in self.columns}
        return tuple(name for name in METRICS if name in there)

    def place(self, structure: str, metric: str) -> int | None:
        """The column of a metric of a structure."""
        for number, one in enumerate(self.columns):
            if (one.structure, one.metric) == (structure, metric):
                return number
        return None

    def counts(self, column: int, rows: NDArray[np.bool_] | None = None) -> dict[str, int]:
        """In how many cases the structure is missed, invented or absent."""
        notes = self.notes[:, column] if rows is None else self.notes[rows, column]
        return {name: int((notes == place).sum()) for place, name in enumerate(_NOTES) if name}

    def scored(self, column: int) -> NDArray[np.bool_]:
        """Cases that have this score, with a value or without."""
        there: NDArray[np.bool_] = self.notes[:, column] != _NONE
        return there


def unified(scored: Sequence[Scored]) -> list[Scored]:
    """The same with one name for each structure, however the cases call it: that of the first."""
    names: dict[str, str] = {}
    known: dict[str, str] = {}
    found = []
    for one in scored:
        called = _unified(dict.fromkeys(score.structure for score in one.scores), names, known)
        if any(old != new for old, new in called.items()):
            scores = (replace(score, structure=called[score.structure]) for score in one.scores)
            one = replace(one, scores=tuple(scores), evidence=_called(one.evidence, called))
        found.append(one)
    return found


def _called(evidence: Mapping[str, Any], called: Mapping[str, str]) -> dict[str, Any]:
    """Evidence under the names that scores have."""
    held = dict(evidence)
    if "structure" in held:
        held["structure"] = called.get(held["structure"], held["structure"])
    if "groups" in held:
        held["groups"] = [_called(group, called) for group in held["groups"]]
    return held


def _unified(
    given: Mapping[str, object], names: dict[str, str], known: dict[str, str]
) -> dict[str, str]:
    """The names that are used for those of one case; no two of them become one.

    ``names`` and ``known`` hold what was used before, by plain name and by code.
    """
    found = {name: names[plain(name)] for name in given if plain(name) in names}
    for name in given:
        if name in found:
            continue
        code = code_of(Category(name)) if name else ""
        used = known.get(code, name) if code else name
        found[name] = name if used in found.values() else used
        names[plain(name)] = found[name]
        if code:
            known.setdefault(code, found[name])
    return found


def _single(scored: list[Scored]) -> list[Scored]:
    """The same, where things are of one structure alone, without the whole, which is that one."""
    things = [one for one in scored if one.evidence.get("kind") == "things"]
    names = {score.structure for one in things for score in one.scores}
    if "" not in names or len(names) != 2:
        return scored
    (name,) = names - {""}
    found = []
    for one in scored:
        if one.evidence.get("kind") != "things":
            found.append(one)
            continue
        named = tuple(score for score in one.scores if score.structure)
        alone = tuple(replace(score, structure=name) for score in one.scores)
        found.append(replace(one, scores=named or alone))
    return found


def columns_of(scored: Sequence[Scored]) -> Columns:
    """Gather the scores of cases that did not fail, under the names that `unified` gives."""
    good = _single([one for one in scored if not one.error])
    units: dict[str, dict[str, str]] = {}
    for one in good:
        for score in one.scores:
            units.setdefault(score.structure, {})[score.metric] = score.unit
    columns = tuple(
        Column(structure, metric, known[metric])
        for structure, known in units.items()
        for metric in METRICS
        if metric in known
    )
    places = {(one.structure, one.metric): place for place, one in enumerate(columns)}
    values = np.full((len(good), len(columns)), np.nan)
    notes = np.full(values.shape, _NONE, np.int8)
    for number, one in enumerate(good):
        for score in one.scores:
            place = places[score.structure, score.metric]
            if score.note != ABSENT:  # a volume of nothing would count in means else
                values[number, place] = score.value
            notes[number, place] = _NOTES.index(score.note)
    return Columns(tuple(one.case for one in good), columns, values, notes)
