"""Requirements: what they mean, and that nothing passes them by not being there."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.errors import OptionError
from delineate.evaluation.case import Scored
from delineate.evaluation.columns import columns_of
from delineate.evaluation.gate import Failing, Requirement, failing
from delineate.evaluation.score import Score


def case(name: str, **dice: float | str) -> Scored:
    """Dice by structure; a word is the note of what has no distance."""
    scores = []
    for structure, value in dice.items():
        note = value if isinstance(value, str) else ""
        scores.append(Score(structure, "dice", 0.0 if note else float(value), "1", note))
        scores.append(Score(structure, "hd95", math.nan if note else 3.0, "mm", note))
    return Scored(case=name, scores=tuple(scores))


def check(text: str, *cases: Scored) -> list[Failing]:
    failed = [one.case for one in cases if one.error]
    return failing([Requirement.parse(text)], columns_of(cases), failed)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 1))
def test_every_case_below_the_bound_is_a_row_and_no_other(
    values: list[float], bound: float
) -> None:
    cases = [case(f"c{n}", liver=value) for n, value in enumerate(values)]

    rows = check(f"liver.dice>={bound!r}", *cases)

    assert [(row.case, row.value) for row in rows] == [
        (f"c{n}", value) for n, value in enumerate(values) if value < bound
    ]


def test_a_requirement_is_on_every_case_or_on_a_statistic() -> None:
    cases = [case("a", liver=0.9), case("b", liver=0.7)]

    assert [row.case for row in check("liver.dice>=0.75", *cases)] == ["b"]
    assert check("liver.dice.mean>=0.75", *cases) == []
    assert check("liver.dice.min > 0.6", *cases) == []
    (row,) = check("liver.dice.median>0.8", *cases)
    assert (row.case, row.structure, row.value) == ("", "liver", pytest.approx(0.8))


def test_names_are_patterns_or_mean_the_same() -> None:
    one = case("a", **{"Lung-Lt": 0.1, "Lung-Rt": 0.9})

    assert [row.structure for row in check("lung_left.dice>0.5", one)] == ["Lung-Lt"]
    assert [row.structure for row in check("lung-*.dice>0.95", one)] == ["Lung-Lt", "Lung-Rt"]
    assert [row.structure for row in check("*.dice>0.5", one)] == ["Lung-Lt"]


def test_what_is_missed_has_no_distance_and_fails() -> None:
    cases = [case("a", liver=0.9), case("b", liver="missed"), case("c", liver="absent")]

    assert [(row.case, row.why) for row in check("liver.hd95<5", *cases)] == [("b", "missed")]
    (row,) = check("liver.hd95.mean<5", *cases)
    assert "1 missed or invented" in row.why


def test_what_is_not_there_fails() -> None:
    good = case("a", liver=1.0)

    assert [row.why for row in check("spleen.dice>0", good)] == ["no score of that name"]
    assert [row.why for row in check("liver.nsd>0", good)] == ["no score of that name"]
    (row,) = check("liver.dice>0", good, Scored(case="b", error="broken"))
    assert (row.case, row.why) == ("b", "the case failed")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "liver",
        "liver>0.5",
        "liver.dice",
        "liver.dice=0.5",
        "liver.dise>0.5",
        "dice>0.5",
        "liver.dice>x",
        "liver.dice.p42>0.5",
        "liver.dice>nan",
        "liver.dice>=1e",
    ],
)
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="expected a requirement like"):
        Requirement.parse(text)
