"""Score twelve organs, beside the peers.

    python benchmarks/metrics.py                 # the comparison
    python benchmarks/metrics.py --slices 60     # a quick look; writes no result

The reference is the label map of ``contours.py``, 512 x 512 samples and 300 slices of 0.8 x 0.8 x
1.5 mm with twelve organs; the prediction is the same moved by a smooth field of some millimetres,
with organs that touch, holes that close, and a few samples far off. All of Dice, NSD at 2 mm, HD95
and ASSD for every organ:

delineate           two threads, as by default on two cores; ``one_thread`` beside it
delineate_elements  the same by elements of surfaces, as the first peer defines them
surface_distance    DeepMind's, whole volume: it crops by itself
monai               ``monai.metrics``, all classes as one-hot at once
monai_cropped       organ by organ, cropped to the box around both
simpleitk           two organs with its filters (Dice, Hausdorff, distance maps), times six
nnunet_dice         ``compute_metrics`` of nnU-Net alone, from files, against our Dice alone from
                    the same files

Equal figures are demanded before anything is timed: to 1e-4 of MONAI by samples and of DeepMind by
elements. Peak memory is what scoring adds to a process that holds both label maps.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import contours
import measure
import numpy as np
import SimpleITK as sitk  # noqa: N813
import torch
from monai import metrics as monai
from numpy.typing import NDArray
from scipy import ndimage

from delineate.evaluation import Scoring, score
from delineate.formats import nifti, nifti_writing
from delineate.imaging import Category, Grid, LabelMap

try:
    import surface_distance
except ImportError:
    surface_distance = None
try:
    from nnunetv2.evaluation.evaluate_predictions import compute_metrics
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
except ImportError:
    compute_metrics = None

SPACING = (1.5, 0.8, 0.8)
TOLERANCE_MM = 2.0
ASKED = ("dice", "nsd", "hd95", "assd")
ORGANS = range(1, contours.ORGANS + 1)
Figures = dict[int, tuple[float, ...]]


def case(slices: int) -> tuple[LabelMap, LabelMap]:
    """Prediction and reference."""
    array = contours.organs(slices).array
    rng = np.random.default_rng(11)
    moved = np.empty_like(array)
    shifts = rng.normal(0, 3, (2, max(2, slices // 20), 6, 6))
    for k in range(slices):
        place = k * (shifts.shape[1] - 1) / max(1, slices - 1)
        low = int(place)
        high = min(low + 1, shifts.shape[1] - 1)
        field = (1 - place + low) * shifts[:, low] + (place - low) * shifts[:, high]
        rows, columns = (
            ndimage.zoom(one, np.array(array.shape[1:]) / one.shape, order=1) for one in field
        )
        r, c = np.indices(array.shape[1:], np.float32)
        moved[k] = array[
            k,
            np.clip(np.rint(r + rows), 0, array.shape[1] - 1).astype(int),
            np.clip(np.rint(c + columns), 0, array.shape[2] - 1).astype(int),
        ]
    moved[:, 3:5, 3:5] = 4  # far from everything
    grid = Grid.regular(array.shape, SPACING)
    names = {n: Category(f"organ {n}") for n in ORGANS}
    return LabelMap(moved, grid, names), LabelMap(array, grid, names)


def ours(prediction: LabelMap, reference: LabelMap, threads: int | None, kind: Any) -> Figures:
    """Of every organ."""
    scoring = Scoring(metrics=ASKED, tolerance_mm=TOLERANCE_MM, surface=kind)
    found = score(prediction, reference, scoring, threads)
    values = {(one.structure, one.metric): one.value for one in found}
    return {n: tuple(values[f"organ {n}", metric] for metric in ASKED) for n in ORGANS}


def theirs_deepmind(prediction: LabelMap, reference: LabelMap) -> Figures:
    """DeepMind's; ASSD by its own two directions, weighted by their areas."""
    found: Figures = {}
    for n in ORGANS:
        one, two = reference.array == n, prediction.array == n
        distances = surface_distance.compute_surface_distances(one, two, SPACING)
        areas = [distances["surfel_areas_gt"].sum(), distances["surfel_areas_pred"].sum()]
        found[n] = (
            surface_distance.compute_dice_coefficient(one, two),
            surface_distance.compute_surface_dice_at_tolerance(distances, TOLERANCE_MM),
            surface_distance.compute_robust_hausdorff(distances, 95),
            float(
                np.average(
                    surface_distance.compute_average_surface_distance(distances), weights=areas
                )
            ),
        )
    return found


