"""How far raters agree, as one page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from delineate.evaluation.bootstrap import RESAMPLES, SEED
from delineate.evaluation.markup import Markup, joined, tag
from delineate.evaluation.page import document_of
from delineate.evaluation.page_tables import cell, number, table
from delineate.evaluation.raters import Agreed
from delineate.evaluation.summary import versions

__all__ = ["agreement_page"]

_MEASURES = (
    (
        "Dice",
        "2 |A and B| / (|A| + |B|) of the samples of two raters; mean over cases. 0 where one of "
        "them has drawn nothing, left out where neither has",
        "Dice, Ecology 26, 1945, doi:10.2307/1932409",
    ),
    (
        "kappa",
        "Fleiss' kappa of samples within the box around what any rater drew; mean over cases. How "
        "much room the box has bears on it",
        "Fleiss, Psychol. Bull. 76, 1971, doi:10.1037/h0031619",
    ),
    (
        "ICC of volumes",
        "ICC(2,1): two-way random effects, absolute agreement, one rater; in brackets its 95 % "
        "interval. Volumes may agree where places do not",
        "Shrout and Fleiss, Psychol. Bull. 86, 1979, doi:10.1037/0033-2909.86.2.420",
    ),
    (
        "sensitivity, specificity",
        "of each rater against the consensus (STAPLE), which holds the rater's own drawing too; "
        "specificity within that box and 2 samples beyond",
        "Warfield and others, IEEE TMI 23, 2004, doi:10.1109/TMI.2004.828354",
    ),
)


def agreement_page(found: Sequence[Agreed], raters: Sequence[str]) -> Markup:
    """The whole page; the same agreement gives the same bytes.

    Parameters
    ----------
    found
        What `agreement` gave.
    raters
        Their names, in the order in which they were given.
    """
    rules = (
        "Those cases count that every rater has, and of a structure those in which at least one "
        "rater has drawn it; a rater who has not drawn it there has drawn nothing.",
        "Structures are those of one name or code, whatever sign or case of letters.",
        "In brackets: 95 % confidence intervals by bootstrap over cases (BCa, "
        f"{RESAMPLES} draws, seed {SEED}); none for fewer than two cases, or where all are alike.",
    )
    body = joined(
        tag("h1", "Agreement of raters"),
        tag("p", ", ".join(raters), class_="faint"),
        tag(
            "div",
            tag("strong", "How it was counted"),
            tag("ul", *(tag("li", one) for one in rules)),
            class_="rules",
        ),
        tag("h2", "Structures"),
        _structures(found),
        tag("h2", "Raters against their consensus"),
        _raters(found, raters),
        tag("h2", "Measures"),
        _definitions(),
        tag("h2", "Provenance"),
        tag("p", f"Made by {', '.join(f'{name} {one}' for name, one in versions().items())}."),
    )
    return document_of("Agreement of raters", body)


def _structures(found: Sequence[Agreed]) -> Markup:
    pairs = list(found[0].dice) if found else []
    heads = ["structure", "cases", *(f"Dice, {one} / {two}" for one, two in pairs)]
    heads += ["kappa", "ICC of volumes"]
    rows = []
    for one in found:
        icc = one.volumes
        rows.append(
            [
                cell(one.structure, "name"),
                cell(one.cases),
                *(_figure(one.dice[pair], one.dice_interval[pair]) for pair in pairs),
                _figure(one.kappa, one.kappa_interval),
                cell("–") if icc is None else _figure(icc.value, (icc.low, icc.high)),
            ]
        )
    return table(heads, rows)


def _figure(value: float, ends: tuple[float, float]) -> Markup:
    low, high = ends
    told = f"[{number(low, '1')}, {number(high, '1')}]" if low == low else ""
    return cell(joined(number(value, "1"), tag("small", told)))


def _raters(found: Sequence[Agreed], raters: Sequence[str]) -> Markup:
    heads = ["structure", *(f"{kind}, {one}" for one in raters for kind in _KINDS)]
    rows = [
        [
            cell(one.structure, "name"),
            *(cell(number(value, "1")) for value in _both(one.quality, raters)),
        ]
        for one in found
    ]
    return table(heads, rows)


_KINDS = ("sensitivity", "specificity")


def _both(quality: Mapping[str, tuple[float, float]], raters: Sequence[str]) -> list[float]:
    return [value for rater in raters for value in quality[rater]]


def _definitions() -> Markup:
    rows = [
        [cell(name, "name"), cell(definition, "text"), cell(source, "text")]
        for name, definition, source in _MEASURES
    ]
    return table(("measure", "definition", "source"), rows)
