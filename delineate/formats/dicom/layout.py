"""Where the slices of a stack lie, and whether that makes a regular grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delineate.formats.dicom.slices import Slice
from delineate.formats.geometry import Problem
from delineate.imaging import Grid

__all__ = ["Layout", "grid_of", "layout_of", "uneven"]

# A slice lies at most this far from its place on the regular grid, or 1 % of the step if that
# is more: positions rounded to one decimal are let through, an odd slice is not.
_TOLERANCE_MM = 0.1
_TOLERANCE = 0.01
# Two slices nearer than this (mm, along the normal) share a position.
_SAME_POSITION = 0.01


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


def grid_of(ordered: Sequence[Slice], layout: Layout) -> Grid:
    """Grid through the first and the last slice, shear (gantry tilt) included."""
    first, n = ordered[0], len(ordered)
    assert first.spacing is not None
    affine = np.eye(4)
    if n > 1:
        affine[:3, 0] = (layout.places[-1] - layout.places[0]) / (n - 1)
    else:
        affine[:3, 0] = layout.normal * (first.step or 1.0)
    affine[:3, 1] = layout.column * first.spacing[0]
    affine[:3, 2] = layout.row * first.spacing[1]
    affine[:3, 3] = layout.places[0]
    return Grid((n, first.rows, first.columns), affine)


def uneven(ordered: Sequence[Slice], layout: Layout) -> list[Problem]:
    """Problems of the spacing of slices in order along their normal."""
    n, places = len(ordered), layout.places
    if n < 2:
        return []
    along = places @ layout.normal
    gaps = np.diff(along)
    problems = []
    twice = np.flatnonzero(gaps < _SAME_POSITION)
    if len(twice):
        texts = [
            f"{ordered[k].full_label} and {ordered[k + 1].full_label} both lie at {along[k]:.2f} mm"
            for k in twice[:4]
        ]
        more = f"; and {len(twice) - 4} more pairs" if len(twice) > 4 else ""
        problems.append(Problem("duplicate_position", "; ".join(texts) + more))
    real = gaps[gaps >= _SAME_POSITION]
    if len(real) == 0:
        return problems
    usual = float(np.median(real))
    tolerance = max(_TOLERANCE_MM, _TOLERANCE * usual)
    step = (places[-1] - places[0]) / (n - 1)
    off = np.linalg.norm(places - (places[0] + np.arange(n)[:, None] * step), axis=1)
    if not len(twice) and off.max() <= tolerance:
        return problems
    ratio = gaps / usual
    missing = (ratio > 1.5) & (np.abs(gaps - np.rint(ratio) * usual) <= 3 * tolerance)
    odd = (np.abs(gaps - usual) > tolerance) & ~missing & (gaps >= _SAME_POSITION)
    absent = int(np.rint(ratio[missing] - 1).sum())
    lost = "a slice is" if absent == 1 else f"{absent} slices are"
    for code, where, why in (
        ("missing_slice", missing, f"{lost} probably missing"),
        ("uneven_spacing", odd, "the spacing is uneven"),
    ):
        if where.any():
            problems.append(_gap_problem(code, why, np.flatnonzero(where), ordered, along, usual))
    if not problems:
        worst = int(np.argmax(off))
        problems.append(
            Problem(
                "uneven_spacing",
                f"{ordered[worst].label} at {along[worst]:.2f} mm lies {off[worst]:.2f} mm from "
                "its place on a regular grid; slices drift",
            )
        )
    return problems


def _gap_problem(
    code: str,
    why: str,
    where: NDArray[np.intp],
    ordered: Sequence[Slice],
    along: NDArray[np.float64],
    usual: float,
) -> Problem:
    texts = [
        f"{ordered[k].label} at {along[k]:.2f} mm and {ordered[k + 1].label} at "
        f"{along[k + 1]:.2f} mm are {along[k + 1] - along[k]:.2f} mm apart"
        for k in where[:4]
    ]
    more = f" and {len(where) - 4} more pairs" if len(where) > 4 else ""
    return Problem(code, f"{'; '.join(texts)}{more}, most others {usual:.2f} mm; {why}")
