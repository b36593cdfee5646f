"""The report as one page of HTML that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from delineate.evaluation.markup import Markup, joined, tag
from delineate.evaluation.page_parts import (
    WorstCase,
    distribution_plots,
    failures,
    provenance,
    requirements,
    worst_cases,
)
from delineate.evaluation.page_statistics import comparison, groups, volumes
from delineate.evaluation.page_tables import (
    all_scores,
    definitions,
    headline,
    per_case,
    summary_table,
)
from delineate.evaluation.run import Evaluation

__all__ = ["page"]


def page(evaluation: Evaluation, document: Mapping[str, Any], worst: Sequence[WorstCase]) -> Markup:
    """The whole page.

    Parameters
    ----------
    evaluation
        What came of all cases.
    document
        Its `summary`, the source of every number in a table.
    worst
        Cases to show in pictures, the worst first.

    Notes
    -----
    The same evaluation gives the same bytes. Every name is escaped, and the page forbids itself
    scripts and the network.
    """
    style = resources.files("delineate.evaluation").joinpath("page.css").read_text("utf-8")
    metrics = headline(evaluation.columns)
    title = f"Evaluation of {evaluation.title}"
    body = joined(
        tag("h1", title),
        tag("p", f"against {evaluation.reference_title}", class_="faint"),
        _cards(document),
        _rules(evaluation, document),
        requirements(document),
        _section("Scores by structure", summary_table(document, metrics)),
        _section("Distributions", distribution_plots(evaluation.columns, metrics)),
        _section("Worst cases", worst_cases(worst)),
        _section("Volumes: bias and agreement", volumes(evaluation.columns, document)),
        _section("Groups", groups(document, metrics)),
        _section("Comparison", comparison(document)),
        _section("What went wrong, and what to know", failures(document)),
        _section("Every score", all_scores(document), per_case(evaluation.columns, metrics)),
        _section("Metrics", definitions(evaluation.columns)),
        _section("Provenance", provenance(document)),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        ),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return Markup(f"<!doctype html>\n{tag('html', head, tag('body', body), lang='en')}\n")


def _section(title: str, *content: Markup) -> Markup:
    """A heading and what is below it; nothing where that is empty."""
    held = joined(*content)
    return joined(tag("h2", title), held) if held else held


def _cards(document: Mapping[str, Any]) -> Markup:
    cases, rows = document["cases"], document["scores"]
    first = {row["structure"]: row for row in reversed(rows)}
    counts = {
        name: sum(row[name] for row in first.values()) for name in ("missed", "invented", "absent")
    }
    listed: list[tuple[str, int, str]] = [
        ("cases scored", cases["scored"], ""),
        ("cases failed", len(cases["failed"]), "bad"),
        ("without a prediction", len(cases["without_prediction"]), "bad"),
        ("without a reference", len(cases["without_reference"]), "bad"),
        ("structures missed", counts["missed"], "bad"),
        ("structures invented", counts["invented"], "bad"),
    ]
    cards = [
        tag("div", tag("b", number), text, class_=f"card {kind if number else ''}".strip())
        for text, number, kind in listed
    ]
    if document["requirements"]:
        bad = len(document["failing"])
        text = "rows fail requirements" if bad else "requirements hold"
        number = bad or len(document["requirements"])
        cards.append(tag("div", tag("b", number), text, class_=f"card {'bad' if bad else 'good'}"))
    return tag("div", *cards, class_="cards")


def _rules(evaluation: Evaluation, document: Mapping[str, Any]) -> Markup:
    rules = evaluation.rules
    scoring = rules.scoring
    diagonal = rules.missed_distance == "diagonal"
    distance = "the diagonal of the image" if diagonal else "no value"
    lines = [
        "A structure that is in the reference and not in the prediction is missed: overlap and "
        f"surface Dice are 0 and count in every mean; distances have {distance}, and the number "
        "of missed ones stands beside the mean.",
        "One that is in the prediction and not in the reference is invented, and counts alike"
        + (
            "."
            if rules.count_unreferenced
            else ", where the reference names it or its labels have no names. What a reference "
            "does not name at all is not scored, but listed below."
        ),
        "One that is in neither is left out of means, and counted as absent.",
        "A case without a prediction has missed everything. A case that failed is in no mean.",
        "Predictions on other samples than the reference are "
        + ("sampled anew (nearest)." if rules.resample else "refused."),
        f"Surfaces are of {scoring.surface}; the tolerance of the normalised surface Dice is "
        f"{scoring.tolerance_mm:g} mm"
        + "".join(f", of {name} {value:g} mm" for name, value in scoring.tolerances_mm.items())
        + ".",
        "In brackets: 95 % confidence intervals of means by bootstrap over cases (BCa, "
        f"{document['statistics']['resamples']} draws, seed {document['statistics']['seed']}).",
    ]
    if not set(evaluation.columns.metrics) & {"nsd", "hd", "hd95", "assd", "masd"}:
        lines = [line for line in lines if not line.startswith("Surfaces")]
    return tag(
        "div",
        tag("strong", "How it was counted"),
        tag("ul", *(tag("li", line) for line in lines)),
        class_="rules",
    )
