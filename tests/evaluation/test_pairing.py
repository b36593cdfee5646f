"""Which structure is which: by name, by code and side, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.errors import InputError
from delineate.evaluation import Score, Scored
from delineate.evaluation.columns import columns_of, unified
from delineate.evaluation.pairing import paired, same
from delineate.imaging import Category, Code

names = st.lists(st.text("abcAB _-", min_size=1, max_size=4).filter(str.strip), max_size=5)


@given(names)
def test_every_structure_finds_itself_again_under_another_spelling(given_names: list[str]) -> None:
    known = {
        name.casefold().translate({32: None, 45: None, 95: None}): name for name in given_names
    }
    known.pop("", None)
    ours = [Category(name) for name in known.values()]
    theirs = [Category(f"_{name.upper()} ") for name in reversed(known.values())]

    found = paired(ours, theirs, {})

    count = len(ours)
    assert found.partners == tuple(range(count - 1, -1, -1))
    assert found.alone == ()


def test_structures_meet_by_name_then_code_and_side_then_never() -> None:
    liver = Category("Leber", code=Code("T-62000", "SRT", "Liver"))  # SNOMED's old spelling
    ours = [Category("liver"), Category("kidney_left"), Category("GTV-1"), Category("bowel")]
    theirs = [Category("Kidney L"), Category("gtv 1"), Category("Kidney R"), liver]

    found = paired(ours, theirs, {})

    assert found.partners == (3, 0, 1, None)
    assert found.alone == (2,)
    assert paired(ours, theirs, {"Kidney R": "bowel"}).partners == (3, 0, 1, 2)


def test_a_code_of_several_structures_matches_none_of_them() -> None:
    tumour = Code("108369006", "SCT", "Neoplasm")
    ours = [Category("tumour a", code=tumour), Category("tumour b", code=tumour)]

    assert paired(ours, [Category("x", code=tumour)], {}).partners == (None, None)


def test_two_structures_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match=r"reference has two structures.*'Liver' and 'liver_'"):
        paired([Category("Liver"), Category("liver_")], [], {})


def test_names_mean_the_same_whatever_their_spelling() -> None:
    assert same("Lung-Lt", "lung_left")
    assert not same("Lung-Lt", "lung_right")
    assert not same("kidney_left", "kidney")


def test_cases_may_call_one_structure_differently() -> None:
    def one(name: str, *structures: str) -> Scored:
        scores = tuple(Score(structure, "dice", 0.5, "1") for structure in structures)
        return Scored(case=name, scores=scores)

    found = columns_of(
        unified([one("a", "Lung-Lt"), one("b", "lung_left", "GTV"), one("c", "gtv ")])
    )

    assert found.structures == ("Lung-Lt", "GTV")
    np.testing.assert_array_equal(found.notes, [[0, -1], [0, 0], [-1, 0]])
