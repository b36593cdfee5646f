"""Dice of an organ model on labelled CTs, stacks of slices and new phantoms; what it invents.

``python benchmarks/organs.py [--model FOLDER]``; the real CTs lie in ``../shared/data``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measure import compare, report
from numpy.typing import NDArray

from delineate import formats
from delineate.formats import nrrd
from delineate.imaging import Image, LabelMap, resample_labels
from delineate.phantom import STRUCTURES, torso
from delineate.segmentation.options import NAMES, OrganOptions
from delineate.segmentation.organs import MODEL, OrganDetector
from delineate.segmentation.training.organ_cases import IGNORED, labelled_cases

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NEW_PHANTOMS = (9_000_001, 9_000_002, 9_000_003)  # training takes seeds from 0 on
STACKS = (5, 10, 20, 40)
LEAST_IN_STACK_ML = 5.0
DENSE_HU, METAL_HU = 300, 2500
BONY = ("bones", "vertebrae")
ON_CPU = OrganOptions(device="cpu")


@dataclass(frozen=True)
class Case:
    """A CT with reference labels; ``known`` names the structures that were labelled."""

    name: str
    image: Image
    reference: NDArray[np.uint8]
    known: frozenset[str]


def cases() -> Iterator[Case]:
    """Every labelled case that is there."""
    folder = DATA / "ct_labelled"
    if folder.is_dir():
        for case in labelled_cases(folder):
            known = frozenset(np.array(STRUCTURES)[case.known].tolist())
            image = Image(case.hu.numpy(), case.grid, "CT")
            yield Case(case.name, image, case.labels.numpy(), known)
        chest = folder / "chest_cip"
        image = formats.read(chest / "crop_ct_2slices.nrrd")
        image = Image(image.array, image.grid, "CT")
        drawn = nrrd.read_labels(chest / "crop_ct_2slices_dcnnLungSegmentationLabelmap.nrrd")
        lungs = np.zeros(drawn.array.shape, np.uint8)
        for value, name in ((2, "lung_right"), (3, "lung_left")):
            lungs[drawn.array == value] = STRUCTURES.index(name)
        yield Case("chest, 2 slices", image, lungs, frozenset({"lung_left", "lung_right"}))
        slices = folder / "dcmqi_liver_spine"
        image = formats.read(slices / "ct-3slice")
        drawn = resample_labels(nrrd.read_labels(slices / "liver_seg.nrrd"), image.grid)
        liver = (drawn.array > 0) * np.uint8(STRUCTURES.index("liver"))
        yield Case("dcmqi, 3 slices", image, liver, frozenset({"liver"}))
    for seed in NEW_PHANTOMS:
        image, truth = torso(seed, spacing_mm=(4.0, 3.0, 3.0))
        yield Case(f"phantom {seed}", image, truth.array, frozenset(STRUCTURES))


def found(image: Image, detector: OrganDetector) -> LabelMap:
    """What the detector draws in an image."""
    output: Any = detector.detect(image, ON_CPU).output
    return output


def numbers(labels: LabelMap) -> dict[str, int]:
    return {category.name: label for label, category in labels.categories.items()}


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float | None:
    """Dice; ``None`` where both are empty."""
    total = int(a.sum()) + int(b.sum())
    return round(2 * int((a & b).sum()) / total, 3) if total else None


def dice(case: Case, labels: LabelMap) -> dict[str, float]:
    """Dice by structure; one that is neither in the reference nor found is left out."""
    counted, number = case.reference != IGNORED, numbers(labels)
    scores = {}
    for name in NAMES:
        if name in case.known:
            drawn = case.reference == STRUCTURES.index(name)
            score = overlap(drawn, (labels.array == number[name]) & counted)
            if score is not None:
                scores[name] = score
    if case.known.issuperset(BONY):
        bony = [STRUCTURES.index(name) for name in BONY]
        drawn = np.isin(labels.array, [number[name] for name in BONY])
        score = overlap(np.isin(case.reference, bony), drawn & counted)
        if score is not None:
            scores["bones with vertebrae"] = score
    return scores


def stacks(image: Image, whole: LabelMap, detector: OrganDetector) -> dict[str, float]:
    """Mean Dice of stacks of some slices against the whole scan's result.

    Stacks lie a quarter, a half and three quarters up the scan; structures count of which the
    whole scan's result has enough in the stack.
    """
    number, figures = numbers(whole), {}
    enough = LEAST_IN_STACK_ML * 1000 / image.grid.voxel_size
    for depth in STACKS:
        scores = []
        for quarter in (1, 2, 3):
            first = (image.grid.shape[0] - depth) * quarter // 4
            grid = image.grid.crop((first, 0, 0), (depth, *image.grid.shape[1:]))
            part = found(Image(image.array[first : first + depth], grid, "CT"), detector)
            there = whole.array[first : first + depth]
            scores += [
                overlap(part.array == label, there == label)
                for label in number.values()
                if np.count_nonzero(there == label) >= enough
            ]
        figures[f"{depth} slices against the whole"] = round(float(np.mean(scores)), 3)
    return figures


def invented(detector: OrganDetector) -> dict[str, float]:
    """Organs that are drawn in a head, and how much of its dense bone is."""
    folder = DATA / "ct_series" / "head_tilted_ge"
    if not folder.is_dir():
        return {}
    image = formats.read(folder, uneven="resample")
    labels = found(image, detector)
    ml = labels.grid.voxel_size / 1000
    volumes = {name: float((labels.array == n).sum()) * ml for name, n in numbers(labels).items()}
    dense = (image.array > DENSE_HU) & (image.array < METAL_HU)
    drawn = np.isin(labels.array, [numbers(labels)[name] for name in BONY])
    share = float((dense & drawn).sum()) / float(dense.sum())
    organs = {name: volume for name, volume in volumes.items() if name not in BONY}
    return {
        "head, most of an organ, ml": round(max(organs.values()), 1),
        f"head, share of bone above {DENSE_HU} HU drawn": round(share, 3),
    }


def main() -> None:
    """Score every case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    detector = OrganDetector(parser.parse_args().model)
    seen = detector.model.training.get("labelled_cts", ())
    figures: dict[str, Any] = {"weights": detector.model.weights[0].sha256[:12]}
    for case in cases():
        labels = found(case.image, detector)
        name = f"{case.name} ({'training data' if case.name in seen else 'never seen'})"
        figures |= {f"{name}: {each}": score for each, score in dice(case, labels).items()}
        if case.name == "abdomen_3mm":
            for each, score in stacks(case.image, labels, detector).items():
                figures[f"{case.name}: {each}"] = score
    figures |= invented(detector)
    series = DATA / "ct_series" / "abdomen_crlm_1004"
    if series.is_dir():
        image = formats.read(series)
        seconds = compare({"warm": lambda: found(image, detector)}, repeats=3)
        figures["abdomen of 41 slices, s"] = seconds["warm"]
    report("organs", figures, {})


if __name__ == "__main__":
    main()
