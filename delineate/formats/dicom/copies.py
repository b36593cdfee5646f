"""Slices that came twice: the same file again, or the same picture under another name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from delineate.formats.dicom.layout import SAME_POSITION, Layout
from delineate.formats.dicom.slices import Slice

__all__ = ["twins_at_one_place", "without_copies"]

# What may differ between two files of one picture; all else in a slice says what it shows.
_NAMES = (
    *("entry", "offset", "sop_instance_uid", "number", "acquisition", "description"),
    *("image_type", "position", "step"),
)


def without_copies(slices: Sequence[Slice]) -> tuple[list[Slice], list[Slice], set[str]]:
    """Slices less identical copies, those copies, and UIDs that differing slices share."""
    seen: dict[tuple[str, int], Slice] = {}
    kept: list[Slice] = []
    copies: list[Slice] = []
    clashes = set()
    for one in slices:
        key = (one.sop_instance_uid, one.frame)
        if not one.sop_instance_uid or key not in seen:
            seen[key] = one
            kept.append(one)
        elif replace(seen[key], entry=one.entry, offset=one.offset) == one and _same_pixels(
            seen[key], one
        ):
            copies.append(one)
        else:
            clashes.add(one.sop_instance_uid)
            kept.append(one)
    return kept, copies, clashes


def twins_at_one_place(group: Sequence[Slice], layout: Layout) -> list[tuple[Slice, Slice]]:
    """Slices that lie where another one lies and hold the same pixels, each with that one."""
    places, order = layout.places, layout.order
    near = np.linalg.norm(np.diff(places, axis=0), axis=1) < SAME_POSITION
    twins: list[tuple[Slice, Slice]] = []
    kept = group[order[0]]
    for k, index in enumerate(order[1:]):
        if near[k] and _same_meaning(kept, group[index]) and _same_pixels(kept, group[index]):
            twins.append((group[index], kept))
        else:
            kept = group[index]
    return twins


def _same_meaning(a: Slice, b: Slice) -> bool:
    return replace(a, **{name: getattr(b, name) for name in _NAMES}) == b


def _same_pixels(a: Slice, b: Slice) -> bool:
    if a.fault[0] or b.fault[0]:
        return False
    if a.entry.path == b.entry.path and a.frame != b.frame:
        return False  # frames of one file, which are not looked into here
    values = []
    for one in (a, b):
        with one.entry.path.open("rb") as file:
            file.seek(one.offset)
            values.append(file.read() if one.length < 0 else file.read(one.length))
    return values[0] == values[1]
