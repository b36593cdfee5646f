"""Sort slices into stacks of parallel, equally spaced planes, and say what is wrong with them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from delineate.errors import GeometryError
from delineate.formats.dicom.bridge import Bridge, bridge_of
from delineate.formats.dicom.copies import twins_at_one_place, without_copies
from delineate.formats.dicom.layout import (
    Layout,
    Unevenness,
    distances,
    frame,
    layout_of,
    regular_grid,
    unevenness,
)
from delineate.formats.dicom.notes import broken, notes, tilt
from delineate.formats.dicom.slices import Slice
from delineate.formats.particulars import Problem, Spacing
from delineate.imaging import Grid

__all__ = ["Stack", "stacks"]

# Cosines of the orientation and pixel spacings (mm) that differ by no more are the same.
_SAME_ORIENTATION = 1e-3
_SAME_SPACING = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Slices of one series with one size and orientation, in order along their normal.

    Parameters
    ----------
    grid
        What reading makes of them; ``None`` if ``faults``, the problems that forbid reading, are
        not empty.
    faults, notes, corrections
        Problems that forbid reading, problems that do not, sentences on what reading changes.
    frame
        As far as it is known, the grid that so many slices would have if they were regular.
    bridge
        How uneven slices become ``grid``, if they do.
    spacings, uneven
        Distances of neighbouring planes, and what keeps them from being regular.
    left_out
        Slices that are not read, each with the reason.
    """

    id: str
    slices: tuple[Slice, ...]
    grid: Grid | None
    faults: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    corrections: tuple[str, ...] = ()
    frame: Grid | None = None
    bridge: Bridge | None = None
    spacings: tuple[Spacing, ...] = ()
    uneven: Unevenness = field(default_factory=Unevenness)
    left_out: tuple[tuple[Slice, str], ...] = ()

    @property
    def span(self) -> float:
        """From the first plane to the last, in mm along the normal."""
        return sum(one.mm * one.count for one in self.spacings)


def stacks(slices: Iterable[Slice], *, resample: bool = False) -> tuple[Stack, ...]:
    """All stacks, by series; of one series the largest first.

    ``resample``: uneven slices are brought onto a regular grid where that can be done.
    """
    by_series: dict[str, list[Slice]] = defaultdict(list)
    for one in slices:
        by_series[one.series_uid].append(one)
    return tuple(
        stack
        for uid in sorted(by_series)
        for stack in _series(uid or "unnamed", by_series[uid], resample)
    )


def _series(uid: str, slices: list[Slice], resample: bool) -> list[Stack]:
    slices = sorted(slices, key=lambda one: (one.sop_instance_uid, one.frame, one.entry.name))
    kept, copies, clashes = without_copies(slices)
    groups = [part for group in _alike(kept) for part in _phases(group)]
    groups.sort(key=lambda group: (-len(group), min(_place(one) for one in group)))
    singles = [one for group in groups if len(group) == 1 for one in group]
    if len(groups) > 1:
        groups = [group for group in groups if len(group) > 1]
    made = [_stack(_id(uid, index), group, clashes, resample) for index, group in enumerate(groups)]
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
    layout = layout_of(singles[:1])
    alone = len(singles) == 1 and not isinstance(layout, Problem)
    place = _framed(singles, layout) if alone and isinstance(layout, Layout) else None
    return Stack(uid, tuple(singles), None, (Problem("not_a_volume", message),), frame=place)


def _is_scout(one: Slice) -> bool:
    return "LOCALIZER" in one.image_type


