"""Trace every organ on every slice, beside scikit-image and OpenCV.

    python benchmarks/contours.py                 # the comparison, the options, growth
    python benchmarks/contours.py --slices 60     # a quick look; writes no result

The volume is synthetic: 12 organs of one to three lobes each, with holes, in slices of 512 x 512
samples. Both peers trace one mask, so an organ on a slice is a comparison and a call. Three ways
of that are measured, everything in one thread:

vs_NAME           the mask of the whole slice, as their tutorials have it
vs_NAME_cropped   the mask of the organ's box alone
vs_cv2_masks      that mask made beforehand, not counted

delineate's time includes the millimetres and the `Contour` objects; the peers stop at indices.
Times are of the processor, not of the clock on the wall, so that a busy machine distorts them less;
but where two workers share the slices (``two_workers_vs_NAME``) it is the clock, for both sides.

Growth is measured on the same hundred slices, there and back again, as often as it takes: samples
and contours grow alike. Peak memory is what tracing adds to a process that has read the labels.
A round trip is exact if filling what was traced, at sample centres, gives the mask back.

OpenCV is not among delineate's dependencies (``pip install opencv-python-headless``); where it is
missing the run stops, unless ``--without-cv2`` says that its ratios may be missing too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import measure
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

from delineate.contour import Contour, fill, plane_grid, reslice, simplify, smooth, trace_all
from delineate.imaging import Category, Grid, LabelMap

try:
    import cv2
except ImportError:
    cv2 = None

ORGANS = 12
Rings = list[NDArray[np.float64]]
Outline = Callable[[NDArray[np.bool_]], Rings]


FIRST = """if True:
    import numpy as np
    from delineate.contour import trace_all
    from delineate.imaging import Grid, LabelMap
    trace_all(LabelMap(np.ones((1, 2, 2), np.uint8), Grid.regular((1, 2, 2)), {}))
"""


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


def masks(labelmap: LabelMap, cropped: bool = True) -> Iterator[NDArray[np.bool_]]:
    """One mask an organ and slice, with an empty margin (no organ touches the border)."""
    for organ, box in enumerate(ndimage.find_objects(labelmap.array), 1):
        window = tuple(slice(s.start - 1, s.stop + 1) for s in box[1:])
        for k in range(box[0].start, box[0].stop):
            yield labelmap.array[k][window if cropped else ()] == organ


def skimage_rings(mask: NDArray[np.bool_]) -> Rings:
    return list(find_contours(mask, 0.5))


def cv2_rings(mask: NDArray[np.bool_]) -> Rings:
    found, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return [ring[:, 0, ::-1] for ring in found]


def round_trips(pieces: list[NDArray[np.bool_]], outline: Outline) -> tuple[float, float]:
    """Share of the masks that come back exactly, and the mean Dice, filled at sample centres."""
    exact, dice = 0, 0.0
    for mask in pieces:
        contours = [
            Contour(np.column_stack((ring[:, 1], ring[:, 0], np.zeros(len(ring)))))
            for ring in outline(mask)
            if len(ring) > 2
        ]
        back = fill(contours, Grid.regular((1, *mask.shape)))[0]
        exact += np.array_equal(back, mask)
        sizes = np.count_nonzero(back) + np.count_nonzero(mask)
        dice += 2.0 * np.count_nonzero(back & mask) / sizes if sizes else 1.0
    return exact / len(pieces), dice / len(pieces)


def own_round_trips(labelmap: LabelMap) -> float:
    """Share of the organs' slices that come back exactly."""
    exact = count = 0
    for structure in trace_all(labelmap):
        back = fill(structure.contours, labelmap.grid)
        there = labelmap.array == structure.number
        for k in np.flatnonzero((there | back).any(axis=(1, 2))):
            exact += np.array_equal(back[k], there[k])
            count += 1
    return exact / count


