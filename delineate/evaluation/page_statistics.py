"""What the report says of volumes, groups and two predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from delineate.evaluation.agreement import Limits
from delineate.evaluation.columns import Columns
from delineate.evaluation.markup import Markup, joined, tag
from delineate.evaluation.page_tables import cell, number, table, whole
from delineate.evaluation.plots_small import differences
from delineate.evaluation.score import METRICS

__all__ = ["comparison", "groups", "volumes"]

_MOST_PLOTS = 30


def volumes(columns: Columns, document: Mapping[str, Any]) -> Markup:
    """Bias and limits of agreement, and a plot of each structure."""
    rows, plots = [], list[Markup]()
    for row in document["volumes"]:
        if row["limits"] is None:
            continue
        limits, unit, icc = row["limits"], row["unit"], row["icc"]
        rows.append(
            [
                cell(row["structure"], "name"),
                cell(limits["n"]),
                cell(f"{number(limits['bias'], unit)} {unit}"),
                cell(f"{number(limits['bias_low'], unit)} to {number(limits['bias_high'], unit)}"),
                cell(f"{number(limits['lower'], unit)} to {number(limits['upper'], unit)}"),
                cell(number(icc["value"], "1") if icc else "–"),
                cell(f"{number(icc['low'], '1')} to {number(icc['high'], '1')}" if icc else "–"),
            ]
        )
        one = columns.place(row["structure"], "volume_prediction")
        two = columns.place(row["structure"], "volume_reference")
        if one is not None and two is not None and len(plots) < _MOST_PLOTS:
            plots.append(
                tag(
                    "figure",
                    differences(
                        columns.values[:, one],
                        columns.values[:, two],
                        Limits(**limits),
                        row["structure"],
                        unit,
                        "volume",
                    ),
                )
            )
    if not rows:
        return joined()
    heads = (
        "structure",
        "n",
        "bias",
        "its 95 % interval",
        "limits of agreement",
        "ICC(2,1)",
        "its 95 % interval",
    )
    left = len(rows) - len(plots)
    text = (
        "Prediction less reference. Limits of agreement: bias ± 1.96 sd of the differences "
        "(Bland and Altman 1999, doi:10.1177/096228029900800204). ICC(2,1): Shrout and Fleiss "
        "1979, doi:10.1037/0033-2909.86.2.420."
    )
    return joined(
        tag("p", text, class_="faint"),
        table(heads, rows),
        tag("p", "Solid: bias. Dashed: limits. Each dot is a case.", class_="faint"),
        tag("div", *plots, class_="small-ones"),
        tag("p", f"{left} more structures are in the table alone.") if left else None,
    )


def groups(document: Mapping[str, Any], metrics: Sequence[str]) -> Markup:
    """A table for each group column."""
    parts = []
    order = list(dict.fromkeys(row["structure"] for row in document["scores"]))
    for column, levels in document["groups"].items():
        rows = []
        gone = []
        for level, found in levels.items():
            by = {(row["structure"], row["metric"]): row for row in found["scores"]}
            for structure in dict.fromkeys(row["structure"] for row in found["scores"]):
                held = [by.get((structure, metric)) for metric in metrics]
                first = next((row for row in held if row), None)
                if first is None:
                    continue
                if first["n"] == 0 and first["absent"] == first["undefined"]:
                    gone += [level] * (structure not in document["absent_everywhere"])
                    continue
                cells = [
                    cell(structure or whole(document), "name"),
                    cell(level or "(not said)", "name"),
                    cell(first["n"]),
                    cell(first["missed"] or "·"),
                    *(cell(_with_interval(row)) for row in held),
                ]
                rows.append((order.index(structure), cells))
        rows.sort(key=lambda pair: pair[0])
        titles = [METRICS[metric].title for metric in metrics]
        heads = ("structure", column, "n", "missed", *titles)
        text = "; ".join(
            f"{level or '(not said)'}: {count}" for level, count in Counter(gone).items()
        )
        told = f"Structures that are in neither side of any case of a group have no row ({text})."
        parts.append(
            joined(
                tag("h3", f"By {column}"),
                table(heads, [cells for _, cells in rows]),
                tag("p", told, class_="faint") if gone else None,
            )
        )
    return joined(*parts)


def _with_interval(row: Mapping[str, Any] | None) -> object:
    if row is None:
        return "–"
    unit = row["unit"]
    interval = (
        "" if row["low"] is None else (f"[{number(row['low'], unit)}, {number(row['high'], unit)}]")
    )
    lost = row["undefined"] - row["absent"]
    return joined(
        number(row["mean"], unit),
        tag("small", interval),
        tag("small", f"{lost} without a value") if lost > 0 else None,
    )


def comparison(document: Mapping[str, Any]) -> Markup:
    """Two predictions, case by case."""
    held = document["comparison"]
    if not held:
        return joined()
    text = (
        f"{document['title']} less {held['title']}, in the {held['cases']} cases that both have. "
        "p: Wilcoxon's signed-rank test, two-sided; corrected by Holm over the structures of "
        "each metric. Interval: paired bootstrap (BCa). A case in which one of them alone has a "
        "value, as a distance where the other missed the structure, is in no test; such cases are "
        "counted beside n."
    )
    rows = [
        [
            cell(row["structure"] or whole(document), "name"),
            cell(METRICS[row["metric"]].title, "name"),
            cell(row["n"]),
            *(
                cell(tag("span", row[name], class_="bad") if row[name] else "·")
                for name in ("only_first", "only_second")
            ),
            cell(number(row["difference"], "1")),
            cell(f"{number(row['low'], '1')} to {number(row['high'], '1')}"),
            cell(row["better"]),
            cell(row["worse"]),
            cell(_probability(row["p"])),
            cell(_probability(row["p_holm"])),
        ]
        for row in held["scores"]
        if row["n"] or row["only_first"] or row["only_second"]
    ]
    heads = (
        "structure",
        "metric",
        "n",
        "the first alone",
        "the second alone",
        "mean difference",
        "95 % interval",
        "better",
        "worse",
        "p",
        "p (Holm)",
    )
    return joined(tag("p", text), table(heads, rows))


def _probability(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
