"""Dice of the organ model on generated bodies that are scanned and stored in many ways.

``python benchmarks/organs_conditions.py [--model FOLDER]``; seeds that no training takes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import report

from delineate.imaging import Grid, Image, LabelMap, resample, resample_labels
from delineate.phantom import STRUCTURES, Phase, Scanner, label, paint_torso, scan
from delineate.segmentation.options import NAMES, OrganOptions
from delineate.segmentation.organs import MODEL, OrganDetector

SEEDS = (9_100_001, 9_100_004)  # arms above the head; at the sides
SPACING_MM = (3.0, 3.0, 3.0)
EXTENT_MM = (-400.0, 240.0)
LEAST_ML = 5.0
Scan = tuple[Image, LabelMap]


def turned(pair: Scan, matrix: Any) -> Scan:
    """The same samples, elsewhere in the world."""
    grid = Grid(pair[0].grid.shape, matrix @ pair[0].grid.affine)
    return Image(pair[0].array, grid, "CT"), LabelMap(pair[1].array, grid, pair[1].categories)


def scaled(pair: Scan, by: float) -> Scan:
    """A smaller or a larger body."""
    return turned(pair, np.diag([by, by, by, 1.0]))


def tilted(pair: Scan, degrees: float) -> Scan:
    """A body that lies across the table."""
    a, b = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[a, -b, 0], [b, a, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, a, -b], [0, b, a]]
    )
    return turned(pair, matrix)


def stored(pair: Scan, orientation: str) -> Scan:
    """The same scan with its axes in another order and direction."""
    grid = pair[0].grid.oriented(orientation)
    return Image(resample(pair[0], grid).array, grid, "CT"), resample_labels(pair[1], grid)


def sliced(pair: Scan, spacing_mm: tuple[float, float, float], share: tuple[float, float]) -> Scan:
    """A part of the slices, of other spacing."""
    part = cropped(pair, (share, (0.0, 1.0), (0.0, 1.0)))
    grid = part[0].grid.with_spacing(spacing_mm)
    return Image(resample(part[0], grid).array, grid, "CT"), resample_labels(part[1], grid)


def cropped(pair: Scan, shares: tuple[tuple[float, float], ...]) -> Scan:
    """A box of the scan, from and to along slice, row and column as shares of its size."""
    size = pair[0].grid.shape
    start = [int(low * n) for (low, _), n in zip(shares, size, strict=True)]
    stop = [int(high * n) for (_, high), n in zip(shares, size, strict=True)]
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    shape = tuple(b - a for a, b in zip(start, stop, strict=True))
    grid = pair[0].grid.crop((start[0], start[1], start[2]), (shape[0], shape[1], shape[2]))
    labels = LabelMap(pair[1].array[box], grid, pair[1].categories)
    return Image(pair[0].array[box], grid, "CT"), labels


def prone(pair: Scan) -> Scan:
    """The table in front of the belly; nothing in the body sinks."""
    array, rows = pair[0].array.copy(), pair[0].grid.shape[1]
    front = int(np.flatnonzero((array > -300).any(axis=(0, 2)))[0])
    array[:, max(0, front - 6) : max(0, front - 3)] = -400
    array[:, rows - 12 :][array[:, rows - 12 :] < -150] = -1000
    return Image(array, pair[0].grid, "CT"), pair[1]


WHOLE = (0.0, 1.0)
CONDITIONS: dict[str, Callable[[Scan], Scan]] = {
    "portal phase, 3 mm": lambda pair: pair,
    "axes in the order ALI": lambda pair: stored(pair, "ALI"),
    "axes in the order RPI": lambda pair: stored(pair, "RPI"),
    "slices of 0.5 mm over 90 mm": lambda pair: sliced(pair, (0.5, 3.0, 3.0), (0.5, 0.64)),
    "slices of 5 mm": lambda pair: sliced(pair, (5.0, 1.5, 1.5), WHOLE),
    "body of 0.75 the size": lambda pair: scaled(pair, 0.75),
    "body of 1.2 times the size": lambda pair: scaled(pair, 1.2),
    "turned by 15 degrees about two axes": lambda pair: tilted(pair, 15),
    "table in front": prone,
    "skin and arms cut off": lambda pair: cropped(pair, (WHOLE, (0.14, 0.82), (0.2, 0.8))),
    "left half alone": lambda pair: cropped(pair, (WHOLE, WHOLE, (0.5, 1.0))),
    "upper half": lambda pair: cropped(pair, ((0.5, 1.0), WHOLE, WHOLE)),
    "lower half": lambda pair: cropped(pair, ((0.0, 0.5), WHOLE, WHOLE)),
}


def scores(pair: Scan, detector: OrganDetector) -> dict[str, float]:
    """Dice by structure, of those with enough of them in the scan or drawn there."""
    image, truth = pair
    output: Any = detector.detect(image, OrganOptions(device="cpu")).output
    labels = {category.name: number for number, category in output.categories.items()}
    least = LEAST_ML * 1000 / image.grid.voxel_size
    kept = {}
    for name in NAMES:
        there, drawn = truth.array == STRUCTURES.index(name), output.array == labels[name]
        if max(there.sum(), drawn.sum()) >= least:
            kept[name] = 2 * float((there & drawn).sum()) / float(there.sum() + drawn.sum())
    return kept


def main() -> None:
    """Score every condition and name the worst structures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    detector = OrganDetector(parser.parse_args().model)
    bodies = [paint_torso(seed, SPACING_MM, EXTENT_MM) for seed in SEEDS]
    portal = [(scan(body, 1, Phase.PORTAL, Scanner()), label(body)) for body in bodies]
    sets = {name: [change(pair) for pair in portal] for name, change in CONDITIONS.items()}
    for phase in (Phase.NONE, Phase.ARTERIAL, Phase.LATE):
        name = f"contrast phase {phase.name.lower()}"
        sets[name] = [(scan(body, 1, phase, Scanner()), label(body)) for body in bodies]
    loud = Scanner(noise_hu=40.0, grain_mm=1.5)
    sets["noise of 40 HU"] = [(scan(body, 1, Phase.PORTAL, loud), label(body)) for body in bodies]
    figures: dict[str, Any] = {"weights": detector.model.weights[0].sha256[:12]}
    for name, pairs in sets.items():
        found = [scores(pair, detector) for pair in pairs]
        by_structure = {
            each: float(np.mean([case[each] for case in found if each in case]))
            for each in NAMES
            if any(each in case for case in found)
        }
        figures[f"{name}: mean"] = round(float(np.mean(list(by_structure.values()))), 3)
        for each, value in by_structure.items():
            figures[f"{name}: {each}"] = round(value, 3)
    report("organs_conditions", figures, {})


if __name__ == "__main__":
    main()