def compare(contenders: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median processor seconds of each contender, the runs interleaved."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def contend(labelmap: LabelMap, repeats: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Seconds and round trips of all, and the ratios."""
    pieces = list(masks(labelmap))
    contenders: dict[str, Callable[[], object]] = {
        "delineate": lambda: trace_all(labelmap),
        "skimage": lambda: [skimage_rings(mask) for mask in masks(labelmap, cropped=False)],
        "skimage_cropped": lambda: [skimage_rings(mask) for mask in masks(labelmap)],
    }
    if cv2 is not None:
        cv2.setNumThreads(1)
        contenders |= {
            "cv2": lambda: [cv2_rings(mask) for mask in masks(labelmap, cropped=False)],
            "cv2_cropped": lambda: [cv2_rings(mask) for mask in masks(labelmap)],
            "cv2_masks": lambda: [cv2_rings(mask) for mask in pieces],
        }
    trace_all(labelmap)
    seconds = compare(contenders, repeats)
    figures: dict[str, Any] = {"organ slices": sum(bool(mask.any()) for mask in pieces)}
    figures |= {f"{name} (s)": value for name, value in seconds.items()}
    figures["delineate, exact round trips"] = own_round_trips(labelmap)
    outlines = {"skimage": skimage_rings} | ({"cv2": cv2_rings} if cv2 is not None else {})
    for name, outline in outlines.items():
        exact, dice = round_trips(pieces, outline)
        figures |= {f"{name}, exact round trips": exact, f"{name}, mean Dice": float(dice)}
    own = seconds.pop("delineate")
    return figures, {f"vs_{name}": value / own for name, value in seconds.items()}


def clocked(labelmap: LabelMap, repeats: int) -> dict[str, float]:
    """Median seconds on the wall with one worker and two, beside OpenCV."""
    pieces = list(masks(labelmap))
    contenders: dict[str, Callable[[], object]] = {
        "one worker": lambda: trace_all(labelmap),
        "two workers": lambda: trace_all(labelmap, workers=2),
    }
    if cv2 is not None:
        contenders |= {
            "cv2": lambda: [cv2_rings(mask) for mask in masks(labelmap, cropped=False)],
            "cv2_masks": lambda: [cv2_rings(mask) for mask in pieces],
        }
    return measure.compare(contenders, repeats)


def options(labelmap: LabelMap, repeats: int) -> dict[str, Any]:
    """Seconds, and points left, of what is not the default."""
    edges = [structure.contours for structure in trace_all(labelmap)]
    grid = labelmap.grid
    oblique = plane_grid(grid, grid.corners.mean(axis=0), (0.3, -0.2, 1.0))
    runs: dict[str, Callable[[], Any]] = {
        "midpoint": lambda: [s.contours for s in trace_all(labelmap, style="midpoint")],
        "simplify, 0.6 mm": lambda: [simplify(contours, 0.6) for contours in edges],
        "smooth, 0.4 mm": lambda: [smooth(contours, 0.4) for contours in edges],
        "smooth, 0.6 mm, exact": lambda: [smooth(contours, 0.6, grid) for contours in edges],
    }
    turns: dict[str, Callable[[], Any]] = {
        "resliced sagittal": lambda: reslice(labelmap, "sagittal"),
        "one oblique plane, traced": lambda: trace_all(reslice(labelmap, oblique)),
    }
    figures: dict[str, Any] = {}
    for name, run in runs.items():
        figures[f"{name}, points"] = sum(len(c.points) for contours in run() for c in contours)
    for run in turns.values():
        run()
    seconds = compare(runs | turns, repeats)
    return figures | {f"{name} (s)": value for name, value in seconds.items()}


def peak_megabytes(labelmap: LabelMap) -> float:
    """What tracing adds to the memory of a process that has read the labels (Linux)."""
    code = """if True:
        import re, sys
        from pathlib import Path
        import numpy as np
        from delineate.contour import trace_all
        from delineate.imaging import Grid, LabelMap
        trace_all(LabelMap(np.ones((1, 2, 2), np.uint8), Grid.regular((1, 2, 2)), {}))
        array = np.load(sys.argv[1])
        labelmap = LabelMap(array, Grid.regular(array.shape), {})
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
        before = peak()
        structures = trace_all(labelmap)
        print(peak() - before)
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "labels.npy")
        np.save(path, labelmap.array)
        found = subprocess.run(
            [sys.executable, "-c", code, path], check=True, capture_output=True, text=True
        )
    return int(found.stdout) / 1024


def growth(repeats: int) -> dict[str, float]:
    """Seconds for more and more slices of the same kind."""
    some = organs(100).array
    both = np.concatenate((some, some[::-1]))
    figures = {}
    for slices in (100, 200, 400, 800, 1600):
        array = np.concatenate([both] * -(-slices // 200))[:slices]
        part = LabelMap(array, Grid.regular(array.shape, (1.5, 0.8, 0.8)), {})
        seconds = compare({"delineate": lambda part=part: trace_all(part)}, repeats)
        figures[f"delineate, {slices} slices (s)"] = seconds["delineate"]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--without-cv2", action="store_true", help="OpenCV may be missing")
    arguments = parser.parse_args()
    if cv2 is None and not arguments.without_cv2:
        sys.exit("OpenCV is missing: pip install opencv-python-headless, or say --without-cv2")
    labelmap = organs(arguments.slices)
    structures = trace_all(labelmap)
    rings = [contour for structure in structures for contour in structure.contours]
    figures: dict[str, Any] = {
        "slices": arguments.slices,
        "contours": len(rings),
        "holes": sum(contour.is_hole for contour in rings),
        "points": sum(len(contour.points) for contour in rings),
    }
    found, ratios = contend(labelmap, arguments.repeats)
    figures |= found
    seconds = clocked(labelmap, arguments.repeats)
    figures |= {f"{name}, on the wall (s)": value for name, value in seconds.items()}
    two = seconds.pop("two workers")
    ratios |= {
        f"two_workers_vs_{name.replace(' ', '_')}": value / two for name, value in seconds.items()
    }
    figures |= options(labelmap, min(arguments.repeats, 3))
    figures["peak memory of tracing (MB)"] = peak_megabytes(labelmap)
    if arguments.slices != 300:
        print(figures, ratios)
        return
    figures |= growth(arguments.repeats)
    compiling, loading = measure.first_calls(FIRST)
    figures["a process that has to compile (s)"] = compiling
    figures["a process that finds it compiled (s)"] = loading
    figures["load average of the last five minutes"] = os.getloadavg()[1]
    measure.report("contours", figures, ratios)


if __name__ == "__main__":
    main()
