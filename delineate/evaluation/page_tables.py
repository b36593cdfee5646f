"""The tables of the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from delineate.evaluation.columns import Columns
from delineate.evaluation.cutout import HEADLINE
from delineate.evaluation.markup import Markup, joined, tag
from delineate.evaluation.score import METRICS

__all__ = [
    "all_scores",
    "cell",
    "definitions",
    "folded",
    "headline",
    "number",
    "per_case",
    "ranked",
    "summary_table",
    "table",
    "whole",
]

_MOST = 4
_LEFT = ('<td class="name"', '<td class="text"')


def headline(columns: Columns) -> tuple[str, ...]:
    """Metrics that are shown in full: the usual ones, or the first that have a better way."""
    there = [name for name in columns.metrics if METRICS[name].better]
    usual = [name for name in HEADLINE if name in there]
    return tuple(usual or there[:_MOST])


def number(value: float | None, unit: str) -> str:
    """As people read it: three decimals without a unit, two in mm and ml."""
    if value is None or value != value:
        return "–"
    digits = 3 if unit == "1" else 2
    text = f"{value:.{digits}f}"
    small = bool(value) and float(text) == 0
    return (f"{value:.3g}" if small else text).replace("-", "−")


def cell(content: object, kind: str | None = None) -> Markup:
    """A cell of a table; ``"name"`` or ``"text"`` run to the left."""
    return tag("td", content, class_=kind)


def table(
    heads: Sequence[object], rows: Iterable[Sequence[Markup]], last: Sequence[Markup] | None = None
) -> Markup:
    """A table that scrolls where it is too wide; heads stand as the cells below them do."""
    listed = [list(row) for row in rows]
    first = listed[0] if listed else [cell("", "name") for _ in heads]
    header = [
        tag("th", head, class_="name" if one.startswith(_LEFT) else None)
        for head, one in zip(heads, first, strict=True)
    ]
    body = [tag("tr", *row) for row in listed]
    if last:
        body.append(tag("tr", *last, class_="overall"))
    return tag(
        "div",
        tag("table", tag("thead", tag("tr", *header)), tag("tbody", *body)),
        class_="wide",
    )


def summary_table(document: Mapping[str, Any], metrics: Sequence[str]) -> Markup:
    """A row a structure: how many cases, what is missed, and mean, interval and median."""
    by = {(row["structure"], row["metric"]): row for row in document["scores"]}
    absent = document["absent_everywhere"]
    rows = []
    for structure in dict.fromkeys(row["structure"] for row in document["scores"]):
        if structure in absent:
            continue
        known = [by[structure, metric] for metric in metrics if (structure, metric) in by]
        if not known:
            continue
        first = known[0]
        cases = first["n"] + first["undefined"] - first["absent"]
        rows.append(
            [
                cell(structure or whole(document), "name"),
                cell(cases),
                *(
                    cell(
                        tag("span", first[name], class_="bad")
                        if first[name] and name != "absent"
                        else first[name] or "·"
                    )
                    for name in ("missed", "invented", "absent")
                ),
                *(_mean(by.get((structure, metric))) for metric in metrics),
            ]
        )
    overall = document["overall"]
    last = None
    if len(rows) > 1:
        empty = [cell("") for _ in range(4)]
        units = {row["metric"]: row["unit"] for row in document["scores"]}
        most = max((overall.get(m, {}).get("structures", 0) for m in metrics), default=0)
        means = [_overall(overall.get(m, {}), units.get(m, "1"), most) for m in metrics]
        last = [cell(f"mean of the means of {most} structures", "name"), *empty, *means]
    heads = ("structure", "cases", "missed", "invented", "absent", *map(_head, metrics))
    return joined(table(heads, rows, last) if rows else None, folded(absent))


def _overall(found: Mapping[str, Any], unit: str, most: int) -> Markup:
    number_of = found.get("structures", 0)
    fewer = f"of {number_of}" if 0 < number_of < most else ""
    return cell(joined(_with_unit(found.get("mean"), unit), tag("small", fewer)))


def folded(absent: Sequence[str]) -> Markup:
    """Structures that have no row, since they are in neither side of any case."""
    if not absent:
        return joined()
    one = len(absent) == 1
    text = (
        f"{len(absent)} {'structure is' if one else 'structures are'} named and in neither side "
        f"of any case, and {'has' if one else 'have'} no row here: {', '.join(absent)}. "
        f"{'Its' if one else 'Their'} rows are in scores.csv."
    )
    return tag("p", text, class_="faint")


def whole(document: Mapping[str, Any]) -> str:
    """What is written where a row is of no single structure."""
    return "(all together)" if "things" in document["kinds"] else "(whole image)"


def _with_unit(value: float | None, unit: str) -> str:
    return number(value, unit) + ("" if unit == "1" or value is None else f" {unit}")


def _head(metric: str) -> str:
    arrow = {"higher": " ↑", "lower": " ↓", "": ""}[METRICS[metric].better]
    return METRICS[metric].title + arrow


def _mean(row: Mapping[str, Any] | None) -> Markup:
    if row is None:
        return cell("–")
    unit = row["unit"]
    text = _with_unit(row["mean"], unit)
    interval = f"[{number(row['low'], unit)}, {number(row['high'], unit)}]"
    lost = row["undefined"] - row["absent"]
    return cell(
        joined(
            text,
            tag("small", interval if row["low"] is not None else ""),
            tag("small", f"median {number(row['p50'], unit)}" if row["n"] else ""),
            tag("small", f"{lost} without a value") if lost > 0 else None,
        )
    )


def all_scores(document: Mapping[str, Any]) -> Markup:
    """Every summary, folded away."""
    heads = (
        "structure",
        "metric",
        "unit",
        "n",
        "mean",
        "95 % interval",
        "sd",
        "min",
        "5 %",
        "25 %",
        "median",
        "75 %",
        "95 %",
        "max",
        "missed",
        "invented",
        "absent",
        "undefined",
    )
    names = ("sd", "minimum", "p5", "p25", "p50", "p75", "p95", "maximum")
    rows = []
    for row in document["scores"]:
        if row["structure"] in document["absent_everywhere"]:
            continue
        unit = row["unit"]
        low, high = number(row["low"], unit), number(row["high"], unit)
        rows.append(
            [
                cell(row["structure"] or whole(document), "name"),
                cell(METRICS[row["metric"]].title, "name"),
                cell("" if unit == "1" else unit),
                cell(row["n"]),
                cell(number(row["mean"], unit)),
                cell(f"{low} to {high}"),
                *(cell(number(row[name], unit)) for name in names),
                *(cell(row[name]) for name in ("missed", "invented", "absent", "undefined")),
            ]
        )
    return tag("details", tag("summary", f"All summaries ({len(rows)} rows)"), table(heads, rows))


def ranked(columns: Columns, metric: str) -> list[tuple[str, float]]:
    """Cases and their mean of a metric over structures, the worst first."""
    of = [n for n, one in enumerate(columns.columns) if one.metric == metric]
    places = [n for n in of if columns.columns[n].structure] or of
    if not places:
        return []
    values = columns.values[:, places]
    there = np.isfinite(values)
    counts = there.sum(axis=1)
    means = np.where(there, values, 0).sum(axis=1) / np.maximum(counts, 1)
    known = [
        (case, float(mean))
        for case, mean, count in zip(columns.cases, means, counts, strict=True)
        if count
    ]
    lower = METRICS[metric].better == "lower"
    return sorted(known, key=lambda pair: (-pair[1] if lower else pair[1], pair[0]))


def per_case(columns: Columns, metrics: Sequence[str]) -> Markup:
    """A row a case, the worst first: its means over structures."""
    if not metrics or not columns.cases:
        return joined()
    means = {metric: dict(ranked(columns, metric)) for metric in metrics}
    order = [case for case, _ in ranked(columns, metrics[0])]
    order += [case for case in columns.cases if case not in means[metrics[0]]]
    units = {one.metric: one.unit for one in columns.columns}
    lost = {
        case: tuple(int((row == kind).sum()) for kind in (0, 1, 2, 3))
        for case, row in zip(columns.cases, _notes(columns, metrics[0]), strict=True)
    }
    rows = [
        [
            cell(case, "name"),
            cell(sum(lost[case][:3])),
            *(cell(number(means[metric].get(case), units[metric])) for metric in metrics),
            *(cell(count or "·") for count in lost[case][1:]),
        ]
        for case in order
    ]
    heads = ("case", "structures", *map(_head, metrics), "missed", "invented", "absent")
    text = (
        f"All cases ({len(rows)}), the worst first; means over the structures that are on either "
        "side, of distances over those on both"
    )
    return tag("details", tag("summary", text), table(heads, rows))


def _notes(columns: Columns, metric: str) -> Any:
    of = [n for n, one in enumerate(columns.columns) if one.metric == metric]
    return columns.notes[:, [n for n in of if columns.columns[n].structure] or of]


def definitions(columns: Columns) -> Markup:
    """What each metric is, where it comes from, and what it is of nothing."""
    rows = [
        [
            cell(METRICS[name].title, "name"),
            cell(tag("code", name), "name"),
            cell(METRICS[name].definition, "text"),
            cell(METRICS[name].empty_rule, "text"),
            cell(METRICS[name].source, "text"),
        ]
        for name in columns.metrics
    ]
    heads = ("metric", "name", "definition", "where one or both are empty", "source")
    return joined(
        tag("p", "R is the reference, P the prediction.", class_="faint"), table(heads, rows)
    )
