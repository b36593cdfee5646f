"""Sort slices into stacks of parallel, equally spaced planes, and say what is wrong with them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError
from delineate.formats.dicom.slices import Slice
from delineate.formats.geometry import Problem
from delineate.imaging import Grid

__all__ = ["Stack", "stacks"]

# Cosines of the orientation and pixel spacings (mm) that differ by no more are the same.
_SAME_ORIENTATION = 1e-3
_SAME_SPACING = 1e-4
# A slice lies at most this far from its place on the regular grid, or 1 % of the step if that
# is more: positions rounded to one decimal are let through, an odd slice is not.
_TOLERANCE_MM = 0.1
_TOLERANCE = 0.01
# Two slices nearer than this (mm, along the normal) share a position.
_SAME_POSITION = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Slices of one series with one size and orientation, in order along their normal.

    ``grid`` is ``None`` if ``faults``, the problems that forbid reading, are not empty. ``notes``
    are problems that do not, ``corrections`` sentences on what reading changes.
    """

    id: str
    slices: tuple[Slice, ...]
    grid: Grid | None
    faults: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    corrections: tuple[str, ...] = ()


def stacks(slices: Iterable[Slice]) -> tuple[Stack, ...]:
    """All stacks, by series; of one series the largest first."""
    by_series: dict[str, list[Slice]] = defaultdict(list)
    for one in slices:
        by_series[one.series_uid].append(one)
    return tuple(
        stack for uid in sorted(by_series) for stack in _series(uid or "unnamed", by_series[uid])
    )


def _series(uid: str, slices: list[Slice]) -> list[Stack]:
    kept, copies, clashes = _without_copies(slices)
    groups = [part for group in _alike(kept) for part in _phases(group)]
    groups.sort(key=lambda group: (-len(group), *_place(group[0])))
    singles = [one for group in groups if len(group) == 1 for one in group]
    if len(groups) > 1:
        groups = [group for group in groups if len(group) > 1]
    made = [_stack(_id(uid, index), group, clashes) for index, group in enumerate(groups)]
    if singles and (len(singles) > 1 or len(made) > 1 or made[0].slices[0] is not singles[0]):
        made.append(_lone(_id(uid, len(made)), singles))
    elif singles and not made[0].faults and _is_scout(singles[0]):
        made = [_lone(uid, singles)]
    return _with_leftovers(made, copies)


def _id(uid: str, index: int) -> str:
    return f"{uid}#{index + 1}" if index else uid


def _place(one: Slice) -> tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...], str]:
    """Anything that orders groups of the same size alike in every run."""
    return one.orientation or (), one.position or (), one.acquisition, one.sop_instance_uid


def _lone(uid: str, singles: list[Slice]) -> Stack:
    """Slices of which no two are parallel and of one size: localizers, mostly."""
    scouts = "a localizer" if all(_is_scout(one) for one in singles) else "a single slice"
    names = ", ".join(one.label for one in singles[:6])
    more = f" and {len(singles) - 6} more" if len(singles) > 6 else ""
    if len(singles) == 1:
        message = f"{names} is {scouts}, not a volume"
    else:
        message = f"{names}{more} differ in size or direction, so each is {scouts}, not a volume"
    return Stack(uid, tuple(singles), None, (Problem("not_a_volume", message),))


def _is_scout(one: Slice) -> bool:
    return "LOCALIZER" in one.image_type


