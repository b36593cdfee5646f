"""What a round trip loses: nothing, something, a structure, a structure from nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from strategies import labelmaps

from delineate.contour import Deviation, deviation
from delineate.formats.round_trip import RoundTrip, round_trip
from delineate.imaging import Category, Grid, LabelMap

GRID = Grid.regular((1, 3, 4), (5.0, 1.0, 2.0))
CATEGORIES = {1: Category("a"), 2: Category("b"), 3: Category("never seen")}


def labels(*rows: list[int]) -> LabelMap:
    return LabelMap(np.array([rows], np.uint8), GRID, CATEGORIES)


ONE = labels([1, 1, 0, 2], [1, 1, 0, 2], [0, 0, 0, 2])


@given(labelmaps(), labelmaps())
def test_every_structure_has_the_deviation_of_its_masks(one: LabelMap, other: LabelMap) -> None:
    other = LabelMap(np.resize(other.array, one.array.shape), one.grid, {})

    trip = round_trip((one,), (other,), one.grid)

    assert set(trip.structures) == {*one.categories, *one.present(), *other.present()}
    for number, found in trip.structures.items():
        assert found == deviation(one.mask(number), other.mask(number), one.grid)


def test_what_comes_back_in_other_layers_is_exact() -> None:
    parts = [LabelMap(np.where(ONE.array == n, n, 0), GRID, {}) for n in (2, 1)]

    trip = round_trip((ONE,), parts, GRID)

    assert trip.dice == 1.0
    assert trip.largest_distance == 0.0
    assert trip.structures[3] == Deviation(1.0, 0.0)
    assert trip.sentence == "round trip: Dice 1.000000, largest distance 0.000 mm"


def test_the_worst_structure_speaks() -> None:
    back = labels([1, 1, 0, 2], [1, 1, 2, 2], [0, 0, 0, 2])  # a sample more: 2 mm aside

    trip = round_trip((ONE,), (back,), GRID)

    assert trip.to_json() == {
        "dice": pytest.approx(6 / 7),
        "largest_distance_mm": 2.0,
        "outlines_moved_at_most_mm": 0.0,
        "sentence": "round trip: Dice 0.857142, largest distance 2.000 mm",
        "structures": {
            "1": {"dice": 1.0, "largest_distance_mm": 0.0},
            "2": {"dice": pytest.approx(6 / 7), "largest_distance_mm": 2.0},
            "3": {"dice": 1.0, "largest_distance_mm": 0.0},
        },
    }


@pytest.mark.parametrize(("one", "other"), [(1, 0), (0, 1)])
def test_a_structure_lost_and_one_from_nowhere_are_said(one: int, other: int) -> None:
    some, none = ONE, labels([1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0])
    written, back = (some, none)[other], (some, none)[one]

    trip = round_trip((written,), (back,), GRID)

    assert (trip.dice, trip.largest_distance) == (0.0, None)
    assert trip.sentence == "round trip: Dice 0.000000, a structure lost"


def test_the_sentence_never_says_better_than_it_is() -> None:
    nearly = RoundTrip({1: Deviation(0.99999999, 0.0001)})

    assert nearly.sentence == "round trip: Dice 0.999999, largest distance 0.001 mm"
    assert len(RoundTrip({1: Deviation(0.5, 12345.678)}).sentence) <= 64


def test_outlines_that_were_moved_are_not_called_exact() -> None:
    trip = round_trip((ONE,), (ONE,), GRID, moved=0.35)

    assert trip.sentence == "round trip: Dice 1.000000, largest distance at most 0.350 mm"
    assert trip.to_json()["outlines_moved_at_most_mm"] == 0.35


def test_a_structure_that_nobody_looked_for_counts_as_well() -> None:
    more = LabelMap(np.where(ONE.array == 0, 4, ONE.array).astype(np.uint8), GRID, {})

    trip = round_trip((ONE,), (more,), GRID)

    assert trip.structures[1].exact
    assert trip.structures[4] == Deviation(0.0, None)
    assert trip.dice == 0.0
    assert "a structure lost" in trip.sentence
