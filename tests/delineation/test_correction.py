"""A corrected result: measured and outlined as any other, and honest about who made what."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finders import spec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from delineate import delineate
from delineate.delineation import (
    Corrector,
    Delineation,
    corrected,
    dumps,
    labels_from,
    layers_of,
    load,
    save,
    to_json,
)
from delineate.errors import GeometryError, InputError
from delineate.imaging import Category, Grid, Image, LabelMap

GRID = Grid.regular((3, 5, 6), (3.0, 2.0, 1.0))
ML = 6.0 / 1000
BY = Corrector(of="01J", sha256="0" * 64, who="dr-x", comment="seen again")
NAMES = {n: Category(f"thing {n}") for n in range(1, 7)}
ARRAYS = hnp.arrays(np.uint8, GRID.shape, elements=st.integers(0, 3))


def echo(array: NDArray[Any], modality: str = "CT") -> Delineation:
    """A result whose labels are the samples, 0 to 3."""
    return delineate(Image(array.astype(np.int16), GRID, modality), spec("Echo"))


def labelled(array: NDArray[Any]) -> LabelMap:
    present = {1, 2, 3} | set(np.unique(array).tolist()) - {0}
    return LabelMap(array, GRID, {n: NAMES[n] for n in sorted(present)})


def correct(before: Delineation, labels: LabelMap, by: Corrector = BY) -> Delineation:
    return corrected(before, labels_from(before.output, labels), by)


@given(ARRAYS, ARRAYS)
@settings(deadline=None, max_examples=40)
def test_all_but_the_provenance_is_what_a_detector_that_drew_so_would_give(
    old: NDArray[Any], new: NDArray[Any]
) -> None:
    before = echo(old)
    if np.array_equal(old, new):
        with pytest.raises(InputError, match="differ from those of the result"):
            correct(before, labelled(new))
        return
    found = correct(before, labelled(new))
    wanted = echo(new)
    assert found.image is before.image
    for one, other in zip(found.findings, wanted.findings, strict=True):
        assert [ring.points.tolist() for ring in one.contours] == [
            ring.points.tolist() for ring in other.contours
        ]
        shape = ("voxels", "volume_ml", "centroid_mm", "extent_mm")
        assert [one.measurements.get(n) for n in shape] == [
            other.measurements.get(n) for n in shape
        ]
    for one, was in zip(found.findings, before.findings, strict=True):
        if np.array_equal(old == one.id, new == one.id):
            assert dict(one.measurements) == dict(was.measurements)
            assert one.notes == was.notes


@given(ARRAYS, ARRAYS)
@settings(deadline=None, max_examples=60)
def test_changes_add_up_to_the_difference(old: NDArray[Any], new: NDArray[Any]) -> None:
    if np.array_equal(old, new):
        return
    correction = correct(echo(old), labelled(new)).provenance.correction
    assert correction is not None
    changes = {one.id: one for one in correction.changes}
    for label in (1, 2, 3):
        gained = int(((new == label) & (old != label)).sum())
        lost = int(((old == label) & (new != label)).sum())
        if not gained and not lost:
            assert label not in changes
            assert label not in correction.made
            continue
        one = changes[label]
        assert (one.what, one.added, one.removed) == ("changed", gained, lost)
        assert (one.added_ml, one.removed_ml) == pytest.approx((gained * ML, lost * ML))
        assert correction.made[label] == "semiautomatic"


@given(st.lists(ARRAYS, min_size=3, max_size=3))
@settings(deadline=None, max_examples=25)
def test_made_by_hand_once_a_structure_stays_so(arrays: list[NDArray[Any]]) -> None:
    found, touched = echo(arrays[0]), set[int]()
    for old, new in pairwise(arrays):
        touched |= {n for n in (1, 2, 3) if not np.array_equal(old == n, new == n)}
        if np.array_equal(old, new):
            continue
        found = correct(found, labelled(new))
    correction = found.provenance.correction
    made = set() if correction is None else set(correction.made)
    assert made == touched
    if correction is not None:
        assert correction.detector.id == "test.echo"
        assert found.detector.title == f"Correction of {correction.detector.title}"


def test_what_is_left_alone_keeps_its_score_and_the_rest_loses_it() -> None:
    array = np.zeros(GRID.shape, np.int16)
    before = delineate(Image(array, GRID, "CT"), spec("Everything"))
    assert before.findings[0].score is not None
    grown = before.output.array.copy()  # type: ignore[union-attr]
    named = dict(before.output.categories)  # type: ignore[union-attr]
    grown[0, 0, 0] = 5
    found = correct(before, LabelMap(grown, GRID, named | {5: Category("liver")}))
    assert [one.score for one in found.findings] == [None, None, None]
    assert found.findings[0].notes == ("cut by the field of view", "corrected by hand")
    assert found.findings[1].notes == before.findings[1].notes == ("missing",)
    assert found.findings[2].notes[-1] == "drawn by hand"
    assert "surprise" not in found.findings[0].measurements
    assert found.notes == (*before.notes, found.notes[-1])
    assert found.notes[-1] == "corrected by hand: dr-x drew liver, changed thing 1"
    named[1] = replace(named[1], colour=(1, 2, 3))
    tinted = correct(before, LabelMap(before.output.array, GRID, named))  # type: ignore[union-attr]
    assert tinted.findings[0].score == before.findings[0].score
    assert tinted.provenance.correction is not None
    assert [one.what for one in tinted.provenance.correction.changes] == ["renamed"]
    assert tinted.provenance.correction.made == {}


def test_kept_and_taken_up_again_it_is_the_same(tmp_path: Path) -> None:
    array = np.arange(90).reshape(GRID.shape) % 4
    found = correct(echo(array), labelled((array % 3).astype(np.uint8)))
    save(found, tmp_path)
    again = load(tmp_path, found.image)
    assert dumps(to_json(again)) == dumps(to_json(found))
    assert again.provenance.correction is not None
    assert again.provenance.correction.made == found.provenance.correction.made  # type: ignore[union-attr]


def test_a_picture_has_no_volumes() -> None:
    array = np.zeros((1, 5, 6), np.int16)
    array[0, 1:3, 1:3] = 1
    grid = Grid.regular(array.shape, unit="px")
    before = delineate(Image(array, grid, "photo"), spec("Echo"))
    labels = LabelMap(np.roll(array, 1, 2).astype(np.uint8), grid, {1: NAMES[1]})
    correction = correct(before, labels).provenance.correction
    assert correction is not None
    assert [(one.what, one.added_ml) for one in correction.changes] == [
        ("changed", None),
        ("deleted", None),
        ("deleted", None),
    ]


def test_labels_without_names_delete_nothing() -> None:
    array = (np.arange(90).reshape(GRID.shape) % 4).astype(np.uint8)
    before = echo(array)
    found = labels_from(
        before.output, LabelMap(array * (array != 2), GRID, {1: Category("label 1")})
    )
    assert {n: one.name for n, one in found.categories.items()} == {
        n: f"thing {n}" for n in (1, 2, 3)
    }


@pytest.mark.parametrize(
    ("labels", "error", "said"),
    [
        (LabelMap(np.full(GRID.shape, 4), GRID, {4: Category("label 4")}), InputError, "label 4"),
        (
            LabelMap(np.ones(GRID.shape, np.uint8), GRID, {1: NAMES[1], 2: NAMES[1]}),
            InputError,
            "twice",
        ),
        (
            LabelMap(np.ones(GRID.shape, np.uint8), Grid.regular(GRID.shape), {1: NAMES[1]}),
            GeometryError,
            "not those of the image",
        ),
    ],
)
def test_other_labels_are_refused(labels: LabelMap, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        labels_from(echo(np.zeros(GRID.shape)).output, labels)


def test_structures_that_overlap_and_results_without_samples_are_refused() -> None:
    array = np.zeros(GRID.shape, np.int16)
    array[1, 2:4, 2:4] = 1
    image = Image(array, GRID, "CT")
    overlapping = delineate(image, spec("Layers"))
    assert len(layers_of(overlapping.output)) > 1
    for found in (overlapping, delineate(image, spec("Corners"))):
        with pytest.raises(InputError, match="one label map"):
            labels_from(found.output, labelled(array.astype(np.uint8)))
