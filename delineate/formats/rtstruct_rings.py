"""From the contours of a file to closed rings; what is none is set aside, and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delineate.errors import UnreadableFileError
from delineate.formats.decimals import from_text
from delineate.formats.rtstruct_items import DrawnContour

__all__ = ["closed_rings"]

_PLAIN, _XOR = "CLOSED_PLANAR", "CLOSEDPLANAR_XOR"


def closed_rings(
    contours: Sequence[DrawnContour], name: str, notes: list[str]
) -> list[NDArray[np.float64]]:
    """Points of each closed contour, ``(n, 3)`` with n >= 3, its end not repeated.

    Parameters
    ----------
    contours
        Of one ROI.
    name
        The ROI's, for messages.
    notes
        Gets a sentence on each kind of contour that was set aside or is odd.

    Raises
    ------
    UnreadableFileError
        If coordinates are no numbers, or fewer than the file says.
    """
    aside: Counter[str] = Counter()
    odd: Counter[str] = Counter()
    rings, seen = [], set()
    for contour in contours:
        kind = contour.kind.decode("ascii", "replace") or _PLAIN
        if kind not in (_PLAIN, _XOR):
            aside[kind] += 1
            continue
        if kind == _PLAIN and contour.data in seen:  # two of a kind would cancel each other
            aside["drawn twice"] += 1
            continue
        seen.add(contour.data)
        points = _points(contour.data, name)
        odd += _oddities(contour, len(points), name)
        if len(points) > 1 and np.array_equal(points[0], points[-1]):
            points = points[:-1]  # some programs repeat the first point
        if len(points) < 3 or (len(points) < 9 and len(np.unique(points, axis=0)) < 3):
            aside["of fewer than three different points"] += 1
            continue
        rings.append(points)
    for kind, count in sorted(aside.items()):
        notes.append(f"{count} contours of ROI {name!r} are {kind} and were set aside")
    for what, count in sorted(odd.items()):
        notes.append(f"{count} contours of ROI {name!r} {what}")
    return rings


def _points(data: bytes, name: str) -> NDArray[np.float64]:
    """``(n, 3)`` from the text of ContourData."""
    try:
        numbers = from_text(data)
    except ValueError:
        raise UnreadableFileError(
            f"a contour of ROI {name!r} has coordinates that are no numbers; export it again"
        ) from None
    if len(numbers) % 3 or not np.isfinite(numbers).all():
        raise UnreadableFileError(
            f"a contour of ROI {name!r} has {len(numbers)} coordinates, expected three finite ones "
            "a point; export it again"
        )
    return numbers.reshape(-1, 3)


def _oddities(contour: DrawnContour, found: int, name: str) -> Counter[str]:
    odd: Counter[str] = Counter()
    stated = int(contour.count) if contour.count.isdigit() else found
    if stated > found:
        raise UnreadableFileError(
            f"a contour of ROI {name!r} is said to have {stated} points and has {found}; it was "
            "cut short, export it again"
        )
    if stated < found:
        odd["have more points than the file says; all are taken"] += 1
    if contour.offset.strip(b"0.\\+- "):
        odd["have an offset from their plane (ContourOffsetVector), which is not applied"] += 1
    return odd
