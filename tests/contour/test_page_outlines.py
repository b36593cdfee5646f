"""The page draws outlines as they are drawn here: both are held against one file.

``python tests/contour/test_page_outlines.py`` writes it anew; ``web/tests/tracing.test.ts`` has the
page's side.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from delineate.contour import trace_all
from delineate.imaging import Grid, LabelMap

KEPT = Path(__file__).parents[2] / "web" / "tests" / "traced.json"


def traced() -> list[dict[str, Any]]:
    """Slices with many corners at which samples meet, and the rings of each of their labels."""
    rng = np.random.default_rng(20260101)
    cases = []
    for number in range(240):
        rows, columns = (int(n) for n in rng.integers(1, 15, 2))
        labels = rng.integers(1, 4) if number % 4 == 0 else 1
        part = rng.choice([0.2, 0.6, 0.7, 0.85])
        plane = rng.integers(1, labels + 1, (rows, columns)) * (rng.random((rows, columns)) < part)
        grid = Grid.regular((1, rows, columns))
        rings = [
            [structure.number, int(ring.is_hole), _corners(ring.points)]
            for structure in trace_all(LabelMap(plane[None].astype(np.uint8), grid, {}))
            for ring in structure.contours
        ]
        cases.append({"plane": ["".join(map(str, row)) for row in plane.tolist()], "rings": rings})
    return cases


def _corners(points: np.ndarray[Any, Any]) -> list[int]:
    """Row and column of each corner, counted from the corner of the first sample."""
    return [int(n) for n in (points[:, 1::-1] + 0.5).ravel()]


def test_the_page_is_held_against_the_outlines_that_are_drawn_here() -> None:
    assert json.loads(KEPT.read_text()) == traced()


def test_the_outlines_that_the_page_is_held_against_have_holes_and_corners_that_meet() -> None:
    rings = [ring for case in traced() for ring in case["rings"]]
    assert sum(hole for _, hole, _ in rings) > 100
    touching = [
        case
        for case in traced()
        for number, hole, corners in case["rings"]
        if hole
        and any(
            set(zip(corners[::2], corners[1::2], strict=True))
            & set(zip(other[::2], other[1::2], strict=True))
            for label, outer, other in case["rings"]
            if label == number and not outer
        )
    ]
    assert len(touching) > 10


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in traced())
    KEPT.write_text(f"[\n{lines}\n]\n")
