"""Where the slices of a stack lie, and whether that makes a regular grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delineate.formats.dicom.slices import Slice
from delineate.formats.particulars import Duplicate, Gap, Problem, Spacing
from delineate.imaging import Grid

__all__ = [
    "SAME_POSITION",
    "Layout",
    "Unevenness",
    "distances",
    "frame",
    "layout_of",
    "regular_grid",
    "told",
    "tolerance_of",
    "unevenness",
]

# A slice lies at most this far from its place on the regular grid, or 1 % of the step if that
# is more: positions rounded to one decimal are let through, an odd slice is not.
_TOLERANCE_MM = 0.1
_TOLERANCE = 0.01
# Two slices nearer than this (mm, along the normal) share a position.
SAME_POSITION = 0.01


class Layout(NamedTuple):
    """How parallel slices lie.

    ``row`` and ``column`` are the unit vectors along which column and row indices grow, ``normal``
    their cross product; ``order`` sorts the slices along it, ``places`` are their positions in that
    order, ``(n, 3)``.
    """

    row: NDArray[np.float64]
    column: NDArray[np.float64]
    normal: NDArray[np.float64]
    order: list[int]
    places: NDArray[np.float64]

    @property
    def along(self) -> NDArray[np.float64]:
        """Positions along the normal, in mm."""
        return self.places @ self.normal

    @property
    def direction(self) -> NDArray[np.float64]:
        """From slice to slice, for each mm along the normal: more than 1 long if tilted.

        The median over all neighbours, so that a single shifted slice does not turn it.
        """
        steps, gaps = np.diff(self.places, axis=0), np.diff(self.along)
        apart = gaps >= SAME_POSITION
        if not apart.any():
            return self.normal
        usual = np.median(steps[apart] / gaps[apart, None], axis=0)
        return np.asarray(usual / (usual @ self.normal))


def layout_of(group: Sequence[Slice]) -> Layout | Problem:
    """Layout of slices that share size, orientation and spacing, or why there is none."""
    first = group[0]
    absent = [
        name
        for name, value in (
            ("ImagePositionPatient", first.position),
            ("ImageOrientationPatient", first.orientation),
            ("PixelSpacing", first.spacing),
        )
        if value is None
    ]
    if absent or first.orientation is None:
        return Problem(
            "missing_geometry",
            f"{first.label} has no {' and no '.join(absent)} that makes sense, so its place in "
            "the patient is unknown",
        )
    row, column = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(row @ column) > 1e-3:
        return Problem(
            "missing_geometry",
            f"ImageOrientationPatient of {first.label} is {list(first.orientation)}, which is no "
            "pair of perpendicular unit vectors",
        )
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    positions = np.array([one.position for one in group], dtype=np.float64)
    along = positions @ normal
    order = sorted(
        range(len(group)), key=lambda k: (along[k], group[k].number or 0, group[k].entry.name)
    )
    return Layout(row, column, normal, order, positions[order])


def regular_grid(ordered: Sequence[Slice], layout: Layout) -> Grid:
    """Grid through the first and the last slice, shear (gantry tilt) included."""
    n = len(ordered)
    if n == 1:
        return frame(ordered, layout)
    return _grid(ordered[0], n, layout, (layout.places[-1] - layout.places[0]) / (n - 1))


def frame(ordered: Sequence[Slice], layout: Layout) -> Grid:
    """Grid that as many slices at the most frequent spacing would have."""
    steps = distances(layout)
    step = layout.direction * (steps[0].mm if steps else ordered[0].step or 1.0)
    return _grid(ordered[0], len(ordered), layout, step)


def _grid(first: Slice, n: int, layout: Layout, step: NDArray[np.float64]) -> Grid:
    assert first.spacing is not None
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = layout.column * first.spacing[0]
    affine[:3, 2] = layout.row * first.spacing[1]
    affine[:3, 3] = layout.places[0]
    return Grid((n, first.rows, first.columns), affine)


def tolerance_of(step: float) -> float:
    """How far a slice may lie from its place where slices are ``step`` apart, in mm."""
    return max(_TOLERANCE_MM, _TOLERANCE * step)


def distances(layout: Layout) -> tuple[Spacing, ...]:
    """Distances of neighbouring planes, the most frequent first, of equally frequent the finest.

    Those that differ by no more than a slice may lie off are one, their mean.
    """
    groups: list[list[float]] = []
    for gap in sorted(gap for gap in np.diff(layout.along).tolist() if gap >= SAME_POSITION):
        if groups and gap - groups[-1][0] <= tolerance_of(gap) + 1e-9:
            groups[-1].append(gap)
        else:
            groups.append([gap])
    groups.sort(key=lambda group: (-len(group), group[0]))
    return tuple(Spacing(sum(group) / len(group), len(group)) for group in groups)


@dataclass(frozen=True, slots=True)
class Unevenness:
    """What keeps slices from being a regular grid; nothing, if ``problems`` is empty."""

    problems: tuple[Problem, ...] = ()
    gaps: tuple[Gap, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()


def unevenness(ordered: Sequence[Slice], layout: Layout) -> Unevenness:
    """Gaps, shared positions and drift of slices in order along their normal."""
    n, along, steps = len(ordered), layout.along, distances(layout)
    if n < 2:
        return Unevenness()
    spaces = np.diff(along)
    twins = tuple(
        Duplicate(ordered[k].full_label, ordered[k + 1].full_label, round(float(along[k]), 4))
        for k in np.flatnonzero(spaces < SAME_POSITION).tolist()
    )
    problems = [_shared(twins)] if twins else []
    if not steps:
        return Unevenness(tuple(problems), (), twins)
    usual = steps[0].mm
    tolerance = tolerance_of(usual)
    step = (layout.places[-1] - layout.places[0]) / (n - 1)
    regular = layout.places[0] + np.arange(n)[:, None] * step
    off = np.linalg.norm(layout.places - regular, axis=1)
    if not twins and off.max() <= tolerance:
        return Unevenness()
    ratio = spaces / usual
    missing = (ratio > 1.5) & (np.abs(spaces - np.rint(ratio) * usual) <= 3 * tolerance)
    odd = (np.abs(spaces - usual) > tolerance) & ~missing & (spaces >= SAME_POSITION)
    gaps = tuple(
        _gap(ordered, along, k, int(np.rint(ratio[k])) - 1 if missing[k] else 0)
        for k in np.flatnonzero(missing | odd).tolist()
    )
    absent = sum(gap.missing for gap in gaps)
    lost = "a slice is" if absent == 1 else f"{absent} slices are"
    for code, some, why in (
        ("missing_slice", [gap for gap in gaps if gap.missing], f"{lost} probably missing"),
        ("uneven_spacing", [gap for gap in gaps if not gap.missing], "the spacing is uneven"),
    ):
        if some:
            problems.append(_gap_problem(code, why, some, steps))
    if not problems:
        worst = int(np.argmax(off))
        problems.append(
            Problem(
                "uneven_spacing",
                f"{ordered[worst].label} at {along[worst]:.2f} mm lies {off[worst]:.2f} mm from "
                "its place on a regular grid; slices drift",
            )
        )
    return Unevenness(tuple(problems), gaps, twins)


def told(steps: Sequence[Spacing]) -> str:
    """Spacings in words: ``"4.00 mm (13 times), 1.08 mm (once)"``."""
    some = [
        f"{one.mm:.2f} mm ({'once' if one.count == 1 else f'{one.count} times'})"
        for one in steps[:6]
    ]
    more = f" and {len(steps) - 6} more" if len(steps) > 6 else ""
    return ", ".join(some) + more


def _shared(twins: Sequence[Duplicate]) -> Problem:
    texts = [
        f"{one.first} and {one.second} both lie at {one.position_mm:.2f} mm" for one in twins[:4]
    ]
    more = f"; and {len(twins) - 4} more pairs" if len(twins) > 4 else ""
    return Problem("duplicate_position", "; ".join(texts) + more)


def _gap(ordered: Sequence[Slice], along: NDArray[np.float64], k: int, missing: int) -> Gap:
    first, second = float(along[k]), float(along[k + 1])
    return Gap(
        ordered[k].label,
        ordered[k + 1].label,
        round(first, 4),
        round(second, 4),
        round(second - first, 4),
        missing,
    )


def _gap_problem(code: str, why: str, gaps: Sequence[Gap], steps: Sequence[Spacing]) -> Problem:
    texts = [
        f"{gap.first} at {gap.first_mm:.2f} mm and {gap.second} at {gap.second_mm:.2f} mm are "
        f"{gap.mm:.2f} mm apart"
        for gap in gaps[:4]
    ]
    more = f" and {len(gaps) - 4} more pairs" if len(gaps) > 4 else ""
    return Problem(code, f"{'; '.join(texts)}{more}; {why}: distances are {told(steps)}")
