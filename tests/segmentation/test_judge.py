"""What is believed: small cases by hand, one working sample a cubic centimetre."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.imaging import Category
from delineate.segmentation.judge import judge
from delineate.segmentation.structures import Structure

SPACING = (10.0, 10.0, 10.0)
STRUCTURES = (
    Structure(Category("kidney_left"), min_volume_ml=3, hu_range=(-60, 450)),
    Structure(Category("kidney_right"), min_volume_ml=3, hu_range=(-60, 450)),
    Structure(Category("bones"), min_volume_ml=3, single=False, enclosed=False),
    Structure(Category("bowel"), auxiliary=True),
)
SHAPE = (12, 10, 20)


def _logits(labels: np.ndarray, strength: float = 6.0) -> np.ndarray:
    classes = np.arange(len(STRUCTURES) + 1)[:, None, None, None]
    return np.where(labels[None] == classes, strength, 0).astype(np.float32)


def _judged(labels: np.ndarray, hu: float = 50.0, strength: float = 6.0):  # type: ignore[no-untyped-def]
    logits = _logits(labels, strength)
    covered = np.ones(SHAPE, bool)
    found = judge(logits, np.full(SHAPE, hu, np.float32), STRUCTURES, SPACING, covered)
    return found, logits.argmax(0)


def test_nothing_is_found_in_nothing() -> None:
    found, labels = _judged(np.zeros(SHAPE, int))

    assert found == []
    assert not labels.any()


def test_a_structure_has_its_volume_and_confidence() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[2:5, 2:5, 2:5] = 1

    (only,), labels = _judged(drawn)

    assert only.label == 1
    assert only.volume_ml == 27
    assert only.confidence == pytest.approx(np.exp(6) / (np.exp(6) + 4))
    np.testing.assert_array_equal(labels, drawn)


def test_pieces_below_a_fifth_of_the_largest_go() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[2:5, 2:5, 2:5] = 1
    drawn[8:10, 7:8, 15:17] = 1
    drawn[8:10, 2:4, 8:10] = 1

    (only,), labels = _judged(drawn)

    assert only.volume_ml == 27 + 8
    assert not labels[8:10, 7:8, 15:17].any()


def test_bones_may_lie_in_many_pieces() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[2:6, 2:6, 2:6] = 3
    drawn[8, 7, 15] = 3

    (only,), _ = _judged(drawn)

    assert only.volume_ml == 65


def test_which_bone_it_is_may_be_unsure() -> None:
    structures = (STRUCTURES[2], Structure(Category("vertebrae"), single=False, enclosed=False))
    logits = np.zeros((3, *SHAPE), np.float32)
    logits[1, 2:5, 2:5, 2:5] = 4.0
    logits[2, 2:5, 2:5, 2:5] = 3.9
    covered = np.ones(SHAPE, bool)

    (only,) = judge(logits, np.full(SHAPE, 300, np.float32), structures, SPACING, covered)

    assert only.label == 1
    assert only.confidence == pytest.approx(np.exp(4) / (np.exp(4) + np.exp(3.9) + 1))


def test_a_piece_of_rib_is_kept_beside_a_large_pelvis() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[:3] = 3
    drawn[8, 7, 15] = 3

    (only,), labels = _judged(drawn, hu=300.0)

    assert only.volume_ml == 601
    np.testing.assert_array_equal(labels, drawn)


def test_what_is_never_given_out_keeps_its_place_from_its_neighbours() -> None:
    """Loops of bowel with gas in them: small, of odd HU, and none the runner-up's."""
    drawn = np.zeros(SHAPE, int)
    drawn[2:6, 2:6, 2:6] = 1
    drawn[2:6, 2:6, 8:18] = 4
    drawn[9, 8, 2:4] = 4
    logits = _logits(drawn)
    logits[2][drawn == 4] = 5
    covered = np.ones(SHAPE, bool)
    hu = np.where(drawn == 4, -400, 50).astype(np.float32)

    (only,) = judge(logits, hu, STRUCTURES, SPACING, covered)

    assert only.label == 1
    np.testing.assert_array_equal(logits.argmax(0), drawn)


