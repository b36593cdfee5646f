"""What is said of structures that were not found, and of those that are too large."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.imaging import Category
from delineate.segmentation.judge import Found
from delineate.segmentation.plausible import largest_ml, shows_a_body, told_of_the_missing
from delineate.segmentation.structures import Structure

NAMES = (
    *("lung_left", "lung_right", "liver", "spleen", "kidney_left", "kidney_right"),
    *("stomach", "urinary_bladder", "bones", "heart"),
)
STRUCTURES = tuple(Structure(Category(name)) for name in NAMES)
ALL = range(1, len(NAMES) + 1)


def _found(name: str, *, lowest: bool = False, highest: bool = False) -> Found:
    return Found(NAMES.index(name) + 1, 50.0, 0.9, at_start=lowest, at_end=highest)


def test_a_chest_that_ends_in_the_heart_does_not_reach_the_belly() -> None:
    found = [_found("heart", lowest=True), _found("lung_left"), _found("lung_right", highest=True)]

    (told,) = told_of_the_missing(found, STRUCTURES, ALL)

    assert told.startswith("Not found, and probably beyond the lower end of the scan: ")
    missing = ("liver", "spleen", "kidney left", "kidney right", "stomach", "urinary bladder")
    assert set(told.removesuffix(".").rpartition(": ")[2].split(", ")) == set(missing)


def test_a_belly_has_a_chest_above_and_a_pelvis_below() -> None:
    found = [_found("liver", highest=True), _found("kidney_left", lowest=True)]

    below, above = told_of_the_missing(found, STRUCTURES, ALL)

    assert "lower end of the scan: urinary bladder." in below
    assert "upper end of the scan: lung left, lung right, heart." in above


def test_an_organ_whose_neighbour_was_found_is_just_not_found() -> None:
    """A spleen that was taken out, in a scan that ends in the lungs and shows the liver."""
    found = [_found("liver"), _found("lung_left", lowest=True)]

    told = " ".join(told_of_the_missing(found, STRUCTURES, ALL))

    assert "spleen" not in told
    assert "kidney right" in told


def test_where_bones_alone_are_found_there_is_no_trunk() -> None:
    for found in ([], [_found("bones", lowest=True, highest=True)]):
        assert told_of_the_missing(found, STRUCTURES, ALL) == (
            "No organ of the trunk was found; the scan may show none.",
        )


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans(), st.booleans()), min_size=1))
def test_nothing_that_was_found_or_not_asked_for_is_said_to_be_missing(
    drawn: list[tuple[str, bool, bool]],
) -> None:
    found = [_found(name, lowest=low, highest=high) for name, low, high in drawn]
    wanted = [NAMES.index("liver") + 1, NAMES.index("urinary_bladder") + 1]

    told = " ".join(told_of_the_missing(found, STRUCTURES, wanted))

    for name in NAMES:
        if name not in ("liver", "urinary_bladder") or name in {each[0] for each in drawn}:
            assert name.replace("_", " ") not in told


def test_a_body_has_fat_or_bone() -> None:
    inside = np.hypot(*np.meshgrid(np.arange(40) - 19.5, np.arange(40) - 19.5)) < 15
    water = np.where(inside, 0, -1000)[None].repeat(4, 0).astype(np.float32)
    water[:, 4:6] = -90  # a rim of water and air that mix
    belly = water.copy()
    belly[:, 18:20, 18:24] = -95
    covered = np.ones(water.shape, bool)
    liver = [_found("liver")]

    assert not shows_a_body(water, covered, liver, STRUCTURES)
    assert shows_a_body(belly, covered, liver, STRUCTURES)
    assert shows_a_body(water, covered, [*liver, _found("bones")], STRUCTURES)


def test_a_liver_of_five_litres_is_too_large_and_bones_never_are() -> None:
    assert largest_ml("liver") < 5000
    assert largest_ml("bones") == pytest.approx(float("inf"))
