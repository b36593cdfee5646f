"""Requirements on scores, such as ``liver.dice>=0.95``, for a CI to fail by."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from delineate.errors import OptionError
from delineate.evaluation.columns import Columns
from delineate.evaluation.pairing import same
from delineate.evaluation.score import METRICS
from delineate.evaluation.statistics import summarise

__all__ = ["Failing", "Requirement", "failing"]

_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_STATISTICS = {
    "mean": "mean",
    "median": "p50",
    "min": "minimum",
    "max": "maximum",
    **{name: name for name in ("p5", "p25", "p50", "p75", "p95")},
}
_FORM = re.compile(r"\s*(.+?)\s*(>=|<=|>|<)\s*([-+0-9.eE]+)\s*")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement.

    Parameters
    ----------
    text
        As it was written.
    structure
        A name, or a pattern with ``*`` and ``?``.
    metric, sign, bound
        What has to be how large.
    statistic
        Of all cases; empty: every case has to.
    """

    text: str
    structure: str
    metric: str
    sign: str
    bound: float
    statistic: str = ""

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read ``STRUCTURE.METRIC[.STATISTIC]>=NUMBER``.

        Raises
        ------
        OptionError
            If it is none, or the metric is unknown.
        """
        form = _FORM.fullmatch(text)
        parts = form[1].split(".") if form else []
        statistic = parts.pop() if len(parts) > 2 and parts[-1] in _STATISTICS else ""
        metric = parts.pop() if len(parts) > 1 else ""
        try:
            bound = float(form[3]) if form else float("nan")
        except ValueError:
            bound = float("nan")
        if form is None or metric not in METRICS or bound != bound:
            raise OptionError(
                f"expected a requirement like liver.dice>=0.95 or '*.nsd.mean>0.9', got {text!r}; "
                f"metrics are {', '.join(METRICS)}, statistics {', '.join(_STATISTICS)}"
            )
        return cls(text.strip(), ".".join(parts), metric, form[2], bound, statistic)

    def names(self, structure: str) -> bool:
        """Whether it is about this structure."""
        if "*" in self.structure or "?" in self.structure:
            return fnmatchcase(structure.casefold(), self.structure.casefold())
        return bool(structure) and same(self.structure, structure)

    def holds(self, value: float) -> bool:
        """Whether a value meets it; what is not a number does not."""
        return _SIGNS[self.sign](value, self.bound)


@dataclass(frozen=True, slots=True)
class Failing:
    """A row that does not meet a requirement.

    Parameters
    ----------
    requirement
        As it was written.
    case
        Its name; of a statistic empty.
    structure
        Its name; empty where there is none.
    value
        What it is; NaN where there is none.
    why
        What is wrong, where it is not the value.
    """

    requirement: str
    case: str
    structure: str
    value: float
    why: str = ""


def failing(
    requirements: Sequence[Requirement], columns: Columns, failed: Sequence[str]
) -> list[Failing]:
    """All rows that fail.

    Parameters
    ----------
    requirements
        What is required.
    columns
        Scores of the cases that could be scored.
    failed
        Names of those that could not: they meet nothing.

    Notes
    -----
    A structure that is missed or invented and has no value for that reason fails, and so does
    every statistic that leaves it out. One that is in neither side fails nothing. A requirement
    on what has no score at all fails.
    """
    rows = []
    for one in requirements:
        places = [
            place
            for place, column in enumerate(columns.columns)
            if column.metric == one.metric and one.names(column.structure)
        ]
        if not places:
            rows.append(Failing(one.text, "", "", float("nan"), "no score of that name"))
        rows += [Failing(one.text, case, "", float("nan"), "the case failed") for case in failed]
        for place in places:
            rows += (
                _of_statistic(one, columns, place)
                if one.statistic
                else _of_cases(one, columns, place)
            )
    return rows


def _of_cases(one: Requirement, columns: Columns, place: int) -> list[Failing]:
    rows = []
    structure = columns.columns[place].structure
    values, notes = columns.values[:, place], columns.notes[:, place]
    for case, value, note in zip(columns.cases, values.tolist(), notes.tolist(), strict=True):
        if one.holds(value) or (value != value and note not in (1, 2)):
            continue
        why = "" if value == value else ("missed" if note == 1 else "invented")
        rows.append(Failing(one.text, case, structure, value, why))
    return rows


def _of_statistic(one: Requirement, columns: Columns, place: int) -> list[Failing]:
    structure = columns.columns[place].structure
    values, notes = columns.values[:, place], columns.notes[:, place]
    value = float(getattr(summarise(values), _STATISTICS[one.statistic]))
    lost = int((np.isnan(values) & ((notes == 1) | (notes == 2))).sum())
    if lost:
        why = f"{lost} missed or invented, which have no value and are not in the {one.statistic}"
        return [Failing(one.text, "", structure, value, why)]
    why = "" if value == value else "no case has a value"
    return [] if one.holds(value) else [Failing(one.text, "", structure, value, why)]
