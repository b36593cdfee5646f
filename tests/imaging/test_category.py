"""What a thing is: its name and colour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.imaging import Category, Code


@given(st.text(min_size=1).filter(str.strip))
def test_a_name_has_one_colour(name: str) -> None:
    assert Category(name).colour == Category(name).colour
    assert Category(name) == Category(name)
    assert len({Category(name), Category(name)}) == 1


def test_colours_are_the_same_in_every_run() -> None:
    assert Category("liver").hex_colour == "#d55e00"


def test_a_colour_given_is_kept() -> None:
    category = Category("spleen", (1, 20, 255), Code("78961009", "SCT", "Spleen"), "left")

    assert category.hex_colour == "#0114ff"


@pytest.mark.parametrize("colour", [(1, 2), (0, 0, 256), (-1, 0, 0), (1, 2, 3, 4)])
def test_colours_have_three_parts_from_0_to_255(colour: tuple) -> None:
    with pytest.raises(ValueError, match="three values from 0 to 255"):
        Category("spleen", colour)


@pytest.mark.parametrize("name", ["", "  "])
def test_a_category_has_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        Category(name)