def test_what_reaches_the_first_or_the_last_slice_is_known() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[:4, 2:5, 2:5] = 1
    drawn[6:, 2:5, 12:16] = 2

    left, right = _judged(drawn)[0]

    assert (left.at_start, left.at_end) == (True, False)
    assert (right.at_start, right.at_end) == (False, True)


def test_a_speck_of_the_other_side_joins_its_kidney() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[2:6, 2:6, 2:6] = 1
    drawn[5, 5, 4:6] = 2

    (only,), labels = _judged(drawn)

    assert only.label == 1
    assert (labels[2:6, 2:6, 2:6] == 1).all()


def test_a_horseshoe_keeps_both_sides() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[2:6, 2:6, 2:6] = 1
    drawn[2:6, 2:6, 6:10] = 2

    found, labels = _judged(drawn)

    assert [each.label for each in found] == [1, 2]
    np.testing.assert_array_equal(labels, drawn)


def test_too_little_is_not_found() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[2, 2, 2:4] = 1

    found, labels = _judged(drawn)

    assert found == []
    assert not labels.any()


def test_the_end_of_an_organ_that_the_scan_cuts_needs_less_volume() -> None:
    """Two samples of a kidney: in the last slice its upper end, in the middle noise."""
    drawn = np.zeros(SHAPE, int)
    drawn[-1, 2, 2:4] = 1

    (only,), labels = _judged(drawn)

    assert only.volume_ml == 2
    np.testing.assert_array_equal(labels, drawn)


def test_an_unsure_structure_is_not_found() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[2:6, 2:6, 2:6] = 1

    found, _ = _judged(drawn, strength=0.5)

    assert found == []


def test_a_kidney_of_air_is_not_believed() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[2:6, 2:6, 2:6] = 2

    found, labels = _judged(drawn, hu=-1000.0)

    assert found == []
    assert not labels.any()


def test_nothing_lies_in_the_air_around_the_body() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[2:6, 4:7, 4:8] = 1
    logits, hu = _logits(drawn), np.full(SHAPE, 40.0, np.float32)
    hu[:, :, :12] = -990.0
    lungs = (Structure(Category("lung_left"), hu_range=(-1024, -250)), *STRUCTURES[1:])

    assert judge(logits, hu, lungs, SPACING, np.ones(SHAPE, bool)) == []


def test_only_bones_are_found_in_a_skull() -> None:
    """A ring of bone around the left organ, in every slice::

    . . . . . .
    . # # # # .
    . # 1 1 # .
    . # # # # .
    . . . . . .
    """
    drawn = np.zeros(SHAPE, int)
    drawn[:, 1:9, 3:14] = 3
    drawn[:, 2:8, 4:13] = 1
    hu = np.where(drawn == 3, 700.0, 30.0).astype(np.float32)

    found = judge(_logits(drawn), hu, STRUCTURES, SPACING, np.ones(SHAPE, bool))

    assert [each.label for each in found] == [3]


def test_auxiliary_structures_are_not_given_out() -> None:
    drawn = np.full(SHAPE, 4)

    found, _ = _judged(drawn)

    assert found == []


def test_what_lies_beyond_the_scan_does_not_count() -> None:
    drawn = np.zeros(SHAPE, int)
    drawn[:, 2:4, 2:4] = 1
    logits = _logits(drawn)
    covered = np.zeros(SHAPE, bool)
    covered[4:7] = True

    (only,) = judge(logits, np.full(SHAPE, 50.0, np.float32), STRUCTURES, SPACING, covered)

    assert only.volume_ml == 12


def test_an_organ_all_alone_must_be_sure() -> None:
    """A scan of the trunk that shows one organ shows others; one of a thigh shows none."""
    alone = np.zeros(SHAPE, int)
    alone[2:5, 2:5, 2:5] = 1
    accompanied = alone.copy()
    accompanied[2:5, 2:5, 14:17] = 2

    found, labels = _judged(alone, strength=3.2)
    assert found == []
    assert not labels.any()
    assert [each.label for each in _judged(alone, strength=6.0)[0]] == [1]
    assert [each.label for each in _judged(accompanied, strength=3.2)[0]] == [1, 2]