def _with_leftovers(made: list[Stack], copies: int) -> list[Stack]:
    """Tell the first stack of what lies beside it."""
    first, notes, corrections = made[0], [], []
    if copies:
        notes.append(
            Problem("duplicate_instance", f"{copies} files are second copies of other files")
        )
        corrections.append(f"{copies} second copies of slices are left out.")
    for other in made[1:]:
        a, b = first.slices[0], other.slices[0]
        if a.orientation == b.orientation and (a.rows, a.columns) == (b.rows, b.columns):
            continue  # another phase, or another pixel spacing: both are offered
        sizes = (a.rows, a.columns) != (b.rows, b.columns)
        code, what = ("mixed_sizes", "size") if sizes else ("mixed_orientation", "direction")
        names = ", ".join(one.label for one in other.slices[:3])
        more = f" and {len(other.slices) - 3} more" if len(other.slices) > 3 else ""
        notes.append(Problem(code, f"{names}{more} are of another {what}; listed as {other.id}"))
        if other.faults:
            corrections.append(f"{len(other.slices)} slices of another {what} are left out.")
    if first.faults:
        corrections = []
    made[0] = replace(
        first, notes=(*first.notes, *notes), corrections=(*first.corrections, *corrections)
    )
    return made


def _without_copies(slices: list[Slice]) -> tuple[list[Slice], int, set[str]]:
    """Slices less identical copies, the number of those, and UIDs that differing slices share."""
    seen: dict[tuple[str, int], Slice] = {}
    kept, copies, clashes = [], 0, set()
    for one in slices:
        key = (one.sop_instance_uid, one.frame)
        if not one.sop_instance_uid or key not in seen:
            seen[key] = one
            kept.append(one)
        elif _same_content(seen[key], one):
            copies += 1
        else:
            clashes.add(one.sop_instance_uid)
            kept.append(one)
    return kept, copies, clashes


def _same_content(a: Slice, b: Slice) -> bool:
    if a.fault[0] or b.fault[0] or replace(a, entry=b.entry, offset=b.offset) != b:
        return False
    values = []
    for one in (a, b):
        with one.entry.path.open("rb") as file:
            file.seek(one.offset)
            values.append(file.read() if one.length < 0 else file.read(one.length))
    return values[0] == values[1]


def _alike(slices: list[Slice]) -> list[list[Slice]]:
    """Groups of the same size, orientation and pixel spacing."""
    groups: list[tuple[Slice, list[Slice]]] = []
    last = None
    for one in slices:
        if last is not None and _is_alike(last[0], one):
            last[1].append(one)
            continue
        last = next((group for group in groups if _is_alike(group[0], one)), None)
        if last is None:
            last = (one, [])
            groups.append(last)
        last[1].append(one)
    return [members for _, members in groups]


def _is_alike(a: Slice, b: Slice) -> bool:
    if (a.rows, a.columns, a.modality) != (b.rows, b.columns, b.modality):
        return False
    if (a.position is None) != (b.position is None):
        return False
    return _near(a.orientation, b.orientation, _SAME_ORIENTATION) and _near(
        a.spacing, b.spacing, _SAME_SPACING
    )


