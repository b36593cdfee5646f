"""Sort slices into stacks of parallel, equally spaced planes, and say what is wrong with them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from delineate.errors import GeometryError
from delineate.formats.dicom.layout import grid_of, layout_of, uneven
from delineate.formats.dicom.slices import Slice
from delineate.formats.geometry import Problem
from delineate.imaging import Grid

__all__ = ["Stack", "stacks"]

# Cosines of the orientation and pixel spacings (mm) that differ by no more are the same.
_SAME_ORIENTATION = 1e-3
_SAME_SPACING = 1e-4


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
    slices = sorted(slices, key=lambda one: (one.sop_instance_uid, one.frame, one.entry.name))
    kept, copies, clashes = _without_copies(slices)
    groups = [part for group in _alike(kept) for part in _phases(group)]
    groups.sort(key=lambda group: (-len(group), min(_place(one) for one in group)))
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
    singles = sorted(singles, key=lambda one: (one.number or 0, one.sop_instance_uid))
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
        what = "1 file is a second copy" if copies == 1 else f"{copies} files are second copies"
        notes.append(Problem("duplicate_instance", f"{what} of a slice"))
        corrections.append(f"{what} of a slice and left out.")
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
            corrections.append(f"Left out: {names}{more}, of another {what}.")
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
    layout = layout_of(group)
    if isinstance(layout, Problem):
        ordered = tuple(sorted(group, key=lambda one: (one.number or 0, one.entry.name, one.frame)))
        return Stack(uid, ordered, None, (*faults, layout))
    ordered = tuple(group[index] for index in layout.order)
    faults += uneven(ordered, layout)
    notes, corrections = _notes(ordered)
    if faults:
        return Stack(uid, ordered, None, tuple(faults), tuple(notes))
    try:
        grid = grid_of(ordered, layout)
    except GeometryError as error:
        return Stack(uid, ordered, None, (Problem("missing_geometry", str(error)),))
    if _is_tilted(grid):
        angle = np.degrees(np.arccos(min(1.0, grid.slice_distance / grid.spacing[0])))
        message = f"the gantry was tilted by {angle:.1f} degrees; kept as a shear, outlines fit"
        notes.insert(0, Problem("gantry_tilt", message))
    return Stack(uid, ordered, grid, (), tuple(notes), tuple(corrections))


def _is_tilted(grid: Grid) -> bool:
    return grid.slice_distance / grid.spacing[0] < math.cos(math.radians(0.1))


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
