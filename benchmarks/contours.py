"""Trace every organ on every slice, beside scikit-image and OpenCV.

    python benchmarks/contours.py                 # the comparison, then growth from 100 to 800 slices
    python benchmarks/contours.py --slices 60     # a quick look

The volume is synthetic: 12 organs of one to three lobes each, with holes, in 512 x 512 samples a
slice. The peers get a mask a organ and slice, cropped to the organ, which is kinder to them than
the whole slice. Everything runs in one thread. OpenCV is not among delineate's dependencies
(``pip install opencv-python-headless``); without it the run fails unless ``--without-cv2`` says
that its ratio may be missing.

A round trip is exact if filling what was traced, at sample centres, gives the mask back.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure as skimage_measure

from measure import compare, report
from delineate.contour import Contour, fill, trace_all
from delineate.imaging import Category, Grid, LabelMap

try:
    import cv2
except ImportError:
    cv2 = None

ORGANS = 12
Rings = list[NDArray[np.float64]]
Outline = Callable[[NDArray[np.bool_]], Rings]


def organs(slices: int, size: int = 512, seed: int = 7) -> LabelMap:
    """Twelve bent organs of several lobes with holes, about a tenth of the volume."""
    rng = np.random.default_rng(seed)
    array = np.zeros((slices, size, size), np.uint8)
    coarse = rng.normal(size=(10, 12, 12))
    for organ in range(1, ORGANS + 1):
        middle = rng.uniform((0.2, 0.25, 0.25), (0.8, 0.75, 0.75)) * array.shape
        for lobe in range(1 + organ % 3):
            centre = middle + lobe * rng.normal(size=3) * 0.08 * np.array(array.shape)
            radii = rng.uniform(0.05, 0.13, 3) * (2.2 * slices, size, size)
            _lobe(array, organ, centre, radii, coarse, hole=bool((organ + lobe) % 2))
    grid = Grid.regular(array.shape, (1.5, 0.8, 0.8))
    return LabelMap(array, grid, {n: Category(f"organ {n}") for n in range(1, ORGANS + 1)})


def _lobe(
    array: NDArray[np.uint8],
    organ: int,
    centre: NDArray[np.float64],
    radii: NDArray[np.float64],
    coarse: NDArray[np.float64],
    hole: bool,
) -> None:
    low = np.maximum(0, np.floor(centre - 1.3 * radii)).astype(int)
    high = np.minimum(array.shape, np.ceil(centre + 1.3 * radii)).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    axes = np.ogrid[box]
    distance = sum(((x - c) / r) ** 2 for x, c, r in zip(axes, centre, radii, strict=True)) ** 0.5
    shape = distance.shape
    bumps = ndimage.zoom(coarse, [n / m for n, m in zip(shape, coarse.shape, strict=True)], order=1)
    rim = 1.0 + 0.08 * bumps[: shape[0], : shape[1], : shape[2]]
    body = (distance < rim) & ((distance > 0.3 * rim) if hole else True)
    part = array[box]
    part[body & (part == 0)] = organ


def masks(labelmap: LabelMap) -> Iterator[tuple[int, int, int, int, NDArray[np.bool_]]]:
    """Organ, slice, first row, first column and mask, with a margin of one empty sample."""
    for organ, box in enumerate(ndimage.find_objects(labelmap.array), 1):
        if box is None:
            continue
        for k in range(box[0].start, box[0].stop):
            plane = labelmap.array[k, box[1], box[2]] == organ
            if plane.any():
                yield organ, k, box[1].start - 1, box[2].start - 1, np.pad(plane, 1)


def skimage_rings(mask: NDArray[np.bool_]) -> Rings:
    return list(skimage_measure.find_contours(mask, 0.5))


def cv2_rings(mask: NDArray[np.bool_]) -> Rings:
    found, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return [ring[:, 0, ::-1] for ring in found]


def round_trips(labelmap: LabelMap, outline: Outline) -> tuple[float, float]:
    """Share of the masks that come back exactly, and the mean Dice, filled at sample centres."""
    exact, dice, count = 0, 0.0, 0
    for _, _, _, _, mask in masks(labelmap):
        grid = Grid.regular((1, *mask.shape))
        contours = [
            Contour(np.column_stack((ring[:, 1], ring[:, 0], np.zeros(len(ring)))))
            for ring in outline(mask)
            if len(ring) > 2
        ]
        back = fill(contours, grid)[0]
        exact += np.array_equal(back, mask)
        dice += 2.0 * np.count_nonzero(back & mask) / (back.sum() + mask.sum())
        count += 1
    return exact / count, dice / count


def own_round_trips(labelmap: LabelMap) -> float:
    """Share of the organs' slices that come back exactly."""
    exact = count = 0
    for structure in trace_all(labelmap):
        back = fill(structure.contours, labelmap.grid)
        there = labelmap.array == structure.number
        for k in np.flatnonzero(there.any(axis=(1, 2))):
            exact += np.array_equal(back[k], there[k])
            count += 1
    return exact / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--without-cv2", action="store_true", help="OpenCV may be missing")
    options = parser.parse_args()
    if cv2 is None and not options.without_cv2:
        sys.exit("OpenCV is missing: pip install opencv-python-headless, or say --without-cv2")
    labelmap = organs(options.slices)
    start = time.perf_counter()
    structures = trace_all(labelmap)
    first = time.perf_counter() - start
    pieces = [mask for *_, mask in masks(labelmap)]
    contenders: dict[str, Callable[[], object]] = {
        "delineate": lambda: trace_all(labelmap),
        "skimage": lambda: [skimage_rings(mask) for *_, mask in masks(labelmap)],
    }
    if cv2 is not None:
        cv2.setNumThreads(1)
        contenders["cv2"] = lambda: [cv2_rings(mask) for *_, mask in masks(labelmap)]
        contenders["cv2 without cropping"] = lambda: [cv2_rings(mask) for mask in pieces]
    seconds = compare(contenders, options.repeats)
    rings = [contour for structure in structures for contour in structure.contours]
    figures: dict[str, Any] = {
        "slices": options.slices,
        "organ slices": len(pieces),
        "contours": len(rings),
        "points": sum(len(contour.points) for contour in rings),
        "first call, with compiling or loading (s)": first,
    }
    print(figures, seconds)
    figures |= {f"{name} (s)": value for name, value in seconds.items()}
    report("contours", figures, {})


if __name__ == "__main__":
    main()
