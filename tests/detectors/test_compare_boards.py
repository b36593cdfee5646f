"""`defects.compare` on scanned boards of DeepPCB, by the data set's own rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import delineate as dl

TYPES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
PRINTED_UPON = "44000020"  # the annotators' boxes and words are in the picture itself


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    if (high <= low).any():
        return 0.0
    both = float(np.prod(high - low))
    return both / (float(np.prod(one[2:] - one[:2])) + float(np.prod(other[2:] - other[:2])) - both)


@pytest.mark.parametrize("group", ["44000", "92000"])
def test_faults_of_scanned_boards_are_found_and_named(shared_data: Path, group: str) -> None:
    """Every third pair; a box with an IoU above 0.33 is found, one to one."""
    tests = sorted((shared_data / "defects" / "deeppcb" / group).rglob("*_test.jpg"))
    hits = right = found = true = 0
    for path in [each for each in tests if PRINTED_UPON not in each.name][::3]:
        name = path.name[:8]
        rows = np.loadtxt(next(path.parent.parent.rglob(f"{name}.txt")), dtype=int, ndmin=2)
        result = dl.delineate(
            dl.read(path),
            "defects.compare",
            {"template": dl.read(path.with_name(f"{name}_temp.jpg"))},
        )
        free = list(rows)
        found, true = found + len(result.findings), true + len(rows)
        for one in result.findings:
            assert one.box is not None
            box = np.array([*one.box[0][:2], *one.box[1][:2]])
            best = max(free, key=lambda row: _overlap(box, row[:4]), default=None)
            if best is not None and _overlap(box, best[:4]) > 0.33:
                free = [row for row in free if row is not best]
                hits += 1
                right += one.category.name == TYPES[best[4] - 1]

    assert 2 * hits / (found + true) >= 0.95
    assert right / hits >= 0.85
