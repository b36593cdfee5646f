"""Things that a person has corrected: some added, some deleted, some moved or called otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from delineate.delineation.findings import DECIMALS, counts, findings
from delineate.delineation.result import Change, Delineation, Finding
from delineate.delineation.version import LONGEST_NAME, NOTES, Corrector, Version
from delineate.errors import GeometryError, InputError
from delineate.formats.derived import Made
from delineate.formats.marks import Mark
from delineate.imaging import Grid
from delineate.plugins import Detection, Instances, Monitor
from delineate.plugins.marked import Marked, instances

__all__ = ["corrected_things", "things_from"]

_SAME = 1e-3  # of a sample: files round their numbers, and so do results

What = Literal["drawn", "changed", "renamed"]


def things_from(before: Sequence[Finding], marks: Sequence[Mark], grid: Grid) -> tuple[Mark, ...]:
    """The things that are to take the place of what was found.

    Parameters
    ----------
    before
        What is corrected.
    marks
        All things that there are to be. One that has the number of a finding is that finding, moved
        or called otherwise where it differs; every other one is new.
    grid
        Of the image.

    Raises
    ------
    InputError
        If a name is too long, or if nothing was changed.
    GeometryError
        If a thing lies outside the image.
    """
    known = {one.id: one for one in before}
    changed = [mark for mark in marks if _what(mark, known.get(mark.number), grid)]
    for mark in changed:
        _demand_inside(mark, grid)
        if len(mark.category.name) > LONGEST_NAME:
            raise InputError(
                f"expected names of at most {LONGEST_NAME} letters, that of thing {mark.number} "
                f"has {len(mark.category.name)}"
            )
    gone = known.keys() - {mark.number for mark in marks}
    if not gone and not changed:
        raise InputError(
            "expected things that differ from those of the result, got the same; there is nothing "
            "to keep as a new version"
        )
    return tuple(sorted(marks, key=lambda mark: mark.number))


def corrected_things(
    before: Delineation, marks: Sequence[Mark], by: Corrector, monitor: Monitor | None = None
) -> Delineation:
    """Make a result of things that somebody has corrected.

    Those that were left alone keep what the detector knew of them. The others have no score, for
    the detector's is not about them. They are numbered anew, from 1. The interval of the count is
    the detector's, and goes with it.

    Parameters
    ----------
    before
        The result that was corrected; stays as it is.
    marks
        As :func:`things_from` gives them.
    by
        Who did it.
    monitor
        May cancel.
    """
    version, grid = Version(before, by), before.image.grid
    known = {one.id: one for one in before.findings}
    last = before.provenance.correction
    made: dict[int, Made] = {}
    changes: list[Change] = []
    for number, mark in enumerate(marks, 1):
        old = known.get(mark.number)
        what = _what(mark, old, grid)
        if what is not None:
            changes.append(_change(number, mark.category.name, what))
            made[number] = "manual" if what == "drawn" else "semiautomatic"
        if last is not None and old is not None and mark.number in last.made:
            made[number] = last.made[mark.number]
    left = {mark.number for mark in marks}
    gone = [one for one in before.findings if one.id not in left]
    changes += [_change(one.id, one.category.name, "deleted") for one in gone]
    if monitor is not None:
        monitor.checkpoint()
    output = instances(marks, grid)
    kept = {
        number: known[mark.number] for number, mark in enumerate(marks, 1) if number not in made
    }
    detection = Detection(
        output,
        scores={number: one.score for number, one in kept.items() if one.score is not None},
        notes={
            **{number: one.notes for number, one in kept.items()},
            **{number: (NOTES[how],) for number, how in made.items()},
        },
        measurements={number: dict(one.measurements) for number, one in kept.items()},
    )
    found = tuple(
        replace(one, score=None) if one.id in made else one
        for one in findings(detection, before.image)
    )
    return version.made(output, found, tuple(changes), made, _overall(before, output))


def _overall(before: Delineation, output: Instances) -> dict[str, float]:
    names = dict.fromkeys(
        [one.category.name for one in before.findings] + [one.category.name for one in output.items]
    )
    each = counts(output, names)
    several = len(names) > 1 or any(name in before.overall for name in each)
    return {"count": float(len(output.items)), **(each if several else {})}


def _change(number: int, name: str, what: What | Literal["deleted"]) -> Change:
    return Change(id=number, name=name, what=what, added=0, removed=0)


def _what(mark: Mark, old: Finding | None, grid: Grid) -> What | None:
    if old is None:
        return "drawn"
    if not _same_place(mark, old, grid):
        return "changed"
    return None if mark.category == old.category else "renamed"


def _same_place(one: Marked, other: Marked, grid: Grid) -> bool:
    first, second = _places(one), _places(other)
    least = max(_SAME * min(grid.spacing), 10.0**-DECIMALS)
    return len(first) == len(second) and all(
        a.shape == b.shape and bool((np.abs(a - b) <= least).all())
        for a, b in zip(first, second, strict=True)
    )


def _places(mark: Marked) -> list[NDArray[np.float64]]:
    """Point, corners of the box and rings, in the world."""
    point = [] if mark.point is None else [np.array([mark.point])]
    box = [] if mark.box is None else [np.sort(np.array(mark.box), axis=0)]
    return [*point, *box, *(ring.points for ring in mark.contours)]


def _demand_inside(mark: Mark, grid: Grid) -> None:
    low, high = -0.5 - _SAME, np.array(grid.shape) - 0.5 + _SAME
    for places in _places(mark):
        corners = grid.to_index(places)
        if ((corners < low) | (corners > high)).any():
            raise GeometryError(
                f"thing {mark.number} ({mark.category.name!r}) lies outside the image of "
                f"{' x '.join(map(str, grid.shape))} samples; it was set on another image"
            )
