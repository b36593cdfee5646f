"""What an evaluation says, as plain JSON: the source of every number of the report."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate import __version__
from delineate.delineation.findings import significant
from delineate.evaluation import bootstrap, statistics
from delineate.evaluation.agreement import bland_altman, icc
from delineate.evaluation.cohort import cohort
from delineate.evaluation.columns import Columns
from delineate.evaluation.pairing import plain, same
from delineate.evaluation.run import Evaluation
from delineate.evaluation.score import METRICS

__all__ = ["SCHEMA", "dumps", "summary", "versions"]

SCHEMA = "delineate/evaluation/1"

Rows = list[dict[str, Any]]


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """All but the scores of single cases; numbers to seven digits, ``None`` where there is none.

    The same evaluation gives the same document: it holds no time and no path.
    """
    columns, cases = evaluation.columns, evaluation.cases
    drawn = bootstrap.resamples(len(columns.cases)) if columns.cases else None
    rows = _rows(columns, drawn) if drawn is not None else []
    good = [one for one in evaluation.scored if not one.error]
    document = {
        "schema": SCHEMA,
        "title": evaluation.title,
        "reference": evaluation.reference_title,
        "versions": versions(),
        "layouts": {"prediction": cases.layouts[0], "reference": cases.layouts[1]},
        "rules": evaluation.rules.to_json(),
        "statistics": {
            "resamples": bootstrap.RESAMPLES,
            "seed": bootstrap.SEED,
            "confidence": bootstrap.CONFIDENCE,
        },
        "cases": {
            "scored": len(columns.cases),
            "failed": [{"case": one.case, "error": one.error} for one in evaluation.failed],
            "without_prediction": list(cases.without_prediction),
            "without_reference": list(cases.without_reference),
        },
        "kinds": dict(Counter(one.evidence.get("kind", "") for one in good)),
        "prediction_only": _prediction_only(evaluation),
        "called": _called(evaluation),
        "unused": _unused(evaluation),
        "tables": _tables(evaluation),
        "absent_everywhere": _absent(rows),
        "scores": rows,
        "overall": _overall(rows),
        "cohort": cohort(evaluation.scored),
        "volumes": _volumes(columns),
        "groups": _groups(evaluation),
        "comparison": _comparison(evaluation),
        "requirements": [one.text for one in evaluation.requirements],
        "failing": [asdict(one) for one in evaluation.failing],
        "notes": {one.case: list(one.notes) for one in evaluation.scored if one.notes},
        "inputs": {one.case: dict(one.inputs) for one in evaluation.scored},
    }
    plain: dict[str, Any] = significant(document)
    return plain


def dumps(document: Mapping[str, Any]) -> str:
    """The document as text, to be read by people too."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def versions() -> dict[str, str]:
    """Versions of what figures come from."""
    import scipy

    return {
        "delineate": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        **{name: version(name) for name in ("numba", "scikit-image", "SimpleITK")},
    }


def _rows(
    columns: Columns, drawn: NDArray[np.int32], among: NDArray[np.bool_] | None = None
) -> Rows:
    """A summary of each column, of all cases or of some of them."""
    values = columns.values if among is None else columns.values[among]
    ends = bootstrap.intervals(values, drawn)
    rows = []
    for place, column in enumerate(columns.columns):
        there = columns.scored(place) if among is None else columns.scored(place)[among]
        if not there.any():
            continue
        counts = columns.counts(place, among)
        found = statistics.summarise(values[there, place], ends[:, place].tolist(), **counts)
        rows.append(
            {
                "structure": column.structure,
                "metric": column.metric,
                "unit": column.unit,
                **found.to_json(),
            }
        )
    return rows


def _overall(rows: Rows) -> dict[str, Any]:
    """By metric: the mean over structures of their means, each structure counting the same.

    All things together are no structure beside them.
    """
    found: dict[str, Any] = {}
    named = any(row["structure"] for row in rows)
    of = [row for row in rows if row["mean"] is not None and (row["structure"] or not named)]
    for metric in METRICS:
        means = [row["mean"] for row in of if row["metric"] == metric]
        if means and METRICS[metric].better:
            found[metric] = {"mean": float(np.mean(means)), "structures": len(means)}
    return found


def _volumes(columns: Columns) -> Rows:
    """Bland-Altman and intraclass correlation of the volumes of each structure."""
    rows = []
    for structure in columns.structures:
        one = columns.place(structure, "volume_prediction")
        two = columns.place(structure, "volume_reference")
        if one is None or two is None:
            continue
        there = columns.scored(one)
        first, second = columns.values[there, one], columns.values[there, two]
        limits = bland_altman(first, second)
        agreed = icc(np.stack((first, second), axis=1))
        rows.append(
            {
                "structure": structure,
                "unit": columns.columns[one].unit,
                "limits": None if limits is None else asdict(limits),
                "icc": None if agreed is None else asdict(agreed),
            }
        )
    return rows


