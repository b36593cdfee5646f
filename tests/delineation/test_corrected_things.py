"""Things that a person adds, deletes, moves and calls otherwise become another version."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.contour import Contour
from delineate.delineation import Corrector, Delineation, corrected_things, things_from
from delineate.delineation.document import dumps, from_json, to_json
from delineate.delineation.reference import reference_of
from delineate.errors import GeometryError, InputError
from delineate.formats.annotations import Annotation
from delineate.formats.marks import Mark
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import Instances

SHAPE = (1, 40, 60)
MOTH, FLY = Category("moth", (230, 0, 230)), Category("fly", (0, 158, 115))
BY = Corrector(of="01J", sha256="0" * 64, who="anna", comment="dirt is no moth")
GRIDS = st.sampled_from(
    [
        Grid.regular(SHAPE, unit="px"),
        Grid.regular(SHAPE, (1.0, 0.5, 0.25), (3.0, -7.0, 2.0)),
        Grid(SHAPE, np.array([[0, 0, -0.01, 9], [0, -0.02, 0, 5], [1, 0, 0, 0], [0, 0, 0, 1.0]])),
    ]
)


def mark(number: int, category: Category, row: float, column: float, grid: Grid) -> Mark:
    x, y, z = grid.to_world((0, row, column)).tolist()
    return Mark(number, category, 0.5, point=(x, y, z))


def result(marks: list[Mark], grid: Grid) -> Delineation:
    """What a detector knows of its things: a score, a note and a number each."""
    image = Image(np.zeros(grid.shape, np.uint8), grid, "photo")
    blank = LabelMap(np.zeros(grid.shape, np.uint8), grid, {})
    some = tuple(marks) or (mark(1, MOTH, 0, 0, grid),)
    found = reference_of(Annotation(format="geojson", layers=(blank,), marks=some), image)
    if not marks:
        found = replace(found, output=Instances((), grid), findings=())
    told = [
        replace(one, notes=(f"note {one.id}",), measurements={"length": 10.0 + one.id})
        for one in found.findings
    ]
    return replace(found, findings=tuple(told), overall={"count": float(len(told))})


@st.composite
def edits(draw: st.DrawFn) -> tuple[Grid, list[Mark], dict[int, str], int]:
    """Things of a result, what is done to each of them, and how many are added."""
    grid, count = draw(GRIDS), draw(st.integers(0, 8))
    place = st.tuples(st.integers(0, 39), st.integers(0, 58), st.sampled_from((MOTH, FLY)))
    marks = [
        mark(n, category, row, column, grid)
        for n, (row, column, category) in enumerate(
            draw(st.lists(place, min_size=count, max_size=count)), 1
        )
    ]
    deeds = {
        m.number: draw(st.sampled_from(("left", "moved", "renamed", "deleted"))) for m in marks
    }
    return grid, marks, deeds, draw(st.integers(0, 3))


@given(edits())
@settings(max_examples=80)
def test_each_thing_is_told_by_what_was_done_to_it(
    drawn: tuple[Grid, list[Mark], dict[int, str], int],
) -> None:
    grid, marks, deeds, added = drawn
    before = result(marks, grid)
    sent = []
    for one in marks:
        if deeds[one.number] == "moved":
            index = grid.to_index(one.point) + np.array([0, 0, 1])
            sent.append(replace(one, point=tuple(grid.to_world(index).tolist())))
        elif deeds[one.number] == "renamed":
            sent.append(replace(one, category=FLY if one.category == MOTH else MOTH))
        elif deeds[one.number] == "left":
            sent.append(one)
    sent += [mark(100 + n, MOTH, 5 * n, 3, grid) for n in range(added)]
    if not added and set(deeds.values()) <= {"left"}:
        with pytest.raises(InputError, match="nothing to keep"):
            things_from(before.findings, sent, grid)
        return

    kept = things_from(before.findings, sent[::-1], grid)
    after = corrected_things(before, kept, BY)

    assert isinstance(after.output, Instances)
    assert [one.category for one in after.findings] == [one.category for one in sent]
    assert [one.id for one in after.findings] == list(range(1, len(sent) + 1))
    for now, one in zip(after.findings, sent, strict=True):
        np.testing.assert_allclose(now.point, one.point, atol=1e-4)
        deed = deeds.get(one.number, "added")
        if deed == "left":
            was = before.findings[one.number - 1]
            assert (now.score, now.notes, now.measurements) == (
                (was.score, was.notes, was.measurements)
            )
        else:
            assert now.score is None
            assert now.notes == ("drawn by hand" if deed == "added" else "corrected by hand",)
    correction = after.provenance.correction
    assert correction is not None
    told = sorted((one.what, one.name) for one in correction.changes)
    words = {"moved": "changed", "renamed": "renamed", "deleted": "deleted", "added": "drawn"}
    by_number = {
        one.number: one for one in (*sent, *[m for m in marks if deeds[m.number] == "deleted"])
    }
    expected = [
        (words[deeds.get(number, "added")], one.category.name)
        for number, one in by_number.items()
        if deeds.get(number) != "left"
    ]
    assert told == sorted(expected)
    assert after.overall["count"] == len(sent)
    back = from_json(to_json(after), after.image, after.output)
    assert dumps(to_json(back)) == dumps(to_json(after))


def test_what_a_person_set_before_stays_theirs() -> None:
    grid = Grid.regular(SHAPE, unit="px")
    first = result([mark(1, MOTH, 5, 5, grid), mark(2, MOTH, 9, 9, grid)], grid)
    added = corrected_things(
        first,
        things_from(
            first.findings,
            [mark(1, MOTH, 5, 5, grid), mark(2, MOTH, 9, 9, grid), mark(7, FLY, 20, 20, grid)],
            grid,
        ),
        BY,
    )

    # The first is deleted, the fly is moved.
    last = corrected_things(
        added,
        things_from(added.findings, [mark(2, MOTH, 9, 9, grid), mark(3, FLY, 25, 20, grid)], grid),
        BY,
    )

    moth, fly = last.findings
    assert (moth.score, moth.notes) == (0.5, ("note 2",))
    assert (fly.score, fly.notes) == (None, ("drawn by hand",))
    correction = last.provenance.correction
    assert correction is not None
    assert dict(correction.made) == {2: "manual"}
    assert [(one.id, one.what) for one in correction.changes] == [(2, "changed"), (1, "deleted")]
    assert dict(last.overall) == {"count": 2.0, "count_moth": 1.0, "count_fly": 1.0}
    assert last.notes[-1] == "corrected by hand: anna changed fly, deleted moth"
    assert last.detector.title == "Correction of Reference (geojson)"


def test_many_of_a_kind_are_counted_in_words() -> None:
    grid = Grid.regular(SHAPE, unit="px")
    before = result([mark(n, MOTH, n, n, grid) for n in range(1, 5)], grid)

    after = corrected_things(
        before, things_from(before.findings, [mark(4, MOTH, 4, 4, grid)], grid), BY
    )

    assert after.notes[-1] == "corrected by hand: anna deleted 3 x moth"


def test_names_that_are_one_word_are_counted_together() -> None:
    grid = Grid.regular(SHAPE, unit="px")
    before = result([mark(1, Category("white fly"), 5, 5, grid)], grid)
    also = mark(2, Category("White-Fly"), 9, 9, grid)

    after = corrected_things(
        before,
        things_from(before.findings, [mark(1, Category("white fly"), 5, 5, grid), also], grid),
        BY,
    )

    assert dict(after.overall) == {"count": 2.0, "count_white_fly": 2.0}


def test_a_box_and_an_outline_that_were_rounded_are_the_same() -> None:
    grid = Grid.regular(SHAPE, (1.0, 0.3, 0.7))
    ring = Contour(grid.to_world([(0, 2, 2), (0, 2, 9.0), (0, 7, 5)]))
    box = tuple(map(tuple, grid.to_world([(-0.5, 1.5, 1.5), (0.5, 8.5, 9.5)]).tolist()))
    marks = [Mark(1, MOTH, 0.5, contours=(ring,)), Mark(2, MOTH, 0.5, box=box)]
    before = result(marks, grid)  # whose places are rounded to four decimals

    with pytest.raises(InputError, match="nothing to keep"):
        things_from(before.findings, marks, grid)


@pytest.mark.parametrize(
    ("row", "column", "name", "error", "told"),
    [
        (45.0, 5.0, "moth", GeometryError, "outside the image of 1 x 40 x 60"),
        (5.0, -0.6, "moth", GeometryError, "outside"),
        (5.0, 5.0, "m" * 65, InputError, "has 65"),
    ],
)
def test_what_makes_no_sense_is_refused(
    row: float, column: float, name: str, error: type[Exception], told: str
) -> None:
    grid = Grid.regular(SHAPE, unit="px")
    before = result([mark(1, MOTH, 5, 5, grid)], grid)

    with pytest.raises(error, match=told):
        things_from(before.findings, [mark(2, Category(name), row, column, grid)], grid)


def test_what_the_detector_found_at_the_border_may_stay_there() -> None:
    grid = Grid.regular(SHAPE, unit="px")
    over = Mark(1, MOTH, 0.5, box=((-3.0, 5.0, -0.5), (4.0, 9.0, 0.5)))
    before = result([over, mark(2, MOTH, 5, 5, grid)], grid)

    assert things_from(before.findings, [over], grid) == (over,)