def _monai(one: torch.Tensor, two: torch.Tensor) -> NDArray[Any]:
    """``(class, metric)``."""
    classes = one.shape[1]
    same = {"include_background": True, "spacing": SPACING}
    columns = (
        monai.compute_dice(one, two, include_background=True),
        monai.compute_surface_dice(one, two, [TOLERANCE_MM] * classes, **same),
        monai.compute_hausdorff_distance(one, two, percentile=95, **same),
        monai.compute_average_surface_distance(one, two, symmetric=True, **same),
    )
    return np.stack([column[0].numpy() for column in columns], axis=1)


def theirs_monai(prediction: LabelMap, reference: LabelMap) -> Figures:
    """MONAI's, all classes at once."""
    one, two = (
        torch.from_numpy(np.stack([each.array == n for n in ORGANS]))[None]
        for each in (prediction, reference)
    )
    return dict(zip(ORGANS, map(tuple, _monai(one, two)), strict=True))


def theirs_monai_cropped(prediction: LabelMap, reference: LabelMap) -> Figures:
    """MONAI's, organ by organ in the box around both."""
    found: Figures = {}
    boxes = [ndimage.find_objects(each.array) for each in (prediction, reference)]
    for n in ORGANS:
        box = tuple(
            slice(max(0, min(a.start, b.start) - 1), max(a.stop, b.stop) + 1)
            for a, b in zip(boxes[0][n - 1], boxes[1][n - 1], strict=True)
        )
        one, two = (
            torch.from_numpy(np.ascontiguousarray(each.array[box] == n))[None, None]
            for each in (prediction, reference)
        )
        found[n] = tuple(_monai(one, two)[0])
    return found


def theirs_simpleitk(prediction: LabelMap, reference: LabelMap, organs: Any) -> Figures:
    """SimpleITK's filters, as its notebook on segmentation evaluation has them."""
    images = []
    for each in (reference, prediction):
        image = sitk.GetImageFromArray(each.array)
        image.SetSpacing(SPACING[::-1])
        images.append(image)
    found: Figures = {}
    for n in organs:
        one, two = (image == n for image in images)
        overlap = sitk.LabelOverlapMeasuresImageFilter()
        overlap.Execute(one, two)
        every = []
        for source, target in ((one, two), (two, one)):
            far = sitk.Abs(
                sitk.SignedMaurerDistanceMap(source, squaredDistance=False, useImageSpacing=True)
            )
            border = sitk.GetArrayFromImage(sitk.LabelContour(target)) == 1
            every.append(sitk.GetArrayFromImage(far)[border])
        both = np.concatenate(every)
        found[n] = (
            overlap.GetDiceCoefficient(),
            float((both <= TOLERANCE_MM).mean()),
            max(float(np.percentile(part, 95)) for part in every),
            float(both.mean()),
        )
    return found


def apart(one: Figures, two: Figures) -> float:
    """The greatest difference of any figure."""
    return max(abs(float(a - b)) for n in one for a, b in zip(one[n], two[n], strict=True))