def _prediction_only(evaluation: Evaluation) -> dict[str, int]:
    """In how many cases a prediction holds a structure that the reference does not name."""
    names = Counter(name for one in evaluation.scored for name in one.prediction_only)
    return dict(sorted(names.items(), key=lambda pair: (-pair[1], pair[0])))


def _called(evaluation: Evaluation) -> Rows:
    """What references call a structure and predictions do, where they differ, in how many cases."""
    pairs = Counter(
        (one, two) for case in evaluation.scored for one, two in case.evidence.get("called", ())
    )
    return [
        {"reference": one, "prediction": two, "cases": count}
        for (one, two), count in sorted(pairs.items())
    ]


def _unused(evaluation: Evaluation) -> dict[str, list[str]]:
    """Names that the rules have and no case has: misspelt, most likely, and without effect."""
    rules, scored = evaluation.rules, (*evaluation.scored, *evaluation.other)
    if all(one.error for one in scored):
        return {"map": [], "tolerance": []}
    structures = {score.structure for one in scored for score in one.scores}
    called = {
        (plain(old), plain(new)) for one in scored for new, old in one.evidence.get("called", ())
    }
    return {
        "map": [
            f"{old}={new}"
            for old, new in rules.renamed.items()
            if (plain(old), plain(new)) not in called
        ],
        "tolerance": [
            name
            for name in rules.scoring.tolerances_mm
            if not any(same(name, one) for one in structures)
        ],
    }


def _tables(evaluation: Evaluation) -> dict[str, Rows]:
    """Labels by name as tables beside label maps give them, and of how many cases."""
    found: dict[str, Rows] = {}
    for side in ("reference", "prediction"):
        held: list[dict[str, Any]] = []
        for case in evaluation.cases.cases:
            table = getattr(case, f"{side}_table")
            if not table:
                continue
            labels = {name: list(values) for name, values in table.items()}
            known = next((one for one in held if one["labels"] == labels), None)
            if known is None:
                held.append({"labels": labels, "cases": 1})
            else:
                known["cases"] += 1
        found[side] = held
    return found


def _absent(rows: Rows) -> list[str]:
    """Structures that are in neither side of any case."""
    there = {row["structure"] for row in rows if row["n"] or row["undefined"] > row["absent"]}
    return [name for name in dict.fromkeys(row["structure"] for row in rows) if name not in there]


def _groups(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """By column and value: how many cases, and a summary of each score."""
    columns = evaluation.columns
    values = {one.name: one.groups for one in evaluation.cases.cases}
    named = dict.fromkeys(column for groups in values.values() for column in groups)
    found: dict[str, dict[str, Any]] = {}
    for column in named:
        held = np.array([values[case].get(column, "") for case in columns.cases])
        found[column] = {}
        for level in sorted(set(held.tolist())):
            among = held == level
            drawn = bootstrap.resamples(int(among.sum()))
            rows = [row for row in _rows(columns, drawn, among) if METRICS[row["metric"]].better]
            found[column][level] = {"cases": int(among.sum()), "scores": rows}
    return found


def _comparison(evaluation: Evaluation) -> dict[str, Any] | None:
    """Each score of the first predictions less that of the second, in the cases of both."""
    one, two = evaluation.columns, evaluation.other_columns
    if two is None:
        return None
    cases = [case for case in one.cases if case in set(two.cases)]
    keys = [(c.structure, c.metric) for c in one.columns if METRICS[c.metric].better]
    keys = [key for key in keys if two.place(*key) is not None]
    first, second = (_part(columns, cases, keys) for columns in (one, two))
    drawn = bootstrap.resamples(max(1, len(cases)))
    rows: Rows = []
    for metric in one.metrics:
        of = [number for number, key in enumerate(keys) if key[1] == metric]
        if not of or not cases:
            continue
        lower = [METRICS[metric].better == "lower"] * len(of)
        tests = statistics.compare(first[:, of], second[:, of], drawn, lower_is_better=lower)
        rows += [
            {"structure": keys[number][0], "metric": metric, **asdict(test)}
            for number, test in zip(of, tests, strict=True)
        ]
    return {"title": evaluation.other_title, "cases": len(cases), "scores": rows}


def _part(
    columns: Columns, cases: Sequence[str], keys: Sequence[tuple[str, str]]
) -> NDArray[np.float64]:
    rows = {case: number for number, case in enumerate(columns.cases)}
    places = [columns.place(*key) for key in keys]
    some: NDArray[np.float64] = columns.values[[rows[case] for case in cases]][:, places]  # type: ignore[index]
    return some
