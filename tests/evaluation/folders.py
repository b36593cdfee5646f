"""Small cases on disk: boxes of known size, so that every score can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from delineate.evaluation import Rules, Scored, Scoring
from delineate.evaluation.case import Case
from delineate.evaluation.scored import inputs_of, score_case
from delineate.formats import nifti
from delineate.imaging import Category, Grid, LabelMap

GRID = Grid.regular((4, 12, 12), (2.0, 1.0, 1.0))
NAMES = {1: Category("liver"), 2: Category("spleen")}

Box = tuple[slice, slice, slice]


def box(first: int, length: int = 4) -> Box:
    """4 x ``length`` x 4 samples in slices 0 to 3, rows from ``first``, columns 2 to 5."""
    return slice(0, 4), slice(first, first + length), slice(2, 6)


LIVER, SPLEEN = box(0), box(7)
DICE = Rules(scoring=Scoring(metrics=("dice",)))


def labels(
    boxes: Mapping[int, Box], names: Mapping[int, Category] = NAMES, grid: Grid = GRID
) -> LabelMap:
    array = np.zeros(grid.shape, np.uint8)
    for label, where in boxes.items():
        array[where] = label
    return LabelMap(array, grid, dict(names))


def write(folder: Path, name: str, labelmap: LabelMap) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.nii.gz"
    nifti.write_labels(labelmap, path)
    return path


def pairs(root: Path, count: int = 3) -> tuple[Path, Path]:
    """Predictions and references; the liver of case ``c<n>`` lies n rows too low.

    Dice of the liver is (4 - n) / 4, that of the spleen 1.
    """
    for number in range(count):
        write(root / "reference", f"c{number}", labels({1: LIVER, 2: SPLEEN}))
        write(root / "prediction", f"c{number}", labels({1: box(number % 4), 2: SPLEEN}))
    return root / "prediction", root / "reference"


def case(tmp_path: Path, prediction: LabelMap, reference: LabelMap) -> Case:
    return Case(
        name="c",
        reference=write(tmp_path, "reference", reference),
        prediction=write(tmp_path, "prediction", prediction),
    )


def scored(case: Case, rules: Rules = DICE) -> Scored:
    return score_case(case, rules, inputs_of(case))


def values(found: Scored, metric: str = "dice") -> dict[str, tuple[float, str]]:
    assert not found.error, found.error
    return {one.structure: (one.value, one.note) for one in found.scores if one.metric == metric}