def peak_mb(folder: Path) -> float:
    """What scoring adds to the memory of a process that has read both, in MB."""
    program = """if True:
        import resource, sys
        import numpy as np
        from delineate.evaluation import Scoring, score
        from delineate.imaging import Category, Grid, LabelMap
        names = {n: Category(f"organ {n}") for n in range(1, 13)}
        tiny = LabelMap(np.ones((2, 3, 3), np.uint8), Grid.regular((2, 3, 3)), {1: Category("a")})
        score(tiny, tiny)
        arrays = [np.load(f"{sys.argv[1]}/{name}.npy") for name in ("prediction", "reference")]
        grid = Grid.regular(arrays[0].shape, (1.5, 0.8, 0.8))
        maps = [LabelMap(array, grid, names) for array in arrays]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        score(*maps, Scoring(metrics=("dice", "nsd", "hd95", "assd")))
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
    """
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def main() -> None:
    """Compare and write the result."""
    options = argparse.ArgumentParser()
    options.add_argument("--slices", type=int, default=300)
    options.add_argument("--repeats", type=int, default=3)
    asked = options.parse_args()
    warnings.simplefilter("ignore")
    prediction, reference = case(asked.slices)
    both = (prediction, reference)
    figures: dict[str, Any] = {"slices": asked.slices, "organs": contours.ORGANS}

    plain = ours(*both, None, "voxels")
    figures["most_apart_from_monai"] = apart(plain, theirs_monai_cropped(*both))
    runs: dict[str, Callable[[], object]] = {
        "delineate": lambda: ours(*both, None, "voxels"),
        "delineate_one_thread": lambda: ours(*both, 1, "voxels"),
        "delineate_elements": lambda: ours(*both, None, "elements"),
        "monai": lambda: theirs_monai(*both),
        "monai_cropped": lambda: theirs_monai_cropped(*both),
        "simpleitk": lambda: theirs_simpleitk(*both, (1, 2)),
    }
    if surface_distance is not None:
        figures["most_apart_from_surface_distance"] = apart(
            ours(*both, None, "elements"), theirs_deepmind(*both)
        )
        runs["surface_distance"] = lambda: theirs_deepmind(*both)
    wrong = [name for name, value in figures.items() if "apart" in name and not value <= 1e-4]
    if wrong:
        raise SystemExit(f"the figures differ: {wrong[0]} is {figures[wrong[0]]:.3g}")
    seconds = measure.compare(runs, asked.repeats, warm_up=False)
    seconds["simpleitk"] *= contours.ORGANS / 2
    figures |= {f"{name}_s": value for name, value in seconds.items()}
    ratios = {
        f"vs_{name}": value / seconds["delineate"]
        for name, value in seconds.items()
        if not name.startswith("delineate")
    }
    ratios["one_thread_vs_two"] = seconds["delineate_one_thread"] / seconds["delineate"]
    if "surface_distance" in seconds:
        ratios["elements_vs_surface_distance"] = (
            seconds["surface_distance"] / seconds["delineate_elements"]
        )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, each in zip(("prediction", "reference"), both, strict=True):
            np.save(folder / f"{name}.npy", each.array)
            nifti_writing.write_labels(each, folder / f"{name}.nii.gz")
        figures["added_peak_mb"] = peak_mb(folder)
        figures["both_label_maps_mb"] = sum(each.array.nbytes for each in both) / 2**20
        if compute_metrics is not None:
            files = [str(folder / f"{name}.nii.gz") for name in ("reference", "prediction")]

            def dice_alone() -> None:
                maps = [nifti.read_labels(file) for file in reversed(files)]
                score(*maps, Scoring(metrics=("dice",)))

            alone = measure.compare(
                {
                    "delineate_dice": dice_alone,
                    "nnunet_dice": lambda: compute_metrics(*files, SimpleITKIO(), list(ORGANS)),
                },
                asked.repeats,
                warm_up=False,
            )
            figures |= {f"{name}_s": value for name, value in alone.items()}
            ratios["dice_vs_nnunet"] = alone["nnunet_dice"] / alone["delineate_dice"]
    if asked.slices == 300:
        measure.report("metrics", figures, ratios)
    else:
        print(figures, ratios)


if __name__ == "__main__":
    main()
