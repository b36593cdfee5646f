"""The report as one page of HTML that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from delineate.evaluation.markup import Markup, joined, tag
from delineate.evaluation.page_cohort import classes, counting, detection, fields
from delineate.evaluation.page_parts import (
    WorstCase,
    distribution_plots,
    failures,
    provenance,
    requirements,
    worst_cases,
)
from delineate.evaluation.page_rules import cards, matching, names, rules
from delineate.evaluation.page_statistics import comparison, groups, volumes
from delineate.evaluation.page_tables import (
    all_scores,
    definitions,
    headline,
    per_case,
    summary_table,
)
from delineate.evaluation.run import Evaluation

__all__ = ["document_of", "page"]


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
    The same evaluation gives the same bytes. Every name is escaped.
    """
    metrics = headline(evaluation.columns)
    together, absent = document["cohort"], document["absent_everywhere"]
    title = f"Evaluation of {evaluation.title}"
    body = joined(
        tag("h1", title),
        tag("p", f"against {evaluation.reference_title}", class_="faint"),
        cards(document),
        rules(evaluation, document),
        requirements(document),
        _section("Scores by structure", summary_table(document, metrics)),
        _section("Detection", detection(together.get("things", ()), matching(evaluation.rules))),
        _section("Counts", counting(together.get("things", ()))),
        _section("Classes", classes(together.get("classes", ()))),
        _section("Fields", fields(together.get("fields", ()))),
        _section("Distributions", distribution_plots(evaluation.columns, metrics, absent)),
        _section("Worst cases", worst_cases(worst, metrics)),
        _section("Volumes: bias and agreement", volumes(evaluation.columns, document)),
        _section("Groups", groups(document, metrics)),
        _section("Comparison", comparison(document)),
        _section("What went wrong, and what to know", failures(document)),
        _section("Every score", all_scores(document), per_case(evaluation.columns, metrics)),
        _section("Metrics", definitions(evaluation.columns)),
        _section("Names and labels", names(document)),
        _section("Provenance", provenance(document)),
    )
    return document_of(title, body)


def document_of(title: str, body: Markup) -> Markup:
    """A page of HTML with the style of reports, which forbids itself scripts and the network."""
    style = resources.files("delineate.evaluation").joinpath("page.css").read_text("utf-8")
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
