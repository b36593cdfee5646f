"""Dice of an organ model: on its own training CTs, on a CT it never saw, on new phantoms.

``python benchmarks/organs.py [--model FOLDER]``; the real CTs lie in ``../shared/data``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measure import report
from numpy.typing import NDArray

from delineate import formats
from delineate.formats import nrrd
from delineate.imaging import Image, resample_labels
from delineate.phantom import STRUCTURES, torso
from delineate.segmentation.options import NAMES, OrganOptions
from delineate.segmentation.organs import MODEL, OrganDetector
from delineate.segmentation.training.organ_cases import IGNORED, labelled_cases

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "ct_labelled"
NEW_PHANTOMS = (9001, 9002)  # training takes seeds from 0 on


@dataclass(frozen=True)
class Case:
    """A CT with reference labels; ``known`` names the structures that were labelled."""

    name: str
    image: Image
    reference: NDArray[np.uint8]
    known: frozenset[str]


def cases() -> Iterator[Case]:
    """Every case that is there."""
    if DATA.is_dir():
        for case in labelled_cases(DATA):
            known = frozenset(np.array(STRUCTURES)[case.known].tolist())
            image = Image(case.hu, case.grid, "CT")
            yield Case(f"{case.name} (training data)", image, case.labels, known)
        folder = DATA / "dcmqi_liver_spine"
        image = formats.read(folder / "ct-3slice")
        drawn = resample_labels(nrrd.read_labels(folder / "liver_seg.nrrd"), image.grid)
        liver = (drawn.array > 0) * np.uint8(STRUCTURES.index("liver"))
        yield Case("dcmqi, 3 slices (never seen)", image, liver, frozenset({"liver"}))
    for seed in NEW_PHANTOMS:
        image, truth = torso(seed, spacing_mm=(4.0, 3.0, 3.0))
        yield Case(f"phantom {seed} (never seen)", image, truth.array, frozenset(STRUCTURES))


def dice(case: Case, detector: OrganDetector) -> dict[str, float]:
    """Dice by structure; one that is neither in the reference nor found is left out."""
    found: Any = detector.detect(case.image, OrganOptions(device="cpu")).output
    numbers = {category.name: label for label, category in found.categories.items()}
    counted = case.reference != IGNORED
    scores = {}
    for name in NAMES:
        if name not in case.known:
            continue
        drawn = case.reference == STRUCTURES.index(name)
        there = (found.array == numbers[name]) & counted
        total = int(drawn.sum()) + int(there.sum())
        if total:
            scores[name] = round(2 * int((drawn & there).sum()) / total, 3)
    return scores


def main() -> None:
    """Score every case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    detector = OrganDetector(parser.parse_args().model)
    figures: dict[str, Any] = {"weights": detector.model.weights[0].sha256[:12]}
    for case in cases():
        for name, score in dice(case, detector).items():
            figures[f"{case.name}: {name}"] = score
    report("organs", figures, {})


if __name__ == "__main__":
    main()