def _near(a: tuple[float, ...] | None, b: tuple[float, ...] | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return a == b or max(abs(p - q) for p, q in zip(a, b, strict=True)) <= tolerance


def _phases(group: list[Slice]) -> list[list[Slice]]:
    """Split by acquisition, echo, kernel and so on where slices would share a position else."""
    if len(group) < 4 or _repeats(group) == 0:
        return [group]
    for index in range(max(len(one.acquisition) for one in group)):
        parts: dict[str, list[Slice]] = defaultdict(list)
        for one in group:
            parts[one.acquisition[index] if index < len(one.acquisition) else ""].append(one)
        if len(parts) > 1 and min(len(part) for part in parts.values()) > 1:
            whole = all(_repeats(part) == 0 for part in parts.values())
            if whole and len({len(part) for part in parts.values()}) == 1:
                return list(parts.values())
    return [group]


def _repeats(group: list[Slice]) -> int:
    places = Counter(
        tuple(round(part, 2) for part in one.position) for one in group if one.position
    )
    return sum(count - 1 for count in places.values())


def _stack(uid: str, group: list[Slice], clashes: set[str]) -> Stack:
    faults = _broken(group)
    shared = [one for one in group if one.sop_instance_uid in clashes]
    if shared:
        uids = ", ".join(sorted({one.sop_instance_uid for one in shared})[:4])
        message = f"{len(shared)} slices that differ claim to be the same instances: {uids}"
        faults.append(Problem("duplicate_instance", message))
    layout = _layout(group)
    if isinstance(layout, Problem):
        ordered = tuple(sorted(group, key=lambda one: (one.number or 0, one.entry.name, one.frame)))
        return Stack(uid, ordered, None, (*faults, layout))
    ordered = tuple(group[index] for index in layout.order)
    faults += _uneven(ordered, layout.places)
    notes, corrections = _notes(ordered)
    if faults:
        return Stack(uid, ordered, None, tuple(faults), tuple(notes))
    try:
        grid = _grid(ordered, layout)
    except GeometryError as error:
        return Stack(uid, ordered, None, (Problem("missing_geometry", str(error)),))
    if _is_tilted(grid):
        angle = np.degrees(np.arccos(min(1.0, grid.slice_distance / grid.spacing[0])))
        message = f"the gantry was tilted by {angle:.1f} degrees; kept as a shear, outlines fit"
        notes.insert(0, Problem("gantry_tilt", message))
    return Stack(uid, ordered, grid, (), tuple(notes), tuple(corrections))


def _is_tilted(grid: Grid) -> bool:
    return grid.slice_distance / grid.spacing[0] < math.cos(math.radians(0.1))


class _Layout(NamedTuple):
    """Unit vectors along rows and columns, order of the slices and their places in that order."""

    row: NDArray[np.float64]
    column: NDArray[np.float64]
    normal: NDArray[np.float64]
    order: list[int]
    places: NDArray[np.float64]


def _layout(group: Sequence[Slice]) -> _Layout | Problem:
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
    return _Layout(row, column, normal, order, positions[order])


def _grid(ordered: Sequence[Slice], layout: _Layout) -> Grid:
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


def _broken(group: Sequence[Slice]) -> list[Problem]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in group:
        code, what = one.fault
        if code:
            found[code].append(f"{one.label} {what}")
        elif one.slope == 0:
            found["unreadable"].append(f"{one.label} has a rescale slope of zero")
    return [
        Problem(code, "; ".join(texts[:4]) + (f"; and {len(texts) - 4} more" * (len(texts) > 4)))
        for code, texts in found.items()
    ]


def _uneven(ordered: Sequence[Slice], places: NDArray[np.float64]) -> list[Problem]:
    """Problems of the spacing; ``places`` are ``(n, 3)``, in order along the normal."""
    n = len(ordered)
    if n < 2:
        return []
    assert ordered[0].orientation is not None
    iop = np.array(ordered[0].orientation)
    along = places @ np.cross(iop[:3], iop[3:])
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


def _notes(ordered: Sequence[Slice]) -> tuple[list[Problem], list[str]]:
    first, notes = ordered[0], []
    if first.frames > 1:
        notes.append(Problem("multi_frame", "an enhanced multi-frame instance"))
    if any((one.slope, one.intercept) != (first.slope, first.intercept) for one in ordered):
        notes.append(
            Problem("per_slice_rescale", "slices have rescales of their own; each is applied")
        )
    if first.photometric == "MONOCHROME1":
        notes.append(
            Problem(
                "monochrome1",
                "is to be shown with low values bright (MONOCHROME1); the values are kept as "
                "they are",
            )
        )
    if first.padding is not None and first.modality == "CT":
        low = first.padding[0] * first.slope + first.intercept
        if not -1024 <= low <= 3071:
            notes.append(
                Problem("padding", f"samples of the padding value {low:g} HU are read as -1024 HU")
            )
    if len(ordered) == 1:
        thickness = f"{first.step:g}" if first.step else "unknown, 1"
        notes.append(Problem("single_slice", f"one slice only; its thickness is {thickness} mm"))
    return notes, []
