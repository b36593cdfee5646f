"""The other parts of the report: plots, pictures, groups, comparison, failures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from delineate.evaluation.columns import Columns
from delineate.evaluation.markup import Markup, joined, tag
from delineate.evaluation.page_tables import cell, table
from delineate.evaluation.pictures_things import mark
from delineate.evaluation.plots import Row, distributions
from delineate.evaluation.scene import KINDS
from delineate.evaluation.score import METRICS

__all__ = [
    "WorstCase",
    "distribution_plots",
    "failures",
    "provenance",
    "requirements",
    "worst_cases",
]

_MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class WorstCase:
    """A case that is shown.

    Parameters
    ----------
    case
        Its name.
    line
        Its scores, in words.
    picture, caption
        Where it differs most, if that can be drawn.
    kind
        What the picture is of: ``masks``, ``things``, ``field`` or the ``image`` alone.
    """

    case: str
    line: str
    picture: Markup | None = None
    caption: str = ""
    kind: str = "image"


def distribution_plots(
    columns: Columns, metrics: Sequence[str], absent: Sequence[str] = ()
) -> Markup:
    """A plot for each metric: a box and a swarm for each structure that is not absent."""
    parts = []
    for metric in metrics:
        places = [
            n
            for n, one in enumerate(columns.columns)
            if one.metric == metric and one.structure not in absent
        ]
        rows = []
        for place in places:
            values = columns.values[:, place]
            counts = columns.counts(place)
            told = [f"{counts[name]} {name}" for name in ("missed", "invented") if counts[name]]
            name = columns.columns[place].structure or "(together)"
            rows.append(Row(name, values[np.isfinite(values)], ", ".join(told)))
        unit = columns.columns[places[0]].unit if places else "1"
        plot = distributions(rows, unit, METRICS[metric].title)
        if plot:
            parts.append(tag("figure", tag("h3", METRICS[metric].title), plot))
    if not parts:
        return joined()
    text = (
        "Each dot is a case. The box reaches from the 25th to the 75th percentile, its line is "
        "the median, the whiskers reach from the 5th to the 95th."
    )
    return joined(tag("p", text, class_="faint"), tag("div", *parts, class_="plots"))


def worst_cases(worst: Sequence[WorstCase], metrics: Sequence[str]) -> Markup:
    """Pictures, the worst by the first metric first."""
    if not worst:
        return joined()
    first = METRICS[metrics[0]].title
    text = f"The {len(worst)} cases with the worst mean over structures of: {first}."
    kinds = {one.kind for one in worst if one.picture}
    figures = [
        tag(
            "figure",
            one.picture or tag("p", "no picture", class_="faint"),
            tag(
                "figcaption",
                tag("strong", one.case),
                one.line,
                joined(tag("br"), one.caption) if one.caption else None,
            ),
        )
        for one in worst
    ]
    keys = (
        _key(("reference", "prediction"), _MASKS) if kinds & {"masks", "field"} else None,
        tag("p", _FIELD, class_="faint") if "field" in kinds else None,
        _key(KINDS, _THINGS) if "things" in kinds else None,
    )
    large = " large" if kinds & {"things", "field"} else ""
    return joined(
        tag("p", text, class_="faint"), *keys, tag("div", *figures, class_=f"worst{large}")
    )


_MASKS = "The slice with most samples in one of them only, of the case's worst structure."
_FIELD = (
    "Of a field: what is at or above its threshold is the prediction; beside it are its scores, "
    "with the reference. Of a large picture each pixel is the highest of several samples."
)
_THINGS = (
    "Things of the prediction that have a partner in the reference, of the reference alone, and "
    "of the prediction alone, in the slice with most of the last two."
)


def _key(kinds: Sequence[str], text: str) -> Markup:
    """What the lines of pictures mean."""
    signs = [
        joined(
            tag(
                "svg",
                tag("path", d=f"M0 6H28{mark(kind, 40, 6)}", class_=kind)
                if kind in KINDS
                else tag("path", d="M0 6H46", class_=kind),
                viewBox="0 0 46 12",
                class_="key",
            ),
            f" {kind} ",
        )
        for kind in kinds
    ]
    return tag("p", *signs, text, class_="faint")


def requirements(document: Mapping[str, Any]) -> Markup:
    """What was required, and the rows that fail."""
    if not document["requirements"]:
        return joined()
    listed = tag("p", joined(*(joined(tag("code", one), " ") for one in document["requirements"])))
    failing = document["failing"]
    if not failing:
        return joined(tag("h2", "Requirements"), listed, tag("p", "All hold.", class_="good"))
    rows = [
        [
            cell(row["case"] or "(all)", "name"),
            cell(row["structure"] or "–", "name"),
            cell(tag("code", row["requirement"]), "name"),
            cell("–" if row["value"] is None else f"{row['value']:.4g}"),
            cell(row["why"], "text"),
        ]
        for row in failing[:_MOST_ROWS]
    ]
    heads = ("case", "structure", "requirement", "value", "")
    return joined(
        tag("h2", "Requirements"), listed, table(heads, rows), _more(len(failing), "rows fail")
    )


def failures(document: Mapping[str, Any]) -> Markup:
    """Cases that failed or have no partner, names without one, and notes."""
    cases, parts = document["cases"], []
    if cases["failed"]:
        rows = [
            [cell(row["case"], "name"), cell(row["error"], "text")]
            for row in cases["failed"][:_MOST_ROWS]
        ]
        parts += [tag("h3", "Cases that failed"), table(("case", "why"), rows)]
        parts.append(_more(len(cases["failed"]), "failed"))
    for key, title in (
        ("without_prediction", "Cases without a prediction: everything is missed"),
        ("without_reference", "Cases without a reference: not scored"),
    ):
        if cases[key]:
            text = ", ".join(cases[key][:_MOST_ROWS])
            parts += [tag("h3", title), tag("p", text), _more(len(cases[key]), "in all")]
    if document["prediction_only"]:
        listed = [f"{name} ({count})" for name, count in document["prediction_only"].items()]
        parts += [
            tag("h3", "Structures of predictions that references do not name (cases): not scored"),
            tag("p", ", ".join(listed)),
        ]
    for option, names in document["unused"].items():
        if names:
            title = f"Names given with --{option} that no case has: without effect"
            parts += [tag("h3", title), tag("p", ", ".join(names))]
    if document["notes"]:
        notes = [
            [cell(case, "name"), cell("; ".join(lines), "text")]
            for case, lines in list(document["notes"].items())[:_MOST_ROWS]
        ]
        parts += [tag("h3", "Notes"), table(("case", "note"), notes)]
        parts.append(_more(len(document["notes"]), "cases have notes"))
    return joined(*parts)


def _more(count: int, what: str) -> Markup:
    if count <= _MOST_ROWS:
        return joined()
    text = f"{count} {what}; the first {_MOST_ROWS} are shown, all are in summary.json."
    return tag("p", text, class_="faint")


def provenance(document: Mapping[str, Any]) -> Markup:
    """Versions, options, and the hashes of all inputs."""
    versions = ", ".join(f"{name} {value}" for name, value in document["versions"].items())
    layouts = document["layouts"]
    rows = [
        [
            cell(case, "name"),
            *(
                cell(tag("span", _hash(found.get(side)), class_="hash"))
                for side in ("prediction", "reference", "image")
            ),
        ]
        for case, found in document["inputs"].items()
    ]
    options = json.dumps(document["rules"], ensure_ascii=False, indent=1)
    return joined(
        tag(
            "p",
            f"Made by {versions}. Predictions read as {layouts['prediction']}, references "
            f"as {layouts['reference']}.",
        ),
        tag("details", tag("summary", "Options"), tag("pre", options)),
        tag(
            "details",
            tag("summary", f"Inputs ({len(rows)} cases): first half of their SHA-256"),
            table(("case", "prediction", "reference", "image"), rows),
        ),
    )


def _hash(value: str | None) -> str:
    return "–" if not value else value.partition(":")[2][:32]
