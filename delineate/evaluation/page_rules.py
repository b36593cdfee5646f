"""What the report says first: how many there are and how they were counted; names at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delineate.evaluation.case import Rules
from delineate.evaluation.markup import Markup, joined, tag
from delineate.evaluation.page_tables import cell, number, table
from delineate.evaluation.run import Evaluation

__all__ = ["cards", "matching", "names", "rules"]

_SURFACES = {"nsd", "hd", "hd95", "assd", "masd"}
_MOST_LABELS = 300
_FEW = 20  # cases


def cards(document: Mapping[str, Any]) -> Markup:
    """The numbers that matter most."""
    cases = document["cases"]
    listed: list[tuple[object, str, str]] = [
        (cases["scored"], "cases scored", ""),
        (len(cases["failed"]), "cases failed", "bad"),
        (len(cases["without_prediction"]), "without a prediction", "bad"),
        (len(cases["without_reference"]), "without a reference", "bad"),
    ]
    if "labels" in document["kinds"]:
        first = {row["structure"]: row for row in reversed(document["scores"])}
        for name in ("missed", "invented"):
            count = sum(row[name] for row in first.values())
            listed.append((count, f"structures {name}", "bad"))
    for row in document["cohort"].get("things", ())[-1:]:
        listed.append((row["hits"], "things found", ""))
        listed += [(row[name], f"things {name}", "bad") for name in ("missed", "invented")]
    for row in document["cohort"].get("classes", ()):
        listed.append((number(row["accuracy"]["value"], "1"), "accuracy", ""))
    for row in document["cohort"].get("fields", ()):
        listed.append((number(row["auroc"]["value"], "1"), "AUROC by sample", ""))
    if document["requirements"]:
        bad = len(document["failing"])
        text = "rows fail requirements" if bad else "requirements hold"
        listed.append((bad or len(document["requirements"]), text, "bad" if bad else "good"))
    parts = [
        tag("div", tag("b", value), text, class_=f"card {kind if value else ''}".strip())
        for value, text, kind in listed
    ]
    return tag("div", *parts, class_="cards")


def rules(evaluation: Evaluation, document: Mapping[str, Any]) -> Markup:
    """How it was counted, as far as it bears on what is there."""
    kinds = document["kinds"]
    lines: list[str] = []
    if "labels" in kinds or not kinds:
        lines += _of_labels(evaluation)
    if "things" in kinds:
        lines += [
            matching(evaluation.rules),
            "A thing of the reference without a partner is missed, one of the prediction without "
            "is invented. A case without a prediction has missed everything. Where structures are "
            "scored case by case, one is missed in a case if nothing of its kind was predicted "
            "there, and invented if there is nothing of its kind in the reference.",
            "An image that has none of a kind on either side is left out of the means of its own "
            "scores, and counts in the sums, the curves and the errors of counts.",
        ]
    if "classes" in kinds:
        lines.append(
            "The answer is the most probable class, of equally probable ones the first by name. A "
            "case without a prediction, or where every probability is 0, has no answer and counts "
            "as wrong."
        )
    if "fields" in kinds:
        lines.append(
            "A field is scored against everything that the reference marks. AUROC and PRO of an "
            "image have no value where it marks nothing, and such images are in no mean of them; "
            "they count in the figures of all images together. A case without a prediction is in "
            "no figure of fields."
        )
    if len(kinds) > 1:
        told = ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
        lines.append(
            f"Cases are of several kinds ({told}): a mean of a metric is over those that have it."
        )
    lines += [
        "A case that failed is in no mean.",
        "In brackets: 95 % confidence intervals by bootstrap over cases (BCa, "
        f"{document['statistics']['resamples']} draws, seed {document['statistics']['seed']}), "
        "which takes cases to be independent: several images of one patient are not. There is "
        "none for fewer than two cases, or of a figure that is the same in every draw.",
    ]
    if 0 < document["cases"]["scored"] < _FEW:
        lines.append(
            f"{document['cases']['scored']} cases are few: such intervals are narrower than they "
            "should be, and tests find little."
        )
    return tag(
        "div",
        tag("strong", "How it was counted"),
        tag("ul", *(tag("li", line) for line in lines)),
        class_="rules",
    )


def _of_labels(evaluation: Evaluation) -> list[str]:
    stated, scoring = evaluation.rules, evaluation.rules.scoring
    diagonal = stated.missed_distance == "diagonal"
    distance = "the diagonal of the image" if diagonal else "no value"
    lines = [
        "A structure that is in the reference and not in the prediction is missed: overlap and "
        f"surface Dice are 0 and count in every mean; distances have {distance}, and the number "
        "of missed ones stands beside the mean.",
        "One that is in the prediction and not in the reference is invented, and counts alike"
        + (
            "."
            if stated.count_unreferenced
            else ", where the reference names it or its labels have no names. What a reference "
            "does not name at all is not scored, but listed below."
        ),
        "One that is in neither is left out of means, and counted as absent.",
        "A case without a prediction has missed everything.",
        "Predictions on other samples than the reference are "
        + ("sampled anew (nearest)." if stated.resample else "refused."),
    ]
    if set(evaluation.columns.metrics) & _SURFACES:
        lines.append(
            f"Surfaces are of {scoring.surface}; the tolerance of the normalised surface Dice is "
            f"{scoring.tolerance_mm:g} mm"
            + "".join(f", of {name} {value:g} mm" for name, value in scoring.tolerances_mm.items())
            + "."
        )
    return lines


def matching(stated: Rules) -> str:
    """Which things are taken for the same."""
    scoring = stated.scoring
    return (
        f"Things are matched one to one, of one kind: by an IoU of {scoring.iou:g} at least where "
        f"all have a box or an outline, else within a distance of {scoring.distance:g} (mm, or "
        "pixels where there is no scale)."
    )


def names(document: Mapping[str, Any]) -> Markup:
    """What was taken for what: names of structures, and tables of labels."""
    parts = []
    renamed = document["rules"]["renamed"]
    if document["called"]:
        stated = {(reference, prediction) for prediction, reference in renamed.items()}
        rows = [
            [
                cell(row["reference"], "name"),
                cell(row["prediction"], "name"),
                cell(
                    "as was said"
                    if (row["reference"], row["prediction"]) in stated
                    else "by name or code",
                    "name",
                ),
                cell(row["cases"]),
            ]
            for row in document["called"]
        ]
        heads = ("reference", "prediction", "taken for one", "cases")
        parts += [tag("h3", "Names that differ"), table(heads, rows)]
    elif "labels" in document["kinds"]:
        parts.append(tag("p", "Structures have the same names on both sides."))
    for side, tables in document["tables"].items():
        for held in tables:
            labels = [
                f"{name} = {' + '.join(map(str, values))}"
                for name, values in list(held["labels"].items())[:_MOST_LABELS]
            ]
            more = len(held["labels"]) - len(labels)
            text = f"Labels of the {side} by a table, in {held['cases']} cases ({len(labels)})"
            parts.append(
                tag(
                    "details",
                    tag("summary", text),
                    tag("p", "It holds for label maps that do not name their labels themselves."),
                    tag("p", "; ".join(labels)),
                    tag("p", f"{more} more are in summary.json.") if more > 0 else None,
                )
            )
    return joined(*parts)
