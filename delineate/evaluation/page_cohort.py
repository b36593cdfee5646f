"""What the report says of things, classes and fields over all cases together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from delineate.evaluation import plots_small
from delineate.evaluation.agreement import Limits
from delineate.evaluation.classification import NOTHING
from delineate.evaluation.markup import Markup, joined, tag
from delineate.evaluation.page_tables import cell, number, table

__all__ = ["classes", "counting", "detection", "fields"]

_MOST_PLOTS = 24
_ALL = "(all together)"

Rows = Sequence[Mapping[str, Any]]


def _figure(found: Mapping[str, Any] | None, digits: str = "1") -> Markup:
    """A value with its interval below it."""
    if found is None:
        return cell("–")
    low, high = found.get("low"), found.get("high")
    interval = "" if low is None else f"[{number(low, digits)}, {number(high, digits)}]"
    return cell(joined(number(found["value"], digits), tag("small", interval)))


def _plots(plots: Sequence[Markup], most: int = _MOST_PLOTS) -> Markup:
    shown = [tag("figure", one) for one in plots[:most]]
    left = len(plots) - len(shown)
    return joined(
        tag("div", *shown, class_="small-ones"),
        tag("p", f"{left} more plots are left out; their points are in summary.json.")
        if left > 0
        else None,
    )


def detection(rows: Rows, matching: str) -> Markup:
    """Hits, misses and inventions, and the curves over a falling score."""
    if not rows:
        return joined()
    heads = ["things", "cases", "in R", "in P", "found", "missed", "invented"]
    heads += ["precision", "recall", "F1", "average precision"]
    listed = []
    for row in rows:
        counts = [row[name] for name in ("cases", "references", "predictions", "hits")]
        wrong = [tag("span", row[n], class_="bad" if row[n] else None) for n in _WRONG]
        cells = [cell(row["structure"] or _ALL, "name"), *map(cell, (*counts, *wrong))]
        cells += [_figure(row[n]) for n in ("precision", "recall", "f1", "average_precision")]
        listed.append(cells)
    text = (
        "Sums over all cases, so that each thing counts the same; means of the cases' own scores "
        f"are above. {matching} For the curves the surest thing chooses first, in each case."
        + " All together means of whatever kind: one found as another is found."
        * (len(rows) > 1)
    )
    return joined(
        tag("p", text, class_="faint"),
        table(heads, listed),
        _sensitivities(rows),
        _curves(rows),
        _overlap(rows),
    )


def _overlap(rows: Rows) -> Markup:
    """How well those that are found are drawn, where things have a box or an outline."""
    known = [row for row in rows if "coco" in row]
    if not known:
        return joined()
    ious = [one["iou"] for one in known[0]["coco"]["by_iou"]][::2]
    heads = ["things", "panoptic quality", "recognition", "segmentation", "COCO AP .50:.95"]
    heads += [f"AP at {iou:.2f}" for iou in ious]
    listed = []
    for row in known:
        cells = [cell(row["structure"] or _ALL, "name")]
        cells += [_figure(row[n]) for n in ("panoptic", "recognition", "segmentation")]
        by_iou = row["coco"]["by_iou"][::2]
        cells += [
            cell(number(value, "1"))
            for value in (row["coco"]["mean"], *(one["value"] for one in by_iou))
        ]
        listed.append(cells)
    text = (
        "Panoptic quality is recognition times segmentation: F1 with partners whose IoU is above "
        "one half, and their mean IoU. COCO's average precision: mean over 101 recalls and the "
        "IoU from .50 to .95."
    )
    return joined(
        tag("h3", "How well they overlap"), tag("p", text, class_="faint"), table(heads, listed)
    )


_WRONG = ("missed", "invented")


def _sensitivities(rows: Rows) -> Markup:
    rates = [one["rate"] for one in rows[0]["froc"]]
    heads = ("things", *(f"{rate:g}" for rate in rates))
    listed = [
        [cell(row["structure"] or _ALL, "name"), *(_figure(one) for one in row["froc"])]
        for row in rows
    ]
    return joined(tag("h3", "Recall at so many false alarms a case (FROC)"), table(heads, listed))


def _curves(rows: Rows) -> Markup:
    plots, alike = [], []
    for row in rows:
        name = row["structure"] or _ALL
        if row["levels"] < 2:
            alike.append(name)
        elif row["curves"]["froc"]:
            plots.append(plots_small.precision_recall(row["curves"]["precision_recall"], name))
            plots.append(plots_small.froc(row["curves"]["froc"], row["froc"], name))
    text = "Precision over recall, and recall over false alarms a case with 95 % intervals."
    none = (
        f"No curve of {', '.join(alike)}: all that was predicted is equally sure, so that there "
        "is one point alone."
    )
    return joined(
        tag("p", text, class_="faint") if plots else None,
        _plots(plots),
        tag("p", none) if alike else None,
    )


def counting(rows: Rows) -> Markup:
    """How far numbers of things agree."""
    if not rows:
        return joined()
    levels = [one["level"] for one in rows[0]["counts"]["game"]]
    heads = ["things", "cases", "MAE", "RMSE", "relative error"]
    heads += [f"GAME({level})" for level in levels]
    heads += ["bias and limits of agreement", "ICC(2,1)"]
    listed, plots = [], []
    for row in rows:
        counts, name = row["counts"], row["structure"] or _ALL
        limits, icc = counts["limits"], counts["icc"]
        cells = [cell(name, "name"), cell(row["cases"])]
        cells += [_figure(counts["mae"], "count"), _figure(counts["rmse"], "count")]
        cells.append(_figure(counts["relative"]))
        cells += [_figure(one, "count") for one in counts["game"]]
        if limits is None:
            cells.append(cell("–"))
        else:
            names = ("bias", "bias_low", "bias_high", "lower", "upper")
            bias, *ends = (number(limits[one], "count") for one in names)
            interval, far = (f"[{ends[0]}, {ends[1]}]", f"limits {ends[2]} to {ends[3]}")
            cells.append(cell(joined(bias, tag("small", interval), tag("small", far))))
            one, two = np.array(counts["pairs"], float).T
            plots.append(plots_small.differences(one, two, Limits(**limits), name, "", "number"))
        cells.append(_figure(icc))
        listed.append(cells)
    text = (
        "Prediction less reference, over all cases, those without any thing on either side too. "
        "Relative error: sum of the absolute errors over the number in R. GAME(L): mean sum of "
        "the absolute errors of the parts of an image that is cut into 4^L. Limits of agreement: "
        "bias ± 1.96 sd."
    )
    dots = "Solid: bias. Dashed: limits. Each dot is a case: difference over mean of both numbers."
    return joined(
        tag("p", text, class_="faint"),
        table(heads, listed),
        tag("p", dots, class_="faint") if plots else None,
        _plots(plots),
    )


def classes(rows: Rows) -> Markup:
    """Accuracy, confusion, curves and calibration."""
    if not rows:
        return joined()
    (row,) = rows
    heads = ("cases", "accuracy", "balanced accuracy", "mean AUROC", "calibration error (ECE)")
    first = [
        cell(row["cases"]),
        _figure(row["accuracy"]),
        *(cell(number(row[n], "1")) for n in ("balanced_accuracy", "mean_auroc", "ece")),
    ]
    each = [
        [
            cell(one["name"], "name"),
            cell(one["truth"]),
            cell(one["told"]),
            *(_figure(one[name]) for name in ("recall", "precision", "auroc")),
        ]
        for one in row["classes"]
        if one["name"] != NOTHING
    ]
    titles = ("class", "cases that are", "cases told so", "recall", "precision", "AUROC")
    plots = [plots_small.calibration(row["bins"], "Calibration of the answers")]
    for one in row["classes"]:
        if one["roc"]:
            area = f"AUROC {number(one['auroc']['value'], '1')}"
            plots.append(plots_small.roc(one["roc"], f"{one['name']} against the others", area))
    none = row["without_answer"]
    text = (
        "Intervals of shares: Wilson; of AUROC: bootstrap over cases. Balanced accuracy and mean "
        "AUROC: mean over classes. Calibration error: mean gap between how sure answers are and "
        "how often they are right, in ten bins, weighted by cases."
        + (f" {none} cases have no answer, and count as wrong." if none else "")
    )
    return joined(
        tag("p", text, class_="faint"),
        table(heads, [first]),
        tag("h3", "Who was taken for whom"),
        _confusion(row["names"], row["confusion"]),
        tag("h3", "Each class against the others"),
        table(titles, each),
        _plots(plots),
    )


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """Rows are the truth, columns the answers, shaded by the share of the row."""
    listed = []
    for name, row in zip(names, counts, strict=True):
        if not any(row):
            continue  # no answer is no truth
        shades = [f"--share:{count / sum(row):.2f}" for count in row]
        cells = [
            tag("td", count or "·", class_="shaded", style=shade)
            for count, shade in zip(row, shades, strict=True)
        ]
        listed.append([cell(name, "name"), *cells, cell(sum(row))])
    return table(("truth \\ answer", *names, "cases"), listed)


def fields(rows: Rows) -> Markup:
    """Areas under curves by sample, by region and by image."""
    if not rows:
        return joined()
    heads = ["field", "images", "with regions", "regions", "AUROC by sample", "PRO"]
    heads += ["AUROC by image", "sensitivity by image", "specificity by image"]
    names = ("auroc", "pro", "image_auroc", "image_sensitivity", "image_specificity")
    listed, plots = [], []
    for row in rows:
        counts = [row[name] for name in ("cases", "true_cases", "regions")]
        cells = [cell(row["structure"], "name"), *map(cell, counts)]
        listed.append(cells + [_figure(row[name]) for name in names])
        for kind, area in (("sample", "auroc"), ("image", "image_auroc")):
            if row["curves"][kind]:
                told = f"AUROC {number(row[area]['value'], '1')}"
                name = f"{row['structure']}, by {kind}"
                plots.append(plots_small.roc(row["curves"][kind], name, told))
    errors = [row["auroc_error"] for row in rows if row["auroc_error"] is not None]
    text = (
        "Over the samples of all images together, while the table above has means of the images' "
        "own areas. An image's score is its highest sample; sensitivity and specificity are at the "
        "field's own threshold, with Wilson's intervals."
        + (f" Samples are counted by level of score: AUROC to ± {max(errors):.1g}." * bool(errors))
    )
    return joined(tag("p", text, class_="faint"), table(heads, listed), _plots(plots))