def _with_leftovers(made: list[Stack], copies: list[Slice]) -> list[Stack]:
    """Tell the first stack of what lies beside it."""
    first, notes, corrections = made[0], [], []
    if copies:
        what = _copies(len(copies))
        notes.append(Problem("duplicate_instance", what))
        corrections.append(f"{what} and left out.")
    for other in made[1:]:
        a, b = first.slices[0], other.slices[0]
        if (a.rows, a.columns) != (b.rows, b.columns):
            code, what = "mixed_sizes", "size"
        elif not _near(a.orientation, b.orientation, _SAME_ORIENTATION):
            code, what = "mixed_orientation", "direction"
        elif not _near(a.spacing, b.spacing, _SAME_SPACING):
            code, what = "mixed_spacing", "pixel spacing"
        else:
            continue  # another phase: both are offered
        names = ", ".join(one.label for one in other.slices[:3])
        more = f" and {len(other.slices) - 3} more" if len(other.slices) > 3 else ""
        notes.append(Problem(code, f"{names}{more} are of another {what}; listed as {other.id}"))
        if other.faults:
            corrections.append(f"Left out: {names}{more}, of another {what}.")
    if first.faults:
        corrections = []
    made[0] = replace(
        first,
        notes=(*first.notes, *notes),
        corrections=(*first.corrections, *corrections),
        left_out=(*first.left_out, *((one, f"a second copy of {one.label}") for one in copies)),
    )
    return made


def _copies(count: int) -> str:
    what = "1 file is a second copy" if count == 1 else f"{count} files are second copies"
    return f"{what} of a slice"


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


def _stack(uid: str, group: list[Slice], clashes: set[str], resample: bool) -> Stack:
    faults = broken(group)
    shared = [one for one in group if one.sop_instance_uid in clashes]
    if shared:
        uids = ", ".join(sorted({one.sop_instance_uid for one in shared})[:4])
        message = f"{len(shared)} slices that differ claim to be the same instances: {uids}"
        faults.append(Problem("duplicate_instance", message))
    layout = layout_of(group)
    if isinstance(layout, Problem):
        ordered = sorted(group, key=lambda one: (one.number or 0, one.entry.name, one.frame))
        return Stack(uid, tuple(ordered), None, (*faults, layout), tuple(notes(ordered)))
    twins = twins_at_one_place(group, layout)
    if twins:
        again = {id(one) for one, _ in twins}
        group = [one for one in group if id(one) not in again]
        layout = layout_of(group)
        assert not isinstance(layout, Problem)
    stack = _laid_out(uid, [group[index] for index in layout.order], layout, faults, resample)
    if not twins:
        return stack
    message = f"{len(twins)} of the slices came twice, at one position with the same pixels"
    corrections = (*stack.corrections, f"{message}; read once.") if stack.grid is not None else ()
    return replace(
        stack,
        notes=(Problem("duplicate_position", message), *stack.notes),
        corrections=corrections,
        left_out=tuple(
            (one, f"the pixels of {kept.label} at its position again") for one, kept in twins
        ),
    )


def _laid_out(
    uid: str, ordered: list[Slice], layout: Layout, faults: list[Problem], resample: bool
) -> Stack:
    uneven = unevenness(ordered, layout)
    place = _framed(ordered, layout)
    known = Stack(
        uid,
        tuple(ordered),
        None,
        (*faults, *uneven.problems),
        tuple(notes(ordered)),
        frame=place,
        spacings=distances(layout),
        uneven=uneven,
    )
    if place is None:
        missing = Problem("missing_geometry", "the header's positions or spacings make no grid")
        return replace(known, faults=(*known.faults, missing))
    tilted = replace(known, notes=(*tilt(place, kept=False), *known.notes))
    kept = (*tilt(place, kept=True), *known.notes)
    if not known.faults:
        return replace(tilted, grid=regular_grid(ordered, layout), notes=kept)
    if not resample or faults or uneven.duplicates:
        return tilted
    bridge = bridge_of(ordered, layout)
    if isinstance(bridge, Problem):
        return replace(tilted, faults=(bridge, *tilted.faults))
    return replace(
        tilted,
        faults=(),
        grid=bridge.grid,
        bridge=bridge,
        notes=(*uneven.problems, *kept),
        corrections=(bridge.said,),
    )


def _framed(ordered: Sequence[Slice], layout: Layout) -> Grid | None:
    try:
        return frame(ordered, layout)
    except GeometryError:
        return None
