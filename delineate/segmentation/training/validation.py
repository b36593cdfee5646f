"""Measure a model on cases kept back: Dice of each structure, as whoever runs it will see it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Image
from delineate.plugins import Monitor
from delineate.segmentation.model import Model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.segmenter import Segmenter
from delineate.segmentation.training.organ_cases import IGNORED

__all__ = ["COLUMNS", "Scores", "dice", "measure", "note", "summary"]

COLUMNS = ("step", "case", "structure", "dice")

Scores = list[Mapping[str, float | None]]
"""For each case the Dice of each structure; ``None`` where it is neither drawn nor found."""


def measure(
    model: Model,
    pairs: Iterable[tuple[Image, NDArray[np.uint8]]],
    device: str = "auto",
) -> Scores:
    """Segment whole images with a model folder and compare with their labels, on their own grid.

    Parameters
    ----------
    model
        As it was written.
    pairs
        Images and labels as `pairs.read_pair` gives them, one after the other.
    device
        Where to compute; always by plain torch, since a backend is not worth making for so few.
    """
    segmenter = Segmenter(model)
    options = ModelOptions.model_validate({"device": device, "backend": "torch"})
    scores: Scores = []
    for image, drawn in pairs:
        found = segmenter.run(image, options, Monitor()).labels
        scores.append(
            {
                each.category.name: dice(drawn, found, label)
                for label, each in enumerate(model.structures, start=1)
            }
        )
    return scores


def note(table: Path, step: int, scores: Scores) -> None:
    """Add what was measured at a step to a CSV with `COLUMNS`; cases are numbered from 1."""
    with table.open("a", newline="") as stream:
        writer = csv.writer(stream)
        for number, score in enumerate(scores, start=1):
            for name, value in score.items():
                writer.writerow([step, number, name, "" if value is None else f"{value:.5f}"])


def dice(drawn: NDArray[np.uint8], found: NDArray[np.uint8], label: int) -> float | None:
    """``2 |A and B| / (|A| + |B|)`` where labels are known; ``None`` if both are empty."""
    seen = drawn != IGNORED
    first, second = (drawn == label), (found == label) & seen
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 2 * int(np.count_nonzero(first & second)) / total if total else None


def summary(scores: Scores) -> dict[str, Any]:
    """Mean Dice of each structure over the cases that have one, for people and `model.json`."""
    if not scores:
        return {"cases": 0}
    structures = {}
    for name in scores[0]:
        values = [value for score in scores if (value := score[name]) is not None]
        mean = round(float(np.mean(values)), 4) if values else None
        structures[name] = {
            "mean": mean,
            "lowest": round(min(values), 4) if values else None,
            "cases": len(values),
        }
    means = [each["mean"] for each in structures.values() if each["mean"] is not None]
    return {
        "cases": len(scores),
        "mean": round(float(np.mean(means)), 4) if means else None,
        "dice": structures,
    }
